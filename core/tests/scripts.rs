//! Scripts that misbehave, and file systems on which they cannot be run.

use std::sync::Arc;

use sanserve_core::{
    Cgi, Config, Connection, Entries, FileSystem, FsError, Got, Meta, Now, Opened, Path, Program,
    Want,
};

/// Scripts by name. An open one is what it has left to say.
struct Scripts;

impl FileSystem for Scripts {
    type File = Vec<u8>;

    fn open(&self, path: &Path) -> Result<Opened<Vec<u8>>, FsError> {
        let executable = match path.file_name() {
            b"cgi-bin" => return Ok(Opened::Directory),
            b"fifo" => return Err(FsError::NotPlain),
            b"secret" => return Err(FsError::Forbidden),
            name => !name.starts_with(b"data"),
        };
        let meta = Meta {
            len: 0,
            modified: None,
            version: None,
            executable,
        };
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

    fn run(&self, program: &Program) -> Result<Opened<Vec<u8>>, FsError> {
        Ok(Opened::Program(match program.path.file_name() {
            b"broken" => return Err(FsError::Broken),
            b"deaf" => b"\ndeaf".to_vec(),
            b"framed" => b"Transfer-Encoding: chunked\nTE: x\n\nhi".to_vec(),
            b"interim" => b"Status: 103 Early Hints\n\nhi".to_vec(),
            b"long" => vec![b'x'; 70_000],
            b"bare" => b"Status: 404\n\ngone".to_vec(),
            _ => b"\nhello".to_vec(),
        }))
    }

    fn give(&self, file: &mut Vec<u8>, _: &[u8]) -> Got<Vec<u8>> {
        if file.ends_with(b"deaf") {
            Got::Bytes(0)
        } else {
            Got::Failed
        }
    }
}

/// A file system that runs nothing.
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

/// The status line that answers this request, and the content.
fn ask(fs: &impl FileSystem<File = Vec<u8>>, mut request: &[u8]) -> (String, String) {
    let mut conn = Connection::new(Config::default(), "192.0.2.1", Cgi::new("site.example", 80));
    let (mut said, mut got, mut closed) = (String::new(), Got::Nothing, false);
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
            Want::Fill { file, at, into } => fs.fill(file, at, into),
            Want::Give { file, from } => fs.give(file, from),
            Want::Ask(ask) => fs.answer(ask),
            Want::Copy { .. } => unreachable!("no file is sendable"),
            Want::Log(_) | Want::Shutdown => Got::Nothing,
            Want::Close => {
                closed = true;
                break;
            }
        };
    }
    assert!(closed, "it comes to no end");
    let (head, content) = said.split_once("\r\n\r\n").expect("a head");
    let status = head.lines().next().expect("a status line");
    (status.into(), content.into())
}

fn status(name: &str) -> String {
    let request = format!("GET /cgi-bin/{name} HTTP/1.0\r\n\r\n");
    ask(&Scripts, request.as_bytes()).0
}

#[test]
fn what_is_no_script_is_refused_as_cpython_does() {
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
fn a_name_is_quoted_as_python_does() {
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
    assert!(matches!(NoScripts.give(&mut Vec::new(), b"x"), Got::Failed));
}

#[test]
fn a_script_that_cannot_be_given_its_content_is_a_500() {
    let request = b"POST /cgi-bin/x HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(
        ask(&Scripts, request).0,
        "HTTP/1.0 500 The program takes no content"
    );
}

#[test]
fn a_script_need_not_take_its_content() {
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

#[test]
fn a_header_has_a_limit() {
    assert_eq!(
        status("long"),
        "HTTP/1.0 500 CGI script sent too long a header"
    );
}

#[test] // RFC 3875 §6.3.3: the phrase may be left out
fn a_status_without_a_phrase_gets_its_own() {
    let (status, content) = ask(&Scripts, b"GET /cgi-bin/bare HTTP/1.0\r\n\r\n");
    assert_eq!((&*status, &*content), ("HTTP/1.0 404 Not Found", "gone"));
}
