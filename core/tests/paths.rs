//! Tests of `Path`, where the conformance cases do not cover it: collapsing, decoding, hidden names and
//! portable names.

use sanserve_core::Path;

/// Returns a path as CPython's `_url_collapse_path` does: the directory, a slash, the last segment.
fn collapsed(path: &Path) -> String {
    let mut segments: Vec<_> = path.segments().map(String::from_utf8_lossy).collect();
    let last = if path.ends_with_slash() {
        None
    } else {
        segments.pop()
    };
    format!("/{}/{}", segments.join("/"), last.unwrap_or_default())
}

/// The test vectors of CPython; `None` where it raises IndexError. Two of its names are invalid here.
const COLLAPSE: [(&str, Option<&str>); 26] = [
    ("", Some("//")),
    ("..", None),
    ("/.//..", None),
    ("/", Some("//")),
    ("//", Some("//")),
    ("/.//", Some("//")),
    ("cgi-bin/file1.py", Some("/cgi-bin/file1.py")),
    ("/cgi-bin/file1.py", Some("/cgi-bin/file1.py")),
    ("a", Some("//a")),
    ("/a", Some("//a")),
    ("//a", Some("//a")),
    ("./a", Some("//a")),
    ("/a/b", Some("/a/b")),
    ("/a/b/", Some("/a/b/")),
    ("/a/b/.", Some("/a/b/")),
    ("/a/b/c/..", Some("/a/b/")),
    ("/a/b/c/../d", Some("/a/b/d")),
    ("/a/b/c/../d/e/../f", Some("/a/b/d/f")),
    ("/a/b/c/../d/e/../../f", Some("/a/b/f")),
    ("/a/b/c/../d/e/.././././..//f", Some("/a/b/f")),
    ("../a/b/c/../d/e/.././././..//f", None),
    ("/a/b/c/../d/e/../../../f", Some("/a/f")),
    ("/a/b/c/../d/e/../../../../f", Some("//f")),
    ("/a/b/c/../d/e/../../../../../f", None),
    ("/a/b/c/../d/e/../../../../f/..", Some("//")),
    ("/a/b/c/../d/e/../../../../f/../.", Some("//")),
];

#[test]
fn paths_collapse_as_in_cpython_and_stop_at_the_root() {
    for (target, theirs) in COLLAPSE {
        let path = Path::parse(target).expect("names only");
        let ours = collapsed(&path);
        // CPython raises an exception for a path that leads out; here it ends at the root.
        let Some(theirs) = theirs else {
            assert!(
                ["//", "/a/b/f", "//f"].contains(&ours.as_str()),
                "{target}: {ours}"
            );
            continue;
        };
        // In CPython's CGI a dot at the end makes it a directory. Here, as for CPython's own files (`/file.txt/.` is
        // the file), only a slash does.
        if target.ends_with('.') {
            assert_eq!(
                theirs.trim_matches('/').as_bytes(),
                path.as_bytes(),
                "{target}"
            );
        } else {
            assert_eq!(ours, theirs, "{target}");
        }
    }
}

#[test]
fn the_first_segments_of_a_path_are_a_path() {
    let path = Path::parse("/a/b%2Fc/d/").expect("names only");
    let first = |depth| {
        let first = path.prefix(depth);
        (
            String::from_utf8_lossy(first.as_bytes()).into_owned(),
            first.ends_with_slash(),
        )
    };
    assert_eq!(first(0), (String::new(), false));
    assert_eq!(first(1), ("a".into(), false));
    assert_eq!(first(3), ("a/b/c".into(), false));
    assert_eq!(first(4), ("a/b/c/d".into(), true));
    assert_eq!(first(5), ("a/b/c/d".into(), true));
}

/// Every byte of a name, percent-encoded.
fn encoded(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn invalid_names_are_in_no_path() {
    let not = [
        "",
        ".",
        "..",
        "a/b",
        "a\0",
        "\0",
        ".sanserve-",
        ".sanserve-0",
        ".SanServe-0",
    ];
    for name in not {
        assert!(!Path::is_name(name.as_bytes()), "{name:?}");
        assert!(!Path::is_portable_name(name.as_bytes()), "{name:?}");
        let hex = encoded(name);
        let plain = matches!(name, "" | "." | ".." | "a/b");
        for target in [
            format!("/{hex}"),
            format!("/d/{hex}/../x"),
            format!("/{hex}/"),
        ] {
            assert_eq!(Path::parse(&target).is_some(), plain, "{target}");
        }
    }
}

#[test]
fn names_with_a_special_meaning_on_windows_are_valid_but_not_portable() {
    let names = [
        "a\\b",
        "\\",
        "\\\\server",
        "..\\..\\etc",
        "C:",
        "c:x",
        "x::$DATA",
        "x:y:$DATA",
        "x::",
        "std::vector.html",
        "ab:c",
        "x:",
        ":x",
        "10:30.log",
        "Talk:Page",
        "trail.",
        "R.E.M.",
        "...",
        ".. ",
        "blank ",
        "con",
        "NUL",
        "nul.txt",
        "AUX.c",
        "prn .x",
        "Com1",
        "COM9.tar.gz",
        "lpt0",
        "com\u{b9}",
        "LPT\u{b3}.x",
        "CONIN$",
        "conout$",
        "clock$",
        "aux:x",
        "con\u{b}",
        "nul \u{1}\u{b}.txt",
        "com1\u{1f}",
        "lpt1\u{b}:x",
    ];
    for name in names {
        assert!(Path::is_name(name.as_bytes()), "{name:?}");
        assert!(!Path::is_portable_name(name.as_bytes()), "{name:?}");
        let path = Path::parse(&format!("/d/{}", encoded(name))).expect("a name");
        assert_eq!(path.as_bytes(), format!("d/{name}").as_bytes());
        assert!(!path.is_portable(), "{name:?}");
        let path = Path::parse(&format!("/{}/d", encoded(name))).expect("a name");
        assert!(!path.is_portable(), "{name:?}");
        let path = Path::parse(&format!("/{}/../d", encoded(name))).expect("a name");
        assert!(path.is_portable() && path.as_bytes() == b"d", "{name:?}");
    }
    assert!(Path::default().is_portable());
}

#[test]
fn names_that_resemble_devices_are_portable() {
    let names = [
        "a",
        "a.b",
        ".a",
        "10.30.log",
        "console",
        "nul1",
        "com",
        "com10",
        "comx",
        "COM\u{b4}",
        "auxiliary.c",
        "xCON",
        "lpt",
        "a b",
        " a",
        "..a",
        "$DATA",
        "\u{e9}",
        "a\nb",
        "<i>&\"'?*|",
    ];
    for name in names {
        assert!(Path::is_portable_name(name.as_bytes()), "{name:?}");
        let hex: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let path = Path::parse(&format!("/{hex}")).expect("a name");
        assert_eq!(path.as_bytes(), name.as_bytes());
        assert!(path.is_portable(), "{name:?}");
    }
    assert!(Path::is_portable_name(b"\xff\xfe"), "need not be UTF-8");
}

#[test]
fn a_name_that_begins_with_a_dot_is_hidden() {
    for target in [
        "/.git",
        "/.git/config",
        "/a/.env",
        "/a/.b/c",
        "/%2egit",
        "/a/.well-known/x",
        "/..a",
    ] {
        assert!(
            Path::parse(target).expect("names only").is_hidden(),
            "{target}"
        );
    }
    for target in [
        "/",
        "/a",
        "/a.b/c.d",
        "/./a",
        "/a/../b",
        "/.well-known/x",
        "/.well-known",
    ] {
        assert!(
            !Path::parse(target).expect("names only").is_hidden(),
            "{target}"
        );
    }
    assert!(
        Path::parse("/.well-known/.x")
            .expect("names only")
            .is_hidden()
    );
}

#[test] // a target that is read at a glance is another path than one that is not
fn an_encoded_target_names_the_same_path() {
    let mut targets = vec![String::from("/")];
    let mut last = targets.clone();
    for _ in 0..4 {
        let longer = |target: &String| {
            "/.a: \\-"
                .chars()
                .map(move |char| format!("{target}{char}"))
                .collect::<Vec<_>>()
        };
        last = last.iter().flat_map(longer).collect();
        targets.extend(last.iter().cloned());
    }
    for name in [
        "nul",
        "NUL.txt",
        "a/con",
        "Aux/b",
        "com1",
        "lpt",
        "CLOCK$",
        "conin$.x",
        "prn~",
        "a.",
        ".b",
        "..",
        "d@=+,;!'()&*",
    ] {
        targets.extend([
            format!("/{name}"),
            format!("/x/{name}/"),
            format!("/{name}/y"),
        ]);
    }
    for target in targets {
        let encoded: String = target.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert_eq!(Path::parse(&target), Path::parse(&encoded), "{target}");
        let (query, encoded) = (format!("{target}?q#/.."), format!("{encoded}?q"));
        assert_eq!(Path::parse(&query), Path::parse(&encoded), "{query}");
    }
}

#[test] // NUL in path (a doctest of Path notices it)
fn no_file_has_a_nul_in_its_name() {
    assert_eq!(Path::parse("/a%00b"), None);
}
