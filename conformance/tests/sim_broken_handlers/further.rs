//! Further broken handlers: those that misjudge events, share state, or are found by requests of the test's own.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use sanserve_conformance::sim::{Request, Sim};
use sanserve_core::{Event, Next, Path};

use super::{
    AnyHandler, Case, case, case_of, collect, collect_and, echoes, function, hello, once,
    replies_with, send,
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("panics if a path is invalid", &["panic"], |broken| {
            once(move |ex| {
                let path = Path::parse(ex.path());
                assert!(!broken || path.is_some(), "for the test");
                hello(ex, 6)
            })
        }),
        case("panics if a file cannot be opened", &["panic"], |broken| {
            function(move |ex, event| match event {
                None => Next::Open(Path::parse(ex.path()).unwrap_or_default()),
                Some(Event::Failed(_, error)) => {
                    assert!(!broken, "for the test: {error:?}");
                    ex.send_error(404, "Not Found")
                }
                _ => hello(ex, 6),
            })
        }),
        case(
            "announces the first length of a file",
            &["handler"],
            reads_a_file,
        ),
        case("writes any content at once", &["handler"], |broken| {
            collect_and(move |ex, content| {
                let content = std::mem::take(content);
                if !broken {
                    return send(ex, content);
                }
                ex.send_response(200);
                ex.send_header("Content-Length", content.len());
                ex.end_headers();
                ex.write(&content);
                Next::Done
            })
        }),
        case("sends a Transfer-Encoding", &["handler"], |broken| {
            once(move |ex| {
                ex.send_response(200);
                if broken && ex.command() == "POST" {
                    ex.send_header("Transfer-Encoding", "chunked");
                }
                ex.end_headers();
                Next::Done
            })
        }),
        counts_requests(),
        serves_from_a_shared_cache(),
        has_no_slot_afterwards(),
        compares_in_one_case(),
        loses_the_end_of_long_content(),
    ]
}

/// Reads a file piece by piece, and sends it by length.
fn reads_a_file(broken: bool) -> AnyHandler {
    let (mut content, mut len, mut is_sent) = (Vec::new(), 0, false);
    function(move |ex, event| {
        match event {
            None => {
                (content, len, is_sent) = (Vec::new(), 0, false);
                return Next::Open(Path::parse(ex.path()).unwrap_or_default());
            }
            Some(Event::Opened(_, meta)) => {
                len = meta.len;
                return Next::Read;
            }
            Some(Event::Data(bytes)) => {
                content.extend_from_slice(bytes);
                return Next::Read;
            }
            _ if is_sent => return Next::Done,
            Some(Event::End) if broken || content.len() as u64 == len => {}
            _ => return ex.send_error(404, "Not Found"),
        }
        ex.send_response(200);
        ex.send_header("Content-Length", len);
        ex.end_headers();
        is_sent = true;
        Next::Write(std::mem::take(&mut content).into())
    })
}

fn counts_requests() -> Case {
    case_of(
        "numbers the requests of all clients",
        &["reference"],
        |broken| {
            let count = Rc::new(Cell::new(0));
            let reset = Rc::clone(&count);
            let sim = Sim::new(move |_| {
                let count = Rc::clone(&count);
                once(move |ex| {
                    count.set(count.get() + u32::from(broken));
                    ex.send_response(200);
                    ex.send_header("X-Number", count.get());
                    ex.send_header("Content-Length", 0);
                    ex.end_headers();
                    Next::Done
                })
            });
            sim.before_world(move || reset.set(0))
        },
    )
}

fn serves_from_a_shared_cache() -> Case {
    case_of(
        "serves files from a shared cache",
        &["reference"],
        |broken| {
            let cache = Rc::new(RefCell::new(HashMap::new()));
            let reset = Rc::clone(&cache);
            let sim = Sim::new(move |_| {
                let cache = Rc::clone(&cache);
                function(move |ex, event| match event {
                    None => match cache.borrow().get(ex.path()) {
                        Some(len) if broken => send(ex, format!("{len} bytes\n").into()),
                        _ => Next::Open(Path::parse(ex.path()).unwrap_or_default()),
                    },
                    Some(Event::Opened(_, meta)) => {
                        cache.borrow_mut().insert(ex.path().to_string(), meta.len);
                        send(ex, format!("{} bytes\n", meta.len).into())
                    }
                    Some(Event::End) => Next::Done,
                    _ => ex.send_error(404, "Not Found"),
                })
            });
            sim.before_world(move || reset.borrow_mut().clear())
        },
    )
}

/// A pool whose only slot is lost if a connection is cut while its reply is sent.
fn has_no_slot_afterwards() -> Case {
    case_of(
        "has no slot after a connection was cut",
        &["recovery", "reference"],
        |broken| {
            let free = Rc::new(Cell::new(1));
            let reset = Rc::clone(&free);
            let sim = Sim::new(move |_| {
                let (free, mut is_held) = (Rc::clone(&free), false);
                function(move |ex, event| {
                    if event.is_some() {
                        free.set(free.get() + i32::from(std::mem::take(&mut is_held)));
                        return Next::Done;
                    }
                    if broken && free.get() == 0 {
                        return ex.send_error(503, "Busy");
                    }
                    // The correct handler holds no slot while it sends.
                    is_held = broken;
                    free.set(free.get() - i32::from(broken));
                    send(ex, vec![b'x'; 5000])
                })
            });
            // With two requests at a time, there may be no slot without a fault, either.
            let sim = sim.before_world(move || reset.set(1));
            sim.requests(|_, _| vec![Request::new("GET", "/")])
        },
    )
}

fn compares_in_one_case() -> Case {
    case_of("compares a field in lower case only", &["case"], |broken| {
        let sim = Sim::new(move |_| {
            once(move |ex| {
                let value = ex.header("X-Unit").unwrap_or_default();
                let is_metric = match broken {
                    true => value == "metric",
                    false => value.eq_ignore_ascii_case("metric"),
                };
                let text = if is_metric { "m" } else { "ft" };
                send_short(ex, text)
            })
        });
        let sim = sim.requests(|random, _| {
            let value = random.pick(&["metric", "metric", "Metric", "METRIC"]);
            vec![Request::new("GET", "/").field("X-Unit", value)]
        });
        sim.check("case", |conversation| {
            replies_with(conversation, |_, _| b"m".to_vec())
        })
    })
}

fn send_short(ex: &mut sanserve_core::Exchange<'_>, text: &str) -> Next {
    ex.send_response(200);
    ex.send_header("Content-Length", text.len());
    ex.end_headers();
    ex.write(text.as_bytes());
    Next::Done
}

fn loses_the_end_of_long_content() -> Case {
    case_of(
        "loses the end of content over 100,000 bytes",
        &["echo"],
        |broken| {
            let sim = Sim::new(move |_| {
                collect(move |content| {
                    let mut content = std::mem::take(content);
                    if broken {
                        content.truncate(100_000);
                    }
                    content
                })
            });
            let sim = sim.requests(|random, _| {
                let lens = [0, random.log_uniform(1 << 20), random.log_uniform(1 << 20)];
                let request = |len| Request::new("POST", "/").content(vec![b'x'; len]);
                lens.map(|len| request(len).chunked(random)).into()
            });
            sim.check("echo", echoes)
        },
    )
}
