//! The fuzz target for upload forms. Checks that the stored files and the reply do not depend on how a form is divided,
//! that the files are in the target directory under valid names, and that their content is part of the form.
//!
//! The first byte of the input is the length of the pieces.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use sanserve_core::{
    Config, Connection, Create, Entries, FileSystem, FsError, Got, Now, Opened, Path, Protocol,
    Upload, Want,
};

/// The stored files, by path.
type Stored = BTreeMap<Vec<u8>, Vec<u8>>;

/// Checks one form.
pub fn check(data: &[u8]) {
    let Some((&piece, form)) = data.split_first() else {
        return;
    };
    let whole = send(form, usize::MAX);
    assert_eq!(whole, send(form, 1 + usize::from(piece)), "in pieces");
    assert_eq!(whole, send(form, 1), "byte by byte");
    for (name, content) in whole.1 {
        let name = name
            .strip_prefix(b"d/")
            .expect("the file is in the directory");
        assert!(Path::is_name(name) && !name.starts_with(b"."), "{name:?}");
        let contains = |part: &[u8]| form.windows(part.len().max(1)).any(|at| at == part);
        assert!(content.is_empty() || contains(&content), "{content:?}");
    }
}

/// Sends a form. Returns the reply and the stored files.
fn send(form: &[u8], piece: usize) -> (String, Stored) {
    let len = form.len();
    let head = format!(
        "POST /d/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {len}\r\n\
         Content-Type: multipart/form-data; boundary=b-b\r\n\r\n"
    );
    let input = [head.as_bytes(), form].concat();
    let config = Config::default().with_protocol(Protocol::Http11);
    let directory = UploadDirectory::default();
    let mut conn = Connection::new(config, "192.0.2.1", Upload::new());
    let (mut rest, mut reply, mut got) = (&input[..], Vec::new(), Got::Nothing);
    loop {
        got = match conn.step(Now::default(), got).want {
            Want::Read(into) => {
                let n = rest.len().min(into.len()).min(piece);
                into[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                Got::Bytes(n)
            }
            Want::Write(from) => {
                reply.extend_from_slice(from);
                Got::Bytes(from.len())
            }
            Want::WriteFile { file, from } => directory.answer_write(file, from),
            Want::Commit { file } => Got::Committed(directory.commit(file)),
            Want::Wait | Want::Upgrade => unreachable!("nothing here waits"),
            Want::Ask(ask) => directory.answer(ask),
            Want::Log(_) | Want::Shutdown => Got::Nothing,
            Want::ReadFile { .. } | Want::Copy { .. } => unreachable!("nothing is read"),
            Want::Close => break,
        };
    }
    (reply.escape_ascii().to_string(), directory.0.into_inner())
}

/// A file system with a directory `d`, to which files are uploaded.
#[derive(Default)]
struct UploadDirectory(RefCell<Stored>);

impl FileSystem for UploadDirectory {
    /// The path and content of a file that is being created.
    type File = (Vec<u8>, Vec<u8>);

    fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError> {
        match path.as_bytes() {
            b"d" => Ok(Opened::Directory),
            name if self.0.borrow().contains_key(name) => Err(FsError::Forbidden),
            _ => Err(FsError::NotFound),
        }
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        Err(FsError::NotFound)
    }

    fn read(&self, _: &mut Self::File, _: u64, _: &mut [u8]) -> Result<usize, FsError> {
        Err(FsError::Io)
    }

    fn create(&self, create: &Create) -> Result<Opened<Self::File>, FsError> {
        let name = create.path.as_bytes().to_vec();
        Ok(Opened::Writer((name, Vec::new())))
    }

    fn write(&self, (_, content): &mut Self::File, bytes: &[u8]) -> Result<usize, FsError> {
        content.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn commit(&self, (name, content): &mut Self::File) -> Result<(), FsError> {
        self.0.borrow_mut().insert(name.clone(), content.clone());
        Ok(())
    }
}

/// Edge cases of the grammar.
pub fn seeds() -> Vec<Vec<u8>> {
    let part = |disposition: &str, content: &str| {
        let head = format!("--b-b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
        [head.as_str(), content, "\r\n"].concat()
    };
    let file = |name: &str, content: &str| part(&format!("filename=\"{name}\""), content);
    let end = "--b-b--\r\n".to_string();
    let long = "x\r\n--b-\r\n--b".repeat(6000);
    let forms = [
        file("a", "hello") + &file("b", "") + &part("name=c", "d") + &end,
        file("C:\\\\d\\e%22\\\"f", "\r\n--b-") + "--b-b--behind" + &file("g", "h"),
        "before\r\n".to_string() + &file("a", &long) + &end,
        file("../..", "x") + &file("", "") + &end,
        file(".hidden", "x") + &end,
        file("a", "--b-b") + "--b-b \t\r\n\r\nx\r\n" + &end,
        file("a", "1") + &file("a", "2") + &end,
        file("a", "1\r\n--b-bx") + &end,
        part(&format!("x={}", "y".repeat(16_400)), "z") + &end,
        file("a", "cut off"),
        end.clone(),
        part("filename=a; filename*=utf-8''%C3%BC", "x") + &part("filename*=x'%", "y") + &end,
        part("filename=\"=?utf-8?B?YQ==?= =?iso-8859-1?q?=FC?=\"", "x") + &end,
        part("name=f;\r\n\tfilename=a", "x") + &end,
    ];
    let forms = forms.iter().zip(2..);
    forms
        .map(|(form, piece)| [&[piece], form.as_bytes()].concat())
        .collect()
}
