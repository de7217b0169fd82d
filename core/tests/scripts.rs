//! Tests of CGI scripts, where the conformance cases do not cover them: scripts that misbehave or cannot be
//! run, script directories in another letter case, and limits.

use std::sync::Arc;

use sanserve_core::ArchiveRequest;
use sanserve_core::archive::Download;
use sanserve_core::{
    Cgi, CgiScript, Config, Connection, Entries, FileSystem, FsError, Got, Meta, Now, Opened, Path,
    Protocol, Want,
};

/// Scripts by name. An open one is the rest of its output.
struct Scripts;

impl FileSystem for Scripts {
    type File = Vec<u8>;

    fn open(&self, path: &Path) -> Result<Opened<Vec<u8>>, FsError> {
        let executable = match path.file_name() {
            b"cgi-bin" => return Ok(Opened::Directory),
            b"fifo" => return Err(FsError::NotRegularFile),
            b"secret" => return Err(FsError::Forbidden),
            name => !name.starts_with(b"data"),
        };
        let meta = Meta::new(0).with_executable(executable);
        Ok(Opened::File {
            file: Vec::new(),
            meta,
            sendable: false,
        })
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        Err(FsError::NotFound)
    }

    fn read(&self, file: &mut Vec<u8>, _: u64, into: &mut [u8]) -> Result<usize, FsError> {
        let n = file.len().min(into.len());
        into[..n].copy_from_slice(&file[..n]);
        file.drain(..n);
        Ok(n)
    }

    fn run(&self, script: &CgiScript) -> Result<Opened<Vec<u8>>, FsError> {
        Ok(Opened::Process(match script.path.file_name() {
            b"broken" => return Err(FsError::Io),
            b"deaf" => b"\ndeaf".to_vec(),
            b"framed" => b"Transfer-Encoding: chunked\nTE: x\n\nhi".to_vec(),
            b"signed" => b"Status: +404 Nope\n\nhi".to_vec(),
            b"padded" => b"Status: 0404 Nope\n\nhi".to_vec(),
            b"interim" => b"Status: 103 Early Hints\n\nhi".to_vec(),
            b"long" => vec![b'x'; 70_000],
            b"where" => {
                let of = |wanted: &str| {
                    let found = script.env.iter().find(|(name, _)| name == wanted);
                    found.map(|(_, value)| value.as_slice()).unwrap_or_default()
                };
                [
                    b"\n",
                    of("SERVER_NAME"),
                    b" ",
                    of("SERVER_PORT"),
                    of("HTTP_HOST"),
                ]
                .concat()
            }
            b"short" => b"Content-Length: 9\n\nhi".to_vec(),
            b"bare" => b"Status: 404\n\ngone".to_vec(),
            _ => b"\nhello".to_vec(),
        }))
    }

    fn write(&self, file: &mut Vec<u8>, _: &[u8]) -> Result<usize, FsError> {
        if file.ends_with(b"deaf") {
            Ok(0)
        } else {
            Err(FsError::Io)
        }
    }
}

/// A file system that runs no scripts.
struct NoScripts;

impl FileSystem for NoScripts {
    type File = Vec<u8>;

    fn open(&self, path: &Path) -> Result<Opened<Vec<u8>>, FsError> {
        Scripts.open(path)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        Scripts.list(path)
    }

    fn read(&self, file: &mut Vec<u8>, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        Scripts.read(file, at, into)
    }
}

/// Returns the status line of the reply to this request, and its content.
fn ask(fs: &impl FileSystem<File = Vec<u8>>, request: &[u8]) -> (String, String) {
    ask_with(Cgi::new("site.example", 80), fs, request)
}

fn ask_with(
    handler: Cgi,
    fs: &impl FileSystem<File = Vec<u8>>,
    request: &[u8],
) -> (String, String) {
    let (said, _) = run(handler, fs, request);
    let (head, content) = said.split_once("\r\n\r\n").expect("a head");
    let status = head.lines().next().expect("a status line");
    (status.into(), content.into())
}

/// Returns the whole reply to this request, and the log.
fn run(handler: Cgi, fs: &impl FileSystem<File = Vec<u8>>, mut request: &[u8]) -> (String, String) {
    let mut conn = Connection::new(Config::default(), "192.0.2.1", handler);
    let (mut said, mut log) = (String::new(), String::new());
    let (mut got, mut closed) = (Got::Nothing, false);
    for _ in 0..10_000 {
        got = match conn.step(Now::default(), got).want {
            Want::Read(into) => {
                let n = request.len().min(into.len());
                into[..n].copy_from_slice(&request[..n]);
                request = &request[n..];
                Got::Bytes(n)
            }
            Want::Write(from) => {
                said.extend(from.iter().map(|&byte| char::from(byte)));
                Got::Bytes(from.len())
            }
            Want::ReadFile { file, at, into } => fs.fill(file, at, into),
            Want::WriteFile { file, from } => fs.answer_write(file, from),
            Want::Ask(ask) => fs.answer(ask),
            Want::Copy { .. } => unreachable!("no file is sendable"),
            Want::Log(lines) => {
                log.push_str(lines);
                Got::Nothing
            }
            Want::Shutdown => Got::Nothing,
            Want::Commit { .. } | Want::Wait | Want::Upgrade => {
                unreachable!("nothing of this is asked for")
            }
            Want::Close => {
                closed = true;
                break;
            }
        };
    }
    assert!(closed, "the connection does not end");
    (said, log)
}

fn status(name: &str) -> String {
    let request = format!("GET /cgi-bin/{name} HTTP/1.0\r\n\r\n");
    ask(&Scripts, request.as_bytes()).0
}

#[test]
fn without_a_host_a_script_is_told_where_the_server_listens() {
    let where_is = |fields: &str| {
        let request = format!("GET /cgi-bin/where HTTP/1.0\r\n{fields}\r\n");
        ask(&Scripts, request.as_bytes()).1
    };
    assert_eq!(where_is(""), "site.example 80");
    assert_eq!(where_is("Host: h:81\r\n"), "h 81h:81");
}

#[test]
fn files_that_are_not_scripts_are_refused_as_in_cpython() {
    assert_eq!(
        status("fifo"),
        "HTTP/1.0 403 CGI script is not a plain file ('/cgi-bin/fifo')"
    );
    for name in ["secret", "data"] {
        let wanted = format!("HTTP/1.0 403 CGI script is not executable ('/cgi-bin/{name}')");
        assert_eq!(status(name), wanted);
    }
}

#[test] // a status line has one line, whatever the name
fn a_name_is_quoted_as_in_python() {
    assert_eq!(
        status("data%0a%09'"),
        r#"HTTP/1.0 403 CGI script is not executable ("/cgi-bin/data\n\t'")"#
    );
}

#[test]
fn a_script_that_cannot_be_run_is_a_500() {
    assert_eq!(status("broken"), "HTTP/1.0 500 CGI script cannot be run");
}

#[test]
fn a_file_system_need_not_run_scripts() {
    let (status, _) = ask(&NoScripts, b"GET /cgi-bin/x HTTP/1.0\r\n\r\n");
    assert_eq!(status, "HTTP/1.0 501 CGI scripts cannot be run here");
    assert!(matches!(
        NoScripts.answer_write(&mut Vec::new(), b"x"),
        Got::Refused(FsError::Unsupported)
    ));
}

#[test]
fn a_script_that_cannot_receive_its_content_is_a_500() {
    let request = b"POST /cgi-bin/x HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(
        ask(&Scripts, request).0,
        "HTTP/1.0 500 CGI script cannot be run"
    );
}

#[test]
fn a_script_need_not_read_its_content() {
    let request = b"POST /cgi-bin/deaf HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi";
    let (status, content) = ask(&Scripts, request);
    assert_eq!(
        (&*status, &*content),
        ("HTTP/1.0 200 Script output follows", "deaf")
    );
}

#[test] // RFC 3875 §6.3.4: what concerns the connection is not for scripts
fn a_script_does_not_frame_its_reply() {
    let (status, content) = ask(&Scripts, b"GET /cgi-bin/framed HTTP/1.0\r\n\r\n");
    assert_eq!(
        (&*status, &*content),
        ("HTTP/1.0 200 Script output follows", "hi")
    );
}

#[test] // RFC 3875 §6.3.3: a script has one reply, the final one
fn a_script_sends_no_interim_reply() {
    assert_eq!(
        status("interim"),
        "HTTP/1.0 500 CGI script sent a bad status"
    );
}

#[test] // RFC 3875 §6.3.3: a status is three digits
fn a_script_sends_no_status_with_a_sign_or_a_leading_zero() {
    for name in ["signed", "padded"] {
        assert_eq!(status(name), "HTTP/1.0 500 CGI script sent a bad status");
    }
}

#[test]
fn the_log_names_a_script_that_sends_less_than_it_announced() {
    let request = b"GET /cgi-bin/short/info HTTP/1.0\r\n\r\n";
    let (said, log) = run(Cgi::new("site.example", 80), &Scripts, request);
    assert!(said.ends_with("Content-Length: 9\r\n\r\nhi"), "{said}");
    let words = "The script for '/cgi-bin/short/info' ended after 2 of 9 announced bytes\n";
    assert!(log.ends_with(words), "{log}");
}

#[test]
fn a_header_has_a_limit() {
    assert_eq!(
        status("long"),
        "HTTP/1.0 500 CGI script sent a header that is too long"
    );
}

#[test] // RFC 3875 §6.3.3: the phrase may be left out
fn a_status_without_a_phrase_gets_its_own() {
    let (status, content) = ask(&Scripts, b"GET /cgi-bin/bare HTTP/1.0\r\n\r\n");
    assert_eq!((&*status, &*content), ("HTTP/1.0 404 Not Found", "gone"));
}

/// The same scripts on a case-insensitive file system, which also has a few other names for them.
struct Folding;

impl FileSystem for Folding {
    type File = Vec<u8>;

    fn open(&self, path: &Path) -> Result<Opened<Vec<u8>>, FsError> {
        let Ok(text) = std::str::from_utf8(path.as_bytes()) else {
            return Err(FsError::NotFound);
        };
        let text: String = text.chars().filter(|&char| char != '\u{200C}').collect();
        let text = text.to_lowercase().replace('ſ', "s");
        match text.as_str() {
            "" | "cgi-bin" | "sub" | "sub/scripts" => Ok(Opened::Directory),
            "cgi-bin/a.sh" | "sub/scripts/a.sh" | "other/a.sh" => Ok(Opened::File {
                file: b"SOURCE".to_vec(),
                meta: Meta::new(6).with_executable(true),
                sendable: false,
            }),
            _ => Err(FsError::NotFound),
        }
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        Ok(Arc::default())
    }

    fn read(&self, file: &mut Vec<u8>, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        Scripts.read(file, at, into)
    }

    fn run(&self, _: &CgiScript) -> Result<Opened<Vec<u8>>, FsError> {
        Ok(Opened::Process(b"\nran".to_vec()))
    }

    fn archive(&self, _: &ArchiveRequest) -> Result<Opened<Vec<u8>>, FsError> {
        self.open(&Path::parse("/cgi-bin/a.sh").unwrap())
    }
}

/// Scripts in two directories, archives, and a page for missing files.
fn folding() -> Cgi {
    let mut cgi = Cgi::new("site.example", 80);
    cgi.settings_mut().cgi_directories = vec!["/cgi-bin".into(), "sub/scripts/".into()];
    cgi.files.settings_mut().archive = Arc::new(Download::parse);
    cgi
}

fn ask_folding(handler: Cgi, method: &str, target: &str) -> (String, String) {
    let request = format!("{method} {target} HTTP/1.0\r\nAccept: text/html\r\n\r\n");
    ask_with(handler, &Folding, request.as_bytes())
}

#[test]
fn a_script_directory_in_another_case_is_404_for_every_request() {
    let directories = [
        "/CGI-BIN",
        "/Cgi-Bin",
        "//x/../cGI-bin",
        "/%43gi-bin",
        "/cgi-b%C4%B1n",
        "/cg%E2%80%8Ci-bin",
        "/Sub/scripts",
        "/sub/SCRIPTS",
        "/sub/%C5%BFcripts",
    ];
    for directory in directories {
        for rest in ["", "/", "/a.sh", "/a.sh/info", "/A.SH?x", "/?zip", "/?tar"] {
            for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
                let target = format!("{directory}{rest}");
                let (status, content) = ask_folding(folding(), method, &target);
                assert_eq!(
                    status, "HTTP/1.0 404 File not found",
                    "{method} {target}: {content}"
                );
            }
        }
    }
}

#[test]
fn an_archive_of_a_directory_above_scripts_is_refused_in_any_case() {
    for target in ["/?zip", "/sub/?tar", "/SUB/?zip", "/%C5%BFub/?zip"] {
        let (status, _) = ask_folding(folding(), "GET", target);
        let wanted = "HTTP/1.0 403 The directory contains CGI scripts";
        assert_eq!(status, wanted, "{target}");
    }
}

#[test]
fn scripts_run_and_other_names_are_served_beside_a_script_directory() {
    let ran = |target| ask_folding(folding(), "GET", target).1 == "ran";
    assert!(ran("/cgi-bin/a.sh") && ran("/sub/scripts/a.sh") && ran("/cgi-bin/A.SH"));
    let (status, content) = ask_folding(folding(), "GET", "/other/a.sh");
    assert_eq!(
        (status.as_str(), content.as_str()),
        ("HTTP/1.0 200 OK", "SOURCE")
    );
    let (status, _) = ask_folding(folding(), "GET", "/cgi-bin");
    assert_eq!(status, "HTTP/1.0 301 Moved Permanently");
    let variant = |target| folding().is_case_variant(&Path::parse(target).unwrap());
    for target in [
        "/",
        "/cgi-bin",
        "/cgi-bin2/",
        "/CGI-BIN2",
        "/cgi",
        "/sub",
        "/SUB/x",
    ] {
        assert!(!variant(target), "{target}");
    }
}

#[test]
fn a_target_that_is_translated_into_a_script_directory_is_404() {
    let mut cgi = folding();
    cgi.files.settings_mut().translate_path =
        Arc::new(|target| Path::parse(target.strip_prefix("/files")?));
    for target in ["/files/cgi-bin/a.sh", "/files/CGI-BIN/a.sh"] {
        let (status, _) = ask_folding(cgi.clone(), "GET", target);
        assert_eq!(status, "HTTP/1.0 404 File not found", "{target}");
    }
    let (_, content) = ask_folding(cgi, "GET", "/files/other/a.sh");
    assert_eq!(content, "SOURCE");
}

/// A file system with a directory under every name, which counts the requests.
struct Bottomless(std::cell::Cell<usize>);

impl FileSystem for Bottomless {
    type File = Vec<u8>;

    fn open(&self, _: &Path) -> Result<Opened<Vec<u8>>, FsError> {
        self.0.set(self.0.get() + 1);
        Ok(Opened::Directory)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        Scripts.list(path)
    }

    fn read(&self, file: &mut Vec<u8>, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        Scripts.read(file, at, into)
    }
}

#[test]
fn the_search_for_a_script_has_a_depth_limit() {
    let fs = Bottomless(std::cell::Cell::new(0));
    let request = format!("GET /cgi-bin{} HTTP/1.0\r\n\r\n", "/a".repeat(10_000));
    let (status, _) = ask(&fs, request.as_bytes());
    assert!(
        status.starts_with("HTTP/1.0 404 No such CGI script"),
        "{status}"
    );
    assert_eq!(fs.0.get(), 64, "that many directories are asked for");
}

#[test] // Each used to be written separately: a system call and a thread switch for each byte.
fn small_chunks_are_collected_before_they_are_written() {
    let (chunks, mut given, mut content) = (20_000, 0, Vec::new());
    let large = "y".repeat(10_000);
    let mut request =
        "POST /cgi-bin/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".to_string();
    request += &"1\r\nx\r\n".repeat(chunks / 2);
    request += &format!("{:x}\r\n{large}\r\n", large.len());
    request += &"1\r\nx\r\n".repeat(chunks / 2);
    request += "0\r\n\r\n";
    let config = Config::default().with_protocol(Protocol::Http11);
    let mut conn = Connection::new(config, "192.0.2.1", Cgi::new("site.example", 80));
    let (mut rest, mut got) = (request.as_bytes(), Got::Nothing);
    while given == 0 || content.len() < chunks + large.len() {
        got = match conn.step(Now::default(), got).want {
            Want::Read(into) => {
                let n = rest.len().min(into.len());
                into[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                Got::Bytes(n)
            }
            Want::WriteFile { from, .. } => {
                // Accepts part of it at a time.
                let n = from.len().div_ceil(2).max(3_000).min(from.len());
                given += 1;
                content.extend_from_slice(&from[..n]);
                Got::Bytes(n)
            }
            Want::Ask(ask) => Scripts.answer(ask),
            Want::Log(_) => Got::Nothing,
            want => panic!("{want:?}"),
        };
        assert!(conn.allocated() < 200_000, "{}", conn.allocated());
    }
    let x = "x".repeat(chunks / 2);
    assert!(content == format!("{x}{large}{x}").into_bytes());
    assert!(given < 25, "it was passed on in {given} pieces");
}

#[test]
fn content_that_a_script_no_longer_accepts_is_offered_once() {
    let (len, mut offered) = (100_000, 0);
    let mut request = format!("POST /cgi-bin/a HTTP/1.0\r\nContent-Length: {len}\r\n\r\n");
    request += &"x".repeat(len);
    // Pieces of a quarter of the outbox are written without being collected.
    let mut config = Config::default();
    config.limits.outbox = 1024;
    let mut conn = Connection::new(config, "192.0.2.1", Cgi::new("site.example", 80));
    let (mut rest, mut got) = (request.as_bytes(), Got::Nothing);
    loop {
        got = match conn.step(Now::default(), got).want {
            Want::Read(into) => {
                let n = rest.len().min(into.len());
                into[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                Got::Bytes(n)
            }
            Want::WriteFile { from, .. } => {
                offered += from.len();
                assert!(offered <= len, "bytes are offered again");
                Got::Bytes(0)
            }
            Want::Ask(ask) => Scripts.answer(ask),
            // Its output is the reply.
            Want::ReadFile { .. } => break,
            want => panic!("{want:?}"),
        };
    }
    assert!(rest.is_empty() && offered > 0);
}

/// A file system with too many running scripts, which is noticed when one is prepared or when it is started.
struct Busy {
    at_once: bool,
}

impl FileSystem for Busy {
    type File = Vec<u8>;

    fn open(&self, path: &Path) -> Result<Opened<Vec<u8>>, FsError> {
        Scripts.open(path)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        Scripts.list(path)
    }

    fn read(&self, _: &mut Vec<u8>, _: u64, _: &mut [u8]) -> Result<usize, FsError> {
        Err(FsError::Io)
    }

    fn run(&self, script: &CgiScript) -> Result<Opened<Vec<u8>>, FsError> {
        if self.at_once {
            return Err(FsError::TooMany);
        }
        Scripts.run(script)
    }

    fn fill(&self, _: &mut Vec<u8>, _: u64, _: &mut [u8]) -> Got<Vec<u8>> {
        Got::Refused(FsError::TooMany)
    }
}

#[test]
fn too_many_scripts_are_a_503() {
    for at_once in [true, false] {
        let (status, _) = ask(&Busy { at_once }, b"GET /cgi-bin/a HTTP/1.0\r\n\r\n");
        assert_eq!(status, "HTTP/1.0 503 Too many CGI scripts are running");
    }
}
