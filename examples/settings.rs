//! A server with settings from a file. The settings own their text, and all connections share them.
//!
//! `cargo run -p sanserve-examples --bin settings -- FILE`, where FILE looks like this, and any line may be left out:
//!
//! ```toml
//! address = "127.0.0.1:8000"
//! root = "."
//! upload_limit = 10485760     # bytes
//! idle_timeout = 60           # seconds
//! error_text = "Ask the librarian."
//! [headers]
//! Cache-Control = "max-age=60"
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::{env, fs, time::Duration};

use sanserve_core::{Config, FileSettings, Files, Limits, Protocol, Timeouts};
use sanserve_server::{Disk, ThreadingHTTPServer};
use serde::Deserialize;

/// The contents of the file. An unknown name is an error, which gives its position.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    address: String,
    root: PathBuf,
    upload_limit: u64,
    idle_timeout: u64,
    error_text: String,
    headers: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            address: "127.0.0.1:8000".into(),
            root: ".".into(),
            upload_limit: Limits::default().content,
            idle_timeout: Timeouts::default().idle.as_secs(),
            error_text: String::new(),
            headers: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Returns the configuration of a connection. The closure for error pages owns its text.
    fn config(&self) -> Config {
        let text = self.error_text.clone();
        Config::default()
            .with_protocol(Protocol::Http11)
            .with_limits(Limits::default().with_content(self.upload_limit))
            .with_timeouts(Timeouts::default().with_idle(Duration::from_secs(self.idle_timeout)))
            .with_error_content_type("text/plain;charset=utf-8")
            .with_error_page(move |page, out| {
                writeln!(out, "{} {}\n{text}", page.status, page.message)
            })
    }

    fn files(&self) -> Files {
        let mut settings = FileSettings::default();
        let to_field =
            |(name, value): (&String, &String)| (name.clone().into(), value.clone().into());
        settings.extra_headers = self.headers.iter().map(to_field).collect();
        Files::from(settings)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("expected the settings file")?;
    let settings: Settings = toml::from_str(&fs::read_to_string(path)?)?;
    let server = ThreadingHTTPServer::bind(&settings.address)?;
    println!("http://{}/", server.server_address());
    // Each connection gets its own handler, a clone that shares these settings.
    let files = settings.files();
    let disk = Disk::open(&settings.root)?;
    server.serve_forever(disk, settings.config(), move || files.clone())?;
    Ok(())
}
