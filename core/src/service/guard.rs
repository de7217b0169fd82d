//! [`Guard`]: lets nobody pass who does not know a password (RFC 7617).

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::mem;

use crate::engine::log::LogEvent;
use crate::engine::{Event, Exchange, Handler, Next};
use crate::fs::{Credentials, FsError};
use crate::service::cors::{ALLOW_ORIGIN, is_preflight};
use crate::text::escape::Repr;
use crate::text::status;

/// Stands before another handler, and leaves requests to it that come with the right credentials.
/// All others get 401, but for the preflights that [`cors`](Self::cors) lets pass.
///
/// Who is right is said by a function, if it can tell at once; else the file system is asked, which
/// may take its time: [`FileSystem::verify`](crate::FileSystem::verify).
///
/// ```
/// use sanserve_core::{Files, Guard};
///
/// let guard = Guard::new(Files::new(), |given| {
///     Some(given.user() == "mary" && given.password() == "a secret")
/// });
/// ```
#[derive(Clone, Debug)]
pub struct Guard<H, K> {
    /// The origin of the pages that may use what is served, as [`FileSettings::cors`](crate::FileSettings::cors) has
    /// it. If it is set, preflights go to the handler without a password: browsers send none with them
    /// (Fetch standard, §3.2.2). So the handler must answer them without a look at what there is, as
    /// all of this crate do. Those pages may also see a 401.
    pub cors: Option<Arc<str>>,
    handler: H,
    known: K,
    /// The file system was asked and has not answered.
    asked: bool,
}

impl<H: Handler, K: Fn(&Credentials) -> Option<bool>> Guard<H, K> {
    /// Guards `handler`. What `known` says of credentials is final; `None` asks the file system.
    /// It should take as long for wrong ones as for right ones.
    pub fn new(handler: H, known: K) -> Guard<H, K> {
        Guard {
            cors: None,
            handler,
            known,
            asked: false,
        }
    }

    fn pass(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.reply.authenticated = true;
        self.handler.begin(ex)
    }

    /// Asks for credentials (RFC 9110 §15.5.2). The password that was given is told to nobody.
    fn refuse(&self, ex: &mut Exchange<'_>) -> Next {
        if let Some(given) = ex.credentials() {
            let user = Repr(given.user());
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
        self.asked = false;
        if self.cors.is_some() && is_preflight(ex) {
            return self.handler.begin(ex);
        }
        let Some(given) = ex.credentials() else {
            return self.refuse(ex);
        };
        match (self.known)(&given) {
            Some(true) => self.pass(ex),
            Some(false) => self.refuse(ex),
            None => {
                self.asked = true;
                Next::Verify(Box::new(given.from_client(ex.client_address())))
            }
        }
    }

    /// Asks for no password: it could be read on its way.
    fn begin_without_tls(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.handler.begin_without_tls(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        if !mem::take(&mut self.asked) {
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

/// RFC 7617 §2.1: both are in UTF-8.
const CHALLENGE: &str = "Basic realm=\"sanserve\", charset=\"UTF-8\"";
