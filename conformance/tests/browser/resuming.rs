//! Tests ranges of a large file with a modification time in whole seconds, in a headless Chromium: seeking in media,
//! and resuming an interrupted download.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path as StdPath;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use sanserve_core::{Config, Entries, FileSystem, Files, FsError, Opened, Path, Protocol};
use sanserve_server::{Disk, Stopper, ThreadingHTTPServer};
use serde_json::json;
use tempfile::TempDir;

use crate::chromium::Chromium;
use crate::tools;

/// A disk that counts the bytes that are read, and where one read fails.
struct Counted {
    disk: Disk,
    read: AtomicU64,
    /// The number of bytes before the read that fails.
    fails_after: AtomicU64,
}

impl FileSystem for Counted {
    type File = <Disk as FileSystem>::File;

    fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError> {
        Ok(match self.disk.open(path)? {
            // All bytes must pass through `read`.
            Opened::File { file, meta, .. } => Opened::File {
                file,
                meta,
                sendable: false,
            },
            other => other,
        })
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        self.disk.list(path)
    }

    fn read(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        let read = self.read.load(Ordering::Relaxed);
        if read > self.fails_after.load(Ordering::Relaxed) {
            self.fails_after.store(u64::MAX, Ordering::Relaxed);
            return Err(FsError::Io);
        }
        let n = self.disk.read(file, at, into)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// An HTTP/1.1 server of a folder.
struct Served {
    address: String,
    stopper: Stopper,
    disk: Arc<Counted>,
    log: Arc<Mutex<String>>,
    _folder: TempDir,
}

impl Served {
    /// Serves the files that `make` creates in a folder.
    fn start(fails_after: u64, make: impl Fn(&StdPath)) -> Served {
        let folder = tempfile::tempdir().expect("a folder");
        make(folder.path());
        let disk = Arc::new(Counted {
            disk: Disk::open(folder.path()).expect("a folder"),
            read: AtomicU64::new(0),
            fails_after: AtomicU64::new(fails_after),
        });
        let log = Arc::<Mutex<String>>::default();
        let server = ThreadingHTTPServer::bind("127.0.0.1:0").expect("a free port");
        let lines = Arc::clone(&log);
        let server = server.with_log(move |line| *lines.lock().expect("a log") += line);
        let config = Config::default().with_protocol(Protocol::Http11);
        let served = Served {
            address: format!("http://{}/", server.server_address()),
            stopper: server.stopper(),
            disk: Arc::clone(&disk),
            log,
            _folder: folder,
        };
        thread::spawn(move || server.serve_forever(&*disk, config, Files::new));
        served
    }

    fn read(&self) -> u64 {
        self.disk.read.load(Ordering::Relaxed)
    }

    fn log(&self) -> String {
        self.log.lock().expect("a log").clone()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stopper.shutdown(Duration::ZERO);
    }
}

/// Sets a modification time in whole seconds, as tar, unzip and curl -R do.
fn set_whole_seconds(file: &File) {
    let time = UNIX_EPOCH + Duration::from_secs(1_577_836_800);
    file.set_modified(time).expect("it is ours");
}

/// Creates a page with an hour of sound: 700 MB of silence in a sparse file.
fn make_sound(folder: &StdPath) {
    const LEN: u32 = 700_000_000;
    fs::write(folder.join("page.html"), "<!DOCTYPE html><title>t</title>").expect("a page");
    let mut file = File::create(folder.join("sound.wav")).expect("a file");
    // A RIFF header for two channels with 48,000 samples of 16 bits a second.
    let mut head = b"RIFF".to_vec();
    head.extend((LEN + 36).to_le_bytes());
    head.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    head.extend(48_000_u32.to_le_bytes());
    head.extend(192_000_u32.to_le_bytes());
    head.extend(b"\x04\0\x10\0data");
    head.extend(LEN.to_le_bytes());
    file.write_all(&head).expect("the disk has space");
    file.set_len(u64::from(LEN) + 44)
        .expect("the disk has space");
    set_whole_seconds(&file);
}

#[test]
fn seeking_reads_little_more_than_is_played() {
    let Some(program) = tools::find("chromium") else {
        return;
    };
    let (served, mut chromium) = (
        Served::start(u64::MAX, make_sound),
        Chromium::start(&program),
    );
    let tab = chromium.open(&format!("{}page.html", served.address));
    let script = "const audio = new Audio('sound.wav');
        audio.preload = 'metadata';
        const event = (name) => new Promise((done, fail) => {
            audio.addEventListener(name, done, { once: true });
            audio.addEventListener('error', () => fail(audio.error), { once: true });
        });
        await Promise.all([event('loadedmetadata'), audio.load()]);
        const at = [];
        for (const part of [0.9, 0.1, 0.5, 0.3, 0.8, 0.2]) {
            const seeked = event('seeked');
            audio.currentTime = audio.duration * part;
            await seeked;
            at.push(Math.round(audio.currentTime));
        }
        return at";
    let at = chromium.evaluate(&tab, script);
    assert_eq!(at, json!([3281, 365, 1823, 1094, 2917, 729]));
    let read = served.read();
    assert!(
        read < 100_000_000,
        "{read} bytes were read\n{}",
        served.log()
    );
}

#[test]
fn an_interrupted_download_is_resumed() {
    let Some(program) = tools::find("chromium") else {
        return;
    };
    const LEN: u64 = 40_000_000;
    let served = Served::start(25_000_000, |folder| {
        let file = File::create(folder.join("large.bin")).expect("a file");
        file.set_len(LEN).expect("the disk has space");
        set_whole_seconds(&file);
    });
    let mut chromium = Chromium::start(&program);
    let folder = tempfile::tempdir().expect("a folder");
    let how = json!({ "behavior": "allow", "downloadPath": folder.path(), "eventsEnabled": true });
    chromium.call(None, "Browser.setDownloadBehavior", how);
    let target = json!({ "url": format!("{}large.bin", served.address) });
    chromium.call(None, "Target.createTarget", target);
    chromium.wait("Browser.downloadProgress", |event| {
        event["state"] != "inProgress"
    });
    let stored = fs::metadata(folder.path().join("large.bin")).map(|file| file.len());
    assert_eq!(stored.ok(), Some(LEN), "{}", served.log());
    assert!(served.log().contains("\" 206 "), "{}", served.log());
    assert!(served.read() < LEN + 1_000_000, "{}", served.read());
}
