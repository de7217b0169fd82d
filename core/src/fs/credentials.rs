//! [`Credentials`]: a user and a password (RFC 7617).

use alloc::string::String;
use core::fmt;

use base64ct::{Base64, Encoding};

use crate::wire::RequestHead;

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
        let fit = text.len() <= CREDENTIALS_MAX
            && !user.contains(':')
            && !text.contains(char::is_control);
        let client = String::new();
        fit.then_some(Credentials { text, client })
    }

    /// The same, from a client with this address.
    #[must_use]
    pub fn from_client(mut self, address: &str) -> Credentials {
        self.client = address.into();
        self
    }

    /// Returns those that come with a request: none if there are several, if they are of another kind, or
    /// not to the letter of RFC 7617 in UTF-8.
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

    /// Who it is said to be.
    #[must_use]
    pub fn user(&self) -> &str {
        self.text.split_once(':').map_or("", |(user, _)| user)
    }

    /// What nobody else should know.
    #[must_use]
    pub fn password(&self) -> &str {
        self.text
            .split_once(':')
            .map_or("", |(_, password)| password)
    }

    /// The address of the client that they came from, as the adapter gave it; empty if that is unknown.
    /// A [`Guard`](crate::Guard) sets it where it asks the file system.
    #[must_use]
    pub fn client(&self) -> &str {
        &self.client
    }

    /// Both, with a colon between them.
    #[must_use]
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

/// As long as user and password may be together, in bytes: some ways to verify a password take
/// time by its length.
const CREDENTIALS_MAX: usize = 1024;
