//! Checks of symbolic links.

use sanserve_core::{Create, FileSystem, FsError, Opened};

use super::check::{FsCheck, Listed};
use super::subject::{Problem, Subject, entry, equal, new, replacing, show, summary};

pub(super) fn checks<F: FileSystem>() -> Vec<Listed<F>> {
    let listed = |check, run| Listed { check, run };
    vec![
        listed(with_links(FsCheck::new("links/inside the root")), inside),
        listed(with_links(FsCheck::new("links/to nothing")), to_nothing),
        listed(with_links(FsCheck::new("links/out of the root")), outside),
        listed(
            with_links(FsCheck::storing("links/storing at a link")),
            storing_at,
        ),
        listed(
            with_links(FsCheck::storing("links/storing through a link")),
            storing_through,
        ),
        listed(
            with_links(FsCheck::storing("links/storing out of the root")),
            storing_outside,
        ),
    ]
}

/// Adds links of each kind. In a folder there are a file `secret` and a directory in `outside`, beside the root.
fn with_links(check: FsCheck) -> FsCheck {
    check
        .link("file", "a.txt")
        .link("deep/up", "../b.txt")
        .link("directory", "deep")
        .link("chain", "file")
        .link("broken", "nowhere")
        .link("circle", "elcric")
        .link("elcric", "circle")
        .link("secret", "../outside/secret")
        .link("exit", "../outside")
        .link("deep/exit", "../../outside")
        .link("absolute", "/etc/passwd")
        .link("detour", "deep/../../outside/secret")
        .link("door", "exit/secret")
}

/// Links that lead to a file or directory outside.
const OUTSIDE: [&[u8]; 8] = [
    b"secret",
    b"exit",
    b"exit/secret",
    b"deep/exit",
    b"deep/exit/secret",
    b"absolute",
    b"detour",
    b"door",
];

fn inside<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for (path, content) in [
        (&b"file"[..], &b"hello\n"[..]),
        (b"chain", b"hello\n"),
        (b"deep/up", b"other\n"),
        (b"directory/up", b"other\n"),
        (b"directory/a.txt", b"another a.txt"),
        (b"directory/er/leaf", b"leaf"),
    ] {
        subject.has(path, content)?;
    }
    let found = summary(&subject.open(b"directory")?);
    equal("a link to a directory", &found, &"a directory".to_owned())?;
    subject.fails(b"directory/missing", &[FsError::NotFound])?;
    equal(
        "what is in a link to a directory",
        &subject.names(b"directory")?,
        &subject.names(b"deep")?,
    )?;
    let entries = subject.entries(b"")?;
    for (name, directory, len) in [(&b"file"[..], false, Some(6)), (b"directory", true, None)] {
        let found = entry(&entries, name)?;
        let flags = (found.link, found.directory, found.unavailable);
        equal(
            &format!("{} (link, directory, unavailable)", show(name)),
            &flags,
            &(true, directory, false),
        )?;
        equal(
            &format!("the listed length of {}", show(name)),
            &found.len.or(len),
            &len,
        )?;
    }
    Ok(())
}

fn to_nothing<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for path in [
        &b"broken"[..],
        b"broken/x",
        b"circle",
        b"elcric",
        b"circle/x",
    ] {
        subject.fails(path, &[FsError::NotFound])?;
    }
    are_unavailable(subject, &[b"broken", b"circle"])
}

fn outside<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for path in OUTSIDE {
        subject.fails(path, &[FsError::OutsideRoot])?;
        if subject.list(path)?.is_ok() {
            return Err(format!("{} can be listed", show(path)));
        }
    }
    are_unavailable(
        subject,
        &[b"secret", b"exit", b"absolute", b"detour", b"door"],
    )
}

/// Expects that these names are in the listing of the root, marked, and without anything about their target.
fn are_unavailable<F: FileSystem>(subject: &Subject<F>, names: &[&[u8]]) -> Result<(), Problem> {
    let entries = subject.entries(b"")?;
    for name in names {
        let found = entry(&entries, name)?;
        let flags = (
            found.link,
            found.unavailable,
            found.directory,
            found.len,
            found.modified,
        );
        let subject = format!(
            "{} (link, unavailable, directory, length, time)",
            show(name)
        );
        equal(&subject, &flags, &(true, true, false, None, None))?;
    }
    Ok(())
}

/// A link is not replaced, and nothing is written to its target.
fn storing_at<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let refusals = [
        FsError::NotRegularFile,
        FsError::Exists,
        FsError::OutsideRoot,
    ];
    for path in [
        &b"file"[..],
        b"chain",
        b"directory",
        b"broken",
        b"circle",
        b"secret",
        b"exit",
    ] {
        subject.refuses(&new(path), &refusals)?;
        if let Ok(Opened::File { meta, .. }) = subject.open(path)? {
            subject.refuses(&replacing(path, meta), &refusals)?;
        }
    }
    subject.lacks(b"nowhere")
}

fn storing_through<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    subject.store(new(b"directory/new"), b"new")?;
    subject.has(b"deep/new", b"new")?;
    subject.refuses(&new(b"directory/new"), &[FsError::Exists])
}

fn storing_outside<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for path in [&b"exit/new"[..], b"deep/exit/new", b"exit/missing/new"] {
        for directories_max in [0, 2] {
            let create = Create {
                directories_max,
                ..new(path)
            };
            subject.refuses(&create, &[FsError::OutsideRoot, FsError::NotFound])?;
        }
    }
    // A broken link is not a missing directory.
    let create = Create {
        directories_max: 2,
        ..new(b"broken/new")
    };
    subject.refuses(
        &create,
        &[FsError::NotFound, FsError::NotRegularFile, FsError::Exists],
    )
}
