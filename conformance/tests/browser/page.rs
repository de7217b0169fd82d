//! [`Page`]: what `examples/browser` builds, served, and open in a headless Chromium.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{fs, thread};

use sanserve_core::{Config, Files};
use sanserve_server::{Disk, Stopper, ThreadingHTTPServer};

use crate::chromium::{Chromium, Tab};
use crate::tools;

/// The page, open in a browser of its own.
pub(crate) struct Page {
    pub(crate) chromium: Chromium,
    pub(crate) tab: Tab,
    /// What serves it, if that is here.
    pub(crate) server: Option<Stopper>,
}

impl Page {
    /// Builds it with features of the worker, puts more files beside it, and opens that path there.
    /// None if there is no Chromium.
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

    /// Opens what is served elsewhere.
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

    /// Waits until that is true of the page.
    pub(crate) fn until(&mut self, condition: &str) {
        self.chromium.until(&self.tab, condition);
    }
}

/// Builds what the page is made of, each kind of it once; answers the folder.
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

/// What was built. Who builds holds it: all kinds come out in the same place.
pub(crate) fn built() -> MutexGuard<'static, Vec<PathBuf>> {
    static BUILT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    BUILT.lock().unwrap_or_else(PoisonError::into_inner)
}
