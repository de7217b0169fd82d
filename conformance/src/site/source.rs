//! Writes a [`Site`] as a Rust expression, for the build scripts of implementations without a disk.

use std::fmt::Write;

use super::{Entry, Site};

impl Site {
    /// Returns a Rust expression for this site. Compiled in, it needs no memory but that of the image.
    #[must_use]
    pub fn source(&self) -> String {
        let mut text = String::from(
            "{ use ::sanserve_conformance::{Entry::*, Site}; extern crate alloc; \
             use alloc::borrow::Cow::Borrowed; Site { entries: Borrowed(&[\n",
        );
        for entry in self.entries.iter() {
            writeln!(text, "{},", entry.source()).expect("writing to a string succeeds");
        }
        text.push_str("]) } }\n");
        text
    }
}

impl Entry {
    fn source(&self) -> String {
        let borrowed = |bytes: &[u8]| format!("Borrowed(b\"{}\")", bytes.escape_ascii());
        let path = borrowed(self.path());
        match self {
            Self::File {
                modified,
                body,
                executable,
                unreadable,
                ..
            } => format!(
                "File {{ path: {path}, modified: {modified:?}, body: {}, executable: {executable}, unreadable: {unreadable} }}",
                borrowed(body)
            ),
            Self::Directory { unreadable, .. } => {
                format!("Directory {{ path: {path}, unreadable: {unreadable} }}")
            }
            Self::Link { target, .. } => {
                format!("Link {{ path: {path}, target: {} }}", borrowed(target))
            }
        }
    }
}
