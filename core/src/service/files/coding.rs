//! [`Codings`]: which compressed form of a file the peer would like best (RFC 9110 §12.5.3).

use crate::engine::Exchange;
use crate::text::qvalue::{WHITESPACE, parse_qvalue};
use crate::wire::syntax::is_among;

/// What the names of compressed files end in.
pub(crate) const SUFFIXES: [&str; 3] = [
    Coding::Brotli.suffix(),
    Coding::Zstandard.suffix(),
    Coding::Gzip.suffix(),
];

/// A content coding, in the order in which they are preferred where the peer has no preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Zstandard,
    Gzip,
}

impl Coding {
    /// What `Content-Encoding` calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstandard => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    /// What the name of a file compressed so ends in.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Coding::Brotli => ".br",
            Coding::Zstandard => ".zst",
            Coding::Gzip => ".gz",
        }
    }

    /// What the tag of such a file ends in, which may have time and length of the plain one.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Coding::Brotli => "-br",
            Coding::Zstandard => "-zst",
            Coding::Gzip => "-gz",
        }
    }
}

/// The codings that are still to be tried for a request, the best first, then none at all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codings {
    left: [Option<Coding>; 3],
    /// The one that is being tried.
    pub(super) current: Option<Coding>,
    /// Whether the peer takes the file as it is.
    pub(super) identity: bool,
}

impl Codings {
    /// The file as it is.
    pub(super) const NONE: Codings = Codings {
        left: [None; 3],
        current: None,
        identity: true,
    };

    /// What the peer accepts. Who says nothing accepts the file as it is.
    pub(super) fn accepted(ex: &Exchange<'_>) -> Codings {
        // As it is counts as the last choice, unless it is spoken of.
        let plain = weight(ex, &["identity"]);
        let mut all = [
            (Coding::Brotli, weight(ex, &["br"])),
            (Coding::Zstandard, weight(ex, &["zstd"])),
            (Coding::Gzip, weight(ex, &["gzip", "x-gzip"])),
        ];
        // Whichever comes first of two that are liked as much stays there. The library's stable sort takes 3 KiB of flash.
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

    /// Goes on to the next one. `None` is the file as it is.
    pub(super) fn advance(&mut self) -> Option<Coding> {
        let next = self.left.iter_mut().find_map(Option::take);
        self.current = next;
        next
    }
}

/// How much the peer would like a coding of these names, in thousandths. `None` if it does not say.
fn weight(ex: &Exchange<'_>, names: &[&str]) -> Option<u16> {
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
