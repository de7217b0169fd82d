//! [`Credentials`]: a user and a password, parsed from the `Authorization` field (RFC 7617).

use alloc::string::String;
use core::fmt;

use base64ct::{Base64, Encoding};

use crate::wire::RequestHead;

/// A user and a password, as sent by `Basic` authentication.
///
/// ```
/// use sanserve_core::Credentials;
///
/// let credentials = Credentials::new("mary", "a:secret").unwrap();
/// assert_eq!((credentials.user(), credentials.password(), credentials.as_str()), ("mary", "a:secret", "mary:a:secret"));
/// assert!(Credentials::new("ma:ry", "secret").is_none());
/// assert_eq!(format!("{credentials:?}"), "Credentials(\"mary\")");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User and password, separated by the first colon.
    text: String,
    /// The address of the client.
    client: String,
}

impl Credentials {
    /// Returns the credentials of a user. Returns `None` if they cannot be sent: if the user's name has a colon, if
    /// either has a control character, or if they have more than 1,024 bytes together with the colon.
    pub fn new(user: &str, password: &str) -> Option<Credentials> {
        let text = [user, ":", password].concat();
        let fit = text.len() <= CREDENTIALS_MAX
            && !user.contains(':')
            && !text.contains(char::is_control);
        let client = String::new();
        fit.then_some(Credentials { text, client })
    }

    /// Returns these credentials with the address of the client that sent them.
    #[must_use]
    pub fn from_client(mut self, address: &str) -> Credentials {
        self.client = address.into();
        self
    }

    /// Returns the credentials in the `Authorization` field of a request. Returns `None` if there are several such
    /// fields, if the scheme is not `Basic`, or if they do not follow RFC 7617 exactly, in UTF-8.
    #[must_use]
    pub fn in_head(head: &RequestHead) -> Option<Credentials> {
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

    /// Returns the name of the user.
    #[must_use]
    pub fn user(&self) -> &str {
        self.text.split_once(':').map_or("", |(user, _)| user)
    }

    /// Returns the password.
    #[must_use]
    pub fn password(&self) -> &str {
        self.text
            .split_once(':')
            .map_or("", |(_, password)| password)
    }

    /// Returns the address of the client that sent them, as the adapter gave it, or an empty text if it is unknown. A
    /// [`Guard`](crate::Guard) sets it before it asks the file system.
    #[must_use]
    pub fn client(&self) -> &str {
        &self.client
    }

    /// Returns user and password, separated by a colon.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Credentials {
    /// Formats the user without the password.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Credentials").field(&self.user()).finish()
    }
}

/// The longest user and password together, in bytes. Limited because the time to verify a password may grow with its
/// length.
const CREDENTIALS_MAX: usize = 1024;
