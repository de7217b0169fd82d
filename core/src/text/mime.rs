//! Looks up media types by file name.
//!
//! [`guess_type`] returns what CPython 3.13's `http.server` sends with its built-in tables alone,
//! [`guess_registered_type`] also what IANA has registered since. The caller can add types with a lookup of its own,
//! and chooses the type of unknown names (`application/octet-stream`). No file is opened.

mod registered;

use self::registered::REGISTERED;

/// The longest extension that is looked up, in bytes; the longest in the tables is `webmanifest`.
const EXTENSION_MAX: usize = 16;

/// Returns the media type of a file by the last segment of its path.
///
/// The name is bytes and need not be UTF-8. If the built-in table has no type, `more` is called with the extension in
/// ASCII lower case without the dot, provided that it is UTF-8 of 1 to 16 bytes. Returns `None` if the type is unknown.
///
/// ```
/// use sanserve_core::mime;
///
/// let more = |extension: &str| (extension == "rs").then_some("text/x-rust");
/// assert_eq!(mime::guess_type(b"a.HTML", more), Some("text/html"));
/// assert_eq!(mime::guess_type(b"main.rs", more), Some("text/x-rust"));
/// assert_eq!(mime::guess_type(b"Makefile", more), None);
/// ```
pub fn guess_type(
    name: &[u8],
    more: impl FnOnce(&str) -> Option<&'static str>,
) -> Option<&'static str> {
    let (stem, extension) = split_extension(name)?;
    match extension {
        // Two extensions of compressed files are case-sensitive, as in Python: `.Z`, as opposed to `.z`, and `.br`,
        // which alone has no type.
        b"Z" => Some("application/octet-stream"),
        b"br" => look_up(split_extension(stem)?.1, &[], more),
        extension => look_up(extension, COMPRESSED, more),
    }
}

/// Returns the media type of a file as [`guess_type`] does, but first looks up what IANA has registered or nginx sends,
/// where CPython has no type or an outdated one: `.woff2`, `.rpm`, `.opus`. A name that ends in `.br` has no type,
/// since no field would say that the content is compressed.
///
/// ```
/// use sanserve_core::mime;
///
/// assert_eq!(mime::guess_registered_type(b"a.woff2", |_| None), Some("font/woff2"));
/// assert_eq!(mime::guess_type(b"a.woff2", |_| None), None);
/// ```
pub fn guess_registered_type(
    name: &[u8],
    more: impl FnOnce(&str) -> Option<&'static str>,
) -> Option<&'static str> {
    let (_, extension) = split_extension(name)?;
    if extension == b"br" {
        return None;
    }
    let known = lower_key(extension).and_then(|key| find(REGISTERED, key));
    known.or_else(|| guess_type(name, more))
}

/// Returns the extension of a name, without its dot. Leading dots belong to the name, so `.bashrc` has no extension.
///
/// ```
/// use sanserve_core::mime;
///
/// assert_eq!(mime::extension("a.tar.gz"), Some("gz"));
/// assert_eq!(mime::extension(".bashrc"), None);
/// ```
#[must_use]
pub fn extension(name: &str) -> Option<&str> {
    let (stem, _) = split_extension(name.as_bytes())?;
    Some(&name[stem.len() + 1..])
}

/// Returns the key of an extension in lower case, if it is short enough for the tables.
fn lower_key(extension: &[u8]) -> Option<u64> {
    let mut buffer = [0; 8];
    let lower = buffer.get_mut(..extension.len())?;
    lower.copy_from_slice(extension);
    lower.make_ascii_lowercase();
    (!extension.contains(&0)).then(|| u64::from_be_bytes(buffer))
}

/// Splits a name at its last dot. Leading dots belong to the stem, so `.bashrc` has no extension.
fn split_extension(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    let (stem, extension) = (&name[..dot], &name[dot + 1..]);
    stem.iter()
        .any(|&byte| byte != b'.')
        .then_some((stem, extension))
}

/// Looks up an extension in `TYPES` and another table, then with `more`.
fn look_up(
    extension: &[u8],
    additional: Table,
    more: impl FnOnce(&str) -> Option<&'static str>,
) -> Type {
    let mut buffer = [0; EXTENSION_MAX];
    let lower = buffer.get_mut(..extension.len())?;
    lower.copy_from_slice(extension);
    lower.make_ascii_lowercase();
    let known = match buffer.split_first_chunk() {
        _ if extension.contains(&0) => None,
        Some((first, [0, ..])) => {
            let key = u64::from_be_bytes(*first);
            find(TYPES, key).or_else(|| find(additional, key))
        }
        _ if buffer.starts_with(b"webmanifest\0") => Some("application/manifest+json"),
        _ => None,
    };
    known.or_else(|| {
        let lower = core::str::from_utf8(&buffer[..extension.len()]).ok()?;
        (!lower.is_empty()).then(|| more(lower))?
    })
}

fn find(table: Table, key: u64) -> Type {
    let at = table.binary_search_by_key(&key, |row| row.0).ok()?;
    Some(table[at].1)
}

/// A media type, or none.
type Type = Option<&'static str>;

/// Extensions without their dots, as numbers because these are compared faster than text, and their types.
type Table = &'static [(u64, &'static str)];

/// Converts an extension to a number.
const fn key(extension: &str) -> u64 {
    let (mut key, mut at) = (0, 0);
    while at < extension.len() {
        key |= (extension.as_bytes()[at] as u64) << (56 - 8 * at);
        at += 1;
    }
    key
}

/// The types of compressed files, regardless of their content. Some extensions are abbreviations of two, as `tgz` of
/// `.tar.gz`, of which the inner one counts.
const COMPRESSED: Table = &[
    (key("bz2"), "application/x-bzip2"),
    (key("gz"), "application/gzip"),
    (key("svgz"), "image/svg+xml"),
    (key("taz"), "application/x-tar"),
    (key("tbz2"), "application/x-tar"),
    (key("tgz"), "application/x-tar"),
    (key("txz"), "application/x-tar"),
    (key("tz"), "application/x-tar"),
    (key("xz"), "application/x-xz"),
];

/// All other types except that of `webmanifest`, sorted by extension.
const TYPES: Table = &[
    (key("3g2"), "audio/3gpp2"),
    (key("3gp"), "audio/3gpp"),
    (key("3gpp"), "audio/3gpp"),
    (key("3gpp2"), "audio/3gpp2"),
    (key("a"), "application/octet-stream"),
    (key("aac"), "audio/aac"),
    (key("adts"), "audio/aac"),
    (key("ai"), "application/postscript"),
    (key("aif"), "audio/x-aiff"),
    (key("aifc"), "audio/x-aiff"),
    (key("aiff"), "audio/x-aiff"),
    (key("ass"), "audio/aac"),
    (key("au"), "audio/basic"),
    (key("avi"), "video/x-msvideo"),
    (key("avif"), "image/avif"),
    (key("bat"), "text/plain"),
    (key("bcpio"), "application/x-bcpio"),
    (key("bin"), "application/octet-stream"),
    (key("bmp"), "image/bmp"),
    (key("c"), "text/plain"),
    (key("cdf"), "application/x-netcdf"),
    (key("cpio"), "application/x-cpio"),
    (key("csh"), "application/x-csh"),
    (key("css"), "text/css"),
    (key("csv"), "text/csv"),
    (key("dll"), "application/octet-stream"),
    (key("doc"), "application/msword"),
    (key("dot"), "application/msword"),
    (key("dvi"), "application/x-dvi"),
    (key("eml"), "message/rfc822"),
    (key("eps"), "application/postscript"),
    (key("etx"), "text/x-setext"),
    (key("exe"), "application/octet-stream"),
    (key("gif"), "image/gif"),
    (key("gtar"), "application/x-gtar"),
    (key("h"), "text/plain"),
    (key("h5"), "application/x-hdf5"),
    (key("hdf"), "application/x-hdf"),
    (key("heic"), "image/heic"),
    (key("heif"), "image/heif"),
    (key("htm"), "text/html"),
    (key("html"), "text/html"),
    (key("ico"), "image/vnd.microsoft.icon"),
    (key("ief"), "image/ief"),
    (key("jpe"), "image/jpeg"),
    (key("jpeg"), "image/jpeg"),
    (key("jpg"), "image/jpeg"),
    (key("js"), "text/javascript"),
    (key("json"), "application/json"),
    (key("ksh"), "text/plain"),
    (key("latex"), "application/x-latex"),
    (key("loas"), "audio/aac"),
    (key("m1v"), "video/mpeg"),
    (key("m3u"), "application/vnd.apple.mpegurl"),
    (key("m3u8"), "application/vnd.apple.mpegurl"),
    (key("man"), "application/x-troff-man"),
    (key("markdown"), "text/markdown"),
    (key("md"), "text/markdown"),
    (key("me"), "application/x-troff-me"),
    (key("mht"), "message/rfc822"),
    (key("mhtml"), "message/rfc822"),
    (key("mif"), "application/x-mif"),
    (key("mjs"), "text/javascript"),
    (key("mov"), "video/quicktime"),
    (key("movie"), "video/x-sgi-movie"),
    (key("mp2"), "audio/mpeg"),
    (key("mp3"), "audio/mpeg"),
    (key("mp4"), "video/mp4"),
    (key("mpa"), "video/mpeg"),
    (key("mpe"), "video/mpeg"),
    (key("mpeg"), "video/mpeg"),
    (key("mpg"), "video/mpeg"),
    (key("ms"), "application/x-troff-ms"),
    (key("n3"), "text/n3"),
    (key("nc"), "application/x-netcdf"),
    (key("nq"), "application/n-quads"),
    (key("nt"), "application/n-triples"),
    (key("nws"), "message/rfc822"),
    (key("o"), "application/octet-stream"),
    (key("obj"), "application/octet-stream"),
    (key("oda"), "application/oda"),
    (key("opus"), "audio/opus"),
    (key("p12"), "application/x-pkcs12"),
    (key("p7c"), "application/pkcs7-mime"),
    (key("pbm"), "image/x-portable-bitmap"),
    (key("pdf"), "application/pdf"),
    (key("pfx"), "application/x-pkcs12"),
    (key("pgm"), "image/x-portable-graymap"),
    (key("pl"), "text/plain"),
    (key("png"), "image/png"),
    (key("pnm"), "image/x-portable-anymap"),
    (key("pot"), "application/vnd.ms-powerpoint"),
    (key("ppa"), "application/vnd.ms-powerpoint"),
    (key("ppm"), "image/x-portable-pixmap"),
    (key("pps"), "application/vnd.ms-powerpoint"),
    (key("ppt"), "application/vnd.ms-powerpoint"),
    (key("ps"), "application/postscript"),
    (key("pwz"), "application/vnd.ms-powerpoint"),
    (key("py"), "text/x-python"),
    (key("pyc"), "application/x-python-code"),
    (key("pyo"), "application/x-python-code"),
    (key("qt"), "video/quicktime"),
    (key("ra"), "audio/x-pn-realaudio"),
    (key("ram"), "application/x-pn-realaudio"),
    (key("ras"), "image/x-cmu-raster"),
    (key("rdf"), "application/xml"),
    (key("rgb"), "image/x-rgb"),
    (key("roff"), "application/x-troff"),
    (key("rst"), "text/x-rst"),
    (key("rtf"), "text/rtf"),
    (key("rtx"), "text/richtext"),
    (key("sgm"), "text/x-sgml"),
    (key("sgml"), "text/x-sgml"),
    (key("sh"), "application/x-sh"),
    (key("shar"), "application/x-shar"),
    (key("snd"), "audio/basic"),
    (key("so"), "application/octet-stream"),
    (key("src"), "application/x-wais-source"),
    (key("srt"), "text/plain"),
    (key("sv4cpio"), "application/x-sv4cpio"),
    (key("sv4crc"), "application/x-sv4crc"),
    (key("svg"), "image/svg+xml"),
    (key("swf"), "application/x-shockwave-flash"),
    (key("t"), "application/x-troff"),
    (key("tar"), "application/x-tar"),
    (key("tcl"), "application/x-tcl"),
    (key("tex"), "application/x-tex"),
    (key("texi"), "application/x-texinfo"),
    (key("texinfo"), "application/x-texinfo"),
    (key("tif"), "image/tiff"),
    (key("tiff"), "image/tiff"),
    (key("tr"), "application/x-troff"),
    (key("trig"), "application/trig"),
    (key("tsv"), "text/tab-separated-values"),
    (key("txt"), "text/plain"),
    (key("ustar"), "application/x-ustar"),
    (key("vcf"), "text/x-vcard"),
    (key("vtt"), "text/vtt"),
    (key("wasm"), "application/wasm"),
    (key("wav"), "audio/x-wav"),
    (key("webm"), "video/webm"),
    (key("webp"), "image/webp"),
    (key("wiz"), "application/msword"),
    (key("wsdl"), "application/xml"),
    (key("xbm"), "image/x-xbitmap"),
    (key("xlb"), "application/vnd.ms-excel"),
    (key("xls"), "application/vnd.ms-excel"),
    (key("xml"), "text/xml"),
    (key("xpdl"), "application/xml"),
    (key("xpm"), "image/x-xpixmap"),
    (key("xsl"), "application/xml"),
    (key("xwd"), "image/x-xwindowdump"),
    (key("zip"), "application/zip"),
];

#[cfg(test)]
mod tests {
    use super::{COMPRESSED, REGISTERED, TYPES};

    #[test]
    fn the_tables_are_sorted() {
        for table in [COMPRESSED, REGISTERED, TYPES] {
            assert!(table.is_sorted_by(|one, next| one.0 < next.0));
        }
    }
}
