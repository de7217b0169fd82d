//! [`Codings`]: selects the content coding of a file or a listing by `Accept-Encoding` (RFC 9110 §12.5.3).

use crate::engine::{Exchange, Next};
use crate::fs::Path;
#[cfg(feature = "gzip")]
use crate::service::condition::names_plain;
#[cfg(feature = "gzip")]
use crate::service::etag::ETag;
use crate::service::etag::GZIP_SUFFIX;
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
            Coding::Gzip => GZIP_SUFFIX,
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
    /// Whether the client accepts gzip, at least as much as the plain file.
    #[cfg(feature = "gzip")]
    pub(super) gzip: bool,
}

impl Codings {
    /// Returns the plain file as the only choice.
    pub(super) const NONE: Codings = Codings {
        left: [None; 3],
        current: None,
        identity: true,
        #[cfg(feature = "gzip")]
        gzip: false,
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
        let left = all.map(liked);
        Codings {
            left,
            current: None,
            identity: plain != Some(0),
            #[cfg(feature = "gzip")]
            gzip: left.contains(&Some(Coding::Gzip)),
        }
    }

    /// Returns the same choice without compressed files.
    #[cfg(feature = "gzip")]
    pub(super) fn without_files(self) -> Codings {
        Codings {
            left: [None; 3],
            ..self
        }
    }

    /// Returns whether a reply that may be compressed is. `plain` and `len` are the tag and the length of the reply
    /// without a coding. A short one is not compressed.
    ///
    /// A request that names the plain reply gets it: the client has it already, or part of it, or wants a part. Parts of
    /// a compressed reply are not available, as its bytes may change with the compressor.
    #[cfg(feature = "gzip")]
    pub(super) fn compression(
        self,
        ex: &Exchange<'_>,
        plain: Option<&ETag>,
        len: u64,
    ) -> Compression {
        match self {
            Codings { identity: true, .. } if len < LEN_MIN || names_plain(ex, plain) => {
                Compression::None
            }
            Codings { gzip: true, .. } => Compression::Gzip,
            Codings { identity: true, .. } => Compression::None,
            _ => Compression::Refused,
        }
    }

    /// Selects the next best variant of the file at a path, finally the plain file, and opens it.
    pub(super) fn open_next(&mut self, mut path: Path) -> Next {
        self.current = self.left.iter_mut().find_map(Option::take);
        if let Some(coding) = self.current {
            path.append(coding.suffix());
        }
        Next::Open(path)
    }
}

/// Whether a reply is compressed while it is sent.
#[cfg(feature = "gzip")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    /// The client accepts neither gzip nor the reply without a coding: 406.
    Refused,
}

#[cfg(feature = "gzip")]
impl Compression {
    /// Chooses for a reply that may be compressed, see [`Codings::compression`].
    pub(super) fn choose(ex: &Exchange<'_>, plain: Option<&ETag>, len: u64) -> Compression {
        Codings::accepted(ex).compression(ex, plain, len)
    }
}

/// The length in bytes from which on a reply is compressed. A shorter one takes one packet in any case.
#[cfg(feature = "gzip")]
const LEN_MIN: u64 = 512;

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
