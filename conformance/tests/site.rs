//! Tests the site and its copy on a disk.

use sanserve_conformance::{Entry, Site};

fn file(site: &Site, path: &[u8]) -> (Vec<u8>, (i64, u32), bool, bool) {
    match site.entry(path) {
        Some(Entry::File {
            modified,
            body,
            executable,
            unreadable,
            ..
        }) => (body.to_vec(), *modified, *executable, *unreadable),
        other => panic!("not a file: {other:?}"),
    }
}

#[test]
fn the_site_is_the_recorded_one() {
    let site = Site::standard();
    let usual = (1_577_836_800, 750_000_000);
    assert_eq!(
        site.entries.len(),
        88 + 15 + 13 + 15 + 18,
        "with scripts, names, files and directories of our own"
    );
    assert_eq!(
        file(&site, b"file.txt"),
        (b"hello\n".to_vec(), usual, false, false)
    );
    assert_eq!(
        file(&site, b"neg.txt"),
        (b"neg".to_vec(), (-2, 500_000_000), false, false)
    );
    assert_eq!(
        file(&site, b"old.txt"),
        (b"old".to_vec(), (0, 0), false, false)
    );
    assert_eq!(file(&site, b"empty.bin"), (Vec::new(), usual, false, false));
    assert_eq!(
        file(&site, b"noperm.txt"),
        (b"hello\n".to_vec(), usual, false, true)
    );
    for name in [
        &b"bad\xff.txt"[..],
        b"nl\nname.txt",
        b"sp ace.txt",
        b"<i>&\"'.txt",
        "ü.txt".as_bytes(),
    ] {
        assert_eq!(file(&site, name).0, b"hello\n");
    }
    assert_eq!(
        file(&site, b"cgi-bin/kill.sh"),
        (b"#!/bin/sh\nkill -9 $$\n".to_vec(), usual, true, false)
    );
    assert!(!file(&site, b"cgi-bin/noexec.sh").2);
}

#[test]
fn the_site_has_its_folders_and_links() {
    let site = Site::standard();
    let (path, target) = (b"sub/lnkdir"[..].into(), b"../empty"[..].into());
    assert_eq!(
        site.entry(b"sub/lnkdir"),
        Some(&Entry::Link { path, target })
    );
    let folder = |path: &[u8], unreadable| Entry::Directory {
        path: path.to_vec().into(),
        unreadable,
    };
    assert_eq!(site.entry(b"nopermdir"), Some(&folder(b"nopermdir", true)));
    assert_eq!(
        site.entry(b"idxdir/index.html"),
        Some(&folder(b"idxdir/index.html", false))
    );
}

#[test]
fn a_folder_comes_before_its_entries() {
    let site = Site::standard();
    for (at, entry) in site.entries.iter().enumerate() {
        let path = entry.path();
        assert!(site.entries[..at].iter().all(|other| other.path() != path));
        if let Some(slash) = path.iter().rposition(|&byte| byte == b'/') {
            let parent = site.entries[..at]
                .iter()
                .find(|other| other.path() == &path[..slash]);
            assert!(matches!(parent, Some(Entry::Directory { .. })), "{entry:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn the_site_can_be_written_to_a_disk() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::MetadataExt;

    let root = std::env::temp_dir().join(format!("sanserve-site-{}", std::process::id()));
    let site = Site::standard();
    site.write_to(&root).expect("the site can be written");
    for entry in site.entries.iter() {
        let place = root.join(OsStr::from_bytes(entry.path()));
        let found = place.symlink_metadata().expect("every entry is made");
        match entry {
            Entry::File {
                modified,
                body,
                executable,
                ..
            } => {
                assert_eq!(
                    std::fs::read(&place).expect("every file can be read"),
                    body[..]
                );
                assert_eq!(
                    (found.mtime(), found.mtime_nsec()),
                    (modified.0, modified.1.into())
                );
                assert_eq!(found.mode() & 0o111 != 0, *executable);
            }
            Entry::Directory { .. } => assert!(found.is_dir()),
            Entry::Link { target, .. } => {
                let pointed = place.read_link().expect("it is a link");
                assert_eq!(pointed.as_os_str().as_bytes(), &target[..]);
            }
        }
    }
    assert!(site.write_to(&root).is_err(), "nothing is overwritten");
    std::fs::remove_dir_all(&root).expect("the folder can be removed");
}
