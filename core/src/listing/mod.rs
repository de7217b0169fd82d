//! How a directory is listed: [`python`] writes the page of CPython 3.13, [`page`] one that people
//! want to use.
//!
//! Whatever it looks like, a `Listing` is a top, a part for each entry and a foot. It is measured
//! first and then written part by part, so that its length is known beforehand and no more than the
//! outbox is in memory at a time. To measure an entry is mostly to count, not to write. The parts themselves are in `python`, `rows` and `data`, what was
//! asked for in `asked`, how names and numbers are written in `text`.

mod asked;
mod data;
mod html;
mod python;
mod rows;
mod sending;
mod text;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

pub use self::html::page;
pub use self::python::python;

use crate::number::mix;
use crate::{Entries, Entry, Exchange, Files, Next, Path};

/// What answers with the listing of a directory: [`python`], [`page`], or a function of your own.
///
/// ```
/// use sanserve_core::{Files, listing};
///
/// let mut files = Files::new();
/// files.list_directory = |ex, directory| match directory.entries().count() {
///     0 => ex.send_error(404, "There is nothing here"),
///     _ => listing::page(ex, directory),
/// };
/// ```
pub type ListDirectory = fn(&mut Exchange<'_>, Directory<'_>) -> Next;

/// A directory that is to be listed.
#[derive(Debug)]
pub struct Directory<'a> {
    pub(crate) path: &'a Path,
    pub(crate) entries: Arc<Entries>,
    pub(crate) files: &'a mut Files,
}

impl Directory<'_> {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.path
    }

    /// What may be shown of what it holds, in any order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let entries = self.entries.iter();
        entries.filter(|entry| self.files.shows_name(entry.name))
    }
}

/// A listing on its way.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    /// The path as it was asked for, without its query.
    target: String,
    entries: Arc<Entries>,
    /// Which of them are shown, in that order.
    order: Vec<u32>,
    sorting: asked::Sorting,
    /// Whether the directory can be had as an archive.
    downloads: bool,
    /// Whether files can be stored in it.
    uploads: bool,
    /// How many segments of the target are above the root.
    above: usize,
    form: &'static Form,
    /// How many parts were written.
    written: usize,
}

/// What a listing looks like.
#[derive(Debug)]
struct Form {
    /// Writes a part of it.
    write: fn(&Listing, Part<'_>, &mut Vec<u8>),
    /// How long the part of an entry is, if that is easily said.
    len: fn(&Entry<'_>) -> Option<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Part<'a> {
    Top,
    /// An entry, and how many were before it.
    Entry(Entry<'a>, usize),
    Foot,
}

impl Listing {
    fn new(ex: &Exchange<'_>, directory: &Directory<'_>, form: &'static Form) -> Self {
        let target = ex.path().split(['?', '#']).next().unwrap_or_default();
        let shown = directory.entries.iter().enumerate();
        let shown = shown.filter(|(_, entry)| directory.files.shows_name(entry.name));
        Listing {
            target: target.into(),
            order: shown.map(|(at, _)| at as u32).collect(),
            entries: Arc::clone(&directory.entries),
            sorting: asked::Sorting::default(),
            downloads: false,
            uploads: false,
            above: 0,
            form,
            written: 0,
        }
    }

    fn entry(&self, at: u32) -> Entry<'_> {
        self.entries.get(at as usize).unwrap_or_default()
    }

    /// What is shown, in that order.
    fn shown(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.order.iter().map(|at| self.entry(*at))
    }

    /// Its length in bytes.
    fn len(&self) -> u64 {
        let mut scratch = Vec::new();
        let parts = 0..self.parts();
        parts.map(|at| self.part_len(at, &mut scratch)).sum()
    }

    /// Its length in bytes, and a number that another one has not: made of what is written at the top,
    /// of what is known of each entry, and of who writes it.
    fn measure(&self) -> (u64, u64) {
        let mut scratch = Vec::new();
        (self.form.write)(self, Part::Top, &mut scratch);
        let start = mix_bytes(0, env!("CARGO_PKG_VERSION").as_bytes());
        let sum = self.shown().fold(mix_bytes(start, &scratch), |sum, entry| {
            let marks = u64::from(entry.directory) | u64::from(entry.link) << 1;
            let sum = mix(mix_bytes(sum, entry.name), marks);
            let sum = mix(sum, entry.len.unwrap_or(u64::MAX));
            mix(sum, entry.modified.unwrap_or(i64::MIN) as u64)
        });
        let len = self.len();
        (len, mix(sum, len))
    }

    fn part_len(&self, at: usize, scratch: &mut Vec<u8>) -> u64 {
        let easy = match self.part(at) {
            Part::Entry(entry, _) => (self.form.len)(&entry),
            _ => None,
        };
        let len = easy.unwrap_or_else(|| {
            scratch.clear();
            self.write_part(at, scratch);
            scratch.len()
        });
        len as u64
    }

    /// Writes as much of it as the peer can be expected to take at once. To be called again after
    /// [`Next::Flush`].
    pub(crate) fn write(&mut self, ex: &mut Exchange<'_>) -> Next {
        if ex.command() == "HEAD" {
            return Next::Done;
        }
        let mut some = Vec::new();
        while self.written < self.parts() {
            if ex.wants_flush() {
                return Next::Flush;
            }
            some.clear();
            while self.written < self.parts() && some.len() < AT_ONCE {
                self.write_part(self.written, &mut some);
                self.written += 1;
            }
            ex.write(&some);
        }
        Next::Done
    }

    fn parts(&self) -> usize {
        self.order.len() + 2
    }

    fn part(&self, at: usize) -> Part<'_> {
        match at.checked_sub(1) {
            None => Part::Top,
            Some(before) => match self.order.get(before) {
                Some(at) => Part::Entry(self.entry(*at), before),
                None => Part::Foot,
            },
        }
    }

    fn write_part(&self, at: usize, out: &mut Vec<u8>) {
        (self.form.write)(self, self.part(at), out);
    }
}

/// Mixes in bytes, and how many they are.
fn mix_bytes(sum: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let sum = words.fold(mix(sum, bytes.len() as u64), mix);
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(sum, u64::from_le_bytes(last))
}

/// Bytes, or a part more: each call of the exchange has its price.
const AT_ONCE: usize = 512;
