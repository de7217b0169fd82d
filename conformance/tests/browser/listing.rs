//! Tests the listings and error pages in a headless Chromium: the rules of axe-core, several screens, links, sorting
//! and the filter; and in w3m, which has neither styles nor scripts.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use sanserve_conformance::{Site, SiteFolder};
use sanserve_core::archive::Download;
use sanserve_core::{Config, Limits, ResumableUploads, Upload, error_page, listing};
use sanserve_server::{Disk, Stopper, ThreadingHTTPServer};
use serde_json::{Value, json};

use crate::chromium::{Chromium, Tab};
use crate::tools;

/// The tested pages: a listing, one with unusual names, an empty one, a long one, and an error.
const PAGES: [&str; 5] = ["idx/list/?sort=size", "idx/odd/", "empty/", "", "none"];

/// A server of the site, with sanserve's own pages and all features of a listing.
pub(crate) struct Served {
    pub(crate) address: String,
    stopper: Stopper,
    pub(crate) site: SiteFolder,
}

impl Served {
    pub(crate) fn start() -> Served {
        Served::start_with(false)
    }

    /// `overwrite` allows uploads to replace files.
    pub(crate) fn start_with(overwrite: bool) -> Served {
        let site = Site::standard().in_temp_dir().expect("a site");
        let server = ThreadingHTTPServer::bind("127.0.0.1:0").expect("a free port");
        let server = server.with_log(|_| ());
        let address = format!("http://{}/", server.server_address());
        let (stopper, disk) = (server.stopper(), Disk::open(&site).expect("a folder"));
        let config = Config::default()
            .with_error_page(error_page::page)
            .with_limits(Limits::default().with_content(64 << 20));
        thread::spawn(move || {
            let served = server.serve_forever(&disk, config, move || {
                let mut upload = Upload::new();
                upload.files.settings_mut().list_directory = Arc::new(listing::page);
                upload.files.settings_mut().archive = Arc::new(Download::parse);
                (upload.overwrite, upload.delete) = (overwrite, true);
                upload.resumable = Some(ResumableUploads::new());
                upload
            });
            served.expect("it serves");
        });
        Served {
            address,
            stopper,
            site,
        }
    }

    pub(crate) fn open(
        &self,
        chromium: &mut Chromium,
        page: &str,
        scheme: &str,
        width: u32,
    ) -> Tab {
        let tab = chromium.open(&format!("{}{page}", self.address));
        self.show(chromium, &tab, scheme, width);
        tab
    }

    /// Sets the color scheme and the width of a page.
    pub(crate) fn show(&self, chromium: &mut Chromium, tab: &Tab, scheme: &str, width: u32) {
        let scheme = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let media = json!({ "features": scheme });
        chromium.call(Some(tab), "Emulation.setEmulatedMedia", media);
        let size =
            json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        chromium.call(Some(tab), "Emulation.setDeviceMetricsOverride", size);
    }

    /// Tests the rules of axe-core and several screens. `SCREENSHOTS=folder` saves screenshots there.
    pub(crate) fn assert_accessible(&self, chromium: &mut Chromium, tab: &Tab, name: &str) {
        let axe = axe();
        for (scheme, width) in [
            ("light", 1280),
            ("dark", 640),
            ("dark", 375),
            ("light", 320),
        ] {
            self.show(chromium, tab, scheme, width);
            let wide =
                "const page = document.documentElement; return page.scrollWidth - page.clientWidth";
            assert_eq!(chromium.evaluate(tab, wide), 0, "{width}");
            if let Some(folder) = env::var_os("SCREENSHOTS") {
                let screenshot = chromium.screenshot(tab, width, 900);
                let name = format!("{name}-{scheme}-{width}.png");
                fs::write(Path::new(&folder).join(name), screenshot).expect("it can be written");
            }
            if let Some(axe) = &axe {
                // The contrast of rows that are partly behind the panel cannot be computed.
                let found = chromium.evaluate(
                    tab,
                    &format!(
                        "const panel = document.querySelector('section');
                        if (panel) panel.style.position = 'static';
                        {axe};\n{BROKEN}"
                    ),
                );
                assert_eq!(found, json!([]), "{scheme}, {width}");
                let restore = "document.querySelector('section')?.removeAttribute('style')";
                chromium.evaluate(tab, restore);
            }
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stopper.shutdown(std::time::Duration::ZERO);
    }
}

/// Returns the source of axe-core, which npm downloads once. Returns none, and prints a message, if that fails.
pub(crate) fn axe() -> Option<String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("axe");
    let source = folder.join("node_modules/axe-core/axe.min.js");
    if !source.exists() {
        let npm = tools::find("npm")?;
        fs::create_dir_all(&folder).expect("it can be written");
        let mut npm = Command::new(npm);
        let npm = npm.args(["install", "--silent", "--no-save", "--prefix"]);
        let _ = npm.arg(&folder).arg("axe-core@4.14.1").status();
    }
    let source = fs::read_to_string(source).ok();
    if source.is_none() {
        assert!(env::var_os("CI").is_none(), "npm does not bring axe-core");
        let _ = writeln!(io::stderr(), "SKIPPED: npm does not bring axe-core");
    }
    source
}

/// Returns the rules of axe-core that are violated, with the elements.
pub(crate) const BROKEN: &str = "const found = await axe.run();
    return found.violations.concat(found.incomplete).map((rule) =>
        `${rule.id}: ${rule.nodes.map((node) => node.html).join(' ')}`);";

#[test]
fn no_rule_of_axe_is_broken() {
    let (Some(program), Some(axe)) = (tools::find("chromium"), axe()) else {
        return;
    };
    let (served, mut chromium) = (Served::start(), Chromium::start(&program));
    for page in PAGES {
        for scheme in ["light", "dark"] {
            let tab = served.open(&mut chromium, page, scheme, 1280);
            let found = chromium.evaluate(&tab, &format!("{axe};\n{BROKEN}"));
            assert_eq!(found, json!([]), "/{page}, {scheme}");
        }
    }
}

/// Tests a desktop, a desktop at 200 %, and a phone. `SCREENSHOTS=folder` saves screenshots there.
#[test]
fn listings_fit_every_screen_and_load_no_resources() {
    let Some(program) = tools::find("chromium") else {
        return;
    };
    let (served, mut chromium) = (Served::start(), Chromium::start(&program));
    for page in PAGES {
        for (scheme, width) in [
            ("light", 1280),
            ("dark", 640),
            ("light", 375),
            ("dark", 320),
        ] {
            let tab = served.open(&mut chromium, page, scheme, width);
            let measure = "const page = document.documentElement;
                const targets = [...document.links, ...document.querySelectorAll('table button')];
                const links = targets.map((target) => target.getBoundingClientRect());
                return [page.scrollWidth - page.clientWidth,
                    links.filter((box) => Math.min(box.width, box.height) < 24).length,
                    performance.getEntriesByType('resource').length,
                    page.scrollHeight];";
            let found = chromium.evaluate(&tab, measure);
            let found = found.as_array().expect("a list");
            assert_eq!(
                found[..3],
                [json!(0), json!(0), json!(0)],
                "/{page}, {width}"
            );
            if let Some(folder) = env::var_os("SCREENSHOTS") {
                let height = found[3].as_u64().unwrap_or(800).min(1200);
                let screenshot = chromium.screenshot(&tab, width, height);
                let name = format!("listing-{}-{width}.png", page.replace(['/', '?'], "-"));
                fs::write(Path::new(&folder).join(name), screenshot).unwrap();
            }
        }
    }
}

#[test]
fn every_link_of_a_listing_opens_its_file() {
    let Some(program) = tools::find("chromium") else {
        return;
    };
    let (served, mut chromium) = (Served::start(), Chromium::start(&program));
    let tab = chromium.open_freely(&format!("{}idx/odd/", served.address));
    let follow = "const links = [...document.querySelectorAll('tbody:last-of-type a, nav a')];
        return Promise.all(links.map(async (link) => (await fetch(link.href)).status))";
    let found = chromium.evaluate(&tab, follow);
    assert_eq!(found, json!([200, 200, 200, 200, 200, 200, 200, 200]));
}

/// Sorting uses the buttons of a form, so it works without JavaScript and under the page's policy.
#[test]
fn a_key_on_a_column_header_sorts_by_it() {
    let Some(program) = tools::find("chromium") else {
        return;
    };
    let (served, mut chromium) = (Served::start(), Chromium::start(&program));
    let tab = served.open(&mut chromium, "idx/list/", "light", 1280);
    chromium.call(Some(&tab), "Page.enable", json!({}));
    for (column, (key, text), query, sorted) in [
        (2, ENTER, "size-desc", ["Size", "descending", "file2.txt"]),
        (2, ENTER, "size-asc", ["Size", "ascending", "File1.txt"]),
        (
            3,
            SPACE,
            "time-desc",
            ["Changed UTC", "descending", "File1.txt"],
        ),
    ] {
        let focus = format!("document.querySelector('th:nth-child({column}) button').focus()");
        chromium.evaluate(&tab, &focus);
        for kind in ["keyDown", "keyUp"] {
            let code = text.as_bytes()[0];
            let press =
                json!({ "type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code });
            chromium.call(Some(&tab), "Input.dispatchKeyEvent", press);
        }
        let url = format!("{}idx/list/?sort={query}", served.address);
        chromium.wait("Page.frameNavigated", |event| event["frame"]["url"] == url);
        let found = chromium.evaluate(
            &tab,
            "if (document.readyState == 'loading')
                await new Promise((done) => addEventListener('DOMContentLoaded', done));
            const by = document.querySelector('[aria-sort]');
            const rows = document.querySelector('tbody:last-of-type').rows;
            return [by.textContent.trim(), by.ariaSort, rows[1].cells[0].textContent]",
        );
        assert_eq!(found, json!(sorted), "{query}");
    }
}

/// Keys, and the text that they enter.
const ENTER: (&str, &str) = ("Enter", "\r");
const SPACE: (&str, &str) = (" ", " ");

#[test]
fn the_filter_keeps_matching_names() {
    let Some(program) = tools::find("chromium") else {
        return;
    };
    let (served, mut chromium) = (Served::start(), Chromium::start(&program));
    let tab = served.open(&mut chromium, "idx/list/", "light", 1280);
    let mut filter = |text: &str| -> Value {
        let script = "const input = document.querySelector('[type=search]');
            input.value = TEXT;
            input.dispatchEvent(new Event('input'));
            const rows = [...document.querySelectorAll('tbody tr')].filter((row) => row.checkVisibility());
            return [rows.map((row) => row.cells[0].innerText).join(), document.querySelector('output').value];";
        chromium.evaluate(&tab, &script.replace("TEXT", &json!(text).to_string()))
    };
    let up = "Parent folder";
    assert_eq!(
        filter("FILE1"),
        json!([format!("{up},File1.txt,file10.txt"), "2 shown"])
    );
    assert_eq!(filter("none"), json!([up, "Nothing matches"]));
    let all = format!("{up},zdir/,File1.txt,file2.txt,file10.txt,here@");
    assert_eq!(filter(""), json!([all, ""]));
}

#[test]
fn the_filter_finds_names_without_accents_and_enter_opens_the_only_hit() {
    let Some(program) = tools::find("chromium") else {
        return;
    };
    let (served, mut chromium) = (Served::start(), Chromium::start(&program));
    // A precomposed and a decomposed letter (Unicode Standard Annex #15).
    for name in ["Caf\u{e9}.txt", "Cafe\u{301} 2.txt"] {
        fs::write(served.site.path().join("idx/list").join(name), "coffee").expect("a file");
    }
    let tab = served.open(&mut chromium, "idx/list/", "light", 1280);
    chromium.call(Some(&tab), "Page.enable", json!({}));
    let mut press = |key: &str, text: &str| {
        for kind in ["keyDown", "keyUp"] {
            let code = if key == "Enter" { 13 } else { 0 };
            let press =
                json!({ "type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code });
            chromium.call(Some(&tab), "Input.dispatchKeyEvent", press);
        }
        let shown = "return document.querySelector('output')?.value";
        chromium.evaluate(&tab, shown)
    };
    // The first key moves the focus to the filter.
    press("/", "/");
    for (letter, shown) in [("c", "2 shown"), ("a", "2 shown"), ("f", "2 shown")] {
        assert_eq!(press(letter, letter), shown);
    }
    assert_eq!(press("\u{e9}", "\u{e9}"), "2 shown");
    assert_eq!(press(".", "."), "1 shown");
    press("Enter", "\r");
    let opened = format!("{}idx/list/Caf%C3%A9.txt", served.address);
    chromium.wait("Page.frameNavigated", |event| {
        event["frame"]["url"] == opened
    });
}

#[test]
fn times_are_in_the_time_zone_of_the_reader() {
    let Some(program) = tools::find("chromium") else {
        return;
    };
    let (served, mut chromium) = (Served::start(), Chromium::start(&program));
    let tab = served.open(&mut chromium, "idx/list/", "light", 1280);
    chromium.call(Some(&tab), "Page.enable", json!({}));
    let zone = json!({ "timezoneId": "Asia/Tokyo" });
    chromium.call(Some(&tab), "Emulation.setTimezoneOverride", zone);
    chromium.call(Some(&tab), "Page.reload", json!({}));
    chromium.wait("Page.loadEventFired", |_| true);
    let shown = chromium.evaluate(
        &tab,
        "const [, time] = document.querySelectorAll('time');
        time.dispatchEvent(new Event('mouseover', { bubbles: true }));
        return [time.dateTime, time.textContent, time.title.includes('26:40'),
            document.querySelector('th:nth-child(3)').innerText.trim()]",
    );
    let utc = "2020-09-13T12:26:40Z";
    assert_eq!(shown, json!([utc, "2020-09-13 21:26", true, "Changed"]));
}

/// A picture of this width and height.
fn picture(width: u32, height: u32) -> String {
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'>\
         <rect width='100%' height='100%' fill='teal'/><circle cx='50%' cy='50%' r='30%' fill='gold'/></svg>"
    )
}

#[test]
fn pictures_are_shown_and_sorting_keeps_the_view() {
    let Some(program) = tools::find("chromium") else {
        return;
    };
    let (served, mut chromium) = (Served::start(), Chromium::start(&program));
    let sizes = [(1600, 900), (300, 800), (16, 16), (400, 400), (3000, 200)];
    for (number, (width, height)) in sizes.into_iter().enumerate() {
        let name = format!("A picture with a long name, number {number}.svg");
        let path = served.site.path().join("idx/list").join(name);
        fs::write(path, picture(width, height)).expect("a file");
    }
    let tab = served.open(&mut chromium, "idx/list/", "light", 1280);
    chromium.call(Some(&tab), "Page.enable", json!({}));
    let press = |chromium: &mut Chromium, button: &str| {
        let found = format!(
            "[...document.querySelectorAll('table button')].find((one) => one.textContent.startsWith({button:?}))"
        );
        chromium.until(&tab, &found);
        chromium.evaluate(&tab, &format!("{found}.click()"));
    };
    for (button, query) in [
        ("Show pictures", "?pictures=name-asc"),
        ("Size", "?pictures=size-desc"),
    ] {
        press(&mut chromium, button);
        let url = format!("{}idx/list/{query}", served.address);
        chromium.wait("Page.frameNavigated", |event| event["frame"]["url"] == url);
    }
    chromium.until(
        &tab,
        "document.images.length === 5 && [...document.images].every((one) => one.complete)",
    );
    let loaded = "return [...document.images].every((one) => one.naturalWidth > 0)";
    assert_eq!(chromium.evaluate(&tab, loaded), true);
    served.assert_accessible(&mut chromium, &tab, "pictures");
    press(&mut chromium, "Show list");
    let url = format!("{}idx/list/?sort=size-desc", served.address);
    chromium.wait("Page.frameNavigated", |event| event["frame"]["url"] == url);
}

#[test]
fn w3m_shows_a_table() {
    let Some(program) = tools::find("w3m") else {
        return;
    };
    let served = Served::start();
    let mut w3m = Command::new(program);
    let w3m = w3m.args(["-dump", "-cols", "80"]);
    let shown = w3m.arg(format!("{}idx/list/", served.address)).output();
    let shown = String::from_utf8(shown.expect("w3m").stdout).expect("text");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<_> = shown.lines().map(words).collect();
    for wanted in [
        "Home / idx / list",
        // The caption is as narrow as the table.
        "1 folder, 4 files, 4.0 KiB Download",
        "zip Download tar",
        "Name Size Changed UTC",
        "Parent folder",
        "File1.txt 1 B 2020-09-13 12:26",
        "here@ 2.0 KiB 2001-09-09 01:46",
    ] {
        assert!(
            lines.iter().any(|line| line == wanted),
            "{wanted}:\n{shown}"
        );
    }
}
