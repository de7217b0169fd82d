//! Tests that the simulation finds broken handlers, each within a bounded number of seeds, and passes the same handlers
//! without their fault.

mod further;

use std::cell::{Cell, RefCell};
use std::process::Command;
use std::rc::Rc;
use std::time::Instant;

use sanserve_conformance::sim::reader::ReplyEnd;
use sanserve_conformance::sim::{Conversation, Sim, Tree, excerpt};
use sanserve_core::{Create, Event, Exchange, Handler, Next, Path, from_fn};

type AnyHandler = Box<dyn Handler>;

/// A handler that has a fault if its argument is true.
struct Case {
    name: &'static str,
    /// The checks that may find the fault.
    checks: &'static [&'static str],
    sim: Box<dyn Fn(bool) -> Sim<Tree, AnyHandler>>,
}

fn case(
    name: &'static str,
    checks: &'static [&'static str],
    handler: fn(bool) -> AnyHandler,
) -> Case {
    case_of(name, checks, move |broken| {
        Sim::new(move |_| handler(broken))
    })
}

fn case_of(
    name: &'static str,
    checks: &'static [&'static str],
    sim: impl Fn(bool) -> Sim<Tree, AnyHandler> + 'static,
) -> Case {
    let sim = Box::new(sim);
    Case { name, checks, sim }
}

/// A handler that is one function. The event of `begin` is `None`.
struct Function<F>(F);

impl<F: FnMut(&mut Exchange<'_>, Option<Event<'_>>) -> Next> Handler for Function<F> {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        (self.0)(ex, None)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        (self.0)(ex, Some(event))
    }
}

fn function(
    function: impl FnMut(&mut Exchange<'_>, Option<Event<'_>>) -> Next + 'static,
) -> AnyHandler {
    Box::new(Function(function))
}

fn once(function: impl FnMut(&mut Exchange<'_>) -> Next + 'static) -> AnyHandler {
    Box::new(from_fn(function))
}

/// Sends a reply whose `Content-Length` may be wrong.
fn hello(ex: &mut Exchange<'_>, announced: usize) -> Next {
    ex.send_response(200);
    ex.send_header("Content-Length", announced);
    ex.end_headers();
    ex.write(b"hello\n");
    Next::Done
}

/// The handlers that make a mistake that the engine reports, in every reply.
fn reported_mistakes() -> Vec<Case> {
    let mistake = |name, handler| case(name, &["handler"], handler);
    vec![
        mistake("sends nothing", |broken| {
            once(move |ex| if broken { Next::Done } else { hello(ex, 6) })
        }),
        mistake("sends less than Content-Length", |broken| {
            once(move |ex| hello(ex, if broken { 7 } else { 6 }))
        }),
        mistake("sends more than Content-Length", |broken| {
            once(move |ex| hello(ex, if broken { 5 } else { 6 }))
        }),
        mistake("sends a line break in a field", |broken| {
            once(move |ex| {
                ex.send_response(204);
                ex.send_header("X", if broken { "a\r\nb" } else { "a b" });
                ex.end_headers();
                Next::Done
            })
        }),
        mistake("sends content without a head", |broken| {
            once(move |ex| {
                if broken {
                    ex.write(b"hello\n");
                    return Next::Done;
                }
                hello(ex, 6)
            })
        }),
        mistake("does not end its head", |broken| {
            once(move |ex| {
                ex.send_response(204);
                if !broken {
                    ex.end_headers();
                }
                Next::Done
            })
        }),
        mistake("sends two heads", |broken| {
            once(move |ex| {
                if broken {
                    ex.send_response(200);
                    ex.end_headers();
                }
                hello(ex, 6)
            })
        }),
        mistake("sends a field after its head", |broken| {
            once(move |ex| {
                ex.send_response(204);
                ex.end_headers();
                if broken {
                    ex.send_header("X", "y");
                }
                Next::Done
            })
        }),
        mistake("makes no progress", |broken| {
            function(move |ex, event| match event {
                None => {
                    ex.send_response(200);
                    ex.end_headers();
                    Next::Write(b"hello\n".into())
                }
                _ if broken => Next::Write(b"".into()),
                _ => Next::Done,
            })
        }),
        mistake("sends a file that is not open", |broken| {
            function(move |ex, event| match event {
                None if !broken => Next::Open(Path::parse("/a.txt").expect("it is valid")),
                None => {
                    ex.send_response(200);
                    ex.end_headers();
                    Next::Send(0..10)
                }
                Some(Event::Opened(_, meta)) => {
                    ex.send_response(200);
                    ex.send_header("Content-Length", meta.len);
                    ex.end_headers();
                    Next::Send(0..meta.len)
                }
                Some(Event::End) => Next::Done,
                _ => ex.send_error(404, "Not Found"),
            })
        }),
    ]
}

/// The handlers that never stop, or panic.
fn endless_handlers() -> Vec<Case> {
    vec![
        case(
            "never stops opening files",
            &["end", "reference"],
            |broken| {
                function(move |ex, event| match event {
                    Some(_) if !broken => hello(ex, 6),
                    _ => Next::Open(Path::default()),
                })
            },
        ),
        case(
            "never stops sending chunks",
            &["end", "reference"],
            |broken| {
                let mut left = 0;
                function(move |ex, event| {
                    match event {
                        None => {
                            left = 20;
                            ex.send_response(200);
                            ex.end_headers();
                        }
                        _ if left == 0 => return Next::Done,
                        _ => left -= u32::from(!broken),
                    }
                    Next::Write(vec![b'x'; 1 << 14].into())
                })
            },
        ),
        case("never stops waiting", &["end", "reference"], |broken| {
            function(move |ex, event| match event {
                Some(_) if !broken => hello(ex, 6),
                _ => Next::Wait(std::time::Duration::from_millis(1)),
            })
        }),
        case("panics if content is sent", &["panic"], |broken| {
            function(move |ex, event| match event {
                None => Next::Body,
                Some(Event::Data(bytes)) => {
                    assert!(!broken || bytes.len() < 200, "for the test");
                    Next::Body
                }
                _ => hello(ex, 6),
            })
        }),
    ]
}

/// Sends a reply with this content.
fn send(ex: &mut Exchange<'_>, content: Vec<u8>) -> Next {
    ex.send_response(200);
    ex.send_header("Content-Length", content.len());
    ex.end_headers();
    Next::Write(content.into())
}

/// Checks that the content of every complete 200 is what `expected` returns for its target and content.
fn replies_with(
    conversation: &Conversation,
    expected: impl Fn(&str, &[u8]) -> Vec<u8>,
) -> Result<(), String> {
    for exchange in conversation.exchanges()? {
        let reply = &exchange.reply;
        let whole = reply.status == 200 && reply.end == ReplyEnd::Complete;
        if !whole || matches!(exchange.method, "HEAD" | "CONNECT") {
            continue;
        }
        let expected = expected(exchange.target, exchange.content);
        if *reply.body != *expected {
            let (expected, got) = (expected.len(), reply.body.len());
            return Err(format!(
                "expected {expected} bytes of content; got {got}, or different ones"
            ));
        }
    }
    Ok(())
}

/// Checks that the content of every complete 200 is that of its request.
fn echoes(conversation: &Conversation) -> Result<(), String> {
    replies_with(conversation, |_, content| content.to_vec())
}

/// A handler that gives the content of a request to `take`, piece by piece, and then calls `reply`.
fn receive(
    mut take: impl FnMut(&[u8]) + 'static,
    mut reply: impl FnMut(&mut Exchange<'_>) -> Next + 'static,
) -> AnyHandler {
    let mut is_sent = false;
    function(move |ex, event| match event {
        None => {
            is_sent = false;
            Next::Body
        }
        Some(Event::Data(bytes)) => {
            take(bytes);
            Next::Body
        }
        _ if is_sent => Next::Done,
        _ => {
            is_sent = true;
            reply(ex)
        }
    })
}

/// A handler that collects the content of a request, and replies with `reply`, which may keep the content for the next
/// request.
fn collect_and(
    mut reply: impl FnMut(&mut Exchange<'_>, &mut Vec<u8>) -> Next + 'static,
) -> AnyHandler {
    let content = Rc::new(RefCell::new(Vec::new()));
    let taken = Rc::clone(&content);
    receive(
        move |bytes| taken.borrow_mut().extend_from_slice(bytes),
        move |ex| reply(ex, &mut content.borrow_mut()),
    )
}

/// A handler that collects the content of a request, and sends back what `reply` makes of it.
fn collect(reply: impl Fn(&mut Vec<u8>) -> Vec<u8> + 'static) -> AnyHandler {
    collect_and(move |ex, content| send(ex, reply(content)))
}

/// The handlers whose replies are valid, but wrong, at least for some content or after a fault.
fn wrong_replies() -> Vec<Case> {
    let echo = |name, checks, handler: fn(bool) -> AnyHandler| {
        case_of(name, checks, move |broken| {
            Sim::new(move |_| handler(broken)).check("echo", echoes)
        })
    };
    vec![
        echo(
            "keeps content of the previous request",
            &["echo"],
            |broken| {
                collect(move |content| match broken {
                    true => content.clone(),
                    false => std::mem::take(content),
                })
            },
        ),
        echo(
            "expects all content in one piece",
            &["echo", "reference"],
            |broken| {
                let content = Rc::new(RefCell::new(Vec::new()));
                let taken = Rc::clone(&content);
                let take = move |bytes: &[u8]| {
                    let mut content = taken.borrow_mut();
                    if broken {
                        content.clear();
                    }
                    content.extend_from_slice(bytes);
                };
                receive(take, move |ex| send(ex, content.take()))
            },
        ),
        echo("truncates content to 64 KiB", &["echo"], |broken| {
            collect(move |content| {
                let content = std::mem::take(content);
                let len = if broken {
                    content.len() % (1 << 16)
                } else {
                    content.len()
                };
                content[..len].to_vec()
            })
        }),
        echo("panics at a megabyte of content", &["panic"], |broken| {
            collect(move |content| {
                assert!(!broken || content.len() < 1_000_000, "for the test");
                std::mem::take(content)
            })
        }),
        echo(
            "announces one byte too few of large content",
            &["handler"],
            |broken| {
                collect_and(move |ex, content| {
                    let less = usize::from(broken && content.len() > 500_000);
                    ex.send_response(200);
                    ex.send_header("Content-Length", content.len() - less);
                    ex.end_headers();
                    Next::Write(std::mem::take(content).into())
                })
            },
        ),
        case(
            "replies with the number of pieces of content",
            &["reference"],
            |broken| {
                let pieces = Rc::new(Cell::new(0));
                let taken = Rc::clone(&pieces);
                receive(
                    move |_| taken.set(taken.get() + u32::from(broken)),
                    move |ex| send(ex, pieces.take().to_string().into()),
                )
            },
        ),
        shares_a_buffer(),
        skips_content_after_a_flush(),
        replies_to_the_first_request(),
        loses_slots(),
        upload("does not commit an upload", |broken, event| match event {
            Upload::Written if broken => Upload::Committed,
            event => event,
        }),
        upload(
            "ignores that a commit failed",
            |broken, event| match event {
                Upload::CommitFailed if broken => Upload::Committed,
                event => event,
            },
        ),
        upload("ignores that a write failed", |broken, event| match event {
            Upload::WriteFailed if broken => Upload::Written,
            event => event,
        }),
    ]
}

fn shares_a_buffer() -> Case {
    let name = "shares a buffer between connections";
    case_of(name, &["reference"], |broken| {
        let shared = Rc::new(RefCell::new(Vec::new()));
        Sim::new(move |_| {
            let content = match broken {
                true => Rc::clone(&shared),
                false => Rc::default(),
            };
            let taken = Rc::clone(&content);
            receive(
                move |bytes| taken.borrow_mut().extend_from_slice(bytes),
                move |ex| send(ex, content.take()),
            )
        })
    })
}

fn skips_content_after_a_flush() -> Case {
    const CONTENT: [u8; 1000] = [b'x'; 1000];
    let handler = |broken| {
        let mut at = 0;
        function(move |ex, event| {
            match event {
                None => {
                    at = 0;
                    ex.send_response(200);
                    ex.end_headers();
                }
                _ => at += if broken { 101 } else { 100 },
            }
            if at >= CONTENT.len() {
                return Next::Done;
            }
            ex.write(&CONTENT[at..][..100.min(CONTENT.len() - at)]);
            Next::Flush
        })
    };
    let name = "skips content after a flush";
    case_of(name, &["content"], move |broken| {
        Sim::new(move |_| handler(broken)).check("content", |conversation| {
            replies_with(conversation, |_, _| CONTENT.to_vec())
        })
    })
}

fn replies_to_the_first_request() -> Case {
    let handler = |broken| {
        let mut first = None;
        once(move |ex| {
            let path = ex.path().to_string();
            let path = match broken {
                true => first.get_or_insert(path).clone(),
                false => path,
            };
            ex.send_response(200);
            ex.send_header("Content-Length", path.len());
            ex.end_headers();
            ex.write(path.as_bytes());
            Next::Done
        })
    };
    let name = "replies to the first request again";
    case_of(name, &["target"], move |broken| {
        let sim = Sim::new(move |_| handler(broken)).targets(&["/a", "/b?c", "/d"]);
        sim.check("target", |conversation| {
            replies_with(conversation, |target, _| target.into())
        })
    })
}

/// A slot of a pool. It is lost if it is dropped while `is_lost` is set.
struct Slot {
    used: Rc<Cell<i32>>,
    is_lost: bool,
}

impl Slot {
    fn take(used: &Rc<Cell<i32>>, is_lost: bool) -> Slot {
        used.set(used.get() + 1);
        let used = Rc::clone(used);
        Slot { used, is_lost }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.used.set(self.used.get() - i32::from(!self.is_lost));
    }
}

fn loses_slots() -> Case {
    let name = "loses a slot of a pool when a connection is cut";
    case_of(name, &["pool"], |broken| {
        let used = Rc::new(Cell::new(0));
        let [pool, reset] = [Rc::clone(&used), Rc::clone(&used)];
        let sim = Sim::new(move |_| {
            let (pool, mut slot) = (Rc::clone(&pool), None);
            function(move |ex, event| {
                if event.is_none() {
                    slot = Some(Slot::take(&pool, broken));
                    return send(ex, b"hello\n".to_vec());
                }
                if let Some(mut done) = slot.take() {
                    done.is_lost = false;
                }
                Next::Done
            })
        });
        let sim = sim.before_world(move || reset.set(0));
        sim.check_world("pool", move |_, _| match used.get() {
            0 => Ok(()),
            lost => Err(format!("{lost} slots are lost")),
        })
    })
}

/// The outcome of a step of an upload.
#[derive(Clone, Copy)]
enum Upload {
    Written,
    WriteFailed,
    Committed,
    CommitFailed,
}

/// A handler that stores the content of a request; `fault` alters the outcomes that it gets.
fn upload(name: &'static str, fault: fn(bool, Upload) -> Upload) -> Case {
    let handler = move |broken| {
        let (mut content, mut is_created, mut is_committing) = (Vec::new(), false, false);
        function(move |ex, event| {
            is_created |= matches!(event, Some(Event::Created(_)));
            let happened = match event {
                None => {
                    (content, is_created, is_committing) = (Vec::new(), false, false);
                    return Next::Body;
                }
                Some(Event::Data(bytes)) => {
                    content.extend_from_slice(bytes);
                    return Next::Body;
                }
                Some(Event::Created(_)) if content.is_empty() => Upload::Written,
                Some(Event::Created(_)) => {
                    return Next::WriteFile(std::mem::take(&mut content));
                }
                Some(Event::End) if is_committing => Upload::Committed,
                Some(Event::End) if is_created => Upload::Written,
                Some(Event::End) => {
                    return Next::Create(Box::new(Create::new(
                        Path::parse(ex.path()).unwrap_or_default(),
                    )));
                }
                Some(_) if is_committing => Upload::CommitFailed,
                Some(_) => Upload::WriteFailed,
            };
            match fault(broken, happened) {
                Upload::Written => {
                    is_committing = true;
                    Next::Commit
                }
                Upload::Committed => {
                    ex.send_response(201);
                    ex.send_header("Content-Length", 0);
                    ex.end_headers();
                    Next::Done
                }
                _ => ex.send_error(500, "Not stored"),
            }
        })
    };
    case_of(name, &["tree", "handler"], move |broken| {
        let sim = Sim::new(move |_| handler(broken)).targets(&["/new1", "/new2", "/new3"]);
        sim.change(|_, _| {})
            .check_world("tree", |tree, conversations| {
                for conversation in conversations {
                    for exchange in conversation.exchanges()? {
                        if exchange.method == "CONNECT" {
                            continue;
                        }
                        let stored = tree.content(&exchange.target[1..]);
                        if exchange.reply.status == 201
                            && stored.as_deref() != Some(exchange.content)
                        {
                            return Err(format!("{} is not stored", exchange.target));
                        }
                    }
                }
                Ok(())
            })
    })
}

/// More seeds than are needed to find any of them.
const SEEDS_MAX: u64 = 10_000;

/// Finds the fault of each case, prints its seed, and passes the handler without the fault on the same seeds.
fn find_all(cases: Vec<Case>) {
    for Case { name, checks, sim } in cases {
        let broken = sim(true);
        let failure = (1..=SEEDS_MAX).find_map(|seed| broken.check_seed(seed).err());
        let failure = failure.unwrap_or_else(|| panic!("{name}: not found in {SEEDS_MAX} seeds"));
        let start = Instant::now();
        let reduced = broken.shrink(&failure);
        let (seed, took) = (&reduced.seed, start.elapsed());
        let transcript = excerpt(&broken.transcript(seed));
        let lines = transcript.lines().count();
        println!(
            "{name}: seed {}, {}, reduced to {seed} with {lines} lines in {took:.1?}",
            failure.seed, failure.check
        );
        assert!(checks.contains(&failure.check), "{name}: {failure}");
        assert_eq!(reduced.check, failure.check, "{name}: {reduced}");
        assert_eq!(
            broken.check_seed(seed).err(),
            Some(reduced.clone()),
            "{name}"
        );
        assert!(lines < 200, "{name}: {lines} lines:\n{transcript}");
        if std::env::var_os("SHOW").is_some() {
            println!("{transcript}\n");
        }
        let correct = sim(false);
        for seed in 1..=failure.seed.number.max(200) {
            if let Err(failure) = correct.check_seed(seed) {
                panic!("{name}, without the fault: {failure}");
            }
        }
    }
}

#[test]
fn mistakes_that_the_engine_reports_are_found() {
    find_all(reported_mistakes());
}

#[test]
fn endless_work_and_panics_are_found() {
    find_all(endless_handlers());
}

#[test]
fn wrong_replies_are_found() {
    find_all(wrong_replies());
}

#[test]
fn further_faults_are_found() {
    find_all(further::cases());
}

#[test]
fn mistakes_are_allowed_only_if_the_user_says_so() {
    let sim = || Sim::new(|_| once(|ex| hello(ex, 7)));
    let failure = (1..100).find_map(|seed| sim().check_seed(seed).err());
    let failure = failure.expect("it is found");
    assert_eq!(
        failure.message,
        "the handler wrote less than Content-Length"
    );
    let allowed = sim().allow_handler_errors(|_, error| error == "wrote less than Content-Length");
    for seed in 1..200 {
        allowed.check_seed(seed).expect("this is allowed");
    }
}

#[test]
fn a_correct_handler_with_large_replies_passes() {
    let sim = Sim::new(|_| {
        let mut is_sent = false;
        function(move |ex, event| {
            if event.is_some() && is_sent {
                return Next::Done;
            }
            is_sent = true;
            ex.send_response(200);
            ex.send_header("Content-Length", 1 << 20);
            ex.end_headers();
            Next::Write(vec![b'x'; 1 << 20].into())
        })
    });
    // SEEDS=100000 in an optimized build is worth a run after a change of the limits of steps and bytes.
    if std::env::var_os("SEEDS").is_some() {
        return sim.run();
    }
    for seed in 1..=200 {
        sim.check_seed(seed)
            .unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn the_watchdog_names_the_seed_of_a_handler_that_does_not_return() {
    if std::env::var_os("SEED_SECONDS").is_some() {
        #[allow(clippy::empty_loop, reason = "this handler never returns")]
        Sim::new(|_| once(|_| loop {})).run();
    }
    let this = std::env::current_exe().expect("a test has a path");
    let name = "the_watchdog_names_the_seed_of_a_handler_that_does_not_return";
    let output = Command::new(this)
        .args(["--exact", name])
        .env("SEED_SECONDS", "1")
        .env("FIRST_SEED", "17")
        .env("SEEDS", "5")
        .output()
        .expect("a test can be started");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    // There may be no request in the first world.
    let names = |seed| text.contains(&format!("to run it again, set SEED={seed}\n"));
    assert!((17..22).any(names), "{text}");
}
