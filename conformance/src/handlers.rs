//! Handlers that only the cases use, such as [`Echo`], and the check of the cases' passwords. The module `setup` creates
//! the handlers.

use alloc::vec::Vec;

use sanserve_core::{Credentials, Event, Exchange, Handler, Next, status};

/// Checks the credentials of cases with passwords. Those of the user `slow` are left to the file system.
pub(crate) fn check_credentials(given: &Credentials) -> Option<bool> {
    match given.user() {
        "mary" => Some(given.password() == "a:secret"),
        "zo\u{eb}" => Some(given.password() == "p\u{e4}ss"),
        "slow" => None,
        _ => Some(false),
    }
}

/// Collects the content, then sends it back with a `Content-Length`.
#[derive(Default)]
pub(crate) struct Echo(Vec<u8>);

impl Handler for Echo {
    fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
        self.0.clear();
        Next::Body
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Data(bytes) => {
                self.0.extend_from_slice(bytes);
                Next::Body
            }
            _ => {
                ex.send_response(200);
                ex.send_header("Content-Length", self.0.len());
                ex.end_headers();
                ex.write(&self.0);
                Next::Done
            }
        }
    }
}

/// Sends back each byte of the content as it arrives, one chunk for each, so that the reply does not depend on the
/// fragmentation.
pub(crate) struct Stream;

impl Handler for Stream {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(200);
        ex.end_headers();
        Next::Body
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Data(bytes) => {
                bytes.iter().for_each(|byte| ex.write(&[*byte]));
                Next::Body
            }
            _ => Next::Done,
        }
    }
}

/// Sends back the path of the request.
pub(crate) struct Target;

impl Handler for Target {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(200);
        ex.send_header("Content-Length", ex.path().len());
        ex.end_headers();
        ex.write(ex.path().as_bytes());
        Next::Done
    }
}

/// Wakes itself before it waits to be woken. If a port loses this wake, the wait times out after ten seconds and the
/// reply is 504.
#[cfg(feature = "std")]
pub(crate) struct Wakes;

#[cfg(feature = "std")]
impl Handler for Wakes {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.waker().wake_by_ref();
        Next::Wait(core::time::Duration::from_secs(10))
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Woken => {
                ex.send_response(200);
                ex.send_header("Content-Length", 5);
                ex.end_headers();
                ex.write(b"woken");
                Next::Done
            }
            _ => ex.send_error(504, status::phrase(504)),
        }
    }
}

/// The handler of CPython's tests of `BaseHTTPRequestHandler`: a method for each feature.
pub(crate) struct Python;

impl Handler for Python {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        let code = || ex.path().trim_start_matches('/').parse().unwrap_or(400);
        match ex.command() {
            "TEST" => reply(ex, 204, "close"),
            "KEEP" => reply(ex, 204, "keep-alive"),
            "CUSTOM" => reply(ex, 999, "close"),
            "KEYERROR" => ex.send_error(999, status::phrase(999)),
            "NOTFOUND" => ex.send_error(404, status::phrase(404)),
            "EXPLAINERROR" => {
                ex.send_error_with(999, "Short Message", "This is a long \n explanation")
            }
            "LATINONEHEADER" => {
                let incoming = ex.header("X-Special-Incoming").unwrap_or("");
                ex.send_response(999);
                ex.send_header("X-Special", "D\u{e4}ngerous Mind");
                ex.send_header("Connection", "close");
                ex.end_headers();
                ex.write(incoming.as_bytes());
                Next::Done
            }
            "SEND_ERROR" | "HEAD" => {
                let code = code();
                ex.send_error(code, status::phrase(code))
            }
            "EXPECT" if ex.expects_100() => ex.send_error(417, status::phrase(417)),
            "HINTS" => {
                ex.send_response_only(103, status::phrase(103));
                ex.send_header("Link", "</a.css>; rel=preload");
                ex.end_headers();
                reply(ex, 204, "close")
            }
            "BAD_HEADER" => {
                ex.send_response(200);
                ex.send_header("X", "a\r\nSet-Cookie: b=c");
                ex.end_headers();
                Next::Done
            }
            "BAD_LENGTH" => {
                ex.send_response(200);
                ex.send_header("Content-Length", 10);
                ex.end_headers();
                ex.write(b"short");
                Next::Done
            }
            other => ex.send_error(501, format_args!("Unsupported method ('{other}')")),
        }
    }
}

fn reply(ex: &mut Exchange<'_>, status: u16, connection: &str) -> Next {
    ex.send_response(status);
    ex.send_header("Content-Type", "text/html");
    ex.send_header("Connection", connection);
    ex.end_headers();
    Next::Done
}
