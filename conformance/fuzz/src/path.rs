//! The fuzz target for paths. Checks that the path of any target is below the root and follows the rule of CPython's
//! `translate_path`, which is written here with a stack of segments, and that every percent-encoded name is decoded to
//! the same name.

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use sanserve_core::{Path, percent_decode};

/// Checks bytes as a target, as a decoded path, and as a name.
pub fn check(data: &[u8]) {
    let target: String = data.iter().copied().map(char::from).collect();
    let decoded = percent_decode(&target);
    // Invalid UTF-8 is decoded to replacement characters.
    if !String::from_utf8_lossy(&decoded).contains('\u{fffd}') {
        check_bytes(&decoded, Path::parse(&target));
    }
    check_bytes(data, Path::from_bytes(data.to_vec()));
    // Bytes are encoded as they are. Three of them may encode a surrogate for another byte, as in CPython.
    if !data
        .windows(2)
        .any(|two| matches!(two, [0xED, 0xB2 | 0xB3]))
    {
        let encoded = percent_encode(data, NON_ALPHANUMERIC).to_string();
        let raw: String = data.iter().copied().map(char::from).collect();
        let path = Path::from_bytes(data.to_vec());
        assert_eq!(Path::parse(&encoded), path);
        if !data.iter().any(|byte| b"%?#".contains(byte)) {
            assert_eq!(Path::parse(&raw), path);
        }
    }

    // U+FFFD stands for invalid UTF-8, and for itself.
    if let Ok(name) = str::from_utf8(data) {
        let target = format!("{}?x#y", percent_encode(data, NON_ALPHANUMERIC));
        assert_eq!(percent_decode(&target), name.as_bytes());
        let raw = target.trim_end_matches("?x#y");
        assert_eq!(percent_decode(&format!("{raw}#x?y")), name.as_bytes());
    }
}

/// Compares a path with the segments of decoded bytes.
fn check_bytes(bytes: &[u8], path: Option<Path>) {
    let (mut segments, mut invalid) = (Vec::new(), false);
    for segment in bytes.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => _ = segments.pop(),
            name => {
                invalid |= !Path::is_name(name);
                segments.push(name);
            }
        }
    }
    assert_eq!(path.is_none(), invalid);
    let Some(path) = path else {
        return;
    };
    assert!(path.segments().eq(segments.iter().copied()));
    assert_eq!(path.as_bytes(), segments.join(&b'/'));
    assert_eq!(
        path.file_name(),
        segments.last().copied().unwrap_or_default()
    );
    assert_eq!(path.ends_with_slash(), bytes.ends_with(b"/"));
    assert!(!path.as_bytes().contains(&0));

    for depth in 0..=segments.len() {
        assert_eq!(path.prefix(depth).as_bytes(), segments[..depth].join(&b'/'));
    }
    let mut other = path.clone();
    other.push("x");
    assert_eq!(other.segments().count(), segments.len() + 1);
    other.pop();
    assert_eq!(other.as_bytes(), path.as_bytes());
    other.pop();
    assert_eq!(other.segments().count(), segments.len().saturating_sub(1));
}

/// Edge cases.
pub fn seeds() -> Vec<Vec<u8>> {
    super::owned(&[
        b"/a/./b//../c%20d/?q#f",
        b"/../../etc/passwd",
        b"//host/%2e%2E/%2f%00",
        b"/%ED%B3%BF%ed%b2%80",
        b"/\xc3\xa9%C3%A9\xff%FF%",
        b"a/../..",
        b"/%E2%82%AC/%F0%9F%A6%80/.",
        b"*",
        b"",
    ])
}
