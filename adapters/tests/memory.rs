//! Tests the in-memory file system `Tree`, and scripted conversations with it.

use std::time::Duration;

use sanserve_core::{Config, Connection, FileSystem, Files, FsError, Opened, Path, Protocol};
use sanserve_server::memory::{File, PeerScript, START, Transcript, Tree, run};

fn tree() -> Tree {
    Tree::new()
        .file("a.txt", 0, "hello\n")
        .file("d/b.txt", -1, "below")
        .file(b"d/\xff", 0, "odd")
        .directory("empty")
        .link("to-file", "d/../a.txt")
        .link("d/to-directory", "../d")
        .link("to-outside", "d/../../etc")
        .link("absolute", "/a.txt")
        .link("to-nowhere", "nowhere")
        .link("circle", "circle")
        .fault("locked", FsError::Forbidden)
}

fn path(target: &str) -> Path {
    Path::parse(target).unwrap()
}

/// Returns the content of a file, or `/` for a directory.
fn look_up(tree: &Tree, target: &str) -> Result<Vec<u8>, FsError> {
    Ok(match tree.open(&path(target))? {
        Opened::Directory => b"/".to_vec(),
        Opened::File {
            file: File::Bytes(bytes),
            ..
        } => bytes.to_vec(),
        _ => unreachable!("there are only files and directories"),
    })
}

#[test]
fn entries_added_to_the_tree_are_found() {
    let tree = tree();
    let contents = [
        ("/", "/"),
        ("/a.txt", "hello\n"),
        ("/d", "/"),
        ("/d/b.txt", "below"),
        ("/d/%ED%B3%BF", "odd"),
        ("/empty", "/"),
        ("/to-file", "hello\n"),
        ("/d/to-directory/to-directory/b.txt", "below"),
    ];
    for (target, content) in contents {
        assert_eq!(look_up(&tree, target), Ok(content.into()), "{target}");
    }
    for target in ["/nope", "/a.txt/x", "/to-nowhere", "/circle"] {
        assert_eq!(look_up(&tree, target), Err(FsError::NotFound), "{target}");
    }
    for target in ["/to-outside", "/absolute"] {
        assert_eq!(
            look_up(&tree, target),
            Err(FsError::OutsideRoot),
            "{target}"
        );
    }
    assert_eq!(look_up(&tree, "/locked"), Err(FsError::Forbidden));
}

#[test]
fn a_listing_distinguishes_directories_and_links() {
    let names = |target| -> Vec<_> {
        let entries = tree().list(&path(target)).unwrap();
        let row = |entry: sanserve_core::Entry<'_>| {
            (
                entry.name.escape_ascii().to_string(),
                entry.directory,
                entry.link,
            )
        };
        entries.iter().map(row).collect()
    };
    let row = |(name, directory, link): (&str, bool, bool)| (name.to_string(), directory, link);
    let root = [
        ("a.txt", false, false),
        ("absolute", false, true),
        ("circle", false, true),
        ("d", true, false),
        ("empty", true, false),
        ("locked", false, false),
        ("to-file", false, true),
        ("to-nowhere", false, true),
        ("to-outside", false, true),
    ];
    assert_eq!(names("/"), root.map(row));
    let below = [
        ("b.txt", false, false),
        ("to-directory", true, true),
        ("\\xff", false, false),
    ];
    assert_eq!(names("/d"), below.map(row));
    assert_eq!(names("/d/to-directory/"), below.map(row));
    assert_eq!(names("/empty"), []);
    assert_eq!(tree().list(&path("/a.txt")), Err(FsError::NotFound));
}

#[test]
#[should_panic(expected = "not a plain path")]
fn a_path_out_of_the_tree_panics() {
    let _ = Tree::new().file("a/../../b", 0, "");
}

#[test]
#[should_panic(expected = "not below a directory")]
fn a_file_below_a_file_panics() {
    let _ = Tree::new().file("a", 0, "").file("a/b", 0, "");
}

fn run_script(tree: &Tree, input: &str, half_close: bool, pace: fn(usize) -> usize) -> Transcript {
    let config = Config::default().with_protocol(Protocol::Http11);
    let mut conn = Connection::<File, _>::new(config, "192.0.2.7", Files::new());
    let input = input.as_bytes();
    run(&mut conn, tree, PeerScript { input, half_close }, pace)
}

#[test]
fn a_transcript_does_not_depend_on_fragmentation_or_on_sendfile() {
    let big: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    let tree = tree().file("big", 0, &big);
    let input = "GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /d/ HTTP/1.1\r\nHost: h\r\n\r\n\
                 HEAD /to-file HTTP/1.1\r\nHost: h\r\n\r\n";
    let whole = run_script(&tree, input, true, |len| len);
    assert!(whole.bytes.windows(big.len()).any(|window| window == big));
    assert_eq!(whole.log.lines().count(), 3, "{}", whole.log);
    assert_eq!(whole.elapsed, Duration::ZERO);
    for sendable in [false, true] {
        let tree = tree.clone().sendable(sendable);
        let paces: [fn(usize) -> usize; 3] = [|len| len, |_| 1, |len| len.min(7)];
        for pace in paces {
            assert_eq!(run_script(&tree, input, true, pace), whole);
        }
    }
}

#[test]
fn a_silent_connection_ends_at_the_idle_timeout() {
    let input = "GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n";
    let silent = run_script(&tree(), input, false, |len| len);
    let closed = run_script(&tree(), input, true, |len| len);
    assert_eq!(silent.bytes, closed.bytes);
    assert_eq!(silent.elapsed, Config::default().timeouts.idle);
    assert_eq!(START, 1_767_225_600);
    let reply = String::from_utf8(silent.bytes).unwrap();
    assert!(
        reply.contains("\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"),
        "{reply}"
    );
    assert!(
        silent
            .log
            .starts_with("192.0.2.7 - - [01/Jan/2026 00:00:00] "),
        "{}",
        silent.log
    );
}

#[test]
fn the_connection_is_shut_down_even_if_the_client_ended_first() {
    let tree = tree();
    let mut conn = Connection::new(Config::default(), "192.0.2.1", Files::new());
    let script = PeerScript {
        input: b"GET /a.txt HTTP/1.0\r\n\r\n",
        half_close: true,
    };
    let transcript = run(&mut conn, &tree, script, |n| n);
    assert!(transcript.bytes.ends_with(b"\r\n\r\nhello\n") && transcript.shutdown);
    assert_eq!(transcript.elapsed, Duration::ZERO);
    // If the input ends within the head, the end is known before the reply.
    let mut conn = Connection::new(Config::default(), "192.0.2.1", Files::new());
    let script = PeerScript {
        input: b"GET /a.txt HTTP/1.0\r\n",
        half_close: true,
    };
    let transcript = run(&mut conn, &tree, script, |n| n);
    assert!(transcript.bytes.starts_with(b"HTTP/1.0 400 ") && transcript.shutdown);
    assert_eq!(transcript.elapsed, Duration::ZERO);
}

#[test]
fn a_date_is_a_strong_validator_once_its_second_has_passed() {
    let tree = Tree::new()
        .file("over", START - 1, "hello\n")
        .file("now", START, "hello\n")
        .file("ahead", START + 9, "hello\n");
    let dates = [
        ("over", "Wed, 31 Dec 2025 23:59:59 GMT", "206"),
        ("now", "Thu, 01 Jan 2026 00:00:00 GMT", "200"),
        // RFC 9110 §8.8.2.1: the time of the reply replaces a time in the future.
        ("ahead", "Thu, 01 Jan 2026 00:00:00 GMT", "200"),
    ];
    for (name, date, status) in dates {
        let input = format!("GET /{name} HTTP/1.0\r\nRange: bytes=1-2\r\nIf-Range: {date}\r\n\r\n");
        let reply = run_script(&tree, &input, true, |len| len).bytes;
        let reply = String::from_utf8(reply).unwrap();
        assert_eq!(reply.split(' ').nth(1), Some(status), "{name}: {reply}");
        let field = format!("\r\nLast-Modified: {date}\r\n");
        assert!(reply.contains(&field), "{name}: {reply}");
    }
}
