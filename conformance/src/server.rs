//! The server that a case wants: its configuration and its handler, the same on every port.

use sanserve_core::{Cgi, Config, Files, Handler, Limits, Protocol};

use crate::{Case, handlers};

impl Case {
    /// The configuration that the case's options ask for:
    ///
    /// ```text
    /// option   protocol HTTP/1.1
    /// option   requests 3           how many a connection serves at most
    /// option   content 100          how many bytes of content are taken
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
                ("content", _) => limits.content = number().into(),
                ("drain", _) => limits.drain = number().into(),
                _ => panic!("no such option: {key} {value}"),
            }
        }
        config
    }

    /// A handler for one connection: `files` is the file service, `cgi` the same
    /// with scripts, `echo` sends content back after
    /// it has read all of it, `stream` while it reads; `python` is that of CPython's own tests.
    ///
    /// # Panics
    /// If there is no handler of that name.
    #[must_use]
    pub fn handler(&self) -> Box<dyn Handler + Send> {
        match self.handler.as_str() {
            "files" => Box::new(Files::new()),
            "cgi" => Box::new(Cgi::new("site.example", 8000)),
            "echo" => Box::new(handlers::Echo::default()),
            "stream" => Box::new(handlers::Stream),
            "python" => Box::new(handlers::Python),
            other => panic!("no such handler: {other}"),
        }
    }
}
