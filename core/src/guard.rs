//! [`Guard`]: lets nobody pass who does not know a password (RFC 7617).

use alloc::string::String;
use core::fmt;
use core::mem;

use base64ct::{Base64, Encoding};

use crate::escape::Repr;
use crate::files::{ALLOW_ORIGIN, is_preflight};
use crate::log::LogEvent;
use crate::wire::RequestHead;
use crate::{Event, Exchange, FsError, Handler, Next, status};

/// A user and a password, as `Basic` authentication sends them.
///
/// ```
/// use sanserve_core::Credentials;
///
/// let given = Credentials::new("mary", "a:secret").unwrap();
/// assert_eq!((given.user(), given.password(), given.as_str()), ("mary", "a:secret", "mary:a:secret"));
/// assert!(Credentials::new("ma:ry", "secret").is_none());
/// assert_eq!(format!("{given:?}"), "Credentials(\"mary\")");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Both, with the first colon between them.
    text: String,
    /// The address that they came from.
    client: String,
}

impl Credentials {
    /// Those of a user, whose name has no colon, with a password. None if they cannot be sent: control
    /// characters in them, or more than 1,024 bytes with the colon.
    pub fn new(user: &str, password: &str) -> Option<Credentials> {
        let text = [user, ":", password].concat();
        let fit = text.len() <= MOST && !user.contains(':') && !text.contains(char::is_control);
        let client = String::new();
        fit.then_some(Credentials { text, client })
    }

    /// The same, from a client with this address.
    #[must_use]
    pub fn from_client(mut self, address: &str) -> Credentials {
        self.client = address.into();
        self
    }

    /// Those that come with a request: none if there are several, if they are of another kind, or
    /// not to the letter of RFC 7617 in UTF-8.
    pub fn of(ex: &Exchange<'_>) -> Option<Credentials> {
        Credentials::in_head(ex.head)
    }

    pub(crate) fn in_head(head: &RequestHead) -> Option<Credentials> {
        let mut fields = head.get_all("Authorization");
        let (Some(field), None) = (fields.next(), fields.next()) else {
            return None;
        };
        let (scheme, encoded) = field.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("Basic") {
            return None;
        }
        let bytes = Base64::decode_vec(encoded.trim_start_matches(' ')).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (user, password) = text.split_once(':')?;
        Credentials::new(user, password)
    }

    /// Who it is said to be.
    pub fn user(&self) -> &str {
        self.text.split_once(':').map_or("", |(user, _)| user)
    }

    /// What nobody else should know.
    pub fn password(&self) -> &str {
        self.text
            .split_once(':')
            .map_or("", |(_, password)| password)
    }

    /// The address of the client that they came from, as the adapter gave it; empty if that is unknown.
    /// A [`Guard`] sets it where it asks the file system.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// Both, with a colon between them.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Credentials {
    /// Without the password.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Credentials").field(&self.user()).finish()
    }
}

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
    /// The origin of the pages that may use what is served, as [`Files::cors`](crate::Files::cors) has
    /// it. If it is set, preflights go to the handler without a password: browsers send none with them
    /// (Fetch standard, §3.2.2). So the handler must answer them without a look at what there is, as
    /// all of this crate do. Those pages may also see a 401.
    pub cors: Option<&'static str>,
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
        if let Some(given) = Credentials::of(ex) {
            let user = Repr(given.user());
            let message = &format_args!("wrong user or password ({user})");
            ex.record_failure(LogEvent::Failure(message), message);
        }
        let (message, explanation) = (status::phrase(401), status::explanation(401));
        ex.error(401, &message, explanation, &mut |ex| {
            ex.send_header("WWW-Authenticate", CHALLENGE);
            if let Some(origin) = self.cors {
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
        let Some(given) = Credentials::of(ex) else {
            return self.refuse(ex);
        };
        match (self.known)(&given) {
            Some(true) => self.pass(ex),
            Some(false) => self.refuse(ex),
            None => {
                self.asked = true;
                Next::Verify(given.from_client(ex.client_address()))
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
            Event::Verified(Err(FsError::Exhausted)) => {
                ex.send_error(503, "Too many passwords are being verified")
            }
            _ => self.refuse(ex),
        }
    }
}

/// RFC 7617 §2.1: both are in UTF-8.
const CHALLENGE: &str = "Basic realm=\"sanserve\", charset=\"UTF-8\"";

/// As long as user and password may be together, in bytes: some ways to verify a password take
/// time by its length.
const MOST: usize = 1024;
