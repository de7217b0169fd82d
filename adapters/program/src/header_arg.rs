//! [`Field`]: a header field that was given on the command line, checked to be one that may be added to replies.
//!
//! It is one argument, as with curl; `arguments` joins the two that Python takes.

/// A valid name and value for the head of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Field {
    /// Parses `NAME: VALUE`.
    pub(crate) fn parse(text: &str) -> Result<Field, &'static str> {
        let (name, text) = text
            .split_once(':')
            .ok_or("expected NAME VALUE, or 'NAME: VALUE'")?;
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err("a header name has only letters, digits and any of !#$%&'*+-.^_`|~");
        }
        if let Some(reason) = reserved(name) {
            return Err(reason);
        }
        Ok(Field {
            name: name.to_owned(),
            value: value(text)?,
        })
    }
}

/// Why only the server may send a field with this name; `None` for all others.
fn reserved(name: &str) -> Option<&'static str> {
    let is_one_of = |names: &[&str]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
    if is_one_of(&FRAMING) {
        Some(
            "only the server may set how a reply is framed and whether the connection stays open: leave it out",
        )
    } else if is_one_of(&VALIDATORS) {
        Some("the server sends its own, which caches and ranges depend on: leave it out")
    } else if name.eq_ignore_ascii_case("content-type") {
        Some("the server sends its own: use --content-type or --charset")
    } else if is_one_of(&["date", "server"]) {
        Some("the server sends its own with every reply: leave it out")
    } else {
        None
    }
}

/// Whether a field of files and listings is also correct in an error reply: unless it describes their content, says how
/// long they may be cached, or has another meaning there. `cors` says whether the server sends the fields of CORS.
pub(super) fn is_for_errors(name: &str, cors: bool) -> bool {
    let name = name.to_ascii_lowercase();
    let describes = name.starts_with("content-") && !name.starts_with("content-security-policy");
    let is_sent_by_cors = cors && name.starts_with("access-control-");
    let is_of_files = OF_FILES.contains(&&*name) || name.ends_with("cache-control");
    !(describes || is_sent_by_cors || is_of_files)
}

/// Fields that would be wrong in an error reply: they are about the file, lead elsewhere, or some errors send their own.
const OF_FILES: [&str; 12] = [
    "age",
    "allow",
    "digest",
    "expires",
    "link",
    "location",
    "refresh",
    "repr-digest",
    "retry-after",
    "set-cookie",
    "vary",
    "www-authenticate",
];

/// Fields that frame a reply or manage its connection (RFC 9110 §7.6, §14.4, RFC 9112 §6).
const FRAMING: [&str; 9] = [
    "connection",
    "content-length",
    "content-range",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields that ranges and conditional requests depend on (RFC 9110 §8.8, §14.3).
const VALIDATORS: [&str; 3] = ["accept-ranges", "etag", "last-modified"];

/// Parses the value of a field (RFC 9110 §5.5), without the spaces around it.
pub(crate) fn value(text: &str) -> Result<String, &'static str> {
    let text = text.trim_matches([' ', '\t']);
    if text.chars().any(|char| char > '\u{ff}') {
        return Err("a header cannot contain a character above U+00FF");
    }
    if text
        .chars()
        .any(|char| char.is_ascii_control() && char != '\t')
    {
        return Err("a header cannot contain a control character, such as a line break");
    }
    Ok(text.to_owned())
}

/// Whether the byte may be in a token (RFC 9110 §5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
