//! What paths mean, beside what the conformance cases say of it.

use sanserve_core::Path;

/// As CPython's `_url_collapse_path` would show it: the directory, a slash, the last segment.
fn collapsed(target: &str) -> String {
    let path = Path::parse(target).expect("no NUL in it");
    let mut segments: Vec<_> = path.segments().map(String::from_utf8_lossy).collect();
    let last = if path.ends_with_slash() {
        None
    } else {
        segments.pop()
    };
    format!("/{}/{}", segments.join("/"), last.unwrap_or_default())
}

/// The vectors of CPython's own test; `None` where it raises IndexError.
const COLLAPSE: [(&str, Option<&str>); 28] = [
    ("", Some("//")),
    ("..", None),
    ("/.//..", None),
    ("/", Some("//")),
    ("//", Some("//")),
    ("/\\", Some("//\\")),
    ("/.//", Some("//")),
    ("cgi-bin/file1.py", Some("/cgi-bin/file1.py")),
    ("/cgi-bin/file1.py", Some("/cgi-bin/file1.py")),
    ("a", Some("//a")),
    ("/a", Some("//a")),
    ("//a", Some("//a")),
    ("./a", Some("//a")),
    ("./C:/", Some("/C:/")),
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
fn paths_collapse_as_with_cpython_and_stop_at_the_root() {
    for (target, theirs) in COLLAPSE {
        let ours = collapsed(target);
        // A path that climbs out is a traceback there; here it ends at the root.
        let Some(theirs) = theirs else {
            assert!(
                ["//", "/a/b/f", "//f"].contains(&ours.as_str()),
                "{target}: {ours}"
            );
            continue;
        };
        // A dot at the end makes it a directory there. Here, as for CPython's own files
        // (`/file.txt/.` is the file), only a slash does.
        if target.ends_with('.') {
            let path = Path::parse(target).expect("no NUL in it");
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
    let path = Path::parse("/a/b%2Fc/d/").expect("no NUL in it");
    let first = |depth| {
        let first = path.first(depth);
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
