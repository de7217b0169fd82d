//! Tests uploads with a listing in a headless Chromium: progress, errors, cancelling, and the form without JavaScript.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chromium::{Chromium, Tab};
use crate::listing::{BROKEN, Served, axe};
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
        let program = tools::find("chromium")?;
        let (served, mut chromium) = (Served::start(), Chromium::start(&program));
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
        let file = File::create(&path).expect("a file");
        file.set_len(len).expect("the disk has space");
        path
    }

    /// Returns the length of the stored file with this name.
    fn stored(&self, name: &str) -> Option<u64> {
        let path = self.served.site.path().join("idx/list").join(name);
        fs::metadata(path).map(|file| file.len()).ok()
    }

    /// Limits the upload rate: -1 means no limit, and 0 no connection.
    fn limit(&mut self, bytes_a_second: i64) {
        let how = json!({ "offline": bytes_a_second == 0, "latency": 0, "downloadThroughput": -1,
            "uploadThroughput": bytes_a_second });
        let chromium = &mut self.chromium;
        chromium.call(Some(&self.tab), "Network.enable", json!({}));
        chromium.call(Some(&self.tab), "Network.emulateNetworkConditions", how);
    }

    fn send(&mut self, files: &[&Path]) {
        self.chromium.choose(&self.tab, "[type=file]", files);
        self.evaluate("document.querySelector('form button').click()");
    }

    fn evaluate(&mut self, script: &str) -> Value {
        self.chromium.evaluate(&self.tab, script)
    }

    /// Returns the message at the end of an upload.
    fn message(&mut self) -> Value {
        let over =
            "!document.querySelector('progress') && document.querySelector('form output').value";
        self.chromium.until(&self.tab, over);
        self.evaluate("return document.querySelector('form output').value")
    }

    /// Waits until the progress is shown.
    fn wait_for_progress(&mut self) {
        let some = "document.querySelector('progress')?.value > 0
            && document.querySelector('form output').value";
        self.chromium.until(&self.tab, some);
    }

    /// Waits for a row with this name.
    fn row(&mut self, name: &str) {
        let row = format!(
            "[...document.querySelectorAll('tbody th')].some((name) => name.innerText === {name:?})"
        );
        self.chromium.until(&self.tab, &row);
    }
}

#[test]
fn an_upload_shows_its_progress_and_its_file() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    let (first, second) = (page.file("new1.bin", 9 << 20), page.file("new2.txt", 5));
    page.limit(256 << 10);
    page.send(&[&first, &second]);
    page.wait_for_progress();
    let state = page.evaluate(
        "const [progress] = document.getElementsByTagName('progress');
        const output = document.querySelector('form output');
        const said = /^\\d+(\\.\\d)? (B|KiB|MiB) of 9\\.0 MiB sent, \\d\\d? %$/.test(output.value);
        const shown = [...document.forms[0].elements].filter((part) => part.checkVisibility());
        return [progress.value < progress.max, progress.max > 9 << 20, progress.ariaLabel,
            said || output.value, output.ariaLive,
            shown.map((part) => part.localName).join(), document.activeElement.textContent]",
    );
    let expected = json!([
        true,
        true,
        "Upload",
        true,
        "polite",
        "button,output",
        "Cancel"
    ]);
    assert_eq!(state, expected);
    assert_accessible(&mut page, "sending");
    assert_eq!(page.stored("new2.txt"), None);
    page.limit(-1);
    assert_eq!(page.message(), "Stored");
    page.row("new2.txt");
    assert_eq!(page.stored("new1.bin"), Some(9 << 20));
    assert_eq!(page.stored("new2.txt"), Some(5));
    let after =
        "return [document.activeElement.textContent, document.querySelector('[type=file]').value,
        location.search, document.querySelector('[aria-sort]').textContent,
        document.querySelector('caption').textContent.slice(0, 9)]";
    let expected = json!(["Upload", "", "?sort=size", "Size", "7 entries"]);
    assert_eq!(page.evaluate(after), expected);
}

/// Tests the rules of axe-core and several screens. `SCREENSHOTS=folder` saves screenshots there.
fn assert_accessible(page: &mut UploadPage, name: &str) {
    let axe = axe();
    for (scheme, width) in [
        ("light", 1280),
        ("dark", 640),
        ("dark", 375),
        ("light", 320),
    ] {
        page.served
            .show(&mut page.chromium, &page.tab, scheme, width);
        let wide =
            "const page = document.documentElement; return page.scrollWidth - page.clientWidth";
        assert_eq!(page.evaluate(wide), 0, "{width}");
        if let Some(axe) = &axe {
            let found = page.evaluate(&format!("{axe};\n{BROKEN}"));
            assert_eq!(found, json!([]), "{scheme}, {width}");
        }
        if let Some(folder) = env::var_os("SCREENSHOTS") {
            let screenshot = page.chromium.screenshot(&page.tab, width, 500);
            let name = format!("{name}-{scheme}-{width}.png");
            fs::write(Path::new(&folder).join(name), screenshot).expect("it can be written");
        }
    }
}

#[test]
fn a_rejected_upload_shows_the_reason() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    let (new, existing) = (page.file("a.txt", 1), page.file("file2.txt", 3));
    page.send(&[&new, &existing]);
    let reason = "Not stored: 409 A file with this name exists ('file2.txt'); already stored: 1.";
    assert_eq!(page.message(), reason);
    assert_accessible(&mut page, "refused");
    // Files that were stored before the error are shown.
    page.row("a.txt");
    let large = page.file("large.bin", 65 << 20);
    page.send(&[&large]);
    assert_eq!(page.message(), "Not stored: 413 Content Too Large.");
    assert_eq!(page.stored("large.bin"), None);
    page.limit(64 << 10);
    let other = page.file("new.bin", 8 << 20);
    page.send(&[&other]);
    page.wait_for_progress();
    page.limit(0);
    // The listing shows whether all of it had arrived by then.
    assert_eq!(page.message(), "The connection was lost");
}

#[test]
fn an_upload_can_be_cancelled_and_restarted() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    let file = page.file("new.bin", 8 << 20);
    page.limit(64 << 10);
    page.send(&[&file]);
    page.wait_for_progress();
    page.evaluate("document.activeElement.click()");
    assert_eq!(page.message(), "Cancelled");
    assert_eq!(page.stored("new.bin"), None);
    page.limit(-1);
    page.evaluate("document.querySelector('form button').click()");
    page.row("new.bin");
    assert_eq!(page.stored("new.bin"), Some(8 << 20));
}

#[test]
fn dropped_files_are_uploaded() {
    let Some(mut page) = UploadPage::open() else {
        return;
    };
    let files = [page.file("a.txt", 1), page.file("b.txt", 2)];
    page.chromium.drop(&page.tab, &[&files[0], &files[1]]);
    page.row("b.txt");
    assert_eq!(
        (page.stored("a.txt"), page.stored("b.txt")),
        (Some(1), Some(2))
    );
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
    page.chromium.wait("Page.loadEventFired", |_| true);
    let rows = "return document.querySelector('tbody:last-of-type').innerText.includes('new.txt')";
    assert_eq!(page.evaluate(rows), true);
    assert_eq!(page.stored("new.txt"), Some(5));
}
