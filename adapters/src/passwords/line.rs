//! [`Line`]: parses a line of a password file.

use sanserve_core::Rights;

use super::PasswordError;
use super::hash::Hash;

/// A line that is neither empty nor a comment.
pub(super) enum Line<'a> {
    /// The rights of everybody: `*:rights=read`.
    Everybody(Rights),
    /// A user, the password, and the user's own rights, if the line has any.
    User(&'a str, Password<'a>, Option<Rights>),
}

/// The second field of a line.
pub(super) enum Password<'a> {
    Plain(&'a str),
    Hash(Hash),
    /// No password is correct.
    Locked,
}

impl<'a> Line<'a> {
    pub(super) fn parse(line: &'a str) -> Result<Line<'a>, PasswordError> {
        let (user, secret) = line.split_once(':').ok_or(PasswordError::NoColon)?;
        if is_rights(secret) {
            return match user {
                "*" => Ok(Line::Everybody(parse_rights(secret)?)),
                _ if user.trim() == "*" => Err(PasswordError::UnknownRight),
                // The rights take the place of the password.
                _ => Err(PasswordError::EmptyPassword),
            };
        }
        if let Some(password) = secret.strip_prefix("{PLAIN}") {
            return Ok(Line::User(user, Password::Plain(password), None));
        }
        let mut fields = secret.split(':');
        let field = fields.next().unwrap_or_default();
        if field.is_empty() {
            return Err(PasswordError::EmptyPassword);
        }
        let field = field.trim_end();
        let password = if field.starts_with(['!', '*']) {
            Password::Locked
        } else {
            match Hash::read(field)? {
                Some(hash) => Password::Hash(hash),
                None => return plain(user, secret),
            }
        };
        // Other fields are comments.
        let rights = fields.find(|field| is_rights(field));
        let rights = rights.map(parse_rights).transpose()?;
        Ok(Line::User(user, password, rights))
    }
}

/// Parses a line with a plain password, which may contain colons.
fn plain<'a>(user: &'a str, secret: &'a str) -> Result<Line<'a>, PasswordError> {
    let split = secret.rsplit_once(':');
    let (password, rights) = match split.filter(|(_, last)| is_rights(last)) {
        Some((password, rights)) => (password, Some(parse_rights(rights)?)),
        None => (secret, None),
    };
    Ok(Line::User(user, Password::Plain(password), rights))
}

/// Returns whether a field has rights, perhaps misspelt: a typing error must not turn them into a comment, since a user
/// without rights of their own usually has all.
fn is_rights(field: &str) -> bool {
    let name = field.split_once('=').map(|(name, _)| name.trim());
    name.is_some_and(|name| {
        ["rights", "right"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
    })
}

fn parse_rights(field: &str) -> Result<Rights, PasswordError> {
    let names = field.trim_end().strip_prefix("rights=");
    names
        .and_then(Rights::parse)
        .ok_or(PasswordError::UnknownRight)
}
