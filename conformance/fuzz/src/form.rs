//! A form with files: however it is cut, the same is stored and said; and what is stored has a name that
//! can be asked for, in the directory that it was sent to, and is somewhere in the form as it stands.
//!
//! The first byte of the input says in what pieces it comes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use sanserve_core::{
    Config, Connection, Create, Entries, FileSystem, FsError, Got, Now, Opened, Path, Protocol,
    Upload, Want,
};

/// What is stored, by its name below the root.
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
        let name = name.strip_prefix(b"d/").expect("it is in the directory");
        assert!(Path::is_name(name) && !name.starts_with(b"."), "{name:?}");
        let is_there = |part: &[u8]| form.windows(part.len().max(1)).any(|at| at == part);
        assert!(content.is_empty() || is_there(&content), "{content:?}");
    }
}

/// What is said, and what is stored.
fn send(form: &[u8], piece: usize) -> (String, Stored) {
    let len = form.len();
    let head = format!(
        "POST /d/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {len}\r\n\
         Content-Type: multipart/form-data; boundary=b-b\r\n\r\n"
    );
    let input = [head.as_bytes(), form].concat();
    let config = Config::default().with_protocol(Protocol::Http11);
    let shelf = Shelf::default();
    let mut conn = Connection::new(config, "192.0.2.1", Upload::new());
    let (mut rest, mut said, mut got) = (&input[..], Vec::new(), Got::Nothing);
    loop {
        got = match conn.step(Now::default(), got).want {
            Want::Read(into) => {
                let n = rest.len().min(into.len()).min(piece);
                into[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                Got::Bytes(n)
            }
            Want::Write(from) => {
                said.extend_from_slice(from);
                Got::Bytes(from.len())
            }
            Want::WriteFile { file, from } => shelf.answer_write(file, from),
            Want::Commit { file } => Got::Committed(shelf.commit(file)),
            Want::Wait | Want::Upgrade => unreachable!("nothing here waits"),
            Want::Ask(ask) => shelf.answer(ask),
            Want::Log(_) | Want::Shutdown => Got::Nothing,
            Want::ReadFile { .. } | Want::Copy { .. } => unreachable!("nothing is read"),
            Want::Close => break,
        };
    }
    (said.escape_ascii().to_string(), shelf.0.into_inner())
}

/// An empty directory `d`, and what is stored in it.
#[derive(Default)]
struct Shelf(RefCell<Stored>);

impl FileSystem for Shelf {
    /// What is being made.
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

/// Forms at the edges of the grammar.
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
