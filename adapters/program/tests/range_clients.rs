//! Tests clients that request several ranges at a time: zsync, zchunk and GDAL.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;
#[path = "../../../conformance/tests/tools/mod.rs"]
mod tools;

use std::fs;
use std::path::Path;
use std::process::Command;

use client::noise;
use process::Program;
use tempfile::TempDir;
use tools::skip;

/// A folder to serve and another for the client.
struct Folders {
    site: TempDir,
    client: TempDir,
}

impl Folders {
    fn new() -> Folders {
        Folders {
            site: TempDir::new().unwrap(),
            client: TempDir::new().unwrap(),
        }
    }
}

/// Runs a command in a folder, for at most twenty seconds. Returns false, with a note, if it is not installed.
///
/// # Panics
/// If the command fails.
fn run(folder: &Path, command: &[&str]) -> bool {
    let (program, arguments) = command.split_first().unwrap();
    let limited = Command::new("timeout")
        .args(["20", program])
        .args(arguments)
        .current_dir(folder)
        .env("GDAL_HTTP_MULTIRANGE", "SINGLE_GET")
        .env("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR")
        .output()
        .unwrap();
    if limited.status.code() == Some(127) {
        skip(format_args!("{program} is not installed"));
        return false;
    }
    assert!(limited.status.success(), "{command:?}: {limited:?}");
    true
}

/// Serves the folder while `ask` runs, which gets the URL. Returns the number of partial replies, and of bytes sent in
/// all.
fn served(folders: &Folders, ask: impl FnOnce(&str)) -> (usize, u64) {
    let options = ["-p", "HTTP/1.1", "--log-format", "combined"];
    let program = Program::serve(folders.site.path(), &options);
    ask(&format!("http://{}", program.address()));
    let log = program.stop().stderr;
    let sent = log.lines().filter_map(|line| {
        let (status, rest) = line.split_once("\" ")?.1.split_once(' ')?;
        let len: u64 = rest.split(' ').next()?.parse().unwrap_or(0);
        Some((usize::from(status == "206"), len))
    });
    sent.fold((0, 0), |(parts, all), (part, len)| {
        (parts + part, all + len)
    })
}

#[test]
fn zsync_fetches_what_has_changed() {
    let folders = Folders::new();
    let new = noise(3_000_000);
    let mut old = new.clone();
    for at in [100_000, 1_000_000, 2_000_000, 2_900_000] {
        old[at..at + 5].copy_from_slice(b"other");
    }
    fs::write(folders.site.path().join("new"), &new).unwrap();
    fs::write(folders.client.path().join("old"), old).unwrap();
    let make = ["zsyncmake", "-u", "new", "new"];
    if !run(folders.site.path(), &make) {
        return;
    }
    let (parts, sent) = served(&folders, |address| {
        let url = format!("{address}/new.zsync");
        let fetch = ["zsync", "-q", "-i", "old", "-o", "fetched", &url];
        run(folders.client.path(), &fetch);
    });
    assert_eq!(
        fs::read(folders.client.path().join("fetched")).unwrap(),
        new
    );
    assert!(parts > 0 && sent < 100_000, "{parts} parts, {sent} bytes");
}

#[test]
fn zchunk_fetches_what_has_changed() {
    let folders = Folders::new();
    let lines = |changed: &[u32]| {
        let lines = (0..400_000).map(|line| match changed.contains(&line) {
            true => "changed\n".to_owned(),
            false => format!("{line}\n"),
        });
        lines.collect::<String>()
    };
    fs::write(folders.site.path().join("new"), lines(&[])).unwrap();
    let old = lines(&[10, 100_000, 200_000, 350_000]);
    fs::write(folders.client.path().join("old"), old).unwrap();
    if !run(folders.site.path(), &["zck", "-o", "new.zck", "new"]) {
        return;
    }
    run(folders.client.path(), &["zck", "-o", "old.zck", "old"]);
    let (parts, sent) = served(&folders, |address| {
        let url = format!("{address}/new.zck");
        run(folders.client.path(), &["zckdl", "-s", "old.zck", &url]);
    });
    let of = |folder: &TempDir| fs::read(folder.path().join("new.zck")).unwrap();
    let new = of(&folders.site);
    assert_eq!(of(&folders.client), new);
    assert!(parts > 0 && sent < new.len() as u64 / 2, "{parts}, {sent}");
}

#[test]
fn gdal_reads_tiles_of_an_image() {
    let folders = Folders::new();
    let make = "gdal_create -q -of GTiff -outsize 2000 2000 -bands 3 -burn 1 -burn 2 -burn 3 \
        -co TILED=YES -co COMPRESS=NONE picture.tif";
    let make: Vec<&str> = make.split_whitespace().collect();
    if !run(folders.site.path(), &make) {
        return;
    }
    let cut = |from: &str, to: &str| {
        let cut = format!("gdal_translate -q -srcwin 700 700 600 600 {from} {to}");
        let cut: Vec<&str> = cut.split(' ').collect();
        run(folders.client.path(), &cut);
    };
    let (parts, sent) = served(&folders, |address| {
        cut(&format!("/vsicurl/{address}/picture.tif"), "fetched.tif");
    });
    let local = folders.site.path().join("picture.tif");
    cut(local.to_str().unwrap(), "cut.tif");
    let of = |name: &str| fs::read(folders.client.path().join(name)).unwrap();
    assert!(of("fetched.tif") == of("cut.tif"));
    let whole = fs::metadata(local).unwrap().len();
    assert!(parts > 1 && sent < whole / 2, "{parts}, {sent} of {whole}");
}
