//! Rewrites the options whose meaning depends on their arguments, `-H` and `-p`, into a form that clap supports.
//!
//! `-H NAME VALUE` is Python's form, `-H 'NAME: VALUE'` is curl's; a name never contains a colon. `-p HTTP/1.1` is the
//! protocol, as in Python, and `-p 8000` the port, as in most servers.

use std::ffi::{OsStr, OsString};

/// Rewrites each of these options as one argument: `--header=NAME:VALUE` and `--port=NUMBER`.
pub(super) fn normalize(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args = args.into_iter().peekable();
    let mut normalized = Vec::new();
    while let Some(arg) = args.next() {
        let text = arg.to_str().unwrap_or_default();
        if let Some((flags, value)) = split(text, "--header", 'H') {
            normalized.extend(switches(flags));
            let first = value.map(OsString::from).or_else(|| args.next());
            normalized.push(header(first, &mut args));
        } else if let Some((flags, value)) = split(text, "", 'p')
            && let Some(port) = value.map(OsStr::new).or(args.peek().map(|next| &**next))
            && is_number(port)
        {
            normalized.extend(switches(flags));
            let mut option = OsString::from("--port=");
            option.push(port);
            normalized.push(option);
            if value.is_none() {
                args.next();
            }
        } else {
            let ends_options = arg == "--";
            normalized.push(arg);
            if ends_options {
                normalized.extend(args.by_ref());
            }
        }
    }
    normalized
}

/// Joins a header to one argument, given its first part and the arguments that follow.
fn header(first: Option<OsString>, rest: &mut impl Iterator<Item = OsString>) -> OsString {
    let mut option = OsString::from("--header");
    let Some(first) = first else {
        return option;
    };
    option.push("=");
    option.push(&first);
    if !first.as_encoded_bytes().contains(&b':')
        && let Some(value) = rest.next()
    {
        option.push(":");
        option.push(value);
    }
    option
}

/// If this argument is the option, returns the switches before it and the value in it: `-qHvalue`.
fn split<'a>(arg: &'a str, name: &str, letter: char) -> Option<(&'a str, Option<&'a str>)> {
    if !name.is_empty()
        && let Some(long) = arg.strip_prefix(name)
    {
        return match long.strip_prefix('=') {
            Some(value) => Some(("", Some(value))),
            None => long.is_empty().then_some(("", None)),
        };
    }
    let (flags, value) = arg.strip_prefix('-')?.split_once(letter)?;
    let value = value.strip_prefix('=').unwrap_or(value);
    let value = (!value.is_empty()).then_some(value);
    let switches = flags.chars().all(|flag| flag == 'q');
    switches.then_some((flags, value))
}

/// The switches before an option, as a separate argument.
fn switches(flags: &str) -> Option<OsString> {
    (!flags.is_empty()).then(|| format!("-{flags}").into())
}

fn is_number(text: &OsStr) -> bool {
    !text.is_empty() && text.as_encoded_bytes().iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::normalize;

    #[test]
    fn an_option_becomes_one_argument() {
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
            ("-- -H A b -p 9", "-- -H A b -p 9"),
            ("-H", "--header"),
            ("-H A", "--header=A"),
            ("-bH -q --headers 80", "-bH -q --headers 80"),
            (
                "-p 9 -p9 -p=9 -qp 9",
                "--port=9 --port=9 --port=9 -q --port=9",
            ),
            ("-p HTTP/1.1 -pHTTP/1.1 -p", "-p HTTP/1.1 -pHTTP/1.1 -p"),
            ("-H p 9 -p -1 --p 9", "--header=p:9 -p -1 --p 9"),
        ];
        for (given, wanted) in cases {
            let found = normalize(given.split(' ').map(Into::into));
            assert!(found.iter().eq(wanted.split(' ')), "{given}: {found:?}");
        }
    }
}
