//! [`Guard`]: a handler that requires a password (RFC 7617), and forwards the requests with a valid one to another
//! handler.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::mem;

use crate::engine::log::LogEvent;
use crate::engine::{Event, Exchange, Handler, Next};
use crate::fs::{Credentials, FsError};
use crate::service::cors::{ALLOW_ORIGIN, is_preflight};
use crate::text::escape::Repr;
use crate::text::status;

/// Wraps another handler, and forwards the requests that have valid credentials. All others get 401, except preflights
/// if [`cors`](Self::cors) is set.
///
/// A function verifies the credentials, if it can do so immediately; otherwise the file system does, which may take
/// longer: [`FileSystem::verify`](crate::FileSystem::verify).
///
/// ```
/// use sanserve_core::{Files, Guard};
///
/// let guard = Guard::new(Files::new(), |credentials| {
///     Some(credentials.user() == "mary" && credentials.password() == "a secret")
/// });
/// ```
#[derive(Clone, Debug)]
pub struct Guard<H, K> {
    /// The origin whose pages may use the replies, as in [`FileSettings::cors`](crate::FileSettings::cors). If it is
    /// set, preflights are forwarded without a password, as browsers send none with them (Fetch standard, §3.2.2). So
    /// the handler must answer them regardless of what exists, as all handlers of this crate do. Those pages may also
    /// read a 401.
    pub cors: Option<Arc<str>>,
    handler: H,
    known: K,
    /// Whether the answer of the file system is pending.
    is_verifying: bool,
}

impl<H: Handler, K: Fn(&Credentials) -> Option<bool>> Guard<H, K> {
    /// Wraps `handler`. The function `known` returns whether credentials are valid, or `None` to ask the file system. It
    /// should take equally long for valid and for invalid ones.
    pub fn new(handler: H, known: K) -> Guard<H, K> {
        Guard {
            cors: None,
            handler,
            known,
            is_verifying: false,
        }
    }

    fn pass(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.reply.authenticated = true;
        self.handler.begin(ex)
    }

    /// Replies that credentials are required (RFC 9110 §15.5.2). The log does not contain the password.
    fn refuse(&self, ex: &mut Exchange<'_>) -> Next {
        if let Some(credentials) = ex.credentials() {
            let user = Repr(credentials.user());
            let message = &format_args!("wrong user or password ({user})");
            ex.record_failure(LogEvent::Failure(message), message);
        }
        let (message, explanation) = (status::phrase(401), status::explanation(401));
        ex.error(401, &message, explanation, &mut |ex| {
            ex.send_header("WWW-Authenticate", CHALLENGE);
            if let Some(origin) = &self.cors {
                ex.send_header(ALLOW_ORIGIN, origin);
            }
        })
    }
}

impl<H: Handler, K: Fn(&Credentials) -> Option<bool>> Handler for Guard<H, K> {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.is_verifying = false;
        if self.cors.is_some() && is_preflight(ex) {
            return self.handler.begin(ex);
        }
        let Some(credentials) = ex.credentials() else {
            return self.refuse(ex);
        };
        match (self.known)(&credentials) {
            Some(true) => self.pass(ex),
            Some(false) => self.refuse(ex),
            None => {
                self.is_verifying = true;
                Next::Verify(Box::new(credentials.from_client(ex.client_address())))
            }
        }
    }

    /// Does not ask for a password, which others could read.
    fn begin_without_tls(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.handler.begin_without_tls(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        if !mem::take(&mut self.is_verifying) {
            return self.handler.resume(ex, event);
        }
        match event {
            Event::Verified(Ok(())) => self.pass(ex),
            Event::Verified(Err(FsError::NoResources)) => {
                ex.send_error(503, "Too many passwords are being verified")
            }
            _ => self.refuse(ex),
        }
    }
}

/// RFC 7617 §2.1: user and password are encoded in UTF-8.
const CHALLENGE: &str = "Basic realm=\"sanserve\", charset=\"UTF-8\"";
