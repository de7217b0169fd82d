//! The server that a case wants: its configuration and its handler, the same on every port.

use sanserve_core::{Cgi, Config, Event, Exchange, Files, Handler, Limits, Next, Protocol};

use crate::Case;

impl Case {
    /// The configuration that the case's options ask for:
    ///
    /// ```text
    /// option   protocol HTTP/1.1
    /// option   requests 3           how many a connection serves at most
    /// option   drain 100            how many bytes of unread content are thrown away
    /// ```
    ///
    /// # Panics
    /// If an option is unknown or its value is none: the case is written wrong.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        let limits: &mut Limits = &mut config.limits;
        for (key, value) in &self.options {
            let number = || {
                value
                    .parse()
                    .unwrap_or_else(|_| panic!("{key} {value}: no number"))
            };
            match (key.as_str(), value.as_str()) {
                ("protocol", "HTTP/1.0") => config.protocol = Protocol::Http10,
                ("protocol", "HTTP/1.1") => config.protocol = Protocol::Http11,
                ("requests", _) => limits.requests = number(),
                ("drain", _) => limits.drain = number().into(),
                _ => panic!("no such option: {key} {value}"),
            }
        }
        config
    }

    /// A handler for one connection: `files` is the file service, `cgi` the same
    /// with scripts, which are given 100 bytes at most, `echo` sends content back after
    /// it has read all of it, `stream` while it reads.
    ///
    /// # Panics
    /// If there is no handler of that name.
    #[must_use]
    pub fn handler(&self) -> Box<dyn Handler + Send> {
        match self.handler.as_str() {
            "files" => Box::new(Files::new()),
            "cgi" => {
                let mut cgi = Cgi::new("site.example", 8000);
                cgi.content_max = 100;
                Box::new(cgi)
            }
            "echo" => Box::new(Echo::default()),
            "stream" => Box::new(Stream),
            other => panic!("no such handler: {other}"),
        }
    }
}

/// Collects the content, then sends it back with its length.
#[derive(Default)]
struct Echo(Vec<u8>);

impl Handler for Echo {
    fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
        self.0.clear();
        Next::Body
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Data(bytes) => {
                self.0.extend_from_slice(bytes);
                Next::Body
            }
            _ => {
                ex.send_response(200);
                ex.send_header("Content-Length", self.0.len());
                ex.end_headers();
                ex.write(&self.0);
                Next::Done
            }
        }
    }
}

/// Sends a mark for each byte of the content as it comes, framed as the peer can take it. A chunk
/// each, so that the pieces in which the content came do not show.
struct Stream;

impl Handler for Stream {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(200);
        ex.end_headers();
        Next::Body
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Data(bytes) => {
                bytes.iter().for_each(|byte| ex.write(&[*byte]));
                Next::Body
            }
            _ => Next::Done,
        }
    }
}
