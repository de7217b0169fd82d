//! Checks of files that are created in place of others.

use sanserve_core::{Create, FileSystem, FileVersion, FsError, Meta};

use super::check::{FsCheck, Listed, noise};
use super::subject::{Problem, Subject, equal, replacing, same_bytes};

pub(super) fn checks<F: FileSystem>() -> Vec<Listed<F>> {
    let listed = |name, run| Listed {
        check: FsCheck::storing(name),
        run,
    };
    vec![
        listed("replacing/a file", a_file),
        listed("replacing/a longer file", a_longer_file),
        listed("replacing/a file that is open", an_open_file),
        listed("replacing/an older version", an_older_version),
        listed("replacing/one file twice at once", twice),
        listed("replacing/a missing file", a_missing_file),
        listed("replacing/a directory", a_directory),
        listed("replacing/without a commit", without_a_commit),
        listed("replacing/versions", versions),
    ]
}

/// Replaces a file as it is.
fn replace<F: FileSystem>(subject: &Subject<F>, path: &[u8], bytes: &[u8]) -> Result<(), Problem> {
    let meta = subject.file(path)?.1;
    subject.store(replacing(path, meta), bytes)?;
    subject.has(path, bytes)
}

fn a_file<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for content in [&b"first"[..], b"", b"a longer text", &noise(70_000)] {
        replace(subject, b"a.txt", content)?;
        replace(subject, b"deep/er/leaf", content)?;
    }
    subject.has(b"deep/a.txt", b"another a.txt")?;
    equal(
        "the number of entries",
        &subject.tree()?.len(),
        &subject.site.entries.len(),
    )
}

fn a_longer_file<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    replace(subject, b"large", b"short")
}

/// A file that is open keeps the content and the length that it had.
fn an_open_file<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let (mut before, meta) = subject.file(b"large")?;
    let mut piece = [0; 10];
    subject.read(&mut before, 0, &mut piece)?;
    replace(subject, b"large", &noise(200_000)[100_003..])?;
    let content = subject.content(&mut before)?;
    equal(
        "the length of a file when it was opened",
        &(content.len() as u64),
        &meta.len,
    )?;
    same_bytes("a file that was opened before", &content, &noise(100_003))
}

fn an_older_version<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for path in [&b"a.txt"[..], b"large"] {
        let old = subject.file(path)?.1;
        let mut begun = subject.begin(replacing(path, old), b"began with the old one")?;
        replace(subject, path, b"replaced meanwhile")?;
        // Whether it was begun before or is begun now.
        let committed = subject.fs.commit(&mut begun);
        equal("the answer to `Commit`", &committed, &Err(FsError::Exists))?;
        drop(begun);
        subject.refuses(&replacing(path, old), &[FsError::Exists])?;
        subject.has(path, b"replaced meanwhile")?;
    }
    // Another length is enough, whatever else is known.
    let now = subject.file(b"b.txt")?.1;
    let other = Meta::new(now.len + 1)
        .with_modified(now.modified)
        .with_version(now.version);
    subject.refuses(&replacing(b"b.txt", other), &[FsError::Exists])
}

fn twice<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let meta = subject.file(b"a.txt")?.1;
    let mut first = subject.begin(replacing(b"a.txt", meta), b"first!")?;
    let mut second = subject.begin(replacing(b"a.txt", meta), b"second")?;
    subject.has(b"a.txt", b"hello\n")?;
    equal(
        "the answer to the first `Commit`",
        &subject.fs.commit(&mut second),
        &Ok(()),
    )?;
    let other = subject.fs.commit(&mut first);
    equal(
        "the answer to the second `Commit`",
        &other,
        &Err(FsError::Exists),
    )?;
    drop((first, second));
    subject.has(b"a.txt", b"second")?;
    equal(
        "the number of entries",
        &subject.tree()?.len(),
        &subject.site.entries.len(),
    )
}

fn a_missing_file<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let meta = subject.file(b"a.txt")?.1;
    for directories_max in [0, 2] {
        for path in [&b"missing"[..], b"missing/a.txt"] {
            let create = Create {
                directories_max,
                ..replacing(path, meta)
            };
            subject.refuses(&create, &[FsError::Exists, FsError::NotFound])?;
        }
    }
    Ok(())
}

fn a_directory<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let meta = subject.file(b"a.txt")?.1;
    for path in [&b"deep"[..], b"deep/er", b""] {
        subject.refuses(
            &replacing(path, meta),
            &[FsError::NotRegularFile, FsError::Exists],
        )?;
    }
    Ok(())
}

fn without_a_commit<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    subject.unchanged(|| {
        let meta = subject.file(b"a.txt")?.1;
        let file = subject.begin(replacing(b"a.txt", meta), b"never committed")?;
        subject.has(b"a.txt", b"hello\n")?;
        equal(
            "what is known of a file meanwhile",
            &subject.file(b"a.txt")?.1,
            &meta,
        )?;
        drop(file);
        subject.has(b"a.txt", b"hello\n")
    })
}

/// No two contents of a file have the same settled version, even if they have the same length and were stored at once.
fn versions<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let mut seen = vec![subject.file(b"a.txt")?.1];
    for round in 0..20 {
        replace(subject, b"a.txt", format!("text{round:02}").as_bytes())?;
        seen.push(subject.file(b"a.txt")?.1);
    }
    let settled = seen
        .iter()
        .filter_map(|meta| meta.version)
        .filter(|version| version.is_settled());
    let mut numbers: Vec<_> = settled.map(FileVersion::number).collect();
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    equal("the number of different versions", &numbers.len(), &count)
}
