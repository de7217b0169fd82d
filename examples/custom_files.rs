//! A server with a changed file service: an extra header, its own media types, and a handler wrapped around it.
//!
//! `cargo run -p sanserve-examples --bin custom_files`, then open the address it prints.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use sanserve_core::{Config, Event, Exchange, Files, Handler, Next, mime};
use sanserve_server::{Disk, ThreadingHTTPServer};

/// A file service that hides names beginning with a dot, and counts the requests of its connection.
struct CustomFiles {
    files: Files,
    requests: u32,
}

impl CustomFiles {
    fn new() -> Self {
        let mut files = Files::new();
        files.settings_mut().extra_headers = vec![("Cache-Control".into(), "no-cache".into())];
        files.settings_mut().guess_type = Arc::new(|name| match name {
            name if name.ends_with(b".rs") => Some("text/x-rust".into()),
            name => mime::guess_type(name, |_| None).map(Into::into),
        });
        CustomFiles { files, requests: 0 }
    }
}

impl Handler for CustomFiles {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.requests += 1;
        ex.log_message(format_args!("request {} of this connection", self.requests));
        match ex.path() {
            path if path.contains("/.") => ex.send_error(404, "File not found"),
            _ => self.files.begin(ex),
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        self.files.resume(ex, event)
    }
}

fn main() -> io::Result<()> {
    let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}/", server.server_address());
    server.serve_forever(Disk::open(".")?, Config::default(), CustomFiles::new)
}
