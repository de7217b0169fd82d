//! [`Chromium`]: starts a headless Chromium, and controls it over two pipes with the DevTools protocol.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use base64::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::tools::KillOnDrop;

/// A browser with a new profile.
pub(crate) struct Chromium {
    _process: KillOnDrop,
    commands: ChildStdin,
    answers: Receiver<Value>,
    /// Events that were not handled yet.
    events: Vec<Value>,
    /// The id of the last command.
    last: u64,
    _profile: TempDir,
}

/// An open page.
#[derive(Clone)]
pub(crate) struct Tab(String);

impl Chromium {
    /// Starts the program at this path.
    pub(crate) fn start(program: &Path) -> Chromium {
        let profile = tempfile::tempdir().expect("a folder");
        // It reads commands from file descriptor 3 and writes results to 4.
        let mut process = Command::new("sh")
            .args([
                "-c",
                r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#,
            ])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args([
                "--disable-sync",
                "--no-first-run",
                "--remote-debugging-pipe",
            ])
            .arg("--autoplay-policy=no-user-gesture-required")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let commands = process.stdin.take().expect("a pipe");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            for message in output.split(0) {
                let Ok(message) = message else { return };
                let message = serde_json::from_slice(&message).expect("JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Chromium {
            _process: KillOnDrop(process),
            commands,
            answers,
            events: Vec::new(),
            last: 0,
            _profile: profile,
        }
    }

    /// Opens a page, and waits until it has loaded.
    pub(crate) fn open(&mut self, url: &str) -> Tab {
        self.open_with(url, false)
    }

    /// Opens a page without its Content-Security-Policy, so that tests may fetch and play media there.
    pub(crate) fn open_freely(&mut self, url: &str) -> Tab {
        self.open_with(url, true)
    }

    fn open_with(&mut self, url: &str, free: bool) -> Tab {
        let target = self.call(None, "Target.createTarget", json!({ "url": "about:blank" }));
        let id = &target["targetId"];
        let to = json!({ "targetId": id, "flatten": true });
        let session = self.call(None, "Target.attachToTarget", to);
        let tab = Tab(session["sessionId"].as_str().expect("a session").into());
        self.call(Some(&tab), "Page.setBypassCSP", json!({ "enabled": free }));
        let went = self.call(Some(&tab), "Page.navigate", json!({ "url": url }));
        assert!(went["errorText"].is_null(), "{url}: {went}");
        self.evaluate(&tab, LOADED);
        tab
    }

    /// Evaluates JavaScript, which is the body of an async function, and returns its result.
    ///
    /// # Panics
    /// If it throws an exception.
    pub(crate) fn evaluate(&mut self, tab: &Tab, script: &str) -> Value {
        let expression = format!("(async () => {{ {script} }})()");
        let how = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let came = self.call(Some(tab), "Runtime.evaluate", how);
        let exception = &came["exceptionDetails"];
        assert!(exception.is_null(), "{script}\n{exception:#}");
        came["result"]["value"].clone()
    }

    /// Waits until an expression is true in a page. The expression is evaluated with every change
    /// of the document, so that no short state is missed, and every 50 ms, since not everything
    /// that it can ask for (a loaded picture, the focus, the value of a field) changes the document.
    pub(crate) fn until(&mut self, tab: &Tab, condition: &str) {
        let wait = format!(
            "return new Promise((resolve) => {{
                const changes = new MutationObserver(look);
                const timer = setInterval(look, 50);
                function look() {{
                    if (!({condition})) return;
                    changes.disconnect();
                    clearInterval(timer);
                    resolve();
                }}
                changes.observe(document,
                    {{ attributes: true, characterData: true, childList: true, subtree: true }});
                look();
            }})"
        );
        self.evaluate(tab, &wait);
    }

    /// Chooses files in a file input.
    pub(crate) fn choose(&mut self, tab: &Tab, input: &str, files: &[&Path]) {
        let root = self.call(Some(tab), "DOM.getDocument", json!({}));
        let what = json!({ "nodeId": root["root"]["nodeId"], "selector": input });
        let node = self.call(Some(tab), "DOM.querySelector", what);
        let what = json!({ "nodeId": node["nodeId"], "files": files });
        self.call(Some(tab), "DOM.setFileInputFiles", what);
    }

    /// Drops files on the page.
    pub(crate) fn drop(&mut self, tab: &Tab, files: &[&Path]) {
        for kind in ["dragEnter", "dragOver", "drop"] {
            let data = json!({ "items": [], "files": files, "dragOperationsMask": 1 });
            let drag = json!({ "type": kind, "x": 300, "y": 400, "data": data });
            self.call(Some(tab), "Input.dispatchDragEvent", drag);
        }
    }

    /// Returns a screenshot of this size, as PNG.
    pub(crate) fn screenshot(&mut self, tab: &Tab, width: u32, height: u64) -> Vec<u8> {
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let how = json!({ "captureBeyondViewport": true, "clip": clip });
        let screenshot = self.call(Some(tab), "Page.captureScreenshot", how);
        let screenshot = screenshot["data"].as_str().expect("a text");
        BASE64_STANDARD.decode(screenshot).expect("a screenshot")
    }

    /// Runs a command, in a page or in the browser.
    ///
    /// # Panics
    /// If it fails, or takes a minute.
    pub(crate) fn call(&mut self, tab: Option<&Tab>, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut command = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(Tab(session)) = tab {
            command["sessionId"] = json!(session);
        }
        let sent = write!(self.commands, "{command}\0");
        sent.and_then(|()| self.commands.flush())
            .expect("chromium listens");
        loop {
            let answer = self.receive(&command.to_string());
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    /// Waits for an event whose parameters satisfy `is`.
    ///
    /// # Panics
    /// If it takes a minute.
    pub(crate) fn wait(&mut self, method: &str, is: impl Fn(&Value) -> bool) {
        let mut events = std::mem::take(&mut self.events);
        loop {
            let found = events
                .iter()
                .find(|event| event["method"] == method && is(&event["params"]));
            if found.is_some() {
                return;
            }
            events = vec![self.receive(method)];
        }
    }

    fn receive(&self, what: &str) -> Value {
        let heard = self.answers.recv_timeout(Duration::from_secs(60));
        heard.unwrap_or_else(|error| panic!("{what}: {error}"))
    }
}

const LOADED: &str = "if (document.readyState !== 'complete')
    await new Promise((done) => addEventListener('load', done));";
