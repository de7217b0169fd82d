//! Checks of files that are created under a new name.

use sanserve_core::{Create, FileSystem, FsError, Got};

use super::check::{FsCheck, Listed, noise};
use super::subject::{Problem, Subject, entry, equal, new, show};

pub(super) fn checks<F: FileSystem>() -> Vec<Listed<F>> {
    let listed = |name, run| Listed {
        check: FsCheck::storing(name),
        run,
    };
    let mut full = FsCheck::storing("storing/more than there is space for");
    full.space = 64 * 1024;
    vec![
        listed("storing/a file", a_file),
        listed("storing/an empty file", an_empty_file),
        listed("storing/in pieces", in_pieces),
        listed("storing/with a known length", known_length),
        listed("storing/several at once", several),
        listed("storing/an existing name", existing_name),
        listed("storing/one name twice at once", one_name_twice),
        listed("storing/an abandoned file", abandoned),
        listed("storing/missing directories", missing_directories),
        listed("storing/abandoned directories", abandoned_directories),
        listed("storing/below a file", below_a_file),
        listed("storing/a name that was missing before", missing_before),
        listed("storing/to a file that is read", to_a_file_that_is_read),
        Listed {
            check: full,
            run: full_disk,
        },
    ]
}

fn a_file<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let mut file = subject
        .create(new(b"new"))?
        .map_err(|error| format!("{error:?}"))?;
    subject.lacks(b"new")?;
    for piece in [&b"con"[..], b"tent"] {
        subject
            .append(&mut file, piece)?
            .map_err(|error| format!("{error:?}"))?;
        subject.lacks(b"new")?;
        only_temporary_names_are_new(subject)?;
    }
    equal(
        "the answer to `Commit`",
        &subject.fs.commit(&mut file),
        &Ok(()),
    )?;
    subject.has(b"new", b"content")?;
    drop(file);
    subject.has(b"new", b"content")?;
    equal(
        "whether a stored file is executable",
        &subject.file(b"new")?.1.executable,
        &false,
    )?;
    let entries = subject.entries(b"")?;
    let found = entry(&entries, b"new")?;
    equal("its listed length", &found.len.unwrap_or(7), &7)?;
    let mut tree = subject.tree()?;
    tree.remove(&b"new"[..]);
    let expected = subject.site.entries.len();
    equal("the number of other entries", &tree.len(), &expected)
}

/// Expects that each name in the root which is not that of an entry is a temporary one, which no request can reach.
fn only_temporary_names_are_new<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let names = subject.names(b"")?;
    let is_known = |name: &Vec<u8>| subject.site.entry(name).is_some();
    match names.iter().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => Err(format!("{} is visible while a file is created", show(name))),
    }
}

fn an_empty_file<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    subject.store(new(b"deep/new"), b"")?;
    subject.has(b"deep/new", b"")
}

fn in_pieces<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let content = noise(300_001);
    let mut file = subject.begin(new(b"deep/er/new"), b"")?;
    let (mut rest, mut sizes) = (
        &content[..],
        [1, 65_536, 2, 10_000, 4097].into_iter().cycle(),
    );
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(sizes.next().unwrap_or(1)));
        subject
            .append(&mut file, piece)?
            .map_err(|error| format!("{error:?}"))?;
        rest = after;
    }
    equal(
        "the answer to `Commit`",
        &subject.fs.commit(&mut file),
        &Ok(()),
    )?;
    subject.has(b"deep/er/new", &content)
}

fn known_length<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let len = Some(7);
    subject.store(Create { len, ..new(b"new") }, b"content")?;
    subject.has(b"new", b"content")
}

/// Files that are created at the same time are not mixed up.
fn several<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let paths = [&b"one"[..], b"deep/two", b"three"];
    let files = paths.map(|path| subject.begin(new(path), b""));
    let [Ok(one), Ok(two), Ok(three)] = files else {
        return Err("three files cannot be created at once".into());
    };
    let mut files = [one, two, three];
    for round in 0..3 {
        for (file, path) in files.iter_mut().zip(paths) {
            let piece = [path, &[b'0' + round]].concat();
            subject
                .append(file, &piece)?
                .map_err(|error| format!("{error:?}"))?;
        }
    }
    let [mut one, two, mut three] = files;
    equal(
        "the answer to `Commit`",
        &subject.fs.commit(&mut three),
        &Ok(()),
    )?;
    drop(two);
    equal(
        "the answer to `Commit`",
        &subject.fs.commit(&mut one),
        &Ok(()),
    )?;
    subject.has(b"one", b"one0one1one2")?;
    subject.has(b"three", b"three0three1three2")?;
    subject.lacks(b"deep/two")
}

fn existing_name<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for path in [&b"a.txt"[..], b"empty", b"deep/er/leaf"] {
        subject.refuses(&new(path), &[FsError::Exists])?;
    }
    for path in [&b"deep"[..], b"deep/er", b""] {
        subject.refuses(&new(path), &[FsError::NotRegularFile, FsError::Exists])?;
    }
    Ok(())
}

/// The file that is committed first gets the name, whichever was begun first.
fn one_name_twice<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for (name, first) in [(&b"x"[..], true), (b"deep/y", false)] {
        let begun = (
            subject.begin(new(name), b"first")?,
            subject.begin(new(name), b"second")?,
        );
        let (mut winner, mut other) = if first { begun } else { (begun.1, begun.0) };
        let content = if first { &b"first"[..] } else { b"second" };
        equal(
            "the answer to the first `Commit`",
            &subject.fs.commit(&mut winner),
            &Ok(()),
        )?;
        subject.has(name, content)?;
        let second = subject.fs.commit(&mut other);
        equal(
            "the answer to the second `Commit`",
            &second,
            &Err(FsError::Exists),
        )?;
        drop((winner, other));
        subject.has(name, content)?;
    }
    equal(
        "the number of entries",
        &subject.tree()?.len(),
        &(subject.site.entries.len() + 2),
    )
}

fn abandoned<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for content in [&b""[..], b"content", &noise(200_000)] {
        subject.unchanged(|| subject.begin(new(b"deep/new"), content).map(drop))?;
        subject.lacks(b"deep/new")?;
    }
    subject.store(new(b"deep/new"), b"at last")?;
    subject.has(b"deep/new", b"at last")
}

fn missing_directories<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let within = |path: &[u8], directories_max| Create {
        directories_max,
        ..new(path)
    };
    for (path, max) in [(&b"x/new"[..], 0), (b"x/y/new", 1), (b"deep/x/y/z/new", 2)] {
        subject.refuses(&within(path, max), &[FsError::NotFound])?;
    }
    for (path, max) in [
        (&b"x/new"[..], 1),
        (b"deep/y/z/new", 2),
        (b"x/more", 5),
        (b"x/w/new", 16),
    ] {
        let mut file = subject.begin(within(path, max), path)?;
        subject.lacks(path)?;
        equal(
            "the answer to `Commit`",
            &subject.fs.commit(&mut file),
            &Ok(()),
        )?;
        subject.has(path, path)?;
    }
    let names: Vec<_> = subject.names(b"x")?.into_iter().collect();
    equal(
        "what is in a new directory",
        &names,
        &[b"more".to_vec(), b"new".into(), b"w".into()].into(),
    )
}

/// Directories are created with their file, and not without it.
fn abandoned_directories<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let create = |path: &[u8]| Create {
        directories_max: 2,
        ..new(path)
    };
    subject.unchanged(|| {
        let file = subject.begin(create(b"x/y/new"), b"content")?;
        subject.lacks(b"x")?;
        subject.lacks(b"x/y/new")?;
        drop(file);
        Ok(())
    })?;
    // Of two in the same missing directory only one is committed.
    let mut one = subject.begin(create(b"x/y/one"), b"one")?;
    let two = subject.begin(create(b"x/y/two"), b"two")?;
    equal(
        "the answer to `Commit`",
        &subject.fs.commit(&mut one),
        &Ok(()),
    )?;
    drop(two);
    subject.has(b"x/y/one", b"one")?;
    let mut three = subject.begin(create(b"z/y/three"), b"three")?;
    let mut four = subject.begin(create(b"z/y/four"), b"four")?;
    equal(
        "the answer to `Commit`",
        &subject.fs.commit(&mut three),
        &Ok(()),
    )?;
    equal(
        "the answer to the second `Commit`",
        &subject.fs.commit(&mut four),
        &Ok(()),
    )?;
    subject.has(b"z/y/three", b"three")?;
    subject.has(b"z/y/four", b"four")
}

fn below_a_file<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for directories_max in [0, 3] {
        for path in [&b"a.txt/new"[..], b"deep/a.txt/x/new"] {
            let create = Create {
                directories_max,
                ..new(path)
            };
            let errors = [FsError::NotFound, FsError::NotRegularFile, FsError::Exists];
            subject.refuses(&create, &errors)?;
        }
    }
    Ok(())
}

/// An answer that a file system has cached is not given after it has changed.
fn missing_before<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for name in [&b"new"[..], b"deep/new"] {
        for _ in 0..3 {
            subject.lacks(name)?;
            subject.names(b"")?;
            subject.names(b"deep")?;
        }
        subject.store(new(name), b"content")?;
        subject.has(name, b"content")?;
        let listed = subject.names(b"")?.len() + subject.names(b"deep")?.len();
        let before = subject
            .site
            .entries
            .iter()
            .filter(|entry| !entry.path().starts_with(b"deep/er/"));
        let stored = if name == b"new" { 1 } else { 2 };
        equal(
            "the number of listed names",
            &listed,
            &(before.count() + stored),
        )?;
    }
    Ok(())
}

fn to_a_file_that_is_read<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    subject.unchanged(|| {
        let mut file = subject.file(b"a.txt")?.0;
        if let Got::Bytes(1..) = subject.fs.answer_write(&mut file, b"overwritten") {
            return Err("a file that was opened for reading accepts a write".into());
        }
        match subject.fs.commit(&mut file) {
            Err(_) => Ok(()),
            Ok(()) => Err("a file that was opened for reading can be committed".into()),
        }
    })
}

/// When space runs out, nothing is stored, and the space is free again.
fn full_disk<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let too_much = noise(subject.space as u32 + 4096 * 8);
    for len in [None, Some(too_much.len() as u64)] {
        let create = Create {
            len,
            ..new(b"deep/new")
        };
        for _ in 0..2 {
            subject.unchanged(|| match subject.try_store(create.clone(), &too_much)? {
                Err(FsError::NoSpace) => Ok(()),
                result => Err(format!(
                    "storing more than there is space for returns {result:?}"
                )),
            })?;
        }
    }
    let fits = noise(subject.space as u32 / 2);
    subject.store(new(b"deep/new"), &fits)?;
    subject.has(b"deep/new", &fits)
}
