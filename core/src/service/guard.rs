//! [`Guard`]: a handler that requires a password (RFC 7617) and rights, and forwards the requests that have both to
//! another handler.

use alloc::boxed::Box;
use core::fmt;
use core::mem;

use crate::engine::log::LogEvent;
use crate::engine::{Event, Exchange, Handler, Next};
use crate::fs::{Credentials, FsError, Right, Rights, Who};
use crate::service::cors::{ALLOW_ORIGIN, is_preflight};
use crate::sync::Arc;
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
///
/// Users can have different rights, and so can clients without credentials: set [`rights`](Self::rights). The handler
/// decides which right a request needs, see [`Handler::required_right`]. If the client lacks it, the reply is
///
/// - 401, if the client sent no credentials, and a user has this right;
/// - 403 otherwise, with a message that names the right. The log names the user.
///
/// The reply is sent before content is read, so a client that waits for `100 Continue` does not send it. Credentials that
/// are wrong or malformed always get 401, also for what everybody may do.
///
/// A browser does not ask for a password as long as no reply is a 401. So if a user has more rights than everybody, the
/// guard answers `/?login`, below any directory, with 401, and when the password is right with a redirect to the
/// directory. [`listing::page`](crate::listing::page()) has a link to it.
///
/// ```
/// use std::sync::Arc;
///
/// use sanserve_core::{Guard, Right, Rights, Upload, Who};
///
/// let mut guard = Guard::new(Upload::new(), |credentials| {
///     Some(credentials.user() == "mary" && credentials.password() == "a secret")
/// });
/// // Everybody reads, and mary writes.
/// guard.rights = Some(Arc::new(|who| match who {
///     Who::Everybody => Rights::NONE.with(Right::Read),
///     _ => Rights::ALL,
/// }));
/// ```
#[derive(Clone)]
pub struct Guard<H, K> {
    /// The origin whose pages may use the replies, as in [`FileSettings::cors`](crate::FileSettings::cors). If it is
    /// set, preflights are forwarded without a password, as browsers send none with them (Fetch standard, §3.2.2). So
    /// the handler must answer them regardless of what exists, as all handlers of this crate do. Those pages may also
    /// read a 401 or 403.
    pub cors: Option<Arc<str>>,
    /// Returns the rights of clients. By default, with `None`, users have all rights, and other clients have none.
    pub rights: Option<RightsOf>,
    handler: H,
    known: K,
    /// Whether the answer of the file system is pending.
    is_verifying: bool,
}

/// A function that returns the rights of clients. It is called for every request, so it should be quick. The rights of a
/// user need not include those of everybody, which the user has anyway.
pub type RightsOf = Arc<dyn Fn(Who<'_>) -> Rights + Send + Sync>;

impl<H: Handler, K: Fn(&Credentials) -> Option<bool>> Guard<H, K> {
    /// Wraps `handler`. The function `known` returns whether credentials are valid, or `None` to ask the file system.
    /// It should take equally long for valid and for invalid ones.
    pub fn new(handler: H, known: K) -> Guard<H, K> {
        Guard {
            cors: None,
            rights: None,
            handler,
            known,
            is_verifying: false,
        }
    }

    /// Forwards the request of a user whose password was verified, or of a client that sent no credentials, if it has
    /// the right that the request needs.
    fn admit(&mut self, ex: &mut Exchange<'_>, user: Option<&str>) -> Next {
        let rights = self.rights_of(Who::Everybody)
            | user.map_or(Rights::NONE, |user| self.rights_of(Who::User(user)));
        let others = self.rights_of(Who::AllUsers);
        ex.reply.authenticated = user.is_some();
        ex.reply.missing_rights = Rights::ALL.without(rights);
        ex.reply.can_log_in = user.is_none() && others.without(rights) != Rights::NONE;
        if self.rights.is_some() && is_login(ex) {
            if user.is_some() {
                return redirect_to_directory(ex);
            }
            if ex.reply.can_log_in {
                return self.challenge(ex);
            }
        }
        let right = self.handler.required_right(ex);
        match user {
            _ if ex.may(right) => self.handler.begin(ex),
            None if others.contains(right) => self.challenge(ex),
            user => self.forbid(ex, user, right),
        }
    }

    fn rights_of(&self, who: Who<'_>) -> Rights {
        match (&self.rights, who) {
            (Some(rights), who) => rights(who),
            (None, Who::Everybody) => Rights::NONE,
            (None, _) => Rights::ALL,
        }
    }

    /// Replies that the credentials are wrong. The log does not contain the password.
    fn refuse(&self, ex: &mut Exchange<'_>) -> Next {
        if let Some(credentials) = ex.credentials() {
            let user = Repr(credentials.user());
            let message = &format_args!("wrong user or password ({user})");
            ex.record_failure(LogEvent::Failure(message), message);
        }
        self.challenge(ex)
    }

    /// Replies that credentials are required (RFC 9110 §15.5.2).
    fn challenge(&self, ex: &mut Exchange<'_>) -> Next {
        let (message, explanation) = (status::phrase(401), status::explanation(401));
        ex.error(401, &message, explanation, &mut |ex| {
            ex.send_header("WWW-Authenticate", CHALLENGE);
            self.send_cors(ex);
        })
    }

    /// Replies that a right is missing, which no password of this client provides (RFC 9110 §15.5.4).
    fn forbid(&self, ex: &mut Exchange<'_>, user: Option<&str>, right: Right) -> Next {
        let right = right.name();
        if let Some(user) = user {
            let message = &format_args!("user {} may not {right}", Repr(user));
            ex.record_failure(LogEvent::Failure(message), message);
        }
        let message = format_args!("The right to {right} is missing");
        ex.error(403, &message, status::explanation(403), &mut |ex| {
            self.send_cors(ex);
        })
    }

    fn send_cors(&self, ex: &mut Exchange<'_>) {
        if let Some(origin) = &self.cors {
            ex.send_header(ALLOW_ORIGIN, origin);
        }
    }
}

impl<H: Handler, K: Fn(&Credentials) -> Option<bool>> Handler for Guard<H, K> {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.is_verifying = false;
        if self.cors.is_some() && is_preflight(ex) {
            return self.handler.begin(ex);
        }
        let Some(credentials) = ex.credentials() else {
            return match ex.header("Authorization") {
                // Malformed credentials.
                Some(_) => self.challenge(ex),
                None => self.admit(ex, None),
            };
        };
        match (self.known)(&credentials) {
            Some(true) => self.admit(ex, Some(credentials.user())),
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

    fn release(&mut self) {
        self.handler.release();
    }

    fn required_right(&self, ex: &Exchange<'_>) -> Right {
        self.handler.required_right(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        if !mem::take(&mut self.is_verifying) {
            return self.handler.resume(ex, event);
        }
        match (event, ex.credentials()) {
            (Event::Verified(Ok(())), Some(credentials)) => {
                self.admit(ex, Some(credentials.user()))
            }
            (Event::Verified(Err(FsError::NoResources)), _) => {
                ex.send_error(503, "Too many passwords are being verified")
            }
            _ => self.refuse(ex),
        }
    }
}

impl<H: fmt::Debug, K: fmt::Debug> fmt::Debug for Guard<H, K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Guard")
            .field("cors", &self.cors)
            .field("handler", &self.handler)
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

/// Returns whether a request is for the target at which browsers ask for a password.
fn is_login(ex: &Exchange<'_>) -> bool {
    matches!(ex.command(), "GET" | "HEAD") && ex.path().ends_with("/?login")
}

/// Redirects to the target without its query.
fn redirect_to_directory(ex: &mut Exchange<'_>) -> Next {
    ex.send_response(303);
    ex.send_header("Location", "./");
    ex.send_header("Content-Length", 0);
    ex.end_headers();
    Next::Done
}

/// RFC 7617 §2.1: user and password are encoded in UTF-8.
const CHALLENGE: &str = "Basic realm=\"sanserve\", charset=\"UTF-8\"";
