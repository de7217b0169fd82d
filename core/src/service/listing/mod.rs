//! Listings of directories: [`python`] writes CPython 3.13's page, [`page`] one with more features.
//!
//! In every format, a `Listing` consists of a top, a row for each entry and a foot. It is first measured and then
//! written row by row, so that its length is known in advance and memory is limited to the outbox. Measuring a row
//! mostly means counting rather than writing, and [`prepare`] does it once for a large directory. The rows are in
//! `python`, `rows` and `json`, content negotiation in `negotiate`, the order of the rows in `order`, the formats of
//! names and numbers in `text`, and compression in `compressed`. `changes` has the parts of the page for uploads and
//! deletions, `pictures` the view with pictures, `policy` the content security policy.

mod changes;
mod compact;
#[cfg(feature = "gzip")]
mod compressed;
mod head;
mod html;
mod json;
mod negotiate;
mod order;
mod pictures;
mod policy;
mod python;
mod readme;
mod rows;
mod text;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

pub(crate) use self::changes::{Changes, TEXTS};
pub(crate) use self::html::is_html;
pub use self::html::page;
pub use self::order::prepare;
pub use self::python::python;
pub(crate) use self::readme::Readme;

use self::order::Order;
use crate::engine::{Exchange, Next};
use crate::fs::entries::Sums;
use crate::fs::{Entries, Entry, Path};
use crate::service::reply_fields::ReplyFields;
use crate::sync::Arc;
use crate::text::decimal::mix;

/// A function that replies with the listing of a directory: [`python`], [`page`], or your own.
///
/// ```
/// use std::sync::Arc;
///
/// use sanserve_core::{Files, listing};
///
/// let mut files = Files::new();
/// files.settings_mut().list_directory = Arc::new(|ex, directory| match directory.entries().count() {
///     0 => ex.send_error(404, "There is nothing here"),
///     _ => listing::page(ex, directory),
/// });
/// ```
pub type ListDirectory = Arc<dyn Fn(&mut Exchange<'_>, Directory<'_>) -> Next + Send + Sync>;

/// A directory to be listed.
#[derive(Debug)]
pub struct Directory<'a> {
    pub(super) path: &'a Path,
    pub(super) entries: Arc<Entries>,
    pub(super) scope: Scope,
    pub(super) fields: ReplyFields<'a>,
    /// The text to show below the entries.
    pub(super) readme: Option<Readme>,
    /// Whether the listing may be compressed.
    #[cfg(feature = "gzip")]
    pub(super) compresses: bool,
    /// The listing that has begun, for the service to continue.
    pub(super) listing: &'a mut Option<Box<Listing>>,
}

/// The names that a service shows in its directories, and the features that it offers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    /// Whether names that begin with a dot are shown.
    pub(super) hidden: bool,
    /// Whether directories are offered as archives.
    pub(super) archives: bool,
    /// Whether the QR code of the address is offered.
    pub(super) qr_code: bool,
    /// The changes that the client may make, if a service accepts any.
    pub(super) changes: Option<Changes>,
    /// Whether the client may read. Otherwise the directory has no entries here.
    pub(super) may_read: bool,
    /// Whether the client has no password, and could do more with one.
    pub(super) can_log_in: bool,
    /// The number of segments at the start of a target that are above the root.
    pub(super) mount_depth: usize,
}

impl Directory<'_> {
    /// Returns the path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.path
    }

    /// Returns the entries that may be shown, in any order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let entries = self.entries.iter();
        let hidden = self.scope.hidden;
        entries.filter(move |entry| Path::is_listed(entry.name, hidden) && !entry.unavailable)
    }

    /// Begins to send a listing whose head has been sent.
    fn send(self, ex: &mut Exchange<'_>, mut listing: Listing) -> Next {
        let next = listing.write(ex);
        if next != Next::Done {
            *self.listing = Some(Box::new(listing));
        }
        next
    }
}

/// A listing that is being sent.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    /// The target without its query.
    target: String,
    entries: Arc<Entries>,
    order: Order,
    sums: Sums,
    sorting: negotiate::Sorting,
    view: negotiate::View,
    /// The query of links to other directories, which keeps the order and the view: empty, or `?sort=size-desc`.
    query: &'static str,
    scope: Scope,
    renderer: &'static Renderer,
    /// The text below the entries.
    readme: Option<Readme>,
    stage: Stage,
    /// The number of rows that have been written.
    rows_written: usize,
    /// Parts that are being written, and the number of bytes of them that have been.
    parts: Vec<u8>,
    written: usize,
    /// The gzip stream, if the listing is compressed.
    #[cfg(feature = "gzip")]
    gzip: Option<compressed::Gzip>,
}

/// The progress of writing a listing.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Top,
    /// The index of the next entry in the order.
    Rows(usize),
    /// The index of the next byte of the readme.
    Readme(usize),
    End,
}

/// The format of a listing.
#[derive(Debug)]
struct Renderer {
    /// Its index in [`Sums::lens`].
    number: usize,
    top: fn(&Listing, &mut Vec<u8>),
    /// Writes an entry's row, with this query in the link of a directory.
    row: fn(&Entry<'_>, &[u8], &mut Vec<u8>),
    /// Returns the length of an entry's row with an empty query, if it is known without writing it.
    len: fn(&Entry<'_>) -> Option<usize>,
    between: &'static [u8],
    /// What is written after every [`GROUP_SIZE`] rows, if more follow.
    group: &'static [u8],
    /// What follows the rows, before a readme.
    rows_end: &'static [u8],
    foot: &'static [u8],
    /// Whether it shows [unavailable](Entry::unavailable) entries.
    unavailable: bool,
}

impl Renderer {
    /// Returns whether it has a row for an entry whose name may be shown.
    fn shows(&self, entry: &Entry<'_>) -> bool {
        self.unavailable || !entry.unavailable
    }
}

impl Listing {
    fn new(
        ex: &Exchange<'_>,
        directory: &Directory<'_>,
        renderer: &'static Renderer,
        sorting: Option<negotiate::Sorting>,
    ) -> Self {
        let target = ex.path().split(['?', '#']).next().unwrap_or_default();
        let entries = Arc::clone(&directory.entries);
        let scope = directory.scope;
        let (order, sums) = Order::of(&entries, sorting, scope.hidden, renderer);
        Listing {
            target: target.into(),
            entries,
            order,
            sums,
            sorting: sorting.unwrap_or_default(),
            view: negotiate::View::default(),
            query: "",
            scope,
            renderer,
            readme: None,
            stage: Stage::Top,
            rows_written: 0,
            parts: Vec::new(),
            written: 0,
            #[cfg(feature = "gzip")]
            gzip: None,
        }
    }

    /// Returns the length of the listing in bytes, with a top of this length.
    fn len(&self, top: &[u8]) -> u64 {
        let further = self.sums.count.saturating_sub(1);
        let Renderer { between, group, .. } = self.renderer;
        let between = between.len() * further + group.len() * (further / GROUP_SIZE);
        let queries = self.query.len() * self.sums.directories;
        let rows = self.sums.lens[self.renderer.number];
        let readme = self.readme.as_ref().map_or(0, |readme| readme.len);
        let ends = self.renderer.rows_end.len() + self.renderer.foot.len();
        rows + (top.len() + between + queries + readme + ends) as u64
    }

    fn top(&self) -> Vec<u8> {
        let mut top = Vec::new();
        (self.renderer.top)(self, &mut top);
        top
    }

    /// Returns the length of the listing in bytes, and a hash from which its tag is made: of the top, the entries, the
    /// order, and the version of this crate.
    fn measure(&self) -> (u64, u64) {
        let top = self.top();
        let len = self.len(&top);
        let start = mix_bytes(0, env!("CARGO_PKG_VERSION").as_bytes());
        let order = (self.sorting.key as u64) << 1 | u64::from(self.sorting.descending);
        let version = mix(mix(mix_bytes(start, &top), order), self.sums.version);
        let version = match &self.readme {
            Some(readme) => mix(version, readme.version),
            None => version,
        };
        (len, mix(version, len))
    }

    /// Returns the length of the content, which is `len` as nothing is compressed.
    #[cfg(not(feature = "gzip"))]
    fn content_len(&mut self, len: u64) -> Option<u64> {
        Some(len)
    }

    /// Writes as much of the listing as fits into the outbox. To be called again after [`Next::Flush`].
    pub(crate) fn write(&mut self, ex: &mut Exchange<'_>) -> Next {
        if ex.command() == "HEAD" {
            return Next::Done;
        }
        loop {
            if ex.wants_flush() {
                return Next::Flush;
            }
            if self.written == self.parts.len() {
                if let Stage::End = self.stage {
                    return Next::Done;
                }
                let mut parts = mem::take(&mut self.parts);
                parts.clear();
                self.write_parts(&mut parts);
                (self.parts, self.written) = (parts, 0);
            }
            // The top may be longer than a small outbox.
            let piece = &self.parts[self.written..];
            let piece = &piece[..piece.len().min(ex.write_max_before_flush())];
            ex.write(piece);
            self.written += piece.len();
            // Compressing the next piece takes a while, in which this one can be sent.
            #[cfg(feature = "gzip")]
            if self.gzip.is_some()
                && self.written == self.parts.len()
                && !matches!(self.stage, Stage::End)
            {
                return Next::Flush;
            }
        }
    }

    /// Writes the next parts: a few hundred bytes, or a compressed piece.
    fn write_parts(&mut self, out: &mut Vec<u8>) {
        #[cfg(feature = "gzip")]
        if self.gzip.is_some() {
            return self.write_piece(out);
        }
        self.write_rows(BATCH_SIZE, out);
    }

    /// Writes the next rows, until they have `max` bytes, with what precedes or follows all rows.
    fn write_rows(&mut self, max: usize, out: &mut Vec<u8>) {
        let mut at = match self.stage {
            Stage::Top => {
                (self.renderer.top)(self, out);
                0
            }
            Stage::Rows(at) => at,
            Stage::Readme(at) => return self.write_readme(at, max, out),
            Stage::End => return,
        };
        let Renderer {
            row,
            between,
            group,
            ..
        } = self.renderer;
        let (entries, order) = (&*self.entries, &self.order);
        let (indices, includes_unshown) = (order.indices(entries), order.includes_unshown());
        let end = out.len() + max;
        while out.len() < end {
            let index = match indices {
                Some(indices) => indices.get(at).map_or(usize::MAX, |index| *index as usize),
                None => order.index(at, entries.len()),
            };
            let Some(entry) = entries.get(index) else {
                out.extend_from_slice(self.renderer.rows_end);
                let left = end.saturating_sub(out.len());
                return self.write_readme(0, left, out);
            };
            at += 1;
            // Otherwise the order contains only entries that are shown.
            if includes_unshown
                && !(Path::is_listed(entry.name, self.scope.hidden) && self.renderer.shows(&entry))
            {
                continue;
            }
            if self.rows_written > 0 {
                out.extend_from_slice(between);
                if self.rows_written.is_multiple_of(GROUP_SIZE) {
                    out.extend_from_slice(group);
                }
            }
            self.rows_written += 1;
            row(&entry, self.query.as_bytes(), out);
        }
        self.stage = Stage::Rows(at);
    }

    /// Writes what follows the rows: the readme from byte `at` on, until it has `max` bytes, and the foot.
    fn write_readme(&mut self, mut at: usize, max: usize, out: &mut Vec<u8>) {
        let end = out.len() + max;
        if let Some(readme) = &self.readme {
            while let Some(next) = readme.write(at, out) {
                at = next;
                if out.len() >= end {
                    self.stage = Stage::Readme(at);
                    return;
                }
            }
        }
        out.extend_from_slice(self.renderer.foot);
        self.stage = Stage::End;
    }
}

/// Mixes bytes and their number into a hash.
fn mix_bytes(sum: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let sum = words.fold(mix(sum, bytes.len() as u64), mix);
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(sum, u64::from_le_bytes(last))
}

/// The number of bytes after which parts are passed to the exchange, since each call has a cost.
const BATCH_SIZE: usize = 512;

/// The number of rows in a group of the HTML page. A browser lays out only the groups that are in sight.
const GROUP_SIZE: usize = 200;
