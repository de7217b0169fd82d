//! Checks of both rules for names: those of Unix, where any bytes are a name, and those of file systems that may be on
//! Windows, where names that Windows reads in another way are refused.

use sanserve_core::{ArchiveFormat, ArchiveRequest, Ask, FileSystem, FsError, Got};

use super::check::{FsCheck, Listed};
use super::subject::{Problem, Subject, equal, join, new, show, split, to_path};

pub(super) fn checks<F: FileSystem>() -> Vec<Listed<F>> {
    let listed = |check, run| Listed { check, run };
    let portable = |check: FsCheck| check.with_portable_names();
    let unix = |check: FsCheck| check.with_unix_names();
    vec![
        listed(
            unix(
                FsCheck::new("names/any bytes")
                    .files(&ANY_BYTES)
                    .files(&SPECIAL),
            ),
            any_bytes,
        ),
        listed(
            unix(FsCheck::new("names/in another letter case").files(&[b"Case.txt"])),
            letter_case,
        ),
        listed(
            unix(FsCheck::storing("names/storing any bytes")),
            stored_bytes,
        ),
        listed(
            unix(FsCheck::storing("names/storing in another letter case")),
            stored_letter_case,
        ),
        listed(
            portable(FsCheck::new("names/portable"))
                .directory("x")
                .files(&ORDINARY),
            ordinary,
        ),
        listed(
            portable(
                FsCheck::new("names/not portable")
                    .directory("x")
                    .directory("nul.d")
                    .files(&SPECIAL),
            )
            .files(&[b"nul.d/x"]),
            special,
        ),
        listed(
            portable(FsCheck::storing("names/storing portable ones").directory("x")),
            stored_ordinary,
        ),
        listed(
            portable(FsCheck::storing("names/storing those that are not portable").directory("x")),
            stored_special,
        ),
        listed(FsCheck::storing("names/long"), long),
    ]
}

/// Names on Unix that are not text, or mean something in a target or in a listing.
const ANY_BYTES: [&[u8]; 12] = [
    b"bad\xFF",
    b"\xC3",
    b"line\nbreak",
    b"carriage\rreturn",
    b"tab\there",
    b"pct%41",
    b"q?m",
    b"h#sh",
    b"<b>&\"'",
    // Two ways to encode the same letter.
    b"\xC3\xA4",
    b"a\xCC\x88",
    b"...",
];

/// Names that Windows reads in another way, for each reason that `Path::is_portable_name` gives.
const SPECIAL: [&[u8]; 12] = [
    b"back\\slash",
    b"..\\up",
    b"c:x",
    b"x::$DATA",
    b"dot.",
    b"space ",
    b"nul",
    b"AUX.c",
    b"com1",
    b"Lpt9.txt",
    b"conin$",
    b"prn .txt",
];

/// Names that resemble these, and are names everywhere.
const ORDINARY: [&[u8]; 9] = [
    b"x/nul-",
    b"x/nulls",
    b"x/com10",
    b"x/com",
    b"x/auxiliary.c",
    b"x/a.nul",
    b"x/.hidden",
    b"x/a b",
    b"x/10.30",
];

/// Expects that these files, and no others, are in the directory `x` or in the root.
fn have<F: FileSystem>(subject: &Subject<F>, paths: &[&[u8]]) -> Result<(), Problem> {
    for path in paths {
        subject.has(path, path)?;
        let (above, name) = split(path);
        if !subject.names(above)?.contains(name) {
            return Err(format!("{} is not listed", show(path)));
        }
    }
    Ok(())
}

fn any_bytes<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    have(subject, &ANY_BYTES)?;
    have(subject, &SPECIAL)?;
    // What Windows would make of these names.
    [
        &b"dot"[..],
        b"space",
        b"c",
        b"x",
        b"back/slash",
        b"up",
        b"NUL",
    ]
    .into_iter()
    .try_for_each(|path| subject.fails(path, &[FsError::NotFound]))
}

fn letter_case<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    have(subject, &[b"Case.txt"])?;
    [
        &b"case.txt"[..],
        b"CASE.TXT",
        b"A.TXT",
        b"Deep/a.txt",
        b"deep/A.txt",
    ]
    .into_iter()
    .try_for_each(|path| subject.fails(path, &[FsError::NotFound]))
}

fn stored_bytes<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let names = [&ANY_BYTES[..], &SPECIAL].concat();
    let before = subject.names(b"")?.len();
    names
        .iter()
        .try_for_each(|name| subject.store(new(name), name))?;
    have(subject, &names)?;
    equal(
        "the number of new names",
        &(subject.names(b"")?.len() - before),
        &names.len(),
    )
}

fn stored_letter_case<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let names = [&b"case.txt"[..], b"Case.txt", b"CASE.TXT"];
    names
        .iter()
        .try_for_each(|name| subject.store(new(name), name))?;
    have(subject, &names)
}

fn ordinary<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    have(subject, &ORDINARY)
}

/// Names that are not portable are refused, whether they exist or not.
fn special<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let invalid = [FsError::InvalidName];
    for name in SPECIAL {
        subject.fails(name, &invalid)?;
        subject.fails(&join(b"deep", name), &invalid)?;
        subject.fails(&join(name, b"leaf"), &invalid)?;
        let error = subject.list(name)?.err();
        equal(
            &format!("listing {}", show(name)),
            &error,
            &Some(FsError::InvalidName),
        )?;
        if subject.names(b"")?.contains(name) {
            return Err(format!("{} is listed", show(name)));
        }
    }
    subject.fails(b"nul.d", &invalid)?;
    subject.fails(b"nul.d/x", &invalid)?;
    subject.fails(b"deep\\a.txt", &invalid)?;
    subject.fails(b"x\\..\\a.txt", &invalid)?;
    let (path, format, hidden) = (to_path(b"nul.d"), ArchiveFormat::Tar, false);
    let archive = Ask::Archive(Box::new(ArchiveRequest {
        path,
        format,
        hidden,
    }));
    match subject.ask(&archive)? {
        Got::Opened(Err(FsError::InvalidName | FsError::Unsupported)) => Ok(()),
        _ => Err("an archive of \"/nul.d\" is opened, or fails with another error".into()),
    }
}

fn stored_ordinary<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    ORDINARY
        .iter()
        .try_for_each(|path| subject.store(new(path), path))?;
    have(subject, &ORDINARY)
}

fn stored_special<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for name in SPECIAL {
        subject.refuses(&new(name), &[FsError::InvalidName])?;
        // In an existing directory, and as that of a missing one.
        subject.refuses(&new(&join(b"x", name)), &[FsError::InvalidName])?;
        let mut below = new(&join(name, b"file"));
        below.directories_max = 2;
        subject.refuses(&below, &[FsError::InvalidName])?;
    }
    Ok(())
}

/// A name is stored whole, or refused because it is too long.
fn long<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for len in [100, 255, 256, 300, 5000] {
        let name = vec![b'n'; len];
        let mut in_missing = new(&join(&name, b"file"));
        in_missing.directories_max = 1;
        for create in [new(&join(b"deep", &name)), in_missing] {
            let path = create.path.as_bytes().to_vec();
            let before = subject.tree()?;
            match subject.try_store(create, &path)? {
                Ok(()) => subject.has(&path, &path)?,
                Err(FsError::TooLong) if len > 100 => {
                    equal(
                        "whether nothing is left",
                        &(subject.tree()? == before),
                        &true,
                    )?;
                }
                Err(error) => {
                    return Err(format!("a name of {len} bytes is refused with {error:?}"));
                }
            }
        }
    }
    Ok(())
}
