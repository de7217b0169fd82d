//! Writes the values of `Location`: of redirects to a directory whose slash is missing in the target, and of the reply
//! to a PUT that created a file.
//!
//! They name no host. They are relative to the target (RFC 9110 §10.2.2), since a proxy may have removed a prefix of
//! the path; only [`Absolute`] has the whole path, for internal redirects, plain mode and
//! [`absolute_redirects`](crate::FileSettings::absolute_redirects). Browsers treat a backslash like a slash, so it is
//! encoded.

use core::fmt::{self, Display};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::fs::Path;

/// Writes a reference from the target to itself: `./name` for `/directory/name?query`. The dot keeps a colon in the
/// name from ending a scheme (RFC 3986 §4.2).
pub(crate) struct SelfReference<'a>(pub(crate) &'a str);

impl Display for SelfReference<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, _) = split(self.0);
        let name = path.rsplit('/').next().unwrap_or_default();
        out.write_str("./")?;
        write_path(name, out)
    }
}

/// Writes a reference from the target to itself with a slash added to its path: `./name/?query`.
pub(super) struct Directory<'a>(pub(super) &'a str);

impl Display for Directory<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, query) = split(self.0);
        write!(out, "{}/", SelfReference(self.0))?;
        write_query(query, out)
    }
}

/// Returns the target with a slash added to its path as CPython does: `/directory/name/?query`. Slashes at its start,
/// as in `//host`, which browsers would treat as another host, are reduced to one.
pub(super) struct Absolute<'a>(pub(super) &'a str);

impl Display for Absolute<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, query) = split(self.0);
        out.write_str("/")?;
        write_path(path.trim_start_matches('/'), out)?;
        out.write_str("/")?;
        write_query(query, out)
    }
}

/// Writes a reference from the root to a file in it, with the query of the target: `./name?query`.
pub(super) struct FromRoot<'a> {
    pub(super) target: &'a str,
    pub(super) file: &'a Path,
}

impl Display for FromRoot<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = percent_encode(self.file.as_bytes(), ENCODED);
        write!(out, "./{encoded}")?;
        write_query(split(self.target).1, out)
    }
}

/// All characters that are not unreserved (RFC 3986 §2.3), except slashes.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// Splits a target into path and query.
fn split(target: &str) -> (&str, &str) {
    target.split_once('?').unwrap_or((target, ""))
}

fn write_path(path: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, piece) in path.split('\\').enumerate() {
        out.write_str(if at > 0 { "%5C" } else { "" })?;
        out.write_str(piece)?;
    }
    Ok(())
}

fn write_query(query: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    match query {
        "" => Ok(()),
        query => write!(out, "?{query}"),
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::{Absolute, Directory, SelfReference};

    #[test]
    fn relative_ones_name_neither_a_host_nor_a_scheme() {
        for (target, itself, directory, absolute) in [
            ("/sub", "./sub", "./sub/", "/sub/"),
            ("/a/sub?q=/x", "./sub", "./sub/?q=/x", "/a/sub/?q=/x"),
            (
                "//evil.example",
                "./evil.example",
                "./evil.example/",
                "/evil.example/",
            ),
            (
                "/\\evil.example",
                "./%5Cevil.example",
                "./%5Cevil.example/",
                "/%5Cevil.example/",
            ),
            ("/http:x", "./http:x", "./http:x/", "/http:x/"),
            ("/sub/.?", "./.", "././", "/sub/./"),
        ] {
            assert_eq!(SelfReference(target).to_string(), itself);
            assert_eq!(Directory(target).to_string(), directory);
            assert_eq!(Absolute(target).to_string(), absolute);
        }
    }
}
