//! Tests what a user does with the page of `examples/browser`, in a headless Chromium: serving a folder, a zip file or
//! a large file, seeking in media, and returning after the worker was stopped or the cached engine was replaced.

use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::chromium::{Chromium, Tab};
use crate::page::Page;

/// Actions of a user.
impl Page {
    /// Chooses files or a folder with a button, and opens the address.
    fn choose(&mut self, input: &str, files: &[&Path]) -> Tab {
        self.put(input, files);
        self.visit()
    }

    fn put(&mut self, input: &str, files: &[&Path]) {
        self.chromium.choose(&self.tab, input, files);
    }

    /// Opens the address of the dropped or chosen files.
    pub(crate) fn visit(&mut self) -> Tab {
        self.until("document.querySelector('#list a, #status.wrong')");
        let said = "return document.querySelector('#list a')?.href ?? document.getElementById('status').textContent";
        let url = self.chromium.evaluate(&self.tab, said);
        self.chromium.open_freely(url.as_str().expect("a text"))
    }

    fn log(&mut self) -> String {
        let log = "return document.getElementById('log').innerText";
        let log = self.chromium.evaluate(&self.tab, log);
        log.as_str().expect("a text").into()
    }
}

/// Creates a folder with some files.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name| folder.path().join(name);
    fs::create_dir_all(path("sub/sub")).unwrap();
    fs::write(path("a.txt"), "hello, world\n").unwrap();
    fs::write(path("a b+%C3.txt"), "odd").unwrap();
    fs::write(path("sub/index.html"), "<title>the index</title>").unwrap();
    fs::write(path("sub/sub/deep.txt"), "deep").unwrap();
    fs::write(path(".hidden"), "hidden").unwrap();
    folder
}

/// Status, fields and content of a reply.
pub(crate) fn fetch(
    chromium: &mut Chromium,
    tab: &Tab,
    path: &str,
    how: Value,
) -> (u64, Value, String) {
    let reply = chromium.evaluate(
        tab,
        &format!(
            "const reply = await fetch({path:?}, {how});
            return {{
                status: reply.status, fields: Object.fromEntries(reply.headers),
                content: await reply.text(), url: reply.url,
            }}"
        ),
    );
    let status = reply["status"].as_u64().expect("a status");
    let content = reply["content"].as_str().expect("a text").into();
    let mut fields = reply["fields"].clone();
    fields["url"] = reply["url"].clone();
    (status, fields, content)
}

/// Asserts that a folder is served correctly, however it was opened.
fn serves_the_folder(chromium: &mut Chromium, tab: &Tab) {
    let title = chromium.evaluate(tab, "return document.title");
    assert!(
        title
            .as_str()
            .unwrap()
            .starts_with("Directory listing for /site/"),
        "{title}"
    );
    let names = "return [...document.querySelectorAll('tbody:last-of-type th')].map((name) => name.innerText)";
    let names = chromium.evaluate(tab, names);
    assert_eq!(names, json!(["sub/", "a b+%C3.txt", "a.txt"]));

    // No link leads above it, where there may be another site.
    let links =
        "return [...document.querySelectorAll('nav a, [href^=\"../\"]')].map((link) => link.href)";
    let base = chromium.evaluate(tab, "return location.href");
    assert_eq!(chromium.evaluate(tab, links), json!([base]));

    let (status, fields, content) = fetch(chromium, tab, "a.txt", json!({}));
    assert_eq!((status, &content[..]), (200, "hello, world\n"));
    assert_eq!(fields["content-type"], "text/plain");
    assert_eq!(fields["content-length"], "13");
    assert!(fields["server"].as_str().unwrap().starts_with("sanserve/"));

    let known = json!({ "headers": { "if-modified-since": fields["last-modified"] } });
    assert_eq!(fetch(chromium, tab, "a.txt", known).0, 304);
    let known = json!({ "headers": { "if-none-match": fields["etag"] } });
    assert_eq!(fetch(chromium, tab, "a.txt", known).0, 304);

    let part = json!({ "headers": { "range": "bytes=7-" } });
    let (status, fields, content) = fetch(chromium, tab, "a.txt", part);
    assert_eq!((status, &content[..]), (206, "world\n"));
    assert_eq!(fields["content-range"], "bytes 7-12/13");

    let head = json!({ "method": "HEAD" });
    let (status, fields, content) = fetch(chromium, tab, "a.txt", head);
    assert_eq!((status, &content[..]), (200, ""));
    assert_eq!(fields["content-length"], "13");

    assert_eq!(fetch(chromium, tab, "a%20b+%25C3.txt", json!({})).2, "odd");
    assert_eq!(
        fetch(chromium, tab, "sub/sub/deep.txt", json!({})).2,
        "deep"
    );
    let (status, fields, content) = fetch(chromium, tab, "sub?query", json!({}));
    assert_eq!((status, &content[..]), (200, "<title>the index</title>"));
    assert!(
        fields["url"].as_str().unwrap().ends_with("/sub/?query"),
        "{fields}"
    );
    for nothing in ["nothing", ".hidden", "a.txt/b", "sub/nothing", "%FF"] {
        let (status, _, content) = fetch(chromium, tab, nothing, json!({}));
        assert_eq!(status, 404, "{nothing}");
        assert!(content.contains("Nothing matches the given URI"));
    }
    let post = json!({ "method": "POST", "body": "x" });
    let (status, fields, _) = fetch(chromium, tab, "a.txt", post);
    assert_eq!(
        (status, &fields["allow"]),
        (405, &json!("GET, HEAD, OPTIONS"))
    );
}

#[test]
fn a_chosen_folder_is_served() {
    let Some(mut page) = Page::open("", &[], "") else {
        return;
    };
    let folder = folder();
    let tab = page.choose("#folder", &[folder.path()]);
    serves_the_folder(&mut page.chromium, &tab);
    page.until("document.getElementById('log').innerText.includes('POST')");
    let log = page.log();
    assert!(log.contains("a.txt HTTP/1.1\" 206 -\n"), "{log}");
    assert!(log.contains("nothing HTTP/1.1\" 404 -\n"), "{log}");
}

#[test]
fn a_dropped_folder_is_served_in_its_current_state() {
    let Some(mut page) = Page::open("", &[], "") else {
        return;
    };
    let folder = folder();
    page.chromium.drop(&page.tab, &[folder.path()]);
    let tab = page.visit();
    serves_the_folder(&mut page.chromium, &tab);
    fs::write(folder.path().join("new.txt"), "new").unwrap();
    let (status, _, content) = fetch(&mut page.chromium, &tab, "new.txt", json!({}));
    assert_eq!((status, &content[..]), (200, "new"));
}

/// Creates a zip file with the same files, each compressed in another way.
fn packed() -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let deflated = stored.compression_method(zip::CompressionMethod::Deflated);
    let mut add = |name: &str, how: SimpleFileOptions, content: &[u8]| {
        zip.start_file(name, how).unwrap();
        zip.write_all(content).unwrap();
    };
    add("a.txt", deflated, b"hello, world\n");
    add("a b+%C3.txt", stored, b"odd");
    add(
        "sub/index.html",
        stored.large_file(true),
        b"<title>the index</title>",
    );
    add("sub/sub/deep.txt", deflated.large_file(true), b"deep");
    add(".hidden", stored, b"hidden");
    add("../up.txt", stored, b"up");
    zip.set_comment("a comment").unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_zip_is_served_without_being_unpacked() {
    let Some(mut page) = Page::open("", &[], "") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.zip");
    fs::write(&path, packed()).unwrap();
    let tab = page.choose("#files", &[&path]);
    serves_the_folder(&mut page.chromium, &tab);
}

#[test]
fn invalid_zip_files_and_damaged_entries_are_not_served() {
    let Some(mut page) = Page::open("", &[], "") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.zip");
    let mut zip = packed();
    // The first deflated file: its length does not match the header.
    let at = zip.windows(5).position(|name| name == b"a.txt").unwrap() + 5;
    zip[at] ^= 0xff;
    fs::write(&path, &zip).unwrap();
    let tab = page.choose("#files", &[&path]);
    let (status, _, _) = fetch(&mut page.chromium, &tab, "a.txt", json!({}));
    assert_eq!(status, 404);
    let (status, ..) = fetch(&mut page.chromium, &tab, "sub/", json!({}));
    assert_eq!(status, 200);

    let end = zip.len() - 30;
    fs::write(&path, &zip[..end]).unwrap();
    page.put("#files", &[&path]);
    page.until("document.querySelector('#status.wrong')");
    let (status, ..) = fetch(&mut page.chromium, &tab, "/site/%E0%A4%A/", json!({}));
    assert_eq!(status, 400); // that is no target
}

#[test]
fn a_large_file_is_neither_copied_nor_read() {
    let Some(mut page) = Page::open("", &[], "") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    const SIZE: u64 = 6 << 30;
    let path = folder.path().join("large.bin");
    const MARK: u64 = 5 << 30;
    let file = File::create(&path).unwrap();
    file.set_len(SIZE).unwrap();
    file.write_all_at(b"begin", 0).unwrap();
    file.write_all_at(b"mark", MARK).unwrap();
    let tab = page.choose("#files", &[&path]);
    let part = json!({ "headers": { "range": "bytes=-5" } });
    let (status, fields, content) = fetch(&mut page.chromium, &tab, "large.bin", part);
    assert_eq!((status, &content[..]), (206, "\0\0\0\0\0"));
    assert_eq!(
        fields["content-range"],
        format!("bytes {}-{}/{SIZE}", SIZE - 5, SIZE - 1)
    );
    // Longer than the engine reads at once.
    let part = format!("bytes={}-{}", MARK - 100_000, MARK + 3);
    let part = json!({ "headers": { "range": part } });
    let (status, _, content) = fetch(&mut page.chromium, &tab, "large.bin", part);
    assert_eq!((status, content.len()), (206, 100_004));
    assert!(content.ends_with("\0mark"));
    let part = format!("bytes=0-4,{}-{}", MARK - 100_000, MARK + 3);
    let part = json!({ "headers": { "range": part } });
    let (status, _, content) = fetch(&mut page.chromium, &tab, "large.bin", part);
    assert_eq!(status, 206);
    assert!(content.contains("\r\n\r\nbegin\r\n--") && content.contains("\0mark\r\n--"));
    // Only the part that is read is transferred.
    let first = page.chromium.evaluate(
        &tab,
        "const reply = await fetch('large.bin');
        const reader = reply.body.getReader();
        const { value } = await reader.read();
        await reader.cancel();
        const begin = String.fromCharCode(...value.subarray(0, 5));
        return [reply.headers.get('content-length'), begin]",
    );
    assert_eq!(first, json!([SIZE.to_string(), "begin"]));
}

/// Creates an hour of silence in a sparse file.
fn silence(path: &Path) {
    let (rate, seconds) = (44_100_u32, 3_600_u32);
    let length = rate * seconds * 2;
    let mut head = b"RIFF".to_vec();
    head.extend((36 + length).to_le_bytes());
    head.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    head.extend(rate.to_le_bytes());
    head.extend((rate * 2).to_le_bytes());
    head.extend(b"\x02\0\x10\0data");
    head.extend(length.to_le_bytes());
    fs::write(path, &head).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(head.len() as u64 + u64::from(length)).unwrap();
}

#[test]
fn seeking_in_a_recording_works() {
    let Some(mut page) = Page::open("", &[], "") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    silence(&folder.path().join("silence.wav"));
    let tab = page.choose("#folder", &[folder.path()]);
    let played = page.chromium.evaluate(
        &tab,
        "const audio = new Audio('silence.wav');
        const is = (event) => new Promise((resolve, reject) => {
            audio.addEventListener(event, resolve, { once: true });
            audio.onerror = () => reject(audio.error.message);
        });
        await is('loadeddata');
        audio.currentTime = 3000;
        await is('seeked');
        return [audio.duration, audio.currentTime]",
    );
    assert_eq!(played, json!([3600, 3000]));
    // A line is logged after its reply has ended.
    page.until(
        "document.getElementById('log').innerText.split('silence.wav HTTP/1.1\" 206 -').length > 2",
    );
}

#[test]
fn a_restarted_worker_serves_even_if_its_server_is_gone() {
    let Some(mut page) = Page::open("", &[], "") else {
        return;
    };
    let folder = folder();
    let tab = page.choose("#folder", &[folder.path()]);
    let server = page.server.take().expect("it is here");
    server.shutdown(Duration::from_secs(1));
    stop_worker(&mut page);
    serves_the_folder(&mut page.chromium, &tab);
}

/// Stops the Service Worker, as the browser does when it is idle.
fn stop_worker(page: &mut Page) {
    page.chromium
        .call(Some(&page.tab), "ServiceWorker.enable", json!({}));
    page.chromium
        .call(Some(&page.tab), "ServiceWorker.stopAllWorkers", json!({}));
    page.chromium
        .wait("ServiceWorker.workerVersionUpdated", |event| {
            event["versions"][0]["runningStatus"] == "stopped"
        });
}

/// Replaces the cached engine by another valid one, with an additional empty section. Returns its length.
const REPLACE: &str = r#"
    const cache = await caches.open("engine");
    const [key] = await cache.keys();
    const engine = new Uint8Array(await (await cache.match(key)).arrayBuffer());
    const other = new Uint8Array([...engine, 0, 2, 1, 120]);
    await cache.put(key, new Response(other, { headers: { "Content-Type": "application/wasm" } }));
    return other.length;
"#;

/// Returns the length of the cached engine.
const CACHED: &str = r#"
    const cache = await caches.open("engine");
    const [key] = await cache.keys();
    return (await (await cache.match(key)).arrayBuffer()).byteLength;
"#;

#[test]
fn an_engine_that_was_replaced_in_the_cache_is_not_run() {
    let Some(mut page) = Page::open("", &[], "") else {
        return;
    };
    let folder = folder();
    let tab = page.choose("#folder", &[folder.path()]);
    let other = page.chromium.evaluate(&tab, REPLACE).as_u64().unwrap();
    stop_worker(&mut page);
    // The original engine is fetched from the server and cached again.
    serves_the_folder(&mut page.chromium, &tab);
    let cached = page.chromium.evaluate(&tab, CACHED).as_u64();
    assert_eq!(cached, Some(other - 4));
    // Without the server there is no engine.
    page.chromium.evaluate(&tab, REPLACE);
    let server = page.server.take().expect("it is here");
    server.shutdown(Duration::from_secs(1));
    stop_worker(&mut page);
    let tried = "return await fetch('a.txt').then((reply) => reply.status, () => 'failed')";
    assert_eq!(page.chromium.evaluate(&tab, tried), "failed");
}
