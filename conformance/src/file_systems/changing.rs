//! Checks of directories that are created, and of files and directories that are removed.

use sanserve_core::{Change, FileSystem, FsError};

use super::check::{FsCheck, Listed};
use super::subject::{Problem, Subject, equal, new, to_path};

pub(super) fn checks<F: FileSystem>() -> Vec<Listed<F>> {
    let listed = |name, run| Listed {
        check: FsCheck::changing(name),
        run,
    };
    let links = FsCheck::changing("changing/links")
        .link("file", "a.txt")
        .link("directory", "deep")
        .link("hollow", "vacant")
        .link("broken", "nowhere")
        .link("exit", "../outside")
        .directory("vacant");
    vec![
        listed("changing/a new directory", new_directory),
        listed(
            "changing/a new directory with an existing name",
            existing_name,
        ),
        listed("changing/missing directories", missing_directories),
        listed("changing/removing a file", remove_file),
        listed("changing/removing another file", remove_another_file),
        listed("changing/removing a directory", remove_directory),
        listed("changing/removing what is missing", remove_missing),
        Listed {
            check: links,
            run: at_links,
        },
    ]
}

fn create(path: &[u8], directories_max: usize) -> Change {
    Change::CreateDirectory {
        path: to_path(path),
        directories_max,
    }
}

fn remove(path: &[u8]) -> Change {
    Change::RemoveDirectory {
        path: to_path(path),
    }
}

fn new_directory<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for path in [&b"new"[..], b"deep/new"] {
        subject.lacks(path)?;
        subject.change(&create(path, 0))?;
        equal(
            "what is in a new directory",
            &subject.names(path)?.len(),
            &0,
        )?;
        subject.store(new(&[path, b"/file"].concat()), b"content")?;
        subject.has(&[path, b"/file"].concat(), b"content")?;
    }
    Ok(())
}

fn existing_name<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for path in [&b"deep"[..], b"deep/er"] {
        subject.refuses_change(&create(path, 2), &[FsError::Exists])?;
    }
    for path in [&b"a.txt"[..], b"deep/er/leaf"] {
        let errors = [FsError::NotRegularFile, FsError::Exists];
        subject.refuses_change(&create(path, 2), &errors)?;
    }
    Ok(())
}

fn missing_directories<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for (path, max) in [(&b"x/new"[..], 0), (b"x/y/new", 1), (b"deep/x/y/z", 1)] {
        subject.refuses_change(&create(path, max), &[FsError::NotFound])?;
    }
    for (path, max) in [(&b"x/new"[..], 1), (b"deep/y/z/new", 2), (b"x/more", 5)] {
        subject.change(&create(path, max))?;
        equal(
            "what is in a new directory",
            &subject.names(path)?.len(),
            &0,
        )?;
    }
    let errors = [FsError::NotFound, FsError::NotRegularFile, FsError::Exists];
    subject.refuses_change(&create(b"a.txt/new", 2), &errors)
}

fn remove_file<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    subject.store(new(b"deep/stored"), b"stored")?;
    let mut tree = subject.tree()?;
    for path in [&b"a.txt"[..], b"deep/er/leaf", b"empty", b"deep/stored"] {
        let (mut file, meta) = subject.file(path)?;
        let content = subject.content(&mut file)?;
        let path_of = to_path(path);
        subject.change(&Change::RemoveFile {
            path: path_of,
            meta,
        })?;
        subject.lacks(path)?;
        // A file that is open keeps its content.
        equal("an open file", &subject.content(&mut file)?, &content)?;
        tree.remove(path);
    }
    equal("what is left", &subject.tree()?, &tree)?;
    // The name is free again.
    subject.store(new(b"a.txt"), b"new")?;
    subject.has(b"a.txt", b"new")
}

/// A file that has changed since it was opened is not removed, and neither is a directory in place of a file.
fn remove_another_file<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let meta = subject.file(b"a.txt")?.1;
    let path = to_path(b"large");
    subject.refuses_change(&Change::RemoveFile { path, meta }, &[FsError::Exists])?;
    let path = to_path(b"deep");
    let errors = [FsError::NotRegularFile];
    subject.refuses_change(&Change::RemoveFile { path, meta }, &errors)
}

fn remove_directory<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    for path in [&b"deep"[..], b"deep/er"] {
        subject.refuses_change(&remove(path), &[FsError::Exists])?;
    }
    subject.refuses_change(&remove(b"a.txt"), &[FsError::NotRegularFile])?;
    let meta = subject.file(b"deep/er/leaf")?.1;
    let path = to_path(b"deep/er/leaf");
    subject.change(&Change::RemoveFile { path, meta })?;
    subject.change(&remove(b"deep/er"))?;
    subject.lacks(b"deep/er")?;
    subject.has(b"deep/a.txt", b"another a.txt")?;
    subject.change(&create(b"deep/er", 0))?;
    equal("what is in it", &subject.names(b"deep/er")?.len(), &0)
}

fn remove_missing<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let meta = subject.file(b"a.txt")?.1;
    for path in [&b"none"[..], b"none/deep", b"deep/none"] {
        subject.refuses_change(&remove(path), &[FsError::NotFound])?;
        let path = to_path(path);
        subject.refuses_change(&Change::RemoveFile { path, meta }, &[FsError::NotFound])?;
    }
    Ok(())
}

/// Neither a link nor its target is removed or replaced. Links to directories inside the root lead to them.
fn at_links<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let meta = subject.file(b"a.txt")?.1;
    let path = to_path(b"file");
    let errors = [FsError::NotRegularFile];
    subject.refuses_change(&Change::RemoveFile { path, meta }, &errors)?;
    for path in [&b"hollow"[..], b"directory", b"exit", b"broken"] {
        subject.refuses_change(&remove(path), &errors)?;
    }
    let errors = [FsError::NotRegularFile, FsError::Exists];
    for path in [&b"broken"[..], b"exit", b"hollow"] {
        subject.refuses_change(&create(path, 2), &errors)?;
    }
    let errors = [FsError::OutsideRoot, FsError::NotFound];
    for path in [&b"exit/new"[..], b"broken/new"] {
        subject.refuses_change(&create(path, 2), &errors)?;
        subject.refuses_change(&remove(path), &errors)?;
    }
    subject.change(&create(b"directory/new", 0))?;
    equal("what is in it", &subject.names(b"deep/new")?.len(), &0)?;
    subject.change(&remove(b"directory/new"))?;
    subject.lacks(b"deep/new")
}
