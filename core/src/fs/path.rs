//! [`Path`]: a path below the root, decoded from a request target.
//!
//! The rules are those of CPython's `translate_path`: remove the query, percent-decode, then resolve `.`, `..` and
//! empty segments lexically, before any access to the file system. Almost any other bytes are a valid name (see
//! [`Path::is_name`]). As Windows gives some names a special meaning, file systems there refuse those that are not
//! [portable](Path::is_portable).

use alloc::string::String;
use alloc::vec::Vec;

use crate::wire::syntax::alphanumeric_and;

/// A path relative to the root: segments separated by `/`, each of which is a valid [name](Path::is_name). The empty
/// path is the root.
///
/// On Unix it cannot lead out of the root, symbolic links aside. On Windows a path that is not
/// [portable](Path::is_portable) can.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path {
    bytes: Vec<u8>,
    slash: bool,
}

impl Path {
    /// Parses a request target. Returns `None` if a segment is not a valid [name](Path::is_name), even if `..` follows
    /// it.
    ///
    /// Names are bytes and need not be UTF-8: `%FF` is the byte FF. So is `%ED%B3%BF`, the surrogate U+DCFF, as which
    /// CPython writes it in links.
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
                let bytes = decode_without_query(target);
                let with_surrogates = (!is_utf8(&bytes)).then(|| decode_surrogates(&bytes, |_| ()));
                Path::from_bytes(with_surrogates.unwrap_or(bytes))
            }
        }
    }

    /// Parses a target without encoded characters and without empty or dot segments, which is the most frequent case.
    /// Returns `None` for others.
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

    /// Creates a path from decoded bytes, or `None` if a segment is not a valid [name](Path::is_name).
    #[must_use]
    pub fn from_bytes(mut bytes: Vec<u8>) -> Option<Path> {
        // The segments are moved to the front in place.
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

    /// Returns whether this is a valid name of a file or directory. The empty name, `.`, `..`, names with `/` or NUL,
    /// and names that begin with [`TEMPORARY_PREFIX`](Path::TEMPORARY_PREFIX) in upper or lower case are invalid.
    /// Listings omit invalid names.
    #[must_use]
    pub fn is_name(name: &[u8]) -> bool {
        let has_separator = name.iter().any(|byte| matches!(byte, 0 | b'/'));
        !(has_separator || matches!(name, b"" | b"." | b"..") || is_temporary(name))
    }

    /// Returns whether this is a valid [name](Path::is_name) without a special meaning on Windows. Names with these are
    /// not portable:
    ///
    /// - `\`, which separates directories, also in `\\server`;
    /// - `:`, which follows a drive letter, as in `C:`, and separates a file from its NTFS stream, as in `name::$DATA`;
    /// - a dot or a space at the end, which Windows drops;
    /// - a device name, alone or followed by an extension, as in `aux.c`: `CON`, `PRN`, `AUX`, `NUL`, `COM0` to `COM9`,
    ///   `LPT0` to `LPT9`, these also with `¹`, `²` and `³`, `CONIN$`, `CONOUT$`, `CLOCK$`.
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
        let is_special = end || inside || is_device(name);
        !is_special && Path::is_name(name)
    }

    /// Returns whether all segments are [portable names](Path::is_portable_name). A file system on Windows, or on an
    /// unknown system, has to refuse all other paths, and omit such names from its listings: `..\..\etc` is a single
    /// segment of a `Path`, but leads out of the root on Windows.
    pub fn is_portable(&self) -> bool {
        self.segments().all(Path::is_portable_name)
    }

    /// The prefix of the temporary names that a [`FileSystem`](crate::FileSystem) may use for files that are being
    /// [created](crate::Create). Requests can neither read, list nor create files with such names.
    pub const TEMPORARY_PREFIX: &str = ".sanserve-";

    /// Returns whether listings show this name: it is valid, and does not begin with a dot unless `hidden` names are
    /// shown.
    pub(crate) fn is_listed(name: &[u8], hidden: bool) -> bool {
        Path::is_name(name) && (hidden || !name.starts_with(b"."))
    }

    /// Returns whether a segment begins with a dot, which means hidden on Unix. `/.well-known` is not hidden (RFC
    /// 8615).
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        let mut segments = self.segments().enumerate();
        segments.any(|(at, name)| name.starts_with(b".") && !(at == 0 && name == b".well-known"))
    }

    /// Returns the path as bytes, without `/` at either end. They need not be UTF-8.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns whether the target ended with a `/`, encoded or not, and so names a directory.
    #[must_use]
    pub fn ends_with_slash(&self) -> bool {
        self.slash
    }

    /// Returns an iterator over the segments, beginning at the root.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes
            .split(|&byte| byte == b'/')
            .filter(|segment| !segment.is_empty())
    }

    /// Returns the last segment, which is empty for the root.
    #[must_use]
    pub fn file_name(&self) -> &[u8] {
        self.bytes
            .rsplit(|&byte| byte == b'/')
            .next()
            .unwrap_or_default()
    }

    /// Returns the path of the first `depth` segments.
    #[must_use]
    pub fn prefix(&self, depth: usize) -> Path {
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

    /// Returns the same path relative to a directory, or `None` if it is not in it. The path of the directory itself
    /// becomes that of the root.
    ///
    /// ```
    /// # use sanserve_core::Path;
    /// let directory = Path::parse("/files").unwrap();
    /// assert_eq!(Path::parse("/files/a").unwrap().below(&directory), Path::parse("/a"));
    /// assert_eq!(Path::parse("/files2/a").unwrap().below(&directory), None);
    /// ```
    #[must_use]
    pub fn below(&self, directory: &Path) -> Option<Path> {
        let rest = self.bytes.strip_prefix(&*directory.bytes)?;
        let rest = match rest {
            [] => rest,
            rest if directory.bytes.is_empty() => rest,
            rest => rest.strip_prefix(b"/")?,
        };
        Some(Path {
            bytes: rest.to_vec(),
            slash: self.slash,
        })
    }

    /// Returns the path of the first `end` bytes, which must end at the end of a segment.
    pub(crate) fn until(&self, end: usize) -> Path {
        Path {
            bytes: self.bytes[..end].to_vec(),
            slash: self.slash && end == self.bytes.len(),
        }
    }

    /// Appends a segment of another path.
    pub(crate) fn descend(&mut self, name: &[u8]) {
        if !self.bytes.is_empty() {
            self.bytes.push(b'/');
        }
        self.bytes.extend_from_slice(name);
        self.slash = false;
    }

    /// Appends a segment.
    ///
    /// # Panics
    /// If `name` is not a valid [name](Path::is_name).
    pub fn push(&mut self, name: &str) {
        assert!(
            Path::is_name(name.as_bytes()),
            "{name:?} is not one segment of a path"
        );
        self.descend(name.as_bytes());
    }

    /// Appends a suffix to the last segment.
    pub(crate) fn append(&mut self, suffix: &str) {
        self.bytes.extend_from_slice(suffix.as_bytes());
    }

    /// Removes a suffix that was appended to the last segment.
    pub(crate) fn remove_suffix(&mut self, suffix: &str) {
        let end = self.bytes.len().saturating_sub(suffix.len());
        self.bytes.truncate(end);
    }

    /// Removes the last segment, unless this is the root.
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

/// The characters that never need decoding, and the slash.
const LITERAL: u128 = alphanumeric_and(b"-_~!$&'()*+,;:=@./");

/// Returns whether the name begins with [`Path::TEMPORARY_PREFIX`], in any case.
fn is_temporary(name: &[u8]) -> bool {
    // Checks the dot first, as few names begin with one.
    let start = name.get(..Path::TEMPORARY_PREFIX.len());
    let start = start.filter(|start| start[0] == b'.');
    start.is_some_and(|start| start.eq_ignore_ascii_case(Path::TEMPORARY_PREFIX.as_bytes()))
}

/// Returns whether Windows would open a device under this name, which has no colon, in any directory.
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
    // Windows may drop spaces and control characters at the end of a name.
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

/// Decodes the path of a target for display, as CPython does: without query and fragment, percent-decoded, with U+FFFD
/// in place of invalid UTF-8. If the only invalid sequences are surrogates, as in `%ED%B3%BF`, they are decoded to the
/// bytes of the name. To find the file that a target names, use [`Path::parse`].
///
/// A character above U+007F in the target represents one raw byte, see [`RequestHead`](crate::wire::RequestHead).
#[must_use]
pub fn percent_decode(target: &str) -> Vec<u8> {
    let bytes = decode_without_query(target);
    if is_utf8(&bytes) {
        return bytes;
    }
    let mut only_surrogates = true;
    let name = decode_surrogates(&bytes, |_| only_surrogates = false);
    if only_surrogates {
        return name;
    }
    String::from_utf8_lossy(&bytes).into_owned().into_bytes()
}

fn is_utf8(bytes: &[u8]) -> bool {
    core::str::from_utf8(bytes).is_ok()
}

fn decode_without_query(target: &str) -> Vec<u8> {
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

/// Replaces the surrogates U+DC80 to U+DCFF, three bytes each, by the bytes that they represent. Every other byte that
/// is not part of UTF-8 is kept, and passed to `other`.
fn decode_surrogates(bytes: &[u8], mut other: impl FnMut(u8)) -> Vec<u8> {
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
