//! [`Field`]: a header field that is told on the command line.
//!
//! Python takes two arguments for it, and curl one; `arguments` makes them one.

/// A name and a value, fit for the head of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Field {
    /// Reads `NAME: VALUE`.
    pub(crate) fn parse(text: &str) -> Result<Field, &'static str> {
        let (name, text) = text
            .split_once(':')
            .ok_or("a field is a name and a value, or 'NAME: VALUE'")?;
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err("a field's name is letters, digits and any of !#$%&'*+-.^_`|~");
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err("how a reply is framed is left to the server");
        }
        Ok(Field {
            name: name.to_owned(),
            value: value(text)?,
        })
    }
}

/// Reads the value of a field (RFC 9110 §5.5), without the blanks around it.
pub(crate) fn value(text: &str) -> Result<String, &'static str> {
    let text = text.trim_matches([' ', '\t']);
    if text.chars().any(|char| char > '\u{ff}') {
        return Err("a field holds no character above U+00FF");
    }
    if text
        .chars()
        .any(|char| char.is_ascii_control() && char != '\t')
    {
        return Err("a field holds no control character, no line break either");
    }
    Ok(text.to_owned())
}

/// RFC 9110 §5.6.2.
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
