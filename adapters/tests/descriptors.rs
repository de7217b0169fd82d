//! A file that is stored while there are too few descriptors. It is alone in its process, which has none left.
#![cfg(unix)]

use std::fs::{self, File};

use rustix::process::{Resource, getrlimit, setrlimit};
use sanserve_core::{Create, FileSystem, FsError, Opened, Path};
use sanserve_server::Disk;
use tempfile::TempDir;

#[test]
fn no_directory_is_left_of_what_cannot_be_opened() {
    let root = TempDir::new().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let create = Create {
        path: Path::from_bytes(b"a/b/c".to_vec()).unwrap(),
        directories_max: 2,
        replaces: None,
        len: None,
    };
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(limit.current.map_or(64, |most| most.min(64)));
    for free in [1, 2] {
        let Ok(Opened::Writer(mut open)) = disk.create(&create) else {
            panic!("it cannot be made");
        };
        setrlimit(Resource::Nofile, limit).unwrap();
        let taken = std::iter::from_fn(|| File::open("/dev/null").ok());
        let mut taken: Vec<_> = taken.collect();
        taken.truncate(taken.len() - free);
        let committed = disk.commit(&mut open);
        drop((open, taken));
        let is_there = fs::exists(root.path().join("a")).unwrap();
        match free {
            // It is enough for `a` alone.
            1 => {
                assert_eq!(committed, Err(FsError::NoResources));
                assert!(!is_there);
            }
            _ => assert!(committed.is_ok() && is_there),
        }
    }
}
