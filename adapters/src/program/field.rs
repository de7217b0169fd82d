//! [`Field`]: a header field that is told on the command line.
//!
//! Python takes two arguments for it, `-H NAME VALUE`, and curl one, `-H 'NAME: VALUE'`. Here both
//! are right, as a name never holds a colon.

use std::ffi::{OsStr, OsString};

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

/// Writes each field of a command line as one argument, `--header=NAME:VALUE`, whichever way it
/// was given. How many arguments belong to it depends on the first one, which is more than clap
/// can be told.
pub(crate) fn join(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args = args.into_iter();
    let mut joined = Vec::new();
    while let Some(arg) = args.next() {
        let Some((flags, first)) = arg.to_str().and_then(split) else {
            let rest = arg == "--";
            joined.push(arg);
            if rest {
                joined.extend(args.by_ref());
            }
            continue;
        };
        joined.extend((!flags.is_empty()).then(|| format!("-{flags}").into()));
        let first = first.map(OsString::from).or_else(|| args.next());
        joined.push(option(first, &mut args));
    }
    joined
}

/// The option as one argument, given what it starts with and where the rest of it may be.
fn option(first: Option<OsString>, rest: &mut impl Iterator<Item = OsString>) -> OsString {
    let mut option = OsString::from("--header");
    let Some(first) = first else {
        return option;
    };
    option.push("=");
    option.push(&first);
    if !has_colon(&first)
        && let Some(value) = rest.next()
    {
        option.push(":");
        option.push(value);
    }
    option
}

/// If this argument is the option, the switches before it and the value in it: `-qHvalue`.
fn split(arg: &str) -> Option<(&str, Option<&str>)> {
    if let Some(long) = arg.strip_prefix("--header") {
        return match long.strip_prefix('=') {
            Some(value) => Some(("", Some(value))),
            None => long.is_empty().then_some(("", None)),
        };
    }
    let (flags, value) = arg.strip_prefix('-')?.split_once('H')?;
    let value = value.strip_prefix('=').unwrap_or(value);
    let value = (!value.is_empty()).then_some(value);
    flags
        .chars()
        .all(|flag| flag == 'q')
        .then_some((flags, value))
}

fn has_colon(text: &OsStr) -> bool {
    text.as_encoded_bytes().contains(&b':')
}

/// RFC 9110 §5.6.2.
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn a_field_becomes_one_argument() {
        let cases = [
            ("-H A b 80", "--header=A:b 80"),
            ("-H A:b 80", "--header=A:b 80"),
            ("--header A b --header=C d", "--header=A:b --header=C:d"),
            ("--header=A:b 80", "--header=A:b 80"),
            (
                "-HA b -HA:b -H=A b",
                "--header=A:b --header=A:b --header=A:b",
            ),
            ("-qH A -b 80", "-q --header=A:-b 80"),
            ("-H A -- -H B", "--header=A:-- --header=B"),
            ("-- -H A b", "-- -H A b"),
            ("-H", "--header"),
            ("-H A", "--header=A"),
            ("-bH -q --headers 80", "-bH -q --headers 80"),
        ];
        for (given, joined) in cases {
            let found = join(given.split(' ').map(Into::into));
            assert!(found.iter().eq(joined.split(' ')), "{given}: {found:?}");
        }
    }
}
