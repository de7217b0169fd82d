//! Tests that an upload that runs out of file descriptors leaves no directory behind. The test has a process of its
//! own, since it uses them up.
#![cfg(unix)]

use std::fs::{self, File};

use rustix::process::{Resource, getrlimit, setrlimit};
use sanserve_core::{Create, FileSystem, FsError, Opened, Path};
use sanserve_server::Disk;
use tempfile::TempDir;

#[test]
fn a_failed_upload_leaves_no_directory_behind() {
    let root = TempDir::new().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let create = Create {
        path: Path::from_bytes(b"a/b/c".to_vec()).unwrap(),
        directories_max: 2,
        replaces: None,
        len: None,
    };
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(limit.current.map_or(64, |current| current.min(64)));
    for free in [1, 2] {
        let Ok(Opened::Writer(mut file)) = disk.create(&create) else {
            panic!("the file cannot be created");
        };
        setrlimit(Resource::Nofile, limit).unwrap();
        let mut others: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        others.truncate(others.len() - free);
        let committed = disk.commit(&mut file);
        drop((file, others));
        let exists = fs::exists(root.path().join("a")).unwrap();
        match free {
            // One descriptor is enough for `a` but not for `b`.
            1 => {
                assert_eq!(committed, Err(FsError::NoResources));
                assert!(!exists);
            }
            _ => assert!(committed.is_ok() && exists),
        }
    }
}
