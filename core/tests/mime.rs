//! Tests media types: compares those of the built-in table with CPython's. Also tests the function that is asked about
//! extensions which are not in that table.
//!
//! Every expected type in the table was computed by CPython 3.13's `http.server` rules with its
//! built-in tables alone, not by the code under test.

use sanserve_core::mime::guess_type;

fn nothing_more(_: &str) -> Option<&'static str> {
    None
}

/// A fake of the system's table, with an extension that the built-in table has, too.
fn a_few_more(extension: &str) -> Option<&'static str> {
    match extension {
        "abc" => Some("text/x-abc"),
        "html" => Some("text/other"),
        "z" => Some("text/x-z"),
        "sixteen_byteslong" => Some("text/too-long"),
        "sixteen_byteslon" => Some("text/just-fits"),
        "\u{fc}" => Some("text/x-umlaut"),
        "" => Some("text/x-empty"),
        _ => None,
    }
}

/// `None` is for names whose type Python does not know (application/octet-stream).
const NAMES: &[(&[u8], Option<&str>)] = &[
    (b"", None),
    (b"a.txt", Some("text/plain")),
    (b"UP.HTML", Some("text/html")),
    (b"MiXeD.JpEg", Some("image/jpeg")),
    (b"a.py", Some("text/x-python")),
    (b"a.js", Some("text/javascript")),
    (b"a.mjs", Some("text/javascript")),
    (b"a.css", Some("text/css")),
    (b"a.json", Some("application/json")),
    (b"a.wasm", Some("application/wasm")),
    (b"a.md", Some("text/markdown")),
    (b"a.c", Some("text/plain")),
    (b"a.webp", Some("image/webp")),
    (b"a.svg", Some("image/svg+xml")),
    (b"a.xml", Some("text/xml")),
    (b"a.rtf", Some("text/rtf")),
    (b"a.webmanifest", Some("application/manifest+json")),
    (b"a.h5", Some("application/x-hdf5")),
    (b"a.3gp", Some("audio/3gpp")),
    (b"a.mp4", Some("video/mp4")),
    (b"x.y.z.png", Some("image/png")),
    (b"file.txt", Some("text/plain")),
    (b"noext", None),
    (b"trail.", None),
    (b"a.unknownext", None),
    (b"a.txt.gz.bak", None),
    (b"a.htmlx", None),
    (b"a.ht", None),
    (b"a.tar.gz", Some("application/gzip")),
    (b"a.gz", Some("application/gzip")),
    (b"a.GZ", Some("application/gzip")),
    (b"a.gZ", Some("application/gzip")),
    (b"a.Z", Some("application/octet-stream")),
    (b"a.z", None),
    (b"a.bz2", Some("application/x-bzip2")),
    (b"a.BZ2", Some("application/x-bzip2")),
    (b"a.xz", Some("application/x-xz")),
    (b"a.XZ", Some("application/x-xz")),
    (b"a.html.gz", Some("application/gzip")),
    (b"a.html.Z", Some("application/octet-stream")),
    (b"a.html.z", None),
    (b"a.tgz", Some("application/x-tar")),
    (b"a.TGZ", Some("application/x-tar")),
    (b"a.taz", Some("application/x-tar")),
    (b"a.tz", Some("application/x-tar")),
    (b"a.tbz2", Some("application/x-tar")),
    (b"a.TbZ2", Some("application/x-tar")),
    (b"a.txz", Some("application/x-tar")),
    (b"a.svgz", Some("image/svg+xml")),
    (b"a.SVGZ", Some("image/svg+xml")),
    (b"tgz", None),
    (b".tgz", None),
    (b"..tgz", None),
    (b"a..tgz", Some("application/x-tar")),
    (b"a.br", None),
    (b"a.BR", None),
    (b"a.html.br", Some("text/html")),
    (b"a.HTML.br", Some("text/html")),
    (b"a.html.BR", None),
    (b"a.tar.br", Some("application/x-tar")),
    (b"a.html.br.br", None),
    (b"a.tgz.br", None),
    (b"a.svgz.br", None),
    (b"a.gz.br", None),
    (b"a.unknownext.br", None),
    (b".html.br", None),
    (b"a..br", None),
    (b"a..html.br", Some("text/html")),
    (b".bashrc", None),
    (b".html", None),
    (b".tar.gz", Some("application/gzip")),
    (b".a.html", Some("text/html")),
    (b"..html", None),
    (b"..dots", None),
    (b"...html", None),
    (b"..a.html", Some("text/html")),
    (b"...a.html", Some("text/html")),
    (b".", None),
    (b"..", None),
    (b"...", None),
    (b"....", None),
    (b"a.", None),
    (b"a..", None),
    (b"a..html", Some("text/html")),
    (b"a...html", Some("text/html")),
    (b"-.html", Some("text/html")),
    (b"_.html", Some("text/html")),
    (b"http:.html", Some("text/html")),
    (b"data:,x.html", Some("text/html")),
    (b"a:b.html", Some("text/html")),
    (b"sp ace.txt", Some("text/plain")),
    (b"a. html", None),
    (b"a.html ", None),
    (b"\xc3\xbc.txt", Some("text/plain")),
    (b"a.\xc3\xbc", None),
    (b"nl\nname.txt", Some("text/plain")),
    (b"x\x00.txt", Some("text/plain")),
    (b"bad\xff.txt", Some("text/plain")),
    (b"a.h\xffml", None),
    (b"q?m.txt", Some("text/plain")),
    (b"h#sh.txt", Some("text/plain")),
    (b"plus+.txt", Some("text/plain")),
    (b"tilde~", None),
    (b"a.averyveryverylongextension", None),
    (b"a.seventeen_letters", None),
    (b".averyveryverylongextension.html", Some("text/html")),
];

#[test]
fn names_have_the_same_types_as_in_python() {
    for &(name, expected) in NAMES {
        let shown = name.escape_ascii();
        assert_eq!(guess_type(name, nothing_more), expected, "{shown}");
    }
}

#[test]
fn more_is_called_with_the_lower_case_extension() {
    for name in ["a.abc", "A.ABC", "a.b.Abc", "a.abc.br"] {
        assert_eq!(
            guess_type(name.as_bytes(), a_few_more),
            Some("text/x-abc"),
            "{name}"
        );
    }
    assert_eq!(guess_type(b"a.z", a_few_more), Some("text/x-z"));
    assert_eq!(
        guess_type("a.ü".as_bytes(), a_few_more),
        Some("text/x-umlaut")
    );
}

#[test]
fn more_is_called_only_for_extensions_that_are_not_in_the_table() {
    assert_eq!(guess_type(b"a.html", a_few_more), Some("text/html"));
    assert_eq!(guess_type(b"a.xyz", a_few_more), None);
}

#[test]
fn more_is_not_called_for_invalid_extensions() {
    let names: [&[u8]; 8] = [
        b"",
        b"abc",
        b".abc",
        b"..abc",
        b"a.",
        b"a..",
        b"a..br",
        b"a.abc\xff",
    ];
    for name in names {
        assert_eq!(
            guess_type(name, a_few_more),
            None,
            "{}",
            name.escape_ascii()
        );
    }
}

#[test]
fn more_is_not_called_for_more_than_sixteen_bytes() {
    assert_eq!(
        guess_type(b"a.sixteen_byteslon", a_few_more),
        Some("text/just-fits")
    );
    assert_eq!(guess_type(b"a.sixteen_byteslong", a_few_more), None);
}

#[test]
fn no_name_panics() {
    let pieces: [&[u8]; 6] = [b".", b"a", b"br", b"tgz", b"html", b"\xff"];
    for mut number in 0..6_usize.pow(6) {
        let mut name = Vec::new();
        while number > 0 {
            name.extend(pieces[number % 6]);
            number /= 6;
        }
        guess_type(&name, nothing_more);
    }
}
