//! [`Codings`]: selects a compressed variant of a file by `Accept-Encoding` (RFC 9110 §12.5.3).

use crate::engine::Exchange;
use crate::text::qvalue::{WHITESPACE, parse_qvalue};
use crate::wire::syntax::is_among;

/// The extensions of compressed files.
pub(crate) const SUFFIXES: [&str; 3] = [
    Coding::Brotli.suffix(),
    Coding::Zstandard.suffix(),
    Coding::Gzip.suffix(),
];

/// A content coding. In order of preference for clients that have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Zstandard,
    Gzip,
}

impl Coding {
    /// Returns its name in `Content-Encoding`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstandard => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    /// Returns the extension of files in this coding.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Coding::Brotli => ".br",
            Coding::Zstandard => ".zst",
            Coding::Gzip => ".gz",
        }
    }

    /// Returns the suffix of the tag of such a file, which may have the time and length of the plain one.
    pub(super) fn tag_suffix(self) -> &'static str {
        match self {
            Coding::Brotli => "-br",
            Coding::Zstandard => "-zst",
            Coding::Gzip => "-gz",
        }
    }
}

/// The codings that are still to be tried for a request, the best one first, and finally the plain file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codings {
    left: [Option<Coding>; 3],
    /// The coding that is being tried.
    pub(super) current: Option<Coding>,
    /// Whether the client accepts the plain file.
    pub(super) identity: bool,
}

impl Codings {
    /// Returns the plain file as the only choice.
    pub(super) const NONE: Codings = Codings {
        left: [None; 3],
        current: None,
        identity: true,
    };

    /// Returns the codings that the client accepts. Without the field, only the plain file is tried.
    pub(super) fn accepted(ex: &Exchange<'_>) -> Codings {
        // The plain file is the last choice, unless the field mentions it.
        let plain = quality(ex, &["identity"]);
        let mut all = [
            (Coding::Brotli, quality(ex, &["br"])),
            (Coding::Zstandard, quality(ex, &["zstd"])),
            (Coding::Gzip, quality(ex, &["gzip", "x-gzip"])),
        ];
        // An insertion sort, which is stable. The library's stable sort takes 3 KiB of flash.
        for (one, other) in [(0, 1), (1, 2), (0, 1)] {
            if all[one].1 < all[other].1 {
                all.swap(one, other);
            }
        }
        let liked = |(coding, weight): (Coding, Option<u16>)| {
            let weight = weight.unwrap_or(0);
            (weight > 0 && weight >= plain.unwrap_or(0)).then_some(coding)
        };
        Codings {
            left: all.map(liked),
            current: None,
            identity: plain != Some(0),
        }
    }

    /// Selects the next coding. `None` is the plain file.
    pub(super) fn select_next(&mut self) -> Option<Coding> {
        let next = self.left.iter_mut().find_map(Option::take);
        self.current = next;
        next
    }
}

/// Returns the client's quality value for a coding with these names, in thousandths, or `None` if the field does not
/// mention it.
fn quality(ex: &Exchange<'_>, names: &[&str]) -> Option<u16> {
    let (mut named, mut any) = (None, None);
    for element in ex.head.fields().list("Accept-Encoding") {
        let (coding, parameters) = element.split_once(';').unwrap_or((element, ""));
        let coding = coding.trim_matches(WHITESPACE);
        let Some(weight) = parse_qvalue(parameters) else {
            continue;
        };
        if coding == "*" {
            any = any.or(Some(weight));
        } else if is_among(coding, names) {
            named = named.or(Some(weight));
        }
    }
    named.or(any)
}
