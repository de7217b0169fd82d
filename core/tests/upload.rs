//! Tests of uploads by PUT and by form: stored, replaced and refused, with the input whole and in pieces.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use sanserve_core::{
    Change, Config, Connection, Create, Entries, FileSystem, FileVersion, FsError, Got, Limits,
    Meta, Now, Opened, Path, Protocol, Upload, Want,
};

/// A writable tree in memory: the root, `d/`, and the files stored in them.
struct WritableTree {
    files: RefCell<BTreeMap<Vec<u8>, Vec<u8>>>,
    /// The number of bytes that fit.
    room: usize,
    /// The number of directories that may be created for the file that was begun last.
    directories_max: Cell<usize>,
    /// The result of every change.
    changed: Result<(), FsError>,
}

enum File {
    Stored(Vec<u8>),
    Making(Create, Vec<u8>),
}

impl WritableTree {
    fn new(room: usize) -> WritableTree {
        let files = BTreeMap::from([(b"d/old".to_vec(), b"old".to_vec())]);
        let files = RefCell::new(files);
        WritableTree {
            files,
            room,
            directories_max: Cell::new(0),
            changed: Ok(()),
        }
    }

    fn meta(&self, path: &[u8]) -> Option<Meta> {
        let files = self.files.borrow();
        files.get(path).map(|bytes| {
            Meta::new(bytes.len() as u64)
                .with_modified(Some(1_577_836_800))
                .with_version(Some(FileVersion::new(
                    bytes.iter().map(|&byte| u64::from(byte)).sum(),
                )))
        })
    }

    fn text(&self, path: &str) -> Option<String> {
        let files = self.files.borrow();
        let bytes = files.get(path.as_bytes())?;
        Some(String::from_utf8(bytes.clone()).unwrap())
    }
}

impl FileSystem for WritableTree {
    type File = File;

    fn open(&self, path: &Path) -> Result<Opened<File>, FsError> {
        if matches!(path.as_bytes(), b"" | b"d") {
            return Ok(Opened::Directory);
        }
        let meta = self.meta(path.as_bytes()).ok_or(FsError::NotFound)?;
        Ok(Opened::File {
            file: File::Stored(self.files.borrow()[path.as_bytes()].clone()),
            meta,
            sendable: false,
        })
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        Ok(Arc::default())
    }

    fn read(&self, file: &mut File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        let File::Stored(bytes) = file else {
            return Err(FsError::NotRegularFile);
        };
        let rest = &bytes[at as usize..];
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn create(&self, create: &Create) -> Result<Opened<File>, FsError> {
        self.directories_max.set(create.directories_max);
        let mut above = create.path.clone();
        above.pop();
        if !matches!(above.as_bytes(), b"" | b"d") {
            return Err(FsError::NotFound);
        }
        if create.len.is_some_and(|len| len > self.room as u64) {
            return Err(FsError::NoSpace);
        }
        if create.path.file_name().len() > 255 {
            return Err(FsError::TooLong);
        }
        Ok(Opened::Writer(File::Making(create.clone(), Vec::new())))
    }

    fn write(&self, file: &mut File, from: &[u8]) -> Result<usize, FsError> {
        let File::Making(_, bytes) = file else {
            return Err(FsError::Unsupported);
        };
        if bytes.len() + from.len() > self.room {
            return Err(FsError::NoSpace);
        }
        // Accepts only part of the bytes.
        let n = from.len().div_ceil(2);
        bytes.extend(&from[..n]);
        Ok(n)
    }

    fn commit(&self, file: &mut File) -> Result<(), FsError> {
        let File::Making(create, bytes) = file else {
            return Err(FsError::Unsupported);
        };
        let path = create.path.as_bytes();
        if self.meta(path) != create.replaces {
            return Err(FsError::Exists);
        }
        self.files.borrow_mut().insert(path.to_vec(), bytes.clone());
        Ok(())
    }

    fn change(&self, _: &Change) -> Result<(), FsError> {
        self.changed
    }
}

/// Returns the reply to an input that is cut into pieces of this size.
fn run(tree: &WritableTree, upload: Upload, content: u64, input: &[u8], piece: usize) -> String {
    let config = Config::default()
        .with_protocol(Protocol::Http11)
        .with_limits(Limits::default().with_content(content));
    let mut conn = Connection::new(config, "192.0.2.1", upload);
    let (mut rest, mut output, mut got) = (input, Vec::new(), Got::Nothing);
    loop {
        got = match conn.step(Now::default(), got).want {
            Want::Read(into) => {
                let n = rest.len().min(into.len()).min(piece);
                into[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                Got::Bytes(n)
            }
            Want::Write(from) => {
                output.extend(from);
                Got::Bytes(from.len())
            }
            Want::ReadFile { file, at, into } => tree.fill(file, at, into),
            Want::WriteFile { file, from } => tree.answer_write(file, from),
            Want::Ask(ask) => tree.answer(ask),
            Want::Copy { .. } => unreachable!("nothing is sendable"),
            Want::Commit { file } => Got::Committed(tree.commit(file)),
            Want::Wait | Want::Upgrade => unreachable!("nothing is waited for"),
            Want::Log(_) | Want::Shutdown => Got::Nothing,
            Want::Close => return String::from_utf8(output).unwrap(),
        };
    }
}

fn status(reply: &str) -> &str {
    reply
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("HTTP/1.1 ")
}

const ROOM: usize = 1 << 20;

/// Returns the status of the reply to one request, and the tree afterwards. They do not depend on how the input is
/// split.
fn ask(upload: &Upload, input: &str) -> (String, WritableTree) {
    let mut seen: Option<(String, WritableTree)> = None;
    for piece in [usize::MAX, 1, 7] {
        let tree = WritableTree::new(ROOM);
        let reply = run(&tree, upload.clone(), 4096, input.as_bytes(), piece);
        if let Some((before, other)) = &seen {
            assert_eq!(
                (before, &*other.files.borrow()),
                (&reply, &*tree.files.borrow())
            );
        }
        seen = Some((reply, tree));
    }
    seen.unwrap()
}

fn put(target: &str, fields: &str, content: &str) -> String {
    let len = content.len();
    format!("PUT {target} HTTP/1.1\r\nHost: h\r\n{fields}Content-Length: {len}\r\n\r\n{content}")
}

fn post(target: &str, fields: &str, content: &str) -> String {
    let kind = "Content-Type: multipart/form-data; boundary=\"b d\"\r\n";
    put(target, &format!("{kind}{fields}"), content).replacen("PUT", "POST", 1)
}

/// Returns a part of a form.
fn part(name: &str, content: &str) -> String {
    let disposition = format!("form-data; name=\"f\"; filename=\"{name}\"");
    format!("--b d\r\nContent-Disposition: {disposition}\r\nContent-Type: x/y\r\n\r\n{content}\r\n")
}

fn overwriting() -> Upload {
    let mut upload = Upload::new();
    upload.overwrite = true;
    upload
}

#[test]
fn a_stored_file_is_visible_immediately() {
    let input = [
        put("/d/new", "", "hello"),
        "GET /d/new HTTP/1.1\r\nHost: h\r\n\r\n".into(),
    ];
    let (reply, tree) = ask(&Upload::new(), &input.concat());
    assert!(reply.starts_with("HTTP/1.1 201 Created\r\n"), "{reply}");
    assert!(reply.contains("\r\nLocation: ./new\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n"));
    assert!(reply.ends_with("\r\n\r\nhello"), "{reply}");
    assert_eq!(tree.text("d/new").unwrap(), "hello");
    let (reply, tree) = ask(&Upload::new(), &put("/empty?x", "", ""));
    assert!(reply.contains("\r\nLocation: ./empty\r\n"), "{reply}");
    assert_eq!(tree.text("empty").unwrap(), "");
    let chunked = "PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    assert_eq!(ask(&Upload::new(), chunked).1.text("c").unwrap(), "abc");
}

/// RFC 9110 §15.5.12. A length of 0 is a length.
#[test]
fn a_put_without_a_length_leaves_the_file_as_it_is() {
    let cases = [
        ("HTTP/1.1", "", "411 Length Required", "old"),
        ("HTTP/1.0", "", "400 Content-Length is missing", "old"),
        ("HTTP/1.1", "Content-Length: 0\r\n", "204 No Content", ""),
        ("HTTP/1.0", "Content-Length: 0\r\n", "204 No Content", ""),
    ];
    for (version, length, expected, left) in cases {
        let input = format!("PUT /d/old {version}\r\nHost: h\r\n{length}\r\n");
        let (reply, tree) = ask(&overwriting(), &input);
        assert_eq!(status(&reply), expected, "{version} {length}");
        assert_eq!(tree.text("d/old").unwrap(), left, "{version} {length}");
    }
}

#[test]
fn nothing_is_overwritten_by_default() {
    let input = put("/d/old", "", "new");
    let (reply, tree) = ask(&Upload::new(), &input);
    assert_eq!(status(&reply), "409 A file with this name exists");
    assert_eq!(tree.text("d/old").unwrap(), "old");
    let (reply, tree) = ask(&overwriting(), &input);
    assert_eq!(status(&reply), "204 No Content");
    assert_eq!(tree.text("d/old").unwrap(), "new");
}

/// RFC 9110 §13: `"13f-3"` is the tag of the existing file.
#[test]
fn preconditions_apply_to_uploads() {
    let (old, new) = ("\"13f-3\"", "\"1-1\"");
    let conditions = [
        ("/d/old", "If-None-Match: *", 412),
        ("/d/old", &format!("If-None-Match: {old}"), 412),
        ("/d/old", &format!("If-None-Match: {new}"), 204),
        ("/d/old", &format!("If-Match: {old}"), 204),
        ("/d/old", "If-Match: *", 204),
        ("/d/old", &format!("If-Match: {new}"), 412),
        (
            "/d/old",
            "If-Unmodified-Since: Tue, 31 Dec 2019 00:00:00 GMT",
            412,
        ),
        (
            "/d/old",
            "If-Unmodified-Since: Wed, 01 Jan 2020 00:00:00 GMT",
            204,
        ),
        // §13.1.3: for GET and HEAD alone.
        (
            "/d/old",
            "If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT",
            204,
        ),
        ("/d/new", "If-None-Match: *", 201),
        ("/d/new", "If-Match: *", 412),
        ("/d/new", &format!("If-Match: {old}"), 412),
    ];
    for (target, field, expected) in conditions {
        let (reply, _) = ask(&overwriting(), &put(target, &format!("{field}\r\n"), "new"));
        assert!(
            status(&reply).starts_with(&expected.to_string()),
            "{target} {field}: {reply}"
        );
    }
    let (reply, _) = ask(
        &Upload::new(),
        &put("/d/old", "If-None-Match: *\r\n", "new"),
    );
    assert_eq!(status(&reply), "412 Precondition Failed");
}

/// A directory is created only with a name that a new file could have, so that none replaces a file that is sent for
/// other names.
#[test]
fn new_directories_follow_the_rules_for_file_names() {
    let mut application = Upload::new();
    application.files.settings_mut().spa = Some("app/index.html".into());
    let deep = format!("{}/new", "/n".repeat(40));
    for (upload, target, expected) in [
        (&Upload::new(), "/new", 0),
        (&Upload::new(), "/a/b/c/new", 3),
        (&Upload::new(), &deep, 16),
        (&Upload::new(), "/a/-b/c/d/new", 2),
        (&Upload::new(), "/a/%e2%80%ae/new", 0),
        (&Upload::new(), "/index.html/new", 0),
        (&overwriting(), "/index.html/new", 1),
        (&application, "/a.d/b/c.d/new.txt", 1),
    ] {
        let (_, tree) = ask(upload, &put(target, "", "x"));
        assert_eq!(tree.directories_max.get(), expected, "{target}");
    }
    let (_, tree) = ask(
        &Upload::new(),
        &post("/d/", "", &(part("new", "x") + "--b d--")),
    );
    assert_eq!(tree.directories_max.get(), 0);
}

/// RFC 9110 §13.1: the preconditions are about the representation that a GET with the same fields selects.
#[test]
fn a_deletion_compares_the_tag_of_the_representation_that_get_sends() {
    let tree = WritableTree::new(ROOM);
    tree.files
        .borrow_mut()
        .insert(b"d/old.gz".to_vec(), b"compressed".to_vec());
    let mut upload = Upload::new();
    upload.delete = true;
    upload.files.settings_mut().precompressed = true;
    let reply = |method: &str, fields: &str| {
        let input = format!("{method} /d/old HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        run(&tree, upload.clone(), 4096, input.as_bytes(), usize::MAX)
    };
    let tag = |fields: &str| {
        let reply = reply("HEAD", fields);
        let (_, tag) = reply.split_once("\r\nETag: ").unwrap();
        tag.split_once('\r').unwrap().0.to_owned()
    };
    let gzip = "Accept-Encoding: gzip\r\n";
    let [plain, compressed] = [tag(""), tag(gzip)];
    assert_ne!(plain, compressed);
    for (fields, name, tag, expected) in [
        (gzip, "If-Match", &compressed, "204"),
        (gzip, "If-Match", &plain, "412"),
        (gzip, "If-None-Match", &compressed, "412"),
        (gzip, "If-None-Match", &plain, "204"),
        ("", "If-Match", &plain, "204"),
        ("", "If-Match", &compressed, "412"),
        ("", "If-None-Match", &plain, "412"),
    ] {
        let fields = format!("{fields}{name}: {tag}\r\n");
        let reply = reply("DELETE", &fields);
        assert_eq!(&status(&reply)[..3], expected, "{fields}");
    }
}

/// The statuses of DELETE of a file, DELETE of a directory, and PUT of a directory. Other requests or programs may have
/// changed what was found.
#[test]
fn each_result_of_a_change_has_a_status() {
    let results = [
        (Ok(()), ["204", "204", "201"]),
        (Err(FsError::NotFound), ["404", "404", "409"]),
        (Err(FsError::OutsideRoot), ["404", "404", "409"]),
        (Err(FsError::TooLong), ["404", "404", "414"]),
        (Err(FsError::Forbidden), ["403", "403", "403"]),
        (Err(FsError::Exists), ["409", "409", "405"]),
        (Err(FsError::NotRegularFile), ["409", "409", "409"]),
        (Err(FsError::NoSpace), ["507", "507", "507"]),
        (Err(FsError::Unsupported), ["501", "501", "501"]),
        (Err(FsError::NoResources), ["503", "503", "503"]),
        (Err(FsError::Io), ["500", "500", "500"]),
    ];
    let mut upload = Upload::new();
    upload.delete = true;
    for (result, expected) in results {
        let mut tree = WritableTree::new(ROOM);
        tree.changed = result;
        let statuses = ["DELETE /d/old", "DELETE /d/", "PUT /d/new/"].map(|request| {
            let input = format!("{request} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
            let reply = run(&tree, upload.clone(), 4096, input.as_bytes(), usize::MAX);
            status(&reply)[..3].to_owned()
        });
        assert_eq!(statuses, expected, "{result:?}");
    }
}

#[test]
fn files_that_cannot_be_requested_cannot_be_stored() {
    let cases = [
        ("/.hidden", "403 A file cannot have that name here"),
        ("/d/.git/config", "403 A file cannot have that name here"),
        ("/d/a%00", "403 A file cannot have that name here"),
        ("/d/.sanserve-0", "403 A file cannot have that name here"),
        ("/d/", "405 Method Not Allowed"),
        ("/d", "405 Method Not Allowed"),
        ("/", "405 Method Not Allowed"),
        ("/..", "405 Method Not Allowed"),
        ("/nowhere/a", "409 Its directory does not exist"),
    ];
    for (target, expected) in cases {
        let (reply, tree) = ask(&overwriting(), &put(target, "", "x"));
        assert_eq!(status(&reply), expected, "{target}");
        assert_eq!(tree.files.borrow().len(), 1, "{target}");
    }
    let (reply, _) = ask(
        &Upload::new(),
        &put("/a", "Content-Range: bytes 0-0/5\r\n", "x"),
    );
    assert_eq!(status(&reply), "400 Parts of a file cannot be stored");
    let (long, form) = ("n".repeat(256), part(&"n".repeat(256), "x") + "--b d--");
    let (reply, _) = ask(&Upload::new(), &put(&format!("/{long}"), "", "x"));
    assert_eq!(status(&reply), "414 The name is too long");
    let (reply, _) = ask(&Upload::new(), &post("/", "", &form));
    assert_eq!(
        status(&reply),
        format!("403 The name is too long ('{long}')")
    );
}

/// The same rule for PUT and for forms: a file that is sent for other names is stored only if overwriting is allowed.
#[test]
fn a_file_sent_for_other_names_is_stored_only_if_overwriting_is_allowed() {
    let compressed = "403 Compressed variants cannot be stored unless overwriting is allowed";
    let index = "403 Index pages cannot be stored unless overwriting is allowed";
    let fallback = "403 The page for missing files cannot be stored unless overwriting is allowed";
    let page = "403 Pages of the application cannot be stored unless overwriting is allowed";
    let names = [
        ("old.gz", compressed),
        ("new.ZST", compressed),
        ("index.html", index),
        ("app.html", fallback),
        ("404.html", fallback),
        ("login", page),
    ];
    for (overwrite, (name, refusal)) in [(false, names), (true, names)]
        .into_iter()
        .flat_map(|(overwrite, names)| names.map(|name| (overwrite, name)))
    {
        let mut upload = Upload::new();
        upload.overwrite = overwrite;
        upload.files.settings_mut().precompressed = true;
        upload.files.settings_mut().spa = Some("d/app.html".into());
        upload.files.settings_mut().not_found_page = Some("d/404.html".into());
        let form = part(name, "x") + "--b d--";
        for input in [put(&format!("/d/{name}"), "", "x"), post("/d/", "", &form)] {
            let (reply, tree) = ask(&upload, &input);
            let stored = tree.text(&format!("d/{name}"));
            assert_eq!(stored.is_some(), overwrite, "{name}: {reply}");
            assert!(overwrite || status(&reply).starts_with(refusal), "{reply}");
        }
    }
    // Without these settings, the names are like any others.
    for name in ["old.gz", "app.html", "404.html", "login"] {
        let (reply, _) = ask(&Upload::new(), &put(&format!("/d/{name}"), "", "x"));
        assert_eq!(status(&reply), "201 Created", "{name}");
    }
}

#[test]
fn a_refused_upload_gets_its_reply_before_the_content() {
    let expects = "Expect: 100-continue\r\n";
    let (reply, _) = ask(&Upload::new(), &put("/d/old", expects, ""));
    assert_eq!(status(&reply), "409 A file with this name exists");
    let head = "PUT /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4097\r\n\r\n";
    assert_eq!(
        status(&ask(&Upload::new(), head).0),
        "413 Content Too Large"
    );
    let (reply, _) = ask(&Upload::new(), &put("/a", expects, "x"));
    let replies = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n";
    assert!(reply.starts_with(replies), "{reply}");
    let (tree, input) = (WritableTree::new(3), put("/a", expects, "four"));
    let reply = run(&tree, Upload::new(), 4096, input.as_bytes(), 1000);
    assert_eq!(status(&reply), "507 Insufficient Storage");
    // Content over the limit gets that error, regardless of the free space.
    for fields in [expects, ""] {
        let input = put("/a", fields, "four");
        let reply = run(&tree, Upload::new(), 3, input.as_bytes(), 1000);
        assert_eq!(status(&reply), "413 Content Too Large");
    }
}

#[test]
fn uploads_that_are_too_long_or_cut_off_leave_no_file() {
    let chunk = format!("800\r\n{}\r\n", "x".repeat(2048));
    let head = "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (reply, tree) = ask(&Upload::new(), &[head, &chunk, &chunk, &chunk].concat());
    assert_eq!(status(&reply), "413 Content Too Large");
    assert_eq!(tree.files.borrow().len(), 1);
    let cut = put("/a", "", "hello");
    let (_, tree) = ask(&Upload::new(), &cut[..cut.len() - 1]);
    assert_eq!(tree.files.borrow().len(), 1);
    // The disk becomes full in the middle of the file.
    let tree = WritableTree::new(3000);
    let input = [head, &chunk, &chunk, "0\r\n\r\n"].concat();
    let reply = run(&tree, Upload::new(), 1 << 20, input.as_bytes(), 1000);
    assert_eq!(status(&reply), "507 Insufficient Storage");
    assert_eq!(tree.files.borrow().len(), 1);
}

#[test]
fn pages_of_other_sites_store_nothing() {
    let cases = [
        ("Origin: http://evil.example", false),
        ("Origin: null", false),
        ("Origin: http://h.evil.example", false),
        ("Origin: http://h:81", false),
        ("Origin: http://h:443", false),
        ("Origin: https://h:80", false),
        ("Origin: http://h:80", true),
        ("Origin: https://h:443", true),
        ("Origin: ftp://h", false),
        ("Origin: http://", false),
        ("Origin: h", false),
        ("Origin: http://H", true),
        ("Origin: https://h", true),
        ("Origin: http://h\r\nOrigin: http://evil.example", false),
        ("Sec-Fetch-Site: cross-site", false),
        ("Sec-Fetch-Site: same-site", false),
        ("Sec-Fetch-Site: cross-site\r\nOrigin: http://h", false),
        // A proxy may have changed the host.
        (
            "Sec-Fetch-Site: same-origin\r\nOrigin: https://outside.example",
            true,
        ),
        ("Sec-Fetch-Site: none", true),
    ];
    let form = part("new", "x") + "--b d--\r\n";
    for (fields, welcome) in cases {
        let fields = format!("{fields}\r\n");
        for input in [put("/d/new", &fields, "x"), post("/d/", &fields, &form)] {
            let (reply, tree) = ask(&Upload::new(), &input);
            assert_eq!(tree.text("d/new").is_some(), welcome, "{fields}: {reply}");
            let refused = status(&reply).starts_with("403 Pages ");
            assert_eq!(refused, !welcome, "{fields}");
        }
    }
}

#[test]
fn the_files_of_a_form_are_stored() {
    let long = "0123456789\r\n--b".repeat(100);
    let form = [
        "preamble\r\n".into(),
        part("one", "1"),
        // A field that is not a file, and a file that was not selected.
        "--b d \t\r\nContent-Disposition: form-data; name=\"filename\"\r\n\r\nfilename=x\r\n"
            .into(),
        part("", ""),
        "--b d\r\n\r\nwithout a field\r\n".into(),
        part("empty", ""),
        part("long", &long),
        "--b d--epilogue\r\n".into(),
        part("behind", "x"),
    ];
    let (reply, tree) = ask(&Upload::new(), &post("/d/", "", &form.concat()));
    assert!(reply.starts_with("HTTP/1.1 303 See Other\r\n"), "{reply}");
    assert!(reply.contains("\r\nLocation: ./\r\n"), "{reply}");
    assert_eq!(tree.files.borrow().len(), 4);
    assert_eq!(tree.text("d/one").unwrap(), "1");
    assert_eq!(tree.text("d/empty").unwrap(), "");
    assert_eq!(tree.text("d/long").unwrap(), long);
}

/// RFC 7578 §4.2, and what browsers and other clients send.
#[test]
fn a_file_gets_the_last_segment_of_its_name() {
    let names = [
        ("a b;c=d.txt", "a b;c=d.txt"),
        ("a%22b", "a\"b"),
        ("a\\\"b", "a\"b"),
        ("ü%20", "ü%20"),
        ("C:\\Users\\x\\a.txt", "a.txt"),
        ("../../a.txt", "a.txt"),
        ("/etc/passwd", "passwd"),
    ];
    for (sent, stored) in names {
        let form = part(sent, "x") + "--b d--";
        let (reply, tree) = ask(&Upload::new(), &post("/", "", &form));
        assert_eq!(status(&reply), "303 See Other", "{sent}");
        assert_eq!(tree.text(stored).as_deref(), Some("x"), "{sent}");
    }
    for sent in [
        "..",
        ".",
        ".htaccess",
        ".sanserve-0",
        "-rf",
        "a\u{1b}",
        "a\0",
    ] {
        let form = part(sent, "x") + "--b d--";
        let (reply, tree) = ask(&Upload::new(), &post("/", "", &form));
        assert!(!status(&reply).starts_with('3'), "{sent:?}: {reply}");
        assert_eq!(tree.files.borrow().len(), 1, "{sent:?}");
    }
}

/// RFC 8187, RFC 2047 and RFC 5322 §2.2.3: names as .NET, PowerShell, curl and mail libraries write them.
#[test]
fn a_name_is_decoded_in_every_encoding() {
    let names = [
        // .NET, and PowerShell's Invoke-RestMethod -Form.
        (
            "name=f; filename=\"=?utf-8?B?w7wudHh0?=\"; filename*=utf-8''%C3%BC.txt",
            "ü.txt",
        ),
        ("filename=\"=?utf-8?B?w7wudHh0?=\"", "ü.txt"),
        ("filename==?UTF-8*de?q?=C3=BC_1.txt?=", "ü 1.txt"),
        ("filename*=iso-8859-1'de'%FC%20.txt", "ü .txt"),
        ("filename*=\"UTF-8''%c3%bc\"", "ü"),
        ("filename=a.txt;\r\n\tfilename*=\r\n UTF-8''b", "b"),
        ("filename=\"a.txt\"; filename*=UTF-8''%C3", "a.txt"),
        // A name that does not consist of encoded words is not decoded.
        ("filename=\"=?utf-8?B?w7wudHh0?\"", "=?utf-8?B?w7wudHh0?"),
        ("filename=\"=?utf-8?B?w7w?=\"", "=?utf-8?B?w7w?="),
        ("filename=\"=?koi8-r?Q?a?=\"", "=?koi8-r?Q?a?="),
        ("filename=\"=?utf-8?Q?=FF?=\"", "=?utf-8?Q?=FF?="),
        ("filename=\"=?utf-8?Q?a?= b\"", "=?utf-8?Q?a?= b"),
    ];
    for (sent, stored) in names {
        let form = format!("--b d\r\nContent-Disposition: form-data; {sent}\r\n\r\nx\r\n--b d--");
        let (reply, tree) = ask(&Upload::new(), &post("/", "", &form));
        assert_eq!(status(&reply), "303 See Other", "{sent}: {reply}");
        assert_eq!(tree.text(stored).as_deref(), Some("x"), "{sent}");
    }
}

#[test]
fn a_form_gets_its_error_at_the_end() {
    let end = "--b d--\r\n";
    let form = [
        &part("new", "1"),
        &part("old", "2"),
        &part("newer", "3"),
        end,
    ]
    .concat();
    let (reply, tree) = ask(&Upload::new(), &post("/d/", "", &form));
    assert_eq!(
        status(&reply),
        "409 A file with this name exists ('old'); already stored: 1"
    );
    assert_eq!(tree.text("d/old").unwrap(), "old");
    assert_eq!(
        (tree.text("d/new").unwrap(), tree.text("d/newer")),
        ("1".into(), None)
    );
    let (reply, tree) = ask(&overwriting(), &post("/d/", "", &form));
    assert_eq!(status(&reply), "303 See Other");
    assert_eq!(tree.text("d/old").unwrap(), "2");
    let bad = [
        (part("new", "1"), "400 The form is incomplete ('new')"),
        (
            part("new", "1") + "--b dx",
            "400 Bad boundary in the form ('new')",
        ),
        (
            "--b d\r\nno field\r\n\r\n".into(),
            "400 Bad part header in the form",
        ),
        (String::new(), "400 The form is incomplete"),
        (part("d", "1") + end, "409 The name is a directory ('d')"),
    ];
    for (form, expected) in bad {
        let (reply, tree) = ask(&Upload::new(), &post("/", "", &form));
        let line = status(&reply);
        assert!(
            expected.starts_with(line) || line == expected,
            "{line} is not {expected}"
        );
        assert_eq!(tree.files.borrow().len(), 1, "{expected}");
    }
}

#[test]
fn a_form_requires_an_existing_directory() {
    let form = part("new", "1") + "--b d--";
    assert_eq!(
        status(&ask(&Upload::new(), &post("/no/", "", &form)).0),
        "404 File not found"
    );
    let (reply, _) = ask(&Upload::new(), &post("/d/old", "", &form));
    assert_eq!(status(&reply), "405 Method Not Allowed");
    assert!(
        reply.contains("\r\nAllow: GET, HEAD, OPTIONS, PUT\r\n"),
        "{reply}"
    );
    let plain = put("/d/", "Content-Type: text/plain\r\n", "x").replacen("PUT", "POST", 1);
    let (reply, _) = ask(&Upload::new(), &plain);
    assert_eq!(
        status(&reply),
        "415 Only forms with files (multipart/form-data) can be stored"
    );
    let bad = post("/d/", "", &form).replacen("boundary", "bound", 1);
    assert_eq!(
        status(&ask(&Upload::new(), &bad).0),
        "400 Bad boundary in the form"
    );
    let options = "OPTIONS /d/ HTTP/1.1\r\nHost: h\r\n\r\n";
    let (reply, _) = ask(&Upload::new(), options);
    assert!(
        reply.contains("\r\nAllow: GET, HEAD, OPTIONS, POST\r\n"),
        "{reply}"
    );
}

/// The result does not depend on where the network splits a form.
#[test]
fn a_form_does_not_depend_on_how_it_is_split() {
    let field = |len: usize| format!("--b d\r\nX: {}\r\n\r\nx\r\n", "x".repeat(len));
    let blanks = |len: usize| format!("--b d{}\r\n\r\nx\r\n", " ".repeat(len));
    // The length of a head with `X: `, a line break before it and none after it.
    let most = 16 * 1024 - "\r\nX: ".len();
    let cases = [
        (field(most), true),
        (field(most + 1), false),
        (field(most + 4), false),
        (blanks(64), true),
        (blanks(65), false),
        ("--b d -".into(), false),
    ];
    for (first, good) in cases {
        let form = first.clone() + &part("new", "\r\n--b ") + "--b d--";
        let input = post("/d/", "", &form);
        for piece in [usize::MAX, 1000, 7, 1] {
            let tree = WritableTree::new(ROOM);
            let reply = run(&tree, Upload::new(), 1 << 20, input.as_bytes(), piece);
            let (len, expected) = (first.len(), if good { "303" } else { "400" });
            assert_eq!(
                &reply[9..12],
                expected,
                "{len} in pieces of {piece}: {reply}"
            );
            assert_eq!(
                tree.text("d/new").is_some(),
                good,
                "{len} in pieces of {piece}"
            );
        }
    }
}
