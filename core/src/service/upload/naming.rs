//! [`Naming`]: checks under which names uploaded files may be stored, and which directories may be created for them.
//!
//! Uploaded files are served, so their names matter: some files are sent in reply to requests for other names, and
//! files below `/.well-known` represent the whole site. With such a name, a client that may only add files could change
//! what other clients receive.

use alloc::string::String;

use super::{INVALID_NAME, NO_DIRECTORY, Refusal};
use crate::fs::Path;
use crate::service::Files;
use crate::service::coding::SUFFIXES;
use crate::text::case_folding;
use crate::text::escape::is_invisible;

/// The rules for names, which are the same for PUT and for forms.
#[derive(Clone, Copy)]
pub(super) struct Naming<'a> {
    files: &'a Files,
    /// Whether a file may replace an existing one.
    pub(super) overwrite: bool,
}

impl<'a> Naming<'a> {
    pub(super) fn new(files: &'a Files, overwrite: bool) -> Self {
        Naming { files, overwrite }
    }

    /// Returns the path of a file to store, or why it may not be stored.
    pub(super) fn check(self, path: Option<Path>) -> Result<Path, Refusal> {
        let rule = self.files.refusal(path.as_ref());
        let path = path.filter(|_| rule.is_none()).ok_or_else(|| Refusal {
            rule,
            ..(403, INVALID_NAME).into()
        })?;
        match self.objection(&path) {
            Some(message) => Err((403, message).into()),
            None => Ok(path),
        }
    }

    /// Returns the number of directories at the end of a path that may be created, and the reply if more of them are
    /// missing. Their names follow the same rules as those of files.
    pub(super) fn new_directories(self, path: &Path) -> (usize, StatusMessage) {
        let mut directory = path.clone();
        for count in 0..DIRECTORIES_MAX {
            directory.pop();
            if directory.as_bytes().is_empty() {
                return (count, NO_DIRECTORY);
            }
            if let Some(message) = self.objection(&directory) {
                return (count, (403, message));
            }
        }
        (DIRECTORIES_MAX, TOO_DEEP)
    }

    /// Returns why no new file may have this name.
    fn objection(self, path: &Path) -> Option<&'static str> {
        unsafe_name(path.file_name()).or_else(|| self.reserved(path))
    }

    /// Returns what the name is reserved for. Compared case-insensitively, as the file system may do so.
    fn reserved(self, path: &Path) -> Option<&'static str> {
        if is_well_known(path) {
            return Some(WELL_KNOWN);
        }
        if self.overwrite {
            return None;
        }
        let (files, name) = (self.files, folded(path.file_name()));
        let is_compressed = SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
        let is = |file: &str| {
            let file = Path::from_bytes(file.into());
            file.is_some_and(|file| folded(file.as_bytes()) == folded(path.as_bytes()))
        };
        if files.settings().precompressed && is_compressed {
            Some(COMPRESSED)
        } else if files
            .settings()
            .index_pages
            .iter()
            .any(|page| folded(page.as_bytes()) == name)
        {
            Some(INDEX)
        } else if files.settings().spa.as_deref().is_some_and(is)
            || files.settings().not_found_page.as_deref().is_some_and(is)
        {
            Some(FALLBACK)
        } else if files.settings().spa.is_some() && !name.contains('.') {
            Some(APPLICATION_PAGE)
        } else if files.settings().clean_urls && (name.ends_with(".html") || !name.contains('.')) {
            Some(PAGE)
        } else {
            None
        }
    }
}

/// Returns whether a path is that of `/.well-known`, or below it. Its files represent the whole site (RFC 8615).
pub(super) fn is_well_known(path: &Path) -> bool {
    let first = path.segments().next().unwrap_or_default();
    folded(first) == ".well-known"
}

/// Returns why a name may harm users of the files: it looks like an option to a command that is given `*`, or contains
/// characters that a terminal, a script or a reader may misinterpret.
fn unsafe_name(name: &[u8]) -> Option<&'static str> {
    if name.starts_with(b"-") {
        return Some(DASH);
    }
    let mut chars = name.utf8_chunks().flat_map(|chunk| chunk.valid().chars());
    chars.any(is_invisible).then_some(CONTROL)
}

/// Returns a name folded as on a case-insensitive file system that ignores invisible characters.
fn folded(name: &[u8]) -> String {
    case_folding::folded(name).collect()
}

/// A status and its message.
pub(super) type StatusMessage = (u16, &'static str);

/// The largest number of directories that a request may create.
const DIRECTORIES_MAX: usize = 16;
const TOO_DEEP: StatusMessage = (
    409,
    "Its directory does not exist, and at most 16 directories are created",
);
const DASH: &str = "A name cannot begin with '-'";
const CONTROL: &str = "A name cannot contain control characters";
const WELL_KNOWN: &str = "Files below /.well-known cannot be stored";
const COMPRESSED: &str = "Compressed variants cannot be stored unless overwriting is allowed";
const INDEX: &str = "Index pages cannot be stored unless overwriting is allowed";
const FALLBACK: &str = "The page for missing files cannot be stored unless overwriting is allowed";
const PAGE: &str = "Pages cannot be stored unless overwriting is allowed";
const APPLICATION_PAGE: &str =
    "Pages of the application cannot be stored unless overwriting is allowed";
