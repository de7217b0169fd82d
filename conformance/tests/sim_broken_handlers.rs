//! The simulation finds broken handlers, each within a bounded number of seeds, and passes the same handlers without their
//! fault.

use std::process::Command;

use sanserve_conformance::sim::{Sim, Tree};
use sanserve_core::{Event, Exchange, Handler, Next, Path, from_fn};

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
    let sim = Box::new(move |broken| Sim::new(move |_| handler(broken)));
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

/// The handlers that make a mistake that the engine names, in every reply.
fn named_mistakes() -> Vec<Case> {
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

/// The handlers that work without end, or panic.
fn endless_handlers() -> Vec<Case> {
    vec![
        case("opens files without end", &["end", "reference"], |broken| {
            function(move |ex, event| match event {
                Some(_) if !broken => hello(ex, 6),
                _ => Next::Open(Path::default()),
            })
        }),
        case(
            "sends chunks without end",
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
        case("waits without end", &["end", "reference"], |broken| {
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

/// More seeds than are needed to find any of them.
const SEEDS_MAX: u64 = 10_000;

/// Finds the fault of each case, prints its seed, and passes the handler without the fault on the same seeds.
fn find_all(cases: Vec<Case>) {
    for Case { name, checks, sim } in cases {
        let broken = sim(true);
        let failure = (1..=SEEDS_MAX).find_map(|seed| broken.check_seed(seed).err());
        let failure = failure.unwrap_or_else(|| panic!("{name}: not found in {SEEDS_MAX} seeds"));
        println!("{name}: seed {}, {}", failure.seed, failure.check);
        assert!(checks.contains(&failure.check), "{name}: {failure}");
        let correct = sim(false);
        for seed in 1..=failure.seed.max(200) {
            if let Err(failure) = correct.check_seed(seed) {
                panic!("{name}, without the fault: {failure}");
            }
        }
    }
}

#[test]
fn mistakes_that_the_engine_names_are_found() {
    find_all(named_mistakes());
}

#[test]
fn endless_work_and_panics_are_found() {
    find_all(endless_handlers());
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
    for seed in 1..200 {
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
