//! Tests of the validators of files in states that no conformance case has: weak tags, and files without a tag.

use sanserve_core::{
    Config, Connection, FileVersion, Files, Got, Meta, Now, Opened, Protocol, Want,
};

/// A file of six bytes with this time of the last modification.
fn file(modified: i64, version: Option<FileVersion>) -> Meta {
    Meta::new(6)
        .with_modified(Some(modified))
        .with_version(version)
}

/// Returns the reply to a GET of that file with this field.
fn get(meta: Meta, field: &str) -> String {
    let config = Config::default().with_protocol(Protocol::Http11);
    let request = format!("GET /a HTTP/1.1\r\nHost: h\r\n{field}\r\n");
    let (mut rest, mut reply, mut got) = (request.as_bytes(), Vec::new(), Got::Nothing);
    let mut conn = Connection::new(config, "192.0.2.1", Files::new());
    loop {
        got = match conn.step(Now::default(), got).want {
            Want::Read(into) => {
                into[..rest.len()].copy_from_slice(rest);
                Got::Bytes(std::mem::take(&mut rest).len())
            }
            Want::Write(from) => {
                reply.extend_from_slice(from);
                Got::Bytes(from.len())
            }
            Want::ReadFile { at, into, .. } => {
                let content = &b"hello\n"[at as usize..];
                let n = content.len().min(into.len());
                into[..n].copy_from_slice(&content[..n]);
                Got::Bytes(n)
            }
            Want::Ask(_) => Got::Opened(Ok(Opened::File {
                file: (),
                meta,
                sendable: false,
            })),
            Want::Close => return String::from_utf8(reply).unwrap(),
            _ => Got::Nothing,
        };
    }
}

const THEN: i64 = 1_577_836_800;

#[test]
fn the_tag_of_an_unsettled_version_is_weak() {
    let settled = FileVersion::new(0xab);
    let (strong, weak) = (
        file(THEN, Some(settled)),
        file(THEN, Some(settled.unsettled())),
    );
    assert!(get(strong, "").contains("\r\nETag: \"ab-6\"\r\n"));
    assert!(get(weak, "").contains("\r\nETag: W/\"ab-6\"\r\n"));
    let status = |meta, field: &str| get(meta, field)[9..12].to_owned();
    // RFC 9110 §13.1.2 compares weakly.
    for tag in ["\"ab-6\"", "W/\"ab-6\""] {
        assert_eq!(status(weak, &format!("If-None-Match: {tag}\r\n")), "304");
        assert_eq!(status(strong, &format!("If-None-Match: {tag}\r\n")), "304");
    }
    // §13.1.1 and §13.1.5 compare strongly.
    for (meta, tag, fits) in [
        (weak, "\"ab-6\"", false),
        (weak, "W/\"ab-6\"", false),
        (strong, "W/\"ab-6\"", false),
        (strong, "\"ab-6\"", true),
    ] {
        let (matched, ranged) = if fits { ("200", "206") } else { ("412", "200") };
        assert_eq!(status(meta, &format!("If-Match: {tag}\r\n")), matched);
        let field = format!("If-Range: {tag}\r\nRange: bytes=1-\r\n");
        assert_eq!(status(meta, &field), ranged);
    }
}

#[test]
fn a_file_without_a_version_has_no_tag() {
    assert!(!get(file(THEN, None), "").contains("ETag"));
}
