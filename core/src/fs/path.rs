//! [`Path`]: a request target, decoded, that can only name something below the root.
//!
//! The rules are those of CPython's `translate_path`: cut the query, percent-decode, then resolve
//! `.`, `..` and empty segments as text, before any disk is asked. Beyond that a name is what the system
//! that holds the files takes for one. Windows reads more into some names than they say, so a file system
//! there refuses those that are not [portable](Path::is_portable).

use alloc::string::String;
use alloc::vec::Vec;

use crate::wire::syntax::alphanumeric_and;

/// The name of something in the tree: segments joined by `/`, each of them a
/// [name](Path::is_name). It is relative to the root and, on Unix, cannot lead out of it; on Windows a path that
/// is not [portable](Path::is_portable) can. The empty path is the root itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path {
    bytes: Vec<u8>,
    slash: bool,
}

impl Path {
    /// The path that a request target means, or `None` if no file can be asked for so: a segment is not a
    /// [name](Path::is_name), `..` behind it or not. Names are bytes and need not be UTF-8: `%FF` is the byte FF, and so
    /// is `%ED%B3%BF`, U+DCFF, as CPython spells it where a name is not UTF-8.
    ///
    /// ```
    /// # use sanserve_core::Path;
    /// let path = Path::parse("/a/./b//../c%20d/?q#f").unwrap();
    /// assert_eq!((path.as_bytes(), path.ends_with_slash()), (&b"a/c d"[..], true));
    /// assert_eq!(Path::parse("/../../etc/passwd").unwrap().as_bytes(), b"etc/passwd");
    /// for target in ["/bad%FF.txt", "/bad%ED%B3%BF.txt"] {
    ///     assert_eq!(Path::parse(target).unwrap().as_bytes(), b"bad\xFF.txt");
    /// }
    /// assert_eq!(Path::parse("/%00"), None);
    /// ```
    #[must_use]
    pub fn parse(target: &str) -> Option<Path> {
        match Path::literal(target) {
            Some(path) => Some(path),
            None => {
                let bytes = percent_decoded(target);
                let spelled = (!is_utf8(&bytes)).then(|| surrogates(&bytes, |_| ()));
                Path::from_bytes(spelled.unwrap_or(bytes))
            }
        }
    }

    /// The path of a target that says just that: nothing in it is encoded, left out or odd. Nearly every
    /// target is such a one, and not looked at any further.
    fn literal(target: &str) -> Option<Path> {
        let target = target.as_bytes().strip_prefix(b"/")?;
        let is_other = |&byte: &u8| byte >= 128 || LITERAL >> byte & 1 == 0;
        let len = target.iter().position(is_other).unwrap_or(target.len());
        let (path, query) = target.split_at(len);
        let name = path.strip_suffix(b"/").unwrap_or(path);
        let is_name = |segment: &[u8]| !matches!(segment, [] | [b'.', ..]);
        let is_root = path.is_empty();
        let is_literal = matches!(query, [] | [b'?', ..])
            && (is_root || name.split(|&byte| byte == b'/').all(is_name));
        is_literal.then(|| Path {
            bytes: name.to_vec(),
            slash: is_root || name.len() < path.len(),
        })
    }

    /// The path that decoded bytes mean, or `None` if a segment is no [name](Path::is_name).
    #[must_use]
    pub fn from_bytes(mut bytes: Vec<u8>) -> Option<Path> {
        // The segments are moved to the front of the very same bytes.
        let (mut end, mut at) = (0, 0);
        let slash = bytes.last() == Some(&b'/');
        while at < bytes.len() {
            let len = bytes[at..]
                .iter()
                .position(|&byte| byte == b'/')
                .unwrap_or(bytes.len() - at);
            match &bytes[at..at + len] {
                b"" | b"." => {}
                b".." => {
                    end = bytes[..end]
                        .iter()
                        .rposition(|&byte| byte == b'/')
                        .unwrap_or(0);
                }
                name if !Path::is_name(name) => return None,
                _ => {
                    if end > 0 {
                        bytes[end] = b'/';
                        end += 1;
                    }
                    bytes.copy_within(at..at + len, end);
                    end += len;
                }
            }
            at += len + 1;
        }
        bytes.truncate(end);
        Some(Path { bytes, slash })
    }

    /// Whether something in the tree can be asked for under this name. It cannot if the name is
    /// empty, `.` or `..`, holds `/` or a NUL, or begins with [`TEMPORARY_PREFIX`](Path::TEMPORARY_PREFIX), in whatever case.
    /// Lists leave such names out.
    #[must_use]
    pub fn is_name(name: &[u8]) -> bool {
        let odd = name.iter().any(|byte| matches!(byte, 0 | b'/'));
        !(odd || matches!(name, b"" | b"." | b"..") || is_temporary(name))
    }

    /// Whether this is a [name](Path::is_name) that Windows takes for what it is, too. It would read something
    /// else into these:
    ///
    /// - `\`, which separates directories there, and so also the `\\server` of UNC;
    /// - `:`, which ends a drive, `C:`, and the name of a file before that of a stream of it on NTFS, `name::$DATA` and
    ///   `name:stream`;
    /// - a dot or a blank at the end, which is dropped there;
    /// - a device, whatever follows its name: `CON`, `PRN`, `AUX`, `NUL`, `COM0` to `COM9`, `LPT0`
    ///   to `LPT9`, these also with `¹`, `²` and `³`, `CONIN$`, `CONOUT$`, `CLOCK$`; so `aux.c`.
    ///
    /// ```
    /// # use sanserve_core::Path;
    /// assert!(Path::is_portable_name(b"10.30.log"));
    /// for name in ["10:30.log", "R.E.M.", "aux.c", "foo\\bar"] {
    ///     assert!(Path::is_name(name.as_bytes()) && !Path::is_portable_name(name.as_bytes()));
    /// }
    /// ```
    #[must_use]
    pub fn is_portable_name(name: &[u8]) -> bool {
        let end = matches!(name.last(), None | Some(b'.' | b' '));
        let inside = name.iter().any(|byte| matches!(byte, b'\\' | b':'));
        let odd = end || inside || is_device(name);
        !odd && Path::is_name(name)
    }

    /// Whether all segments are [portable names](Path::is_portable_name). A file system that lies on Windows, or
    /// may lie there, has to refuse all other paths: on Windows `..\..\etc` is one segment here, and leads out
    /// of the root there. It leaves such names out of its lists, too.
    pub fn is_portable(&self) -> bool {
        self.segments().all(Path::is_portable_name)
    }

    /// The beginning of the names that a [`FileSystem`](crate::FileSystem) may give to files while they are
    /// being [stored](crate::Create). No request can name, list or store such a file.
    pub const TEMPORARY_PREFIX: &str = ".sanserve-";

    /// Whether a list of what there is has this name: it can be asked for, and does not begin with a
    /// dot, unless such names are shown.
    pub(crate) fn is_listed(name: &[u8], hidden: bool) -> bool {
        Path::is_name(name) && (hidden || !name.starts_with(b"."))
    }

    /// Whether a segment begins with a dot, which hides it on Unix. `/.well-known` is for everybody
    /// (RFC 8615).
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        let mut segments = self.segments().enumerate();
        segments.any(|(at, name)| name.starts_with(b".") && !(at == 0 && name == b".well-known"))
    }

    /// The path as bytes: no `/` at either end, not necessarily UTF-8.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the target ended with a `/`, in whatever spelling. It then means a directory.
    #[must_use]
    pub fn ends_with_slash(&self) -> bool {
        self.slash
    }

    /// The segments, from the root on.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes
            .split(|&byte| byte == b'/')
            .filter(|segment| !segment.is_empty())
    }

    /// The last segment; empty for the root.
    #[must_use]
    pub fn file_name(&self) -> &[u8] {
        self.bytes
            .rsplit(|&byte| byte == b'/')
            .next()
            .unwrap_or_default()
    }

    /// The path of the first `depth` segments.
    #[must_use]
    pub fn first(&self, depth: usize) -> Path {
        let slashes = self
            .bytes
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/');
        let end = match depth.checked_sub(1) {
            None => 0,
            Some(depth) => slashes
                .map(|(at, _)| at)
                .nth(depth)
                .unwrap_or(self.bytes.len()),
        };
        self.until(end)
    }

    /// The path of the first `end` bytes, which must end where a segment ends.
    pub(crate) fn until(&self, end: usize) -> Path {
        Path {
            bytes: self.bytes[..end].to_vec(),
            slash: self.slash && end == self.bytes.len(),
        }
    }

    /// Goes down to a segment of another path.
    pub(crate) fn descend(&mut self, name: &[u8]) {
        if !self.bytes.is_empty() {
            self.bytes.push(b'/');
        }
        self.bytes.extend_from_slice(name);
        self.slash = false;
    }

    /// Goes down to `name`.
    ///
    /// # Panics
    /// If `name` is no [name](Path::is_name): that is for the caller to know.
    pub fn push(&mut self, name: &str) {
        assert!(
            Path::is_name(name.as_bytes()),
            "{name:?} is not one segment of a path"
        );
        self.descend(name.as_bytes());
    }

    /// Lengthens the last segment.
    pub(crate) fn append(&mut self, suffix: &str) {
        self.bytes.extend_from_slice(suffix.as_bytes());
    }

    /// Shortens the last segment by what it was lengthened by.
    pub(crate) fn cut(&mut self, suffix: &str) {
        let end = self.bytes.len().saturating_sub(suffix.len());
        self.bytes.truncate(end);
    }

    /// Goes up to the directory that holds this, unless this is the root.
    pub fn pop(&mut self) {
        let end = self
            .bytes
            .iter()
            .rposition(|&byte| byte == b'/')
            .unwrap_or(0);
        self.bytes.truncate(end);
        self.slash = true;
    }
}

/// The characters that stand for themselves in every place, and the slash.
const LITERAL: u128 = alphanumeric_and(b"-_~!$&'()*+,;:=@./");

/// Whether the name is one of a file that is being stored.
fn is_temporary(name: &[u8]) -> bool {
    // Few names begin with a dot.
    let start = name.get(..Path::TEMPORARY_PREFIX.len());
    let start = start.filter(|start| start[0] == b'.');
    start.is_some_and(|start| start.eq_ignore_ascii_case(Path::TEMPORARY_PREFIX.as_bytes()))
}

/// Whether Windows takes the name, which holds no colon, for a device, in whatever directory it stands.
fn is_device(name: &[u8]) -> bool {
    let [first, second, ..] = name else {
        return false;
    };
    if !matches!(
        [first | 0x20, second | 0x20],
        [b'a' | b'n', b'u'] | [b'c', b'l' | b'o'] | [b'l', b'p'] | [b'p', b'r']
    ) {
        return false;
    }
    let stem = name.split(|&byte| byte == b'.').next();
    let stem = stem.unwrap_or_default();
    // Whatever Windows may leave out at the end of a name: the space, and anything below it.
    let end = stem.iter().rposition(|&byte| byte > b' ');
    let stem = &stem[..end.map_or(0, |end| end + 1)];
    let is = |device: &&[u8]| stem.eq_ignore_ascii_case(device);
    match stem.split_at_checked(3) {
        Some((port, number))
            if [&b"COM"[..], b"LPT"]
                .iter()
                .any(|name| port.eq_ignore_ascii_case(name)) =>
        {
            matches!(number, [b'0'..=b'9'] | [0xC2, 0xB9 | 0xB2 | 0xB3])
        }
        _ => [
            &b"CON"[..],
            b"PRN",
            b"AUX",
            b"NUL",
            b"CONIN$",
            b"CONOUT$",
            b"CLOCK$",
        ]
        .iter()
        .any(is),
    }
}

/// The text that a target's path stands for, as CPython shows it: query and fragment cut off, percent-encoding undone,
/// U+FFFD for whatever is not UTF-8. Where nothing but surrogates, as in `%ED%B3%BF`, is not, it is the bytes of the
/// name that these stand for. Which file is meant is for [`Path::parse`] to say.
///
/// A character above U+007F stands for one byte that came raw, see [`RequestHead`](crate::wire::RequestHead).
#[must_use]
pub fn percent_decode(target: &str) -> Vec<u8> {
    let bytes = percent_decoded(target);
    if is_utf8(&bytes) {
        return bytes;
    }
    let mut is_spelled = true;
    let name = surrogates(&bytes, |_| is_spelled = false);
    if is_spelled {
        return name;
    }
    String::from_utf8_lossy(&bytes).into_owned().into_bytes()
}

fn is_utf8(bytes: &[u8]) -> bool {
    core::str::from_utf8(bytes).is_ok()
}

fn percent_decoded(target: &str) -> Vec<u8> {
    let path = target.split(['#', '?']).next().unwrap_or_default();
    let mut bytes = Vec::with_capacity(path.len());
    if path.is_ascii() {
        bytes.extend(percent_encoding::percent_decode_str(path));
    } else {
        let raw: Vec<u8> = path.chars().map(|char| char as u8).collect();
        bytes.extend(percent_encoding::percent_decode(&raw));
    }
    bytes
}

/// Turns the surrogates U+DC80 to U+DCFF, three bytes each, into the bytes that they stand for. Every other byte that
/// is not part of UTF-8 is kept, and told to `other`.
fn surrogates(bytes: &[u8], mut other: impl FnMut(u8)) -> Vec<u8> {
    let mut name = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let valid = core::str::from_utf8(rest).map_or_else(|error| error.valid_up_to(), str::len);
        name.extend_from_slice(&rest[..valid]);
        rest = match &rest[valid..] {
            [0xED, second @ (0xB2 | 0xB3), third @ 0x80..=0xBF, rest @ ..] => {
                name.push((second & 3) << 6 | (third & 0x3F));
                rest
            }
            [byte, rest @ ..] => {
                other(*byte);
                name.push(*byte);
                rest
            }
            [] => &[],
        };
    }
    name
}
