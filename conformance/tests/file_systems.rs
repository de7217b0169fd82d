//! Runs the list for file systems on those of this workspace: a disk with each of its settings, trees in memory, files
//! in flash, in a zip archive, and the site.

#![cfg(unix)]

mod tree;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use sanserve_conformance::{Entry, FsCheck, Site, file_systems, folders};
use sanserve_server::memory::WritableTree;
use sanserve_server::zip::ZipFiles;
use sanserve_server::{Disk, Flash, Node};
use tempfile::NamedTempFile;
use zip::write::FullFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Leaves out the checks of the other rule for names, and those of a full disk, which `adapters/tests/upload.rs` has.
fn excludes(portable_names: bool) -> impl Fn(&FsCheck) -> Option<&'static str> {
    move |check| match check {
        _ if check.portable_names && !portable_names => Some("names of Windows"),
        _ if check.unix_names && portable_names => Some("names of Unix"),
        _ if check.space > 0 => Some("a full disk"),
        _ => None,
    }
}

fn disk(check: &FsCheck, root: &Path) -> Disk {
    let disk = Disk::open(root).expect("a folder");
    disk.with_portable_names(check.portable_names)
}

#[test]
fn a_disk_passes() {
    folders("disk", excludes(false), disk);
    folders("disk with portable names", excludes(true), disk);
    folders("disk with portable tags", excludes(false), |check, root| {
        disk(check, root).with_portable_tags(true)
    });
    folders(
        "disk with named temporary files",
        excludes(false),
        |check, root| disk(check, root).with_named_temporary_files(true),
    );
}

#[test]
fn a_pointer_to_a_disk_passes() {
    folders("disk in an Arc", excludes(false), |check, root| {
        Arc::new(disk(check, root))
    });
    folders("disk in a Box", excludes(false), |check, root| {
        Box::new(disk(check, root))
    });
    folders("reference to a disk", excludes(false), |check, root| {
        &*Box::leak(Box::new(disk(check, root)))
    });
}

#[test]
fn trees_in_memory_pass() {
    let tree = |check: &FsCheck| tree::of_site(check.site()).portable_names(check.portable_names);
    file_systems("writable tree", excludes(false), |check| {
        WritableTree::new(tree(check))
    });
    file_systems(
        "writable tree with portable names",
        excludes(true),
        |check| WritableTree::new(tree(check)),
    );
    let read_only = |check: &FsCheck| match check.stores {
        true => Some("files that are stored"),
        false => excludes(false)(check),
    };
    file_systems("tree", read_only, tree);
    file_systems("tree whose files are sent", read_only, |check| {
        tree(check).sendable(true)
    });
}

#[test]
fn the_site_passes() {
    let read_only = |check: &FsCheck| match check {
        _ if check.stores => Some("files that are stored"),
        _ if check.portable_names => Some("names of Windows"),
        _ => None,
    };
    file_systems("site", read_only, FsCheck::site);
}

#[test]
fn files_in_flash_pass() {
    let excludes = |check: &FsCheck| match check {
        _ if check.stores => Some("files that are stored"),
        _ if check.links => Some("links"),
        _ if check.archives => Some("archives"),
        _ if check.portable_names => Some("names of Windows"),
        _ if check.name == "names/any bytes" => Some("names that are not UTF-8"),
        _ => None,
    };
    file_systems("flash", excludes, |check| {
        Flash::new(nodes(&check.site(), b""))
    });
}

#[test]
fn files_in_a_zip_archive_pass() {
    let excludes = |check: &FsCheck| match check {
        _ if check.stores => Some("files that are stored"),
        _ if check.links => Some("links"),
        _ if check.portable_names => Some("names of Windows"),
        _ if check.name == "names/any bytes" => Some("names that are not UTF-8"),
        _ => None,
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("site.zip");
    for (name, method) in [
        ("zip, stored", CompressionMethod::Stored),
        ("zip, deflated", CompressionMethod::Deflated),
    ] {
        file_systems(name, excludes, |check| {
            let archive = zip_archive(&check.site(), method);
            archive.persist(&path).expect("a folder");
            ZipFiles::open(&path, |_| 0).expect("the archive can be read")
        });
    }
}

/// Writes a site to an archive, with the times of its files as most archives have them: in UTC, in whole seconds.
fn zip_archive(site: &Site, method: CompressionMethod) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    let mut archive = ZipWriter::new(file.as_file());
    let name = |path: &[u8]| str::from_utf8(path).expect("a name in UTF-8").to_owned();
    for entry in &*site.entries {
        let options = FullFileOptions::default().compression_method(method);
        match entry {
            Entry::File {
                path,
                body,
                modified,
                ..
            } => {
                let options = with_time(options, modified.0);
                archive.start_file(name(path), options).expect("a name");
                archive.write_all(body).expect("space");
            }
            Entry::Directory { path, .. } => {
                let options = with_time(options, Site::DIRECTORIES);
                archive.add_directory(name(path), options).expect("a name");
            }
            Entry::Link { .. } => unreachable!("links are left out"),
        }
    }
    archive.finish().expect("space");
    file
}

/// Adds the extended timestamp of Info-ZIP, in seconds since 1970.
fn with_time(mut options: FullFileOptions<'_>, modified: i64) -> FullFileOptions<'_> {
    let has_modified = 1;
    let time = (modified as i32).to_le_bytes();
    let field = [&[has_modified], &time[..]].concat();
    for is_central in [false, true] {
        let added = options.add_extra_data(0x5455, field.clone(), is_central);
        added.expect("a short field");
    }
    options
}

/// Returns the nodes of a directory of a site.
fn nodes(site: &Site, above: &[u8]) -> &'static [Node] {
    let leak = |bytes: &[u8]| -> &'static [u8] { bytes.to_vec().leak() };
    let nodes = site.entries.iter().filter_map(|entry| {
        let path = entry.path();
        let (parent, name) = match path.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b""[..], path),
        };
        let name = str::from_utf8(leak(name)).expect("a name in UTF-8");
        (parent == above).then(|| match entry {
            Entry::File { body, modified, .. } => Node::file(name, leak(body)).modified(modified.0),
            Entry::Directory { path, .. } => Node::directory(name, nodes(site, path)),
            Entry::Link { .. } => unreachable!("links are left out"),
        })
    });
    nodes.collect::<Vec<_>>().leak()
}
