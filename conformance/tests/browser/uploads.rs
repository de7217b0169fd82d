//! Tests uploads, new folders and deletions with a listing in a headless Chromium, and the form without JavaScript.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chromium::{Chromium, Tab};
use crate::listing::Served;
use crate::tools;

/// An open listing, and files to upload.
struct UploadPage {
    served: Served,
    chromium: Chromium,
    tab: Tab,
    folder: TempDir,
}

impl UploadPage {
    fn open() -> Option<UploadPage> {
        UploadPage::open_with(false)
    }

    /// `overwrite` allows uploads to replace files.
    fn open_with(overwrite: bool) -> Option<UploadPage> {
        let program = tools::find("chromium")?;
        let (served, mut chromium) = (Served::start_with(overwrite), Chromium::start(&program));
        let tab = served.open(&mut chromium, "idx/list/?sort=size", "light", 1280);
        let folder = tempfile::tempdir().expect("a folder");
        Some(UploadPage {
            served,
            chromium,
            tab,
            folder,
        })
    }

    /// Creates a file of this length to upload.
    fn file(&self, name: &str, len: u64) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let file = File::create(&path).expect("a file");
        file.set_len(len).expect("the disk has space");
        path
    }

    /// Returns the path of the stored file with this name.
    fn path(&self, name: &str) -> PathBuf {
        self.served.site.path().join("idx/list").join(name)
    }

    /// Returns the length of the stored file with this name.
    fn stored(&self, name: &str) -> Option<u64> {
        fs::metadata(self.path(name)).map(|file| file.len()).ok()
    }

    /// Limits the upload rate: -1 means no limit.
    fn limit(&mut self, bytes_a_second: i64) {
        let how = json!({ "offline": false, "latency": 0, "downloadThroughput": -1,
            "uploadThroughput": bytes_a_second });
        let chromium = &mut self.chromium;
        chromium.call(Some(&self.tab), "Network.enable", json!({}));
        chromium.call(Some(&self.tab), "Network.emulateNetworkConditions", how);
    }

    /// Makes requests for URLs that match these patterns fail, as if there were no connection.
    fn block(&mut self, urls: &[&str]) {
        let chromium = &mut self.chromium;
        chromium.call(Some(&self.tab), "Network.enable", json!({}));
        chromium.call(
            Some(&self.tab),
            "Network.setBlockedURLs",
            json!({ "urls": urls }),
        );
    }

    /// Chooses files, which sends them.
    fn send(&mut self, files: &[&Path]) {
        self.chromium.choose(&self.tab, "[type=file]", files);
    }

    fn evaluate(&mut self, script: &str) -> Value {
        self.chromium.evaluate(&self.tab, script)
    }

    fn until(&mut self, condition: &str) {
        self.chromium.until(&self.tab, condition);
    }

    /// Waits until all uploads have ended. Returns the message, and the name, the state and the button of each file.
    fn results(&mut self) -> Value {
        self.until("document.querySelector('section button')?.textContent === 'Close'");
        self.evaluate(
            "const shown = (part) => part.checkVisibility() ? part.textContent : '';
            const rows = [...document.querySelectorAll('li')].map((row) =>
                [...row.children].map(shown).filter((text) => text).join(' | '));
            return [document.querySelector('section output').value, ...rows]",
        )
    }

    /// Waits until the progress of an upload is shown.
    fn wait_for_progress(&mut self) {
        self.until("document.querySelector('progress:not([hidden])')?.value > 0");
    }

    /// Waits for a row with this name.
    fn row(&mut self, name: &str) {
        self.until(&format!("{NAMES}.includes({name:?})"));
    }

    /// Waits for a dialog with this question.
    fn question(&mut self, question: &str) {
        self.until(&format!(
            "document.querySelector('dialog p')?.textContent === {question:?}"
        ));
    }

    /// Activates the button with this text or label.
    fn press(&mut self, button: &str) {
        let found = format!(
            "[...document.querySelectorAll('button')].find((one) =>
                [one.textContent, one.ariaLabel].includes({button:?}))"
        );
        self.until(&found);
        self.evaluate(&format!("{found}.click()"));
    }

    fn assert_accessible(&mut self, name: &str) {
        self.served
            .assert_accessible(&mut self.chromium, &self.tab, name);
    }

    /// Enters a key, which moves the focus or activates the focused element.
    fn key(&mut self, key: &str, text: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let press = json!({ "type": kind, "key": key, "code": key, "text": text, "windowsVirtualKeyCode": code });
            self.chromium
                .call(Some(&self.tab), "Input.dispatchKeyEvent", press);
        }
    }
}

/// The names in the table.
const NAMES: &str = "[...document.querySelectorAll('tbody th')].map((name) => name.innerText)";

#[test]
fn an_upload_shows_its_progress_and_its_file() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    let (first, second) = (page.file("new1.bin", 9 << 20), page.file("new2.txt", 5));
    page.limit(256 << 10);
    page.send(&[&first, &second]);
    page.wait_for_progress();
    page.until("document.querySelector('section output').value === '1 of 2 stored'");
    let state = page.evaluate(
        "const [progress] = document.getElementsByTagName('progress');
        const output = document.querySelector('section output');
        const [first, second] = document.querySelectorAll('li');
        return [progress.value > 0 && progress.value < 1, progress.ariaLabel, output.ariaLive,
            /^\\d\\d? %$/.test(first.querySelector('span').textContent),
            first.querySelector('button').ariaLabel, second.innerText.split('\\n').join()]",
    );
    let expected = json!([
        true,
        "new1.bin",
        "polite",
        true,
        "Cancel new1.bin",
        "new2.txt,Stored"
    ]);
    assert_eq!(state, expected);
    page.assert_accessible("sending");
    assert_eq!(page.stored("new1.bin"), None);
    page.limit(-1);
    let expected = json!(["2 of 2 stored", "new1.bin | Stored", "new2.txt | Stored"]);
    assert_eq!(page.results(), expected);
    page.row("new1.bin");
    assert_eq!(page.stored("new1.bin"), Some(9 << 20));
    assert_eq!(page.stored("new2.txt"), Some(5));
    let after = "return [location.search, document.querySelector('[aria-sort]').textContent,
        document.querySelector('caption').textContent.slice(0, 17)]";
    let expected = json!(["?sort=size", "Size", "1 folder, 6 files"]);
    assert_eq!(page.evaluate(after), expected);
    page.press("Close");
    let after = "return [document.querySelector('section'), document.activeElement.textContent]";
    assert_eq!(page.evaluate(after), json!([null, "Upload"]));
}

#[test]
fn nothing_moves_while_files_are_sent() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    // The first load was with another width.
    let tab = page.tab.clone();
    let chromium = &mut page.chromium;
    chromium.call(Some(&tab), "Page.enable", json!({}));
    chromium.call(Some(&tab), "Page.reload", json!({}));
    chromium.wait("Page.loadEventFired", |_| true);
    page.evaluate(
        "globalThis.moved = [];
        new PerformanceObserver((list) => moved.push(...list.getEntries().map((one) =>
            one.sources.map((source) => source.node?.nodeName + ': ' + source.node?.textContent.slice(0, 99))))).observe({ type: 'layout-shift', buffered: true })",
    );
    let files = [page.file("new1.bin", 1 << 20), page.file(".new", 5)];
    page.send(&[&files[0], &files[1]]);
    let expected = "1 of 2 stored, 1 not stored";
    assert_eq!(page.results()[0], expected);
    page.row("new1.bin");
    let moved =
        "await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        return moved";
    assert_eq!(page.evaluate(moved), json!([]));
}

#[test]
fn a_refused_file_does_not_stop_the_others() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    let title = "return document.forms[0].title";
    assert_eq!(page.evaluate(title), "At most 64.0 MiB");
    let files = [
        page.file("large.bin", (64 << 20) + 1),
        page.file(".hidden", 1),
        page.file("a.txt", 1),
    ];
    page.send(&[&files[0], &files[1], &files[2]]);
    let expected = json!([
        "1 of 3 stored, 2 not stored",
        "large.bin | Too large. At most 64.0 MiB",
        ".hidden | A file cannot have that name here | Retry",
        "a.txt | Stored"
    ]);
    assert_eq!(page.results(), expected);
    page.assert_accessible("refused");
    page.row("a.txt");
    // The limit was known before anything was sent.
    let sent = "return performance.getEntriesByType('resource').map((one) => one.name.split('/').pop()).sort()";
    assert_eq!(
        page.evaluate(sent),
        json!([".hidden", "?sort=size", "a.txt"])
    );
}

#[test]
fn an_upload_that_was_interrupted_or_cancelled_can_be_retried() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    let (lost, cancelled) = (
        page.file("lost.bin", 8 << 20),
        page.file("new.bin", 8 << 20),
    );
    page.block(&["*lost.bin"]);
    page.send(&[&lost]);
    let expected = json!([
        "0 of 1 stored, 1 not stored",
        "lost.bin | The connection was lost | Retry"
    ]);
    assert_eq!(page.results(), expected);
    page.limit(64 << 10);
    page.send(&[&cancelled]);
    page.wait_for_progress();
    page.press("Cancel new.bin");
    let expected = json!([
        "0 of 2 stored, 2 not stored",
        "lost.bin | The connection was lost | Retry",
        "new.bin | Cancelled | Retry"
    ]);
    assert_eq!(page.results(), expected);
    page.limit(-1);
    page.block(&[]);
    page.press("Retry lost.bin");
    page.press("Retry new.bin");
    let expected = json!(["2 of 2 stored", "lost.bin | Stored", "new.bin | Stored"]);
    assert_eq!(page.results(), expected);
    page.row("new.bin");
    for name in ["lost.bin", "new.bin"] {
        assert_eq!(page.stored(name), Some(8 << 20));
    }
}

/// Starts a proxy of a server that cuts each connection after this number of bytes from the client. Returns its address.
fn start_cutting_proxy(server: String, bytes_max: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(client), Ok(server)) = (client, TcpStream::connect(&server)) else {
                return;
            };
            let (mut replies, mut to_client) =
                (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut replies, &mut to_client));
            thread::spawn(move || {
                let _ = io::copy(&mut (&client).take(bytes_max as u64), &mut &server);
                let _ = server.shutdown(Shutdown::Both);
                let _ = client.shutdown(Shutdown::Both);
            });
        }
    });
    address.to_string()
}

#[test]
fn a_large_file_continues_where_the_connection_was_lost() {
    const LEN: usize = 24 << 20;
    const CUT: usize = 10 << 20;
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    let server = page.served.address.trim_matches(['h', 't', 'p', ':', '/']);
    let proxy = start_cutting_proxy(server.into(), CUT);
    page.tab = page.chromium.open(&format!("http://{proxy}/idx/list/"));
    let large = page.file("large.bin", 0);
    let content: Vec<u8> = (0..LEN as u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    fs::write(&large, &content).unwrap();
    page.evaluate(
        "globalThis.offsets = [];
        const set = XMLHttpRequest.prototype.setRequestHeader;
        XMLHttpRequest.prototype.setRequestHeader = function(name, value) {
            if (name === 'Upload-Offset') offsets.push(+value);
            set.call(this, name, value)
        }",
    );
    page.send(&[&large]);
    let expected = json!(["1 of 1 stored", "large.bin | Stored"]);
    assert_eq!(page.results(), expected);
    assert!(fs::read(page.path("large.bin")).unwrap() == content);
    // What the server had was not sent again.
    let offsets: Vec<usize> = serde_json::from_value(page.evaluate("return offsets")).unwrap();
    assert_eq!(offsets[0], 0);
    assert_eq!(offsets.len(), 3, "{offsets:?}");
    for two in offsets.windows(2) {
        assert!(
            (two[0] + CUT / 2..=two[0] + CUT).contains(&two[1]),
            "{offsets:?}"
        );
    }
}

/// Browsers repeat a request by themselves if the connection ends before the reply.
#[test]
fn a_large_file_is_stored_if_its_last_request_is_repeated() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    let large = page.file("large.bin", 17 << 20);
    page.evaluate(
        "const {open, setRequestHeader, send} = XMLHttpRequest.prototype;
        Object.assign(XMLHttpRequest.prototype, {
            open(method, url) {
                this.request = {method, url, headers: {}};
                open.call(this, method, url)
            },
            setRequestHeader(name, value) {
                this.request.headers[name] = value;
                setRequestHeader.call(this, name, value)
            },
            async send(body) {
                if (this.request.method === 'PATCH') await fetch(this.request.url, {...this.request, body});
                send.call(this, body)
            }
        })",
    );
    page.send(&[&large]);
    let expected = json!(["1 of 1 stored", "large.bin | Stored"]);
    assert_eq!(page.results(), expected);
    assert_eq!(page.stored("large.bin"), Some(17 << 20));
}

#[test]
fn a_large_file_that_is_cancelled_leaves_nothing_and_can_be_retried() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    let large = page.file("large.bin", 17 << 20);
    page.limit(1 << 20);
    page.send(&[&large]);
    page.wait_for_progress();
    page.press("Cancel large.bin");
    let expected = json!([
        "0 of 1 stored, 1 not stored",
        "large.bin | Cancelled | Retry"
    ]);
    assert_eq!(page.results(), expected);
    let cancelled = "performance.getEntriesByType('resource').filter((one) => one.name.includes('?upload=')).length >= 2";
    page.until(cancelled);
    page.limit(-1);
    page.press("Retry large.bin");
    let expected = json!(["1 of 1 stored", "large.bin | Stored"]);
    assert_eq!(page.results(), expected);
    assert_eq!(page.stored("large.bin"), Some(17 << 20));
}

#[test]
fn three_files_are_sent_at_a_time_and_all_can_be_cancelled() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    let files = ["1", "2", "3", "4", "5"].map(|name| page.file(name, 1 << 20));
    let files = files.each_ref().map(|path| &**path);
    page.limit(16 << 10);
    page.send(&files);
    page.until(
        "[...document.querySelectorAll('progress')].filter((one) => one.value > 0).length === 3",
    );
    let states = "return [...document.querySelectorAll('li span')].map((one) => one.textContent)
        .filter((text) => text === 'Waiting').length";
    assert_eq!(page.evaluate(states), 2);
    page.press("Cancel all");
    assert_eq!(page.results()[0], "0 of 5 stored, 5 not stored");
    assert_eq!(page.stored("1"), None);
}

#[test]
fn a_file_whose_name_exists_is_renamed_or_skipped() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    let before = page.stored("file2.txt");
    let file = page.file("file2.txt", 3);
    page.send(&[&file]);
    page.question("file2.txt exists already");
    let answers = "return [...document.querySelectorAll('dialog button')].map((one) => one.textContent).join()";
    assert_eq!(page.evaluate(answers), "Rename,Skip");
    page.assert_accessible("exists");
    // Enter renames, as the suggested name has the focus.
    page.key("Enter", "\r", 13);
    let expected = json!(["1 of 1 stored", "file2.txt | Stored"]);
    assert_eq!(page.results(), expected);
    page.row("file2 (2).txt");
    assert_eq!(page.stored("file2 (2).txt"), Some(3));
    page.send(&[&file]);
    page.question("file2.txt exists already");
    let suggested = "return document.querySelector('dialog input').value";
    assert_eq!(page.evaluate(suggested), "file2 (3).txt");
    page.key("Escape", "", 27);
    let expected = json!([
        "0 of 1 stored, 1 not stored",
        "file2.txt | Skipped, the name exists | Retry"
    ]);
    assert_eq!(page.results(), expected);
    assert_eq!(page.stored("file2.txt"), before);
}

#[test]
fn an_answer_can_hold_for_all_files_and_overwrites_where_that_is_allowed() {
    let Some(mut page) = UploadPage::open_with(true) else {
        return;
    };
    let names = [
        "File1.txt",
        "file2.txt",
        "file10.txt",
        "zdir/new.txt",
        "new.txt",
    ];
    for name in names {
        page.file(&format!("tree/{name}"), 7777);
    }
    page.press("Upload folder");
    fs::create_dir(page.path("tree")).unwrap();
    for name in &names[..3] {
        fs::write(page.path("tree").join(name), "before").unwrap();
    }
    // The directory appeared after the page was loaded, so that only the server knows what is in it.
    let tree = page.folder.path().join("tree");
    page.send(&[&tree]);
    page.until("document.querySelector('dialog')");
    page.evaluate("document.querySelector('[type=checkbox]').click()");
    page.press("Overwrite");
    assert_eq!(page.results()[0], "5 of 5 stored");
    for name in names {
        assert_eq!(page.stored(&format!("tree/{name}")), Some(7777), "{name}");
    }
}

#[test]
fn a_dropped_folder_is_uploaded_with_everything_in_it() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    for (name, len) in [("tree/a.txt", 1), ("tree/b/c/d.txt", 2), ("alone.txt", 3)] {
        page.file(name, len);
    }
    let (tree, alone) = (
        page.folder.path().join("tree"),
        page.folder.path().join("alone.txt"),
    );
    fs::create_dir(tree.join("empty")).unwrap();
    for kind in ["dragEnter", "dragOver"] {
        let data = json!({ "items": [], "files": [tree], "dragOperationsMask": 1 });
        let drag = json!({ "type": kind, "x": 300, "y": 400, "data": data });
        page.chromium
            .call(Some(&page.tab), "Input.dispatchDragEvent", drag);
    }
    let sign = "return getComputedStyle(document.body, '::after').content";
    assert_eq!(
        page.evaluate(sign),
        "\"Drop files and folders to upload them\""
    );
    page.chromium.drop(&page.tab, &[&tree, &alone]);
    page.row("tree/");
    assert_eq!(page.evaluate(sign), "none");
    assert_eq!(page.results()[0], "4 of 4 stored");
    assert_eq!(page.stored("tree/a.txt"), Some(1));
    assert_eq!(page.stored("tree/b/c/d.txt"), Some(2));
    assert_eq!(page.stored("alone.txt"), Some(3));
    assert!(page.path("tree/empty").is_dir());
}

#[test]
fn a_folder_can_be_created() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    page.press("New folder");
    page.question("Name of the new folder");
    page.assert_accessible("folder");
    let chromium = &mut page.chromium;
    chromium.call(
        Some(&page.tab),
        "Input.insertText",
        json!({ "text": "zdir" }),
    );
    page.key("Enter", "\r", 13);
    page.question("Not created: the folder exists");
    page.evaluate("document.querySelector('dialog input').value = 'a #1'");
    page.key("Enter", "\r", 13);
    page.row("a #1/");
    assert!(page.path("a #1").is_dir());
}

#[test]
fn files_are_deleted_by_keyboard_after_a_question() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    let links =
        "return [...document.querySelectorAll('tbody button')].map((one) => one.ariaLabel).sort()";
    let expected = json!([
        "Delete File1.txt",
        "Delete file10.txt",
        "Delete file2.txt",
        "Delete zdir"
    ]);
    assert_eq!(page.evaluate(links), expected);
    page.evaluate("document.querySelector('a[href=\"file2.txt\"]').focus()");
    page.key("Tab", "", 9);
    page.key("Enter", "\r", 13);
    page.question("Delete file2.txt?");
    page.assert_accessible("delete");
    // The focus is on the button that deletes nothing.
    page.key("Enter", "\r", 13);
    page.until("!document.querySelector('dialog')");
    assert!(page.stored("file2.txt").is_some());
    page.press("Delete file2.txt");
    page.press("Delete");
    page.until(&format!("!{NAMES}.includes('file2.txt')"));
    assert_eq!(page.stored("file2.txt"), None);
    let focus = "return document.activeElement.localName";
    page.until("document.activeElement.localName === 'a'");
    assert_eq!(page.evaluate(focus), "a");
}

#[test]
fn controls_are_at_the_end_of_a_row_in_both_directions() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    let files = ["1", "2", "3", "4", "5", "6", "7", "8"].map(|name| page.file(name, 1));
    let first = page.file(".first", 1);
    let mut files: Vec<&Path> = files.iter().map(|path| &**path).collect();
    files.insert(0, &first);
    page.send(&files);
    assert_eq!(page.results()[0], "8 of 9 stored, 1 not stored");
    page.row("8");
    page.until("document.querySelector('tbody button')");
    for direction in ["ltr", "rtl"] {
        page.evaluate(&format!("document.documentElement.dir = '{direction}'"));
        let sides = page.evaluate(
            "const side = (part) => {
                const [inner, outer] = [part, part.closest('tr, li')].map((one) => one.getBoundingClientRect());
                return inner.left - outer.left < outer.right - inner.right ? 'left' : 'right';
            };
            return ['tbody button', 'tbody:last-of-type a', 'li button', 'li bdi'].map((part) => {
                const range = document.createRange();
                range.selectNodeContents(document.querySelector(part));
                const found = document.querySelector(part);
                return found.localName === 'button' ? side(found) : side({
                    getBoundingClientRect: () => range.getBoundingClientRect(),
                    closest: (row) => found.closest(row),
                });
            }).join()",
        );
        let expected = match direction {
            "ltr" => "right,left,right,left",
            _ => "left,right,left,right",
        };
        assert_eq!(sides, expected, "{direction}");
        let screenshot = page.chromium.screenshot(&page.tab, 1280, 800);
        if let Some(folder) = env::var_os("SCREENSHOTS") {
            let name = format!("controls-{direction}.png");
            fs::write(Path::new(&folder).join(name), screenshot).expect("it can be written");
        }
    }
    // The first file that was not stored is in sight when all have ended.
    let seen = "const [list, row] = ['ul', 'li'].map((one) => document.querySelector(one).getBoundingClientRect());
        return row.top >= list.top - 1 && row.bottom <= list.bottom + 1";
    assert_eq!(page.evaluate(seen), true);
}

#[test]
fn a_file_that_has_changed_and_a_full_directory_are_not_deleted() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    fs::write(page.path("file2.txt"), "changed").unwrap();
    page.press("Delete file2.txt");
    page.press("Delete");
    page.question("Not deleted: the file has changed");
    page.press("Close");
    // The page shows the change now, so that the file can be deleted.
    page.until("document.querySelector('[aria-label=\"Delete file2.txt\"]')?.closest('tr').innerText.includes('7 B')");
    page.press("Delete file2.txt");
    page.press("Delete");
    page.until(&format!("!{NAMES}.includes('file2.txt')"));
    fs::write(page.path("zdir/new.txt"), "new").unwrap();
    page.press("Delete zdir");
    page.press("Delete");
    page.question("Not deleted: The directory is not empty");
    assert!(page.stored("zdir/new.txt").is_some());
}

#[test]
fn the_form_works_without_javascript() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    let UploadPage { chromium, tab, .. } = &mut page;
    chromium.call(Some(tab), "Page.enable", json!({}));
    let off = json!({ "value": true });
    chromium.call(Some(tab), "Emulation.setScriptExecutionDisabled", off);
    chromium.call(Some(tab), "Page.reload", json!({}));
    chromium.wait("Page.loadEventFired", |_| true);
    let file = page.file("new.txt", 5);
    assert_eq!(
        page.evaluate("return document.querySelector('output')"),
        json!(null)
    );
    page.send(&[&file]);
    page.evaluate("document.querySelector('form button').click()");
    page.chromium.wait("Page.loadEventFired", |_| true);
    let rows = "return document.querySelector('tbody:last-of-type').innerText.includes('new.txt')";
    assert_eq!(page.evaluate(rows), true);
    assert_eq!(page.stored("new.txt"), Some(5));
}
