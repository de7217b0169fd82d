//! The server that a case wants: its configuration and its handler, the same on every port.

use sanserve_core::{Cgi, Config, Files, Handler, Limits, Protocol};

use crate::{Case, handlers};

impl Case {
    /// The configuration that the case's options ask for:
    ///
    /// ```text
    /// option   protocol HTTP/1.1
    /// option   requests 3           how many a connection serves at most
    /// option   line 100             how long a request line may be, with its end
    /// option   fields 100           how long all fields may be
    /// option   content 100          how many bytes of content are taken
    /// option   drain 100            how many bytes of unread content are thrown away
    /// option   hidden yes           names that begin with a dot are served
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
                ("hidden", "yes") => {}
                ("requests", _) => limits.requests = number(),
                ("line", _) => limits.request_line = number() as usize,
                ("fields", _) => limits.fields = number() as usize,
                ("content", _) => limits.content = number().into(),
                ("drain", _) => limits.drain = number().into(),
                _ => panic!("no such option: {key} {value}"),
            }
        }
        config
    }

    /// A handler for one connection: `files` is the file service, `cgi` the same
    /// with scripts, `echo` sends content back after
    /// it has read all of it, `stream` while it reads; `target` sends the path back; `python` is
    /// that of CPython's own tests.
    ///
    /// # Panics
    /// If there is no handler of that name.
    #[must_use]
    pub fn handler(&self) -> Box<dyn Handler + Send> {
        match self.handler.as_str() {
            "files" => {
                let mut files = Files::new();
                files.hidden = self.option("hidden").is_some();
                Box::new(files)
            }
            "cgi" => Box::new(Cgi::new("site.example", 8000)),
            "echo" => Box::new(handlers::Echo::default()),
            "stream" => Box::new(handlers::Stream),
            "target" => Box::new(handlers::Target),
            "python" => Box::new(handlers::Python),
            other => panic!("no such handler: {other}"),
        }
    }
}
