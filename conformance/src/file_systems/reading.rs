//! Checks of opening, reading and listing.

use std::any::Any;
use std::collections::BTreeMap;

use sanserve_core::{ArchiveFormat, ArchiveRequest, Ask, FileSystem, FsError, Got, Opened};

use super::check::{FsCheck, Listed};
use super::subject::{Problem, Subject, equal, join, same_bytes, show, split, summary, to_path};
use crate::Entry;

pub(super) fn checks<F: FileSystem>() -> Vec<Listed<F>> {
    let listed = |check, run| Listed { check, run };
    let mut archives = FsCheck::new("reading/an archive");
    archives.archives = true;
    vec![
        listed(FsCheck::new("reading/files"), files),
        listed(FsCheck::new("reading/at any offset"), offsets),
        listed(FsCheck::new("reading/two open files"), two_open_files),
        listed(FsCheck::new("reading/directories"), directories),
        listed(FsCheck::new("reading/missing names"), missing_names),
        listed(FsCheck::new("reading/listings"), listings),
        listed(FsCheck::new("reading/listings of other names"), no_listings),
        listed(
            FsCheck::new("reading/an empty directory").directory("deep/void"),
            empty_directory,
        ),
        listed(FsCheck::new("reading/by descriptor"), system_files),
        listed(
            FsCheck::new("reading/a file that is opened again"),
            reopened,
        ),
        listed(FsCheck::new("reading/after eviction"), eviction),
        listed(archives, archive),
    ]
}

/// Returns the paths and contents of the files of the site, with their modification times.
fn site_files<F: FileSystem>(subject: &Subject<F>) -> Vec<(&[u8], &[u8], i64)> {
    let entries = subject.site.entries.iter();
    let files = entries.filter_map(|entry| match entry {
        Entry::File {
            path,
            body,
            modified,
            ..
        } => Some((&path[..], &body[..], modified.0)),
        _ => None,
    });
    files.collect()
}

fn files<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for (path, body, modified) in site_files(subject) {
        let (_, first) = subject.file(path)?;
        let (_, second) = subject.file(path)?;
        equal(&format!("what is known of {}", show(path)), &second, &first)?;
        // It is rounded down, also before 1970.
        if let Some(found) = first.modified {
            equal(
                &format!("the modification time of {}", show(path)),
                &found,
                &modified,
            )?;
        }
        equal(
            &format!("whether {} is executable", show(path)),
            &first.executable,
            &false,
        )?;
        subject.has(path, body)?;
    }
    Ok(())
}

fn offsets<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let expected = &super::check::noise(100_003)[..];
    let mut file = subject.file(b"large")?.0;
    for at in [70_000, 0, 100_002, 1, 65_535, 65_536, 4096, 99_000, 12_345] {
        for len in [1, 3, 1000, 65_536] {
            let mut piece = vec![0; len];
            let n = subject.read(&mut file, at as u64, &mut piece)?;
            if n == 0 {
                return Err(format!(
                    "a read at {at} of {} bytes returns 0",
                    expected.len()
                ));
            }
            let end = (at + n).min(expected.len());
            same_bytes(&format!("a read at {at}"), &piece[..n], &expected[at..end])?;
        }
    }
    for at in [100_003, 100_004, 1 << 40] {
        let n = subject.read(&mut file, at, &mut [0; 10])?;
        equal(
            &format!("the count of a read at {at}, past the end,"),
            &n,
            &0,
        )?;
    }
    Ok(())
}

fn two_open_files<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let mut files = [
        (subject.file(b"a.txt")?.0, &b"hello\n"[..]),
        (subject.file(b"b.txt")?.0, b"other\n"),
        (subject.file(b"a.txt")?.0, b"hello\n"),
    ];
    for at in 0..6 {
        for (file, expected) in &mut files {
            let mut byte = [0];
            subject.read(file, at as u64, &mut byte)?;
            same_bytes(
                "a byte of one of several open files",
                &byte,
                &expected[at..=at],
            )?;
        }
    }
    Ok(())
}

fn directories<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for path in [&b""[..], b"deep", b"deep/er"] {
        let found = summary(&subject.open(path)?);
        equal(&show(path), &found, &"a directory".to_owned())?;
    }
    Ok(())
}

fn missing_names<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let missing = [
        &b"missing"[..],
        b"missing/a.txt",
        b"deep/missing",
        b"deep/er/missing/leaf",
        // Below a file, and the beginning or a continuation of a name.
        b"a.txt/b.txt",
        b"a.txt/b/c",
        b"dee",
        b"deep/e",
        b"a.tx",
        b"a.txt.txt",
        b"deepe",
    ];
    missing
        .into_iter()
        .try_for_each(|path| subject.fails(path, &[FsError::NotFound]))
}

fn listings<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for directory in [&b""[..], b"deep", b"deep/er"] {
        let inside = subject.site.entries.iter();
        let inside = inside.filter(|entry| split(entry.path()).0 == directory);
        let expected: BTreeMap<_, _> = inside.map(|entry| (entry.path().to_vec(), entry)).collect();
        let names = subject.names(directory)?;
        let names: Vec<_> = names.iter().map(|name| join(directory, name)).collect();
        let subject_name = format!("the listing of {}", show(directory));
        let lines = |paths: Vec<&Vec<u8>>| -> Vec<String> {
            paths.into_iter().map(|path| show(path)).collect()
        };
        equal(
            &subject_name,
            &lines(names.iter().collect()),
            &lines(expected.keys().collect()),
        )?;
        let entries = subject.list(directory)?;
        let entries = entries.map_err(|error| format!("{subject_name}: {error:?}"))?;
        for found in entries.iter() {
            let path = join(directory, found.name);
            let (is_directory, body, modified) = match expected[&path] {
                Entry::File { body, modified, .. } => (false, body.len() as u64, modified.0),
                _ => (true, 0, 0),
            };
            let listed = format!("{subject_name}: {}", show(&path));
            let flags = (found.directory, found.link, found.unavailable);
            equal(
                &format!("{listed} (directory, link, unavailable)"),
                &flags,
                &(is_directory, false, false),
            )?;
            if !is_directory {
                equal(
                    &format!("{listed}: the length"),
                    &found.len.unwrap_or(body),
                    &body,
                )?;
                equal(
                    &format!("{listed}: the time"),
                    &found.modified.unwrap_or(modified),
                    &modified,
                )?;
            }
        }
    }
    Ok(())
}

fn no_listings<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for path in [&b"missing"[..], b"deep/missing", b"a.txt/b", b"dee"] {
        let error = subject.list(path)?.err();
        equal(
            &format!("listing {}", show(path)),
            &error,
            &Some(FsError::NotFound),
        )?;
    }
    match subject.list(b"a.txt")? {
        Err(_) => Ok(()),
        Ok(_) => Err("a file can be listed".into()),
    }
}

fn empty_directory<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let found = summary(&subject.open(b"deep/void")?);
    equal("an empty directory", &found, &"a directory".to_owned())?;
    let names = subject.names(b"deep/void")?;
    equal(
        "the number of names in an empty directory",
        &names.len(),
        &0,
    )
}

fn system_files<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for (path, body, _) in site_files(subject) {
        let Ok(Opened::File {
            mut file,
            sendable: true,
            ..
        }) = subject.open(path)?
        else {
            continue;
        };
        // It may have no object of the system, and then the adapter reads it.
        if let Some(found) = subject.fs.system_file(&mut file) {
            let sent = read_object(found)?;
            same_bytes(
                &format!("the descriptor of {}", show(path)),
                &sent.unwrap_or(body.into()),
                body,
            )?;
        }
        // Sending it does not move the position of reads.
        same_bytes(&show(path), &subject.content(&mut file)?, body)?;
    }
    Ok(())
}

/// Reads an object of the system from its beginning. Returns `None` if adapters do not know its type.
fn read_object(object: &mut dyn Any) -> Result<Option<Vec<u8>>, Problem> {
    #[cfg(unix)]
    {
        use std::fs::File;
        use std::os::fd::OwnedFd;
        use std::os::unix::fs::FileExt;

        let file = match (
            object.downcast_ref::<File>(),
            object.downcast_ref::<OwnedFd>(),
        ) {
            (Some(file), _) => file.try_clone(),
            (_, Some(descriptor)) => descriptor.try_clone().map(File::from),
            _ => return Ok(None),
        };
        let read = || -> std::io::Result<Vec<u8>> {
            let file = file?;
            let (mut bytes, mut piece) = (Vec::new(), [0; 65_536]);
            loop {
                match file.read_at(&mut piece, bytes.len() as u64)? {
                    0 => return Ok(bytes),
                    n => bytes.extend(&piece[..n]),
                }
            }
        };
        read()
            .map(Some)
            .map_err(|error| format!("a descriptor cannot be read: {error}"))
    }
    #[cfg(not(unix))]
    {
        let _ = object;
        Ok(None)
    }
}

fn reopened<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for (path, body, _) in site_files(subject) {
        let (mut file, meta) = subject.file(path)?;
        // The first one is read in part.
        subject.read(&mut file, 0, &mut [0; 3])?;
        match subject.fs.reopen(&file) {
            None => {}
            Some(Opened::File {
                file: mut again,
                meta: other,
                ..
            }) => {
                equal(&format!("what is known of {}", show(path)), &other, &meta)?;
                drop(file);
                same_bytes(
                    &format!("{}, opened again,", show(path)),
                    &subject.content(&mut again)?,
                    body,
                )?;
            }
            Some(_) => return Err(format!("{} is opened again as another object", show(path))),
        }
    }
    Ok(())
}

fn eviction<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let mut open = subject.file(b"large")?.0;
    for _ in 0..4 {
        subject.fs.evict_idle();
        subject.has(b"a.txt", b"hello\n")?;
        subject.names(b"")?;
    }
    same_bytes(
        "an open file",
        &subject.content(&mut open)?,
        &super::check::noise(100_003),
    )
}

fn archive<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let request = |path: &[u8]| {
        let (path, format, hidden) = (to_path(path), ArchiveFormat::Tar, false);
        Ask::Archive(Box::new(ArchiveRequest {
            path,
            format,
            hidden,
        }))
    };
    let Got::Opened(opened) = subject.ask(&request(b"deep"))? else {
        return Err("the answer to `Archive` is that to another question".into());
    };
    let Ok(Opened::File { mut file, meta, .. }) = opened else {
        return Err(format!("an archive is {}", summary(&opened)));
    };
    let tar = read_archive(subject, &mut file)?;
    equal("the length of an archive", &(tar.len() as u64), &meta.len)?;
    for text in ["deep/a.txt", "another a.txt", "deep/er/leaf"] {
        let found = tar
            .windows(text.len())
            .any(|bytes| bytes == text.as_bytes());
        equal(&format!("whether {text:?} is in an archive"), &found, &true)?;
    }
    match subject.ask(&request(b"missing"))? {
        Got::Opened(Err(FsError::NotFound)) => Ok(()),
        _ => Err("an archive of a missing directory is opened, or fails with another error".into()),
    }
}

/// Reads an archive from its beginning to its end.
fn read_archive<F: FileSystem>(
    subject: &Subject<F>,
    file: &mut F::File,
) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 1000];
        match subject.fs.fill(file, bytes.len() as u64, &mut piece) {
            Got::Bytes(0) => return Ok(bytes),
            Got::Bytes(n) => bytes.extend(&piece[..n]),
            Got::Working | Got::Nothing => {}
            _ => return Err("an archive cannot be read".into()),
        }
    }
}
