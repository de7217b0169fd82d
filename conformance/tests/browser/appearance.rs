//! Tests that the page of `examples/browser` fits every screen, and the documented command that builds and serves it.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::prelude::*;
use serde_json::json;

use crate::page::{self, Page};
use crate::tools::{self, inner_build};
use crate::user::fetch;

/// Tests both color schemes, on a desktop and a phone. `SCREENSHOTS=folder` saves screenshots there.
#[test]
fn the_page_fits_every_screen() {
    let Some(mut page) = Page::open("", &[], "") else {
        return;
    };
    let keep = env::var_os("SCREENSHOTS").map(PathBuf::from);
    page.chromium.evaluate(
        &page.tab,
        "document.getElementById('sample-button').click()",
    );
    let site = page.visit();
    fetch(&mut page.chromium, &site, "nowhere", json!({}));
    page.until("document.querySelector('#log .wrong')");
    for (screen, width, height) in [("desk", 1280, 900), ("phone", 360, 780)] {
        for scheme in ["light", "dark"] {
            let tab = Some(&page.tab);
            page.chromium.call(tab, "Page.bringToFront", json!({}));
            let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
            page.chromium
                .call(tab, "Emulation.setDeviceMetricsOverride", size);
            let features = json!([
                { "name": "prefers-color-scheme", "value": scheme },
                { "name": "prefers-reduced-motion", "value": "reduce" },
            ]);
            let media = json!({ "features": features });
            page.chromium.call(tab, "Emulation.setEmulatedMedia", media);
            let size = "const page = document.documentElement;
                return [page.scrollWidth - page.clientWidth, page.scrollHeight]";
            let size = page.chromium.evaluate(&page.tab, size);
            assert_eq!(size[0], 0, "{screen}");
            let clip = json!({ "x": 0, "y": 0, "width": width, "height": size[1], "scale": 1 });
            let how = json!({ "captureBeyondViewport": true, "clip": clip });
            let screenshot = page
                .chromium
                .call(Some(&page.tab), "Page.captureScreenshot", how);
            if let Some(folder) = &keep {
                let screenshot = BASE64_STANDARD.decode(screenshot["data"].as_str().unwrap());
                let screenshot = screenshot.expect("base64");
                fs::write(folder.join(format!("{screen}-{scheme}.png")), screenshot).unwrap();
            }
        }
    }
}

#[test]
fn the_documented_command_builds_and_serves_it() {
    let Some(program) = tools::find("chromium") else {
        return;
    };
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let guide = fs::read_to_string(format!("{root}/docs/platforms.md")).unwrap();
    assert!(guide.contains("\n    make browser "));
    let alone = page::built();
    let mut make = Command::new("make");
    inner_build::isolate(&mut make);
    make.args(["--silent", "--directory", root, "browser", "PORT=0"]);
    let mut make = make.stdout(Stdio::piped()).spawn().expect("make");
    let mut lines = BufReader::new(make.stdout.take().expect("a pipe")).lines();
    let address = lines.find_map(|line| {
        let line = line.expect("a line");
        Some(line.split_once("(http://")?.1.split_once('/')?.0.to_owned())
    });
    drop(alone);
    let address = address.expect("a banner");
    Page::at(&program, &format!("http://{address}/"));
    // `make` passes this on.
    let ended = Command::new("kill").arg(make.id().to_string()).status();
    assert!(ended.expect("kill").success());
    make.wait().expect("it ends");
}
