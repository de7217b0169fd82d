//! [`Page`]: builds and serves the page of `examples/browser`, and opens it in a headless Chromium.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{fs, thread};

use sanserve_core::{Config, Files};
use sanserve_server::{Disk, Stopper, ThreadingHTTPServer};

use crate::chromium::{Chromium, Tab};
use crate::tools;

/// The page, open in a new browser.
pub(crate) struct Page {
    pub(crate) chromium: Chromium,
    pub(crate) tab: Tab,
    /// Its server, if the test has started one.
    pub(crate) server: Option<Stopper>,
}

impl Page {
    /// Builds the page with features of the worker, adds files, and opens a path. Returns none if there is no Chromium.
    pub(crate) fn open(features: &str, files: &[(&str, &str)], path: &str) -> Option<Page> {
        let program = tools::find("chromium")?;
        let folder = build(features, files);
        let server = ThreadingHTTPServer::bind("127.0.0.1:0").expect("a free port");
        let server = server.with_log(|_| ());
        let (address, stopper) = (server.server_address(), server.stopper());
        let disk = Disk::open(folder).expect("a folder");
        thread::spawn(move || server.serve_forever(&disk, Config::default(), Files::new));
        let mut page = Page::at(&program, &format!("http://{address}/{path}"));
        page.server = Some(stopper);
        Some(page)
    }

    /// Opens a page that is already served.
    pub(crate) fn at(program: &Path, url: &str) -> Page {
        let mut chromium = Chromium::start(program);
        let tab = chromium.open(url);
        let mut page = Page {
            chromium,
            tab,
            server: None,
        };
        page.until("document.documentElement.dataset.ready === ''");
        page
    }

    /// Waits until an expression is true in the page.
    pub(crate) fn until(&mut self, condition: &str) {
        self.chromium.until(&self.tab, condition);
    }
}

/// Builds the page, once for each set of features. Returns the folder.
fn build(features: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = format!("{}/browser-{features}", env!("CARGO_TARGET_TMPDIR"));
    let path = PathBuf::from(&folder);
    let mut built = built();
    if !built.contains(&path) {
        let arguments = ["run", "--quiet", "--", &folder, features];
        tools::cargo("examples/browser", &arguments);
        for (name, content) in files {
            fs::write(path.join(name), content).expect("it can be written");
        }
        built.push(path.clone());
    }
    path
}

/// The folders that were built. Locked while building, because all builds have the same output folder.
pub(crate) fn built() -> MutexGuard<'static, Vec<PathBuf>> {
    static BUILT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    BUILT.lock().unwrap_or_else(PoisonError::into_inner)
}
