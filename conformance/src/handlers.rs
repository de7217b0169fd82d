//! Handlers that only the cases use, such as [`Echo`], and the check of the cases' passwords. The module `setup`
//! creates the handlers.

use alloc::vec::Vec;
#[cfg(feature = "std")]
use core::sync::atomic::Ordering;
use core::time::Duration;

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

/// Sends this number of bytes, a multiple of 100,000: the digits from 0 to 9, again and again.
pub(crate) struct Large {
    pub(crate) left: u64,
}

impl Handler for Large {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(200);
        ex.send_header("Content-Length", self.left);
        ex.end_headers();
        self.next()
    }

    fn resume(&mut self, _: &mut Exchange<'_>, _: Event<'_>) -> Next {
        self.next()
    }
}

impl Large {
    fn next(&mut self) -> Next {
        if self.left == 0 {
            return Next::Done;
        }
        self.left -= 100_000;
        Next::Write(DIGITS.repeat(10_000).into())
    }
}

/// The content of [`Large`].
const DIGITS: &[u8] = b"0123456789";

/// Sends a head, waits for ten seconds, and sends the content.
#[derive(Default)]
pub(crate) struct WaitsLong {
    until: Duration,
}

impl Handler for WaitsLong {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.until = ex.now().tick + LONG;
        ex.send_response(200);
        ex.send_header("Content-Length", 4);
        ex.end_headers();
        Next::Wait(LONG)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, _: Event<'_>) -> Next {
        let left = self.until.saturating_sub(ex.now().tick);
        if !left.is_zero() {
            return Next::Wait(left);
        }
        ex.write(b"late");
        Next::Done
    }
}

/// Longer than a case may take.
const LONG: Duration = Duration::from_secs(10);

/// Wakes itself before it waits to be woken. If a port loses this wake, the wait times out after ten seconds and the
/// reply is 504.
#[cfg(feature = "std")]
pub(crate) struct Wakes;

#[cfg(feature = "std")]
impl Handler for Wakes {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.waker().wake_by_ref();
        Next::Wait(Duration::from_secs(10))
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

/// Waits until another thread wakes it. Until then it may be woken spuriously.
#[cfg(feature = "std")]
#[derive(Default)]
pub(crate) struct WakesLater(alloc::sync::Arc<core::sync::atomic::AtomicBool>);

#[cfg(feature = "std")]
impl Handler for WakesLater {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        let (done, waker) = (alloc::sync::Arc::default(), ex.waker().clone());
        self.0 = alloc::sync::Arc::clone(&done);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(60));
            done.store(true, Ordering::Release);
            waker.wake();
        });
        Next::Wait(Duration::from_secs(10))
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Woken if !self.0.load(Ordering::Acquire) => Next::Wait(Duration::from_secs(10)),
            event => Wakes.resume(ex, event),
        }
    }
}

/// Sends a reply in two parts. It waits before each of them, and nothing wakes it.
#[cfg(feature = "std")]
#[derive(Default)]
pub(crate) struct Waits {
    parts: u32,
    until: Duration,
}

#[cfg(feature = "std")]
impl Waits {
    const PAUSE: Duration = Duration::from_millis(80);

    fn wait(&mut self, ex: &Exchange<'_>) -> Next {
        self.until = ex.now().tick + Self::PAUSE;
        Next::Wait(Self::PAUSE)
    }
}

#[cfg(feature = "std")]
impl Handler for Waits {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.parts = 0;
        ex.send_response(200);
        ex.end_headers();
        self.wait(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            // A port that cannot be woken ends waits after a moment.
            Event::Woken => Next::Wait(self.until.saturating_sub(ex.now().tick)),
            _ => {
                self.parts += 1;
                ex.write(if self.parts == 1 { b"one" } else { b"two" });
                match self.parts {
                    1 => self.wait(ex),
                    _ => Next::Done,
                }
            }
        }
    }
}

/// Sends content that is longer than any buffer, in two pieces.
#[cfg(feature = "std")]
#[derive(Default)]
pub(crate) struct Writes(u32);

#[cfg(feature = "std")]
impl Handler for Writes {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.0 = 0;
        ex.send_response(200);
        ex.send_header("Content-Length", 1_200_000);
        ex.end_headers();
        Next::Write(b"0123456789".repeat(60_000).into())
    }

    fn resume(&mut self, _: &mut Exchange<'_>, _: Event<'_>) -> Next {
        self.0 += 1;
        match self.0 {
            1 => Next::Write(b"abcdefghij".repeat(60_000).into()),
            _ => Next::Done,
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
