//! Tests the checks of the simulation. Each check fails when it should: for a handler that violates it or, where no
//! handler can, for a conversation that was tampered with.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::OnceLock;

use sanserve_conformance::sim::checks::CHECKS;
use sanserve_conformance::sim::conversation::Answer;
use sanserve_conformance::sim::reader::ParsedReply;
use sanserve_conformance::sim::{Conversation, Faults, Sim};
use sanserve_core::{Event, Exchange, Handler, Next, Path, Protocol, from_fn};

/// Returns the first check that fails, within 1,000 seeds.
fn caught<H: Handler + 'static>(handler: impl Fn(u64) -> H + 'static) -> &'static str {
    let sim = Sim::new(handler);
    let failure = (1..1000).find_map(|seed| sim.check_seed(seed).err());
    failure.expect("it is caught").check
}

fn hello(ex: &mut Exchange<'_>, content: &[u8]) -> Next {
    ex.send_response(200);
    ex.send_header("Content-Length", content.len());
    ex.end_headers();
    ex.write(content);
    Next::Done
}

#[test]
fn a_handler_that_panics_is_caught() {
    assert_eq!(caught(|_| from_fn(|_| panic!("for the test"))), "panic");
}

#[test]
fn a_handler_whose_replies_vary_is_caught() {
    let calls = Rc::new(Cell::new(0));
    let handler = move |_| {
        let calls = Rc::clone(&calls);
        from_fn(move |ex| {
            calls.set(calls.get() + 1);
            hello(ex, calls.get().to_string().as_bytes())
        })
    };
    assert_eq!(caught(handler), "reference");
}

#[test]
fn a_handler_that_opens_different_files_each_time_is_caught() {
    struct Asks(u64);
    impl Handler for Asks {
        fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
            let path = Path::parse(&format!("/{}", self.0));
            Next::Open(path.expect("it contains no NUL"))
        }
        fn resume(&mut self, ex: &mut Exchange<'_>, _: Event<'_>) -> Next {
            hello(ex, b"")
        }
    }
    let asked = Rc::new(Cell::new(0));
    let handler = move |_| {
        asked.set(asked.get() + 1);
        Asks(asked.get())
    };
    assert_eq!(caught(handler), "reference");
}

#[test]
fn different_transcripts_of_one_seed_are_caught() {
    let runs = Rc::new(Cell::new(0));
    let handler = move |_| {
        runs.set(runs.get() + 1);
        // The reference run follows the first of the two runs.
        let content = [b"a", b"b"][runs.get() / 2 % 2];
        from_fn(move |ex| hello(ex, content))
    };
    let sim = Sim::new(handler).faults(Faults::NONE);
    let failures: Vec<_> = (1..200)
        .filter_map(|n| sim.check_seed(64 * n).err())
        .collect();
    assert!(
        failures
            .iter()
            .any(|failure| failure.check == "deterministic"),
        "{failures:?}"
    );
}

#[test]
fn a_handler_that_never_stops_is_caught() {
    struct Busy(u32);
    impl Handler for Busy {
        fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
            self.0 = 0;
            self.resume(ex, Event::End)
        }
        fn resume(&mut self, ex: &mut Exchange<'_>, _: Event<'_>) -> Next {
            self.0 += 1;
            if self.0 == 2000 {
                return hello(ex, b"");
            }
            Next::Open(Path::default())
        }
    }
    assert_eq!(caught(|_| Busy(0)), "work");
}

#[test]
fn a_handler_that_uses_too_much_memory_is_caught() {
    let large = "x".repeat(1 << 20);
    let handler = move |_| {
        let large = large.clone();
        from_fn(move |ex| {
            ex.send_response(204);
            ex.send_header("X", &large);
            ex.end_headers();
            Next::Done
        })
    };
    assert_eq!(caught(handler), "memory");
}

#[test]
fn custom_checks_run() {
    let sim = Sim::new(|_| from_fn(|ex| hello(ex, b"hello"))).check("own", |conversation| {
        let replies = conversation.replies()?;
        match replies.iter().any(|reply| *reply.body == *b"hello") {
            true => Err("it says hello".into()),
            false => Ok(()),
        }
    });
    let failure = (1..100).find_map(|seed| sim.check_seed(seed).err());
    let failure = failure.expect("it says hello");
    assert_eq!(failure.check, "own");
    let text = failure.to_string();
    assert!(
        text.contains("the check `own` failed: it says hello"),
        "{text}"
    );
    assert!(text.ends_with(&format!("SEED={}", failure.seed)), "{text}");
}

/// Returns a conversation that passes all checks.
fn passing() -> Conversation {
    static GOOD: OnceLock<Conversation> = OnceLock::new();
    GOOD.get_or_init(find_passing).clone()
}

fn find_passing() -> Conversation {
    let sim = Sim::standard().faults(Faults::NONE);
    let mut all = (1..10_000).flat_map(|seed| sim.simulate(seed, false).conversations);
    let good = all.find(|conversation| {
        let ok = |replies: &[_]| replies.len() == 2 && conversation.requests.len() == 2;
        let file =
            |answer: &Answer| matches!(answer, Answer::File { bytes_read, .. } if !bytes_read.is_empty());
        !conversation.disruptions.any()
            && conversation.sent_lines.is_some()
            && conversation.handler % 16 < 6
            && conversation
                .fs_calls
                .iter()
                .any(|asked| file(&asked.answer))
            && conversation.replies().is_ok_and(|replies| {
                // The last byte is one of content, not of a head or a chunk.
                let plain = |reply: &ParsedReply<'_>| {
                    !reply.body.is_empty() && reply.field("Transfer-Encoding").is_none()
                };
                ok(&replies) && replies.last().is_some_and(plain) && replies.iter().all(|reply| reply.status == 200)
            })
    });
    good.expect("there are many")
}

/// Returns the checks that fail after `tamper` has altered a passing conversation.
fn failing(tamper: impl Fn(&mut Conversation)) -> Vec<&'static str> {
    let mut conversation = passing();
    tamper(&mut conversation);
    let failed = CHECKS
        .iter()
        .filter(|(_, check)| check(&conversation).is_err());
    failed.map(|(name, _)| *name).collect()
}

#[test]
fn impossible_violations_are_caught() {
    assert_eq!(failing(|_| {}), [""; 0]);
    assert_eq!(
        failing(|conversation| conversation.counts.closed = false),
        ["end"]
    );
    assert_eq!(
        failing(|conversation| conversation.reference = None),
        ["reference"]
    );
    assert_eq!(
        failing(|conversation| conversation.counts.waits_without_deadline = 1),
        ["deadlines"]
    );
    assert_eq!(
        failing(|conversation| conversation.counts.past_deadlines = 1),
        ["deadlines"]
    );
    assert_eq!(
        failing(|conversation| conversation.counts.open_at_close = 1),
        ["handles"]
    );
    assert_eq!(
        failing(|conversation| conversation.counts.open_after_reply = 1),
        ["handles"]
    );
    assert_eq!(
        failing(|conversation| conversation.counts.uses_after_failure = 1),
        ["transport"]
    );
    assert_eq!(
        failing(|conversation| conversation.counts.reads_while_reply_due = 1),
        ["deadlock"]
    );
    assert_eq!(
        failing(|conversation| conversation.counts.begun_after_finish = 2),
        ["finish"]
    );
    assert_eq!(
        failing(|conversation| conversation.config.limits.requests = 1),
        ["requests"]
    );
    assert_eq!(
        failing(|conversation| conversation.counts.content_max = 1 << 40),
        ["requests"]
    );
    assert_eq!(
        failing(|conversation| conversation.counts.steps += 1_000_000),
        ["work"]
    );
    assert_eq!(
        failing(|conversation| conversation.counts.allocated = 1 << 24),
        ["memory"]
    );
    assert_eq!(
        failing(|conversation| conversation
            .sent_lines
            .iter_mut()
            .for_each(|sent| sent.reverse())),
        ["requests"]
    );
}

#[test]
fn lost_truncated_and_repeated_replies_are_caught() {
    let cut = |conversation: &mut Conversation| _ = conversation.output.pop();
    let lost = |conversation: &mut Conversation| {
        let second = conversation
            .output
            .windows(5)
            .rposition(|five| five == b"HTTP/");
        conversation.output.truncate(second.expect("there are two"));
    };
    assert!(failing(cut).contains(&"reference"));
    assert_eq!(failing(lost), ["reference"]);
    let doubled = failing(|conversation| conversation.output.extend_from_within(..));
    assert!(
        doubled.contains(&"replies") && doubled.contains(&"log"),
        "{doubled:?}"
    );
    let changed =
        failing(|conversation| *conversation.output.last_mut().expect("there is some") ^= 1);
    assert_eq!(changed, ["reference"]);
    // A reset explains a truncated reply.
    let reset = |conversation: &mut Conversation| {
        cut(conversation);
        conversation.disruptions.reset = true;
    };
    assert_eq!(failing(reset), [""; 0]);
}

#[test]
fn bytes_that_an_upgrade_loses_repeats_or_reorders_are_caught() {
    let sim = Sim::standard().faults(Faults::NONE);
    let mut all = (1..10_000).flat_map(|seed| sim.simulate(seed, false).conversations);
    let follows_http = |upgraded: &Vec<u8>| upgraded.starts_with(b"GET /");
    let upgraded = all.find(|conversation| {
        !conversation.request_ends.is_empty()
            && conversation.upgraded.as_ref().is_some_and(follows_http)
    });
    let upgraded = upgraded.expect("there are many");
    let failing = |tamper: fn(&mut Vec<u8>)| {
        let mut conversation = upgraded.clone();
        tamper(conversation.upgraded.as_mut().expect("it is upgraded"));
        let failed = CHECKS
            .iter()
            .filter(|(_, check)| check(&conversation).is_err());
        failed.map(|(name, _)| *name).collect::<Vec<_>>()
    };
    assert_eq!(failing(|_| {}), [""; 0]);
    assert_eq!(failing(|bytes| _ = bytes.pop()), ["upgrade"]);
    assert_eq!(failing(|bytes| _ = bytes.remove(0)), ["upgrade"]);
    assert_eq!(failing(|bytes| bytes.extend_from_within(..1)), ["upgrade"]);
    assert_eq!(failing(|bytes| bytes.swap(0, 1)), ["upgrade"]);
}

#[test]
fn a_missing_connection_close_is_caught() {
    let shut = |conversation: &mut Conversation| {
        conversation.config.protocol = Protocol::Http11;
        conversation.counts.shutdown = true;
        (conversation.input, conversation.sent_lines) = (Vec::new(), None);
        let at = conversation
            .output
            .windows(11)
            .rposition(|part| part == b"Connection:");
        if let Some(at) = at {
            conversation.output[at..][..10].copy_from_slice(b"Whatsoever");
        }
        conversation
            .reference
            .iter_mut()
            .for_each(|reference| reference.output = conversation.output.clone());
    };
    assert_eq!(failing(shut), ["close"]);
}

#[test]
fn a_wrong_log_is_caught() {
    assert!(
        failing(|conversation| conversation.log = conversation.log.replace("\" 200 -", "\" 304 -"))
            .contains(&"log")
    );
    assert!(failing(|conversation| conversation.log.clear()).contains(&"log"));
}
