//! [`Changes`]: the parts of a listing page for uploads, new folders and deletions.
//!
//! Without JavaScript, the page has a form that is sent to the directory, whose listing then shows the new files. With
//! it, `changes.js` sends each file in a request of its own, shows progress and errors, accepts dropped folders, and
//! adds buttons for new folders and deletions.

use alloc::vec::Vec;

use super::compact::compact;
use super::text::{number, put, size};
use crate::engine::Exchange;
use crate::fs::Right;

/// The changes that clients may make in a directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changes {
    /// Whether files can be stored, whether they can replace others, and whether files can be deleted.
    pub(crate) store: bool,
    pub(crate) overwrite: bool,
    pub(crate) delete: bool,
    /// Whether an interrupted upload can be resumed.
    pub(crate) resumable: bool,
    /// The maximum length of a file in bytes.
    pub(crate) len_max: u64,
    /// The texts for the page. The service that makes the changes passes them, so that a program without that service
    /// does not contain them.
    pub(crate) texts: &'static Texts,
}

/// The texts for pages of directories that clients may change.
#[derive(Debug)]
pub(crate) struct Texts {
    /// The hashes of the style and the script, for the content security policy.
    pub(super) style_hash: &'static str,
    pub(super) script_hash: &'static str,
    style: &'static str,
    script: &'static str,
}

/// The texts.
pub(crate) static TEXTS: Texts = Texts {
    style_hash: "sha256-rK9hb/m5uzN/izGitzBzCQI+HJpGezACkWZoqcfX2AE=",
    script_hash: "sha256-F3vqEJwqlb5opj2heOUQfPL2us5yC2VQnhO8x9ghpuM=",
    style: compact!("changes.css"),
    script: compact!("changes.js"),
};

impl Changes {
    /// Returns those that the client may make, if any.
    pub(crate) fn allowed(self, ex: &Exchange<'_>) -> Option<Changes> {
        let (write, delete) = (ex.may(Right::Write), ex.may(Right::Delete));
        let changes = Changes {
            store: self.store && write,
            delete: self.delete && delete,
            ..self
        };
        (changes.store || changes.delete).then_some(changes)
    }

    /// Writes the style.
    pub(super) fn style(&self, out: &mut Vec<u8>) {
        put(b"<style>", out);
        put(self.texts.style.as_bytes(), out);
        put(b"</style>\n", out);
    }

    /// Writes the form.
    pub(super) fn form(&self, out: &mut Vec<u8>) {
        if !self.store {
            return;
        }
        put(
            b"<form method=\"post\" enctype=\"multipart/form-data\"",
            out,
        );
        if self.is_limited() {
            put(b" title=\"At most ", out);
            size(self.len_max, out);
            put(b"\"", out);
        }
        put(FORM.as_bytes(), out);
    }

    /// Writes the script, whose attributes state what is allowed.
    pub(super) fn script(&self, out: &mut Vec<u8>) {
        put(b"<script", out);
        if self.is_limited() {
            put(b" data-max=\"", out);
            number(self.len_max, out);
            put(b"\"", out);
        }
        if self.overwrite {
            put(b" data-overwrite", out);
        }
        if self.store && self.resumable {
            put(b" data-resumable", out);
        }
        if self.delete {
            put(b" data-delete", out);
        }
        put(b">", out);
        put(self.texts.script.as_bytes(), out);
        put(b"</script>\n", out);
    }

    fn is_limited(&self) -> bool {
        self.store && self.len_max < u64::MAX
    }
}

const FORM: &str = "><input type=\"file\" name=\"file\" multiple required aria-label=\"Files to upload\"> \
    <button>Upload</button></form>\n";
