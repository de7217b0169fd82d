//! [`ShowReadme`]: reads the README of a directory, which [`listing::page`](crate::listing::page()) shows below the
//! entries.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{fmt, mem};

use super::{Files, Stage};
use crate::engine::{Event, Exchange, Next};
use crate::fs::{Entries, Entry, Path};
use crate::service::coding::Codings;
use crate::service::listing::{Readme, is_html};
use crate::sync::Arc;

/// Shows the README of each directory in [`listing::page`](crate::listing::page()): a value for
/// [`FileSettings::readme`](crate::FileSettings::readme).
///
/// The README is the first of `README.md`, `README.txt`, `README` and `index.md` that exists, in any letter case. The
/// first 32 KiB of it are shown as plain text.
#[derive(Clone, Copy)]
pub struct ShowReadme {
    // Functions, so that a program that does not use them need not contain them.
    pub(super) list: fn(&mut Files, &mut Exchange<'_>, Path, Arc<Entries>) -> Next,
    pub(super) resume: fn(&mut Files, &mut Exchange<'_>, Event<'_>) -> Next,
}

impl ShowReadme {
    /// Returns the value for [`FileSettings::readme`](crate::FileSettings::readme).
    #[must_use]
    pub const fn new() -> ShowReadme {
        ShowReadme {
            list: Files::list_with_readme,
            resume: Files::continue_readme,
        }
    }
}

impl Default for ShowReadme {
    fn default() -> Self {
        ShowReadme::new()
    }
}

impl fmt::Debug for ShowReadme {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ShowReadme").finish_non_exhaustive()
    }
}

/// A README that is being read.
#[derive(Debug, Clone)]
pub(super) struct ReadmeFile {
    /// The directory.
    path: Path,
    entries: Arc<Entries>,
    /// The index of the file among the entries.
    index: usize,
    text: Vec<u8>,
}

impl Files {
    /// Replies with the listing of a directory, or first opens the README that it shows.
    fn list_with_readme(
        &mut self,
        ex: &mut Exchange<'_>,
        path: Path,
        entries: Arc<Entries>,
    ) -> Next {
        let index = match is_html(ex) {
            true => find(&entries),
            false => None,
        };
        let Some(index) = index else {
            return self.list(ex, &path, entries, None);
        };
        let mut file = path.clone();
        file.descend(entries.get(index).unwrap_or_default().name);
        self.codings = Codings::NONE;
        self.stage = Stage::Readme(Box::new(ReadmeFile {
            path,
            entries,
            index,
            text: Vec::new(),
        }));
        Next::Open(file)
    }

    /// Continues after the README was opened or a part of it was read. If that fails, the listing is sent without it.
    fn continue_readme(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        let Stage::Readme(file) = &mut self.stage else {
            return Next::Done;
        };
        let text = match event {
            Event::Opened(..) => return Next::Read,
            Event::Data(bytes) => {
                file.text.extend_from_slice(bytes);
                if file.text.len() <= LEN_MAX {
                    return Next::Read;
                }
                Some(mem::take(&mut file.text))
            }
            Event::End => Some(mem::take(&mut file.text)),
            _ => None,
        };
        let name = file.entries.get(file.index).unwrap_or_default().name;
        let readme = text.map(|text| Readme::new(name, text, LEN_MAX));
        let (path, entries) = (mem::take(&mut file.path), Arc::clone(&file.entries));
        self.stage = Stage::Target;
        self.list(ex, &path, entries, readme)
    }
}

/// Returns the index of the file to show: that with the first of the known names, in any case.
fn find(entries: &Entries) -> Option<usize> {
    let rank = |entry: &Entry<'_>| {
        let is_file = !entry.directory && !entry.unavailable;
        let mut names = NAMES.iter();
        names
            .position(|name| entry.name.eq_ignore_ascii_case(name.as_bytes()))
            .filter(|_| is_file)
    };
    let ranked = entries.iter().enumerate();
    let ranked = ranked.filter_map(|(index, entry)| Some((rank(&entry)?, index)));
    ranked.min().map(|(_, index)| index)
}

/// The names, the preferred one first.
const NAMES: [&str; 4] = ["readme.md", "readme.txt", "readme", "index.md"];

/// The number of bytes that are shown.
const LEN_MAX: usize = 32 * 1024;
