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
struct Stage {
    served: Served,
    chromium: Chromium,
    tab: Tab,
    folder: TempDir,
}

impl Stage {
    fn set() -> Option<Stage> {
        let program = tools::find("chromium")?;
        let (served, mut chromium) = (Served::start(), Chromium::start(&program));
        let tab = served.open(&mut chromium, "idx/list/?sort=size", "light", 1280);
        let folder = tempfile::tempdir().expect("a folder");
        Some(Stage {
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
        file.set_len(len).expect("it has room");
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
    fn said(&mut self) -> Value {
        let over =
            "!document.querySelector('progress') && document.querySelector('form output').value";
        self.chromium.until(&self.tab, over);
        self.evaluate("return document.querySelector('form output').value")
    }

    /// Waits until the progress is shown.
    fn under_way(&mut self) {
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
    let Some(mut stage) = Stage::set() else {
        return;
    };
    let (first, second) = (stage.file("new1.bin", 9 << 20), stage.file("new2.txt", 5));
    stage.limit(256 << 10);
    stage.send(&[&first, &second]);
    stage.under_way();
    let state = stage.evaluate(
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
    looks_well(&mut stage, "sending");
    assert_eq!(stage.stored("new2.txt"), None);
    stage.limit(-1);
    assert_eq!(stage.said(), "Stored");
    stage.row("new2.txt");
    assert_eq!(stage.stored("new1.bin"), Some(9 << 20));
    assert_eq!(stage.stored("new2.txt"), Some(5));
    let after =
        "return [document.activeElement.textContent, document.querySelector('[type=file]').value,
        location.search, document.querySelector('[aria-sort]').textContent,
        document.querySelector('caption').textContent.slice(0, 9)]";
    let expected = json!(["Upload", "", "?sort=size", "Size", "7 entries"]);
    assert_eq!(stage.evaluate(after), expected);
}

/// Tests the rules of axe-core and several screens. `SCREENSHOTS=folder` saves screenshots there.
fn looks_well(stage: &mut Stage, name: &str) {
    let axe = axe();
    for (scheme, width) in [
        ("light", 1280),
        ("dark", 640),
        ("dark", 375),
        ("light", 320),
    ] {
        stage
            .served
            .show(&mut stage.chromium, &stage.tab, scheme, width);
        let wide =
            "const page = document.documentElement; return page.scrollWidth - page.clientWidth";
        assert_eq!(stage.evaluate(wide), 0, "{width}");
        if let Some(axe) = &axe {
            let found = stage.evaluate(&format!("{axe};\n{BROKEN}"));
            assert_eq!(found, json!([]), "{scheme}, {width}");
        }
        if let Some(folder) = env::var_os("SCREENSHOTS") {
            let picture = stage.chromium.picture(&stage.tab, width, 500);
            let name = format!("{name}-{scheme}-{width}.png");
            fs::write(Path::new(&folder).join(name), picture).expect("it can be written");
        }
    }
}

#[test]
fn a_rejected_upload_shows_the_reason() {
    let Some(mut stage) = Stage::set() else {
        return;
    };
    let (good, there) = (stage.file("a.txt", 1), stage.file("file2.txt", 3));
    stage.send(&[&good, &there]);
    let reason = "Not stored: 409 A file with this name exists ('file2.txt'); already stored: 1.";
    assert_eq!(stage.said(), reason);
    looks_well(&mut stage, "refused");
    // Files that were stored before the error are shown.
    stage.row("a.txt");
    let large = stage.file("large.bin", 65 << 20);
    stage.send(&[&large]);
    assert_eq!(stage.said(), "Not stored: 413 Content Too Large.");
    assert_eq!(stage.stored("large.bin"), None);
    stage.limit(64 << 10);
    let other = stage.file("new.bin", 8 << 20);
    stage.send(&[&other]);
    stage.under_way();
    stage.limit(0);
    // The listing shows whether all of it had arrived by then.
    assert_eq!(stage.said(), "The connection was lost");
}

#[test]
fn an_upload_can_be_cancelled_and_restarted() {
    let Some(mut stage) = Stage::set() else {
        return;
    };
    let file = stage.file("new.bin", 8 << 20);
    stage.limit(64 << 10);
    stage.send(&[&file]);
    stage.under_way();
    stage.evaluate("document.activeElement.click()");
    assert_eq!(stage.said(), "Cancelled");
    assert_eq!(stage.stored("new.bin"), None);
    stage.limit(-1);
    stage.evaluate("document.querySelector('form button').click()");
    stage.row("new.bin");
    assert_eq!(stage.stored("new.bin"), Some(8 << 20));
}

#[test]
fn dropped_files_are_uploaded() {
    let Some(mut stage) = Stage::set() else {
        return;
    };
    let files = [stage.file("a.txt", 1), stage.file("b.txt", 2)];
    stage.chromium.drop(&stage.tab, &[&files[0], &files[1]]);
    stage.row("b.txt");
    assert_eq!(
        (stage.stored("a.txt"), stage.stored("b.txt")),
        (Some(1), Some(2))
    );
}

#[test]
fn the_form_works_without_javascript() {
    let Some(mut stage) = Stage::set() else {
        return;
    };
    let Stage { chromium, tab, .. } = &mut stage;
    chromium.call(Some(tab), "Page.enable", json!({}));
    let off = json!({ "value": true });
    chromium.call(Some(tab), "Emulation.setScriptExecutionDisabled", off);
    chromium.call(Some(tab), "Page.reload", json!({}));
    chromium.wait("Page.loadEventFired", |_| true);
    let file = stage.file("new.txt", 5);
    assert_eq!(
        stage.evaluate("return document.querySelector('output')"),
        json!(null)
    );
    stage.send(&[&file]);
    stage.chromium.wait("Page.loadEventFired", |_| true);
    let rows = "return document.querySelector('tbody:last-of-type').innerText.includes('new.txt')";
    assert_eq!(stage.evaluate(rows), true);
    assert_eq!(stage.stored("new.txt"), Some(5));
}
