//! [`Setup`]: how a server is set up for a case, the same on every port.

use alloc::boxed::Box;
use alloc::sync::Arc;

use sanserve_core::archive::Download;
use sanserve_core::{
    Cgi, Config, FileSettings, Files, Guard, Handler, HostNames, Hosts, Limits, Protocol, Upload,
    error_page, listing,
};

use crate::handlers;

/// A kind of server: which handler answers, with which settings. Nothing in it is allocated, so that it can
/// be built into a port that runs elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Setup {
    /// The name of the handler.
    pub handler: &'static str,
    /// Settings that differ from the defaults.
    pub options: &'static [(&'static str, &'static str)],
}

impl Setup {
    /// The configuration that the options ask for:
    ///
    /// ```text
    /// option   protocol HTTP/1.1
    /// option   requests 3           how many a connection serves at most
    /// option   line 100             how long a request line may be, with its end
    /// option   fields 100           how long all fields may be
    /// option   content 100          how many bytes of content are taken
    /// option   drain 100            how many bytes of unread content are thrown away
    /// option   keep-alive on        replies say how long the connection stays open
    /// option   pages ours           errors, and the listings of the file service, in our own dress
    /// ```
    ///
    /// Those of the file service belong to [`handler`](Self::handler).
    ///
    /// # Panics
    /// If an option is unknown or its value is none.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        let limits: &mut Limits = &mut config.limits;
        for &(key, value) in self.options {
            let number = || {
                value
                    .parse()
                    .unwrap_or_else(|_| panic!("{key} {value}: no number"))
            };
            match (key, value) {
                ("protocol", "HTTP/1.0") => config.protocol = Protocol::Http10,
                ("protocol", "HTTP/1.1") => config.protocol = Protocol::Http11,
                ("requests", _) => limits.requests = number(),
                ("line", _) => limits.head.request_line = number() as usize,
                ("fields", _) => limits.head.field_bytes = number() as usize,
                ("content", _) => limits.content = number().into(),
                ("drain", _) => limits.drain = number().into(),
                ("keep-alive", "on") => config.keep_alive = true,
                ("plain", "on") => config.page_for_bad_head = true,
                ("pages", "styled") => config.error_page = Arc::new(error_page::page),
                (key, _) if FILES.contains(&key) => {}
                _ => panic!("no such option: {key} {value}"),
            }
        }
        config
    }

    /// A handler for one connection: `files` is the file service, `cgi` the same with scripts, `guarded` with
    /// passwords, `upload` one that also stores files; `echo` sends content back after it has read all of
    /// it, `stream` while it reads; `target` sends the path back; `python` is that of CPython's own tests.
    ///
    /// The file service has these options:
    ///
    /// ```text
    /// option   precompressed on     files that are compressed already are sent in place of others
    /// option   charset utf-8        what text is said to be written in
    /// option   cache-control TEXT   the field
    /// option   cors *               the origin whose pages may have everything
    /// option   spa FILE             what is sent for pages that are not there
    /// option   not-found FILE       what is sent for whatever is not there, as 404
    /// option   header NAME: VALUE   a further field
    /// option   archives on          directories can be had as archives
    /// option   overwrite on         what is stored may take the place of a file
    /// option   loopback-only on     nothing is stored for other hosts than this machine itself
    /// option   hidden yes           names that begin with a dot are served
    /// option   plain on             replies have only what CPython's have
    /// option   https on             scripts are told that the server speaks TLS
    /// option   above N              how many segments of a target are above what is served
    /// option   names portable       the files lie where Windows may read their names, see `portable_names`; `any`
    ///                               for what would be otherwise there
    /// ```
    ///
    /// And every handler has this one, which may be given several times:
    ///
    /// ```text
    /// option   host NAME            a host that is known; others are not, but for this machine itself
    /// ```
    ///
    /// # Panics
    /// If there is no handler of that name.
    #[must_use]
    pub fn handler(&self) -> Box<dyn Handler + Send> {
        let hosts = self.options.iter().filter(|(key, _)| *key == "host");
        let hosts: HostNames = hosts.map(|(_, name)| *name).collect();
        match hosts.is_empty() {
            true => self.bare_handler(),
            false => Box::new(Hosts::new(self.bare_handler(), hosts)),
        }
    }

    /// Returns whether the [handler](Self::handler) answers only some hosts. A client that cannot choose the `Host` of
    /// its requests, such as a script in a browser, cannot run these cases.
    #[must_use]
    pub fn checks_host(&self) -> bool {
        self.options.iter().any(|(key, _)| *key == "host")
    }

    /// Returns whether the file system must refuse names that are not portable
    /// ([`Path::is_portable`](sanserve_core::Path::is_portable)), as on Windows. In all other cases names are what they
    /// are on Unix. A port whose file system has one rule leaves out the cases of the other.
    #[must_use]
    pub fn portable_names(&self) -> bool {
        self.option("names") == Some("portable")
    }

    /// The same for every host.
    fn bare_handler(&self) -> Box<dyn Handler + Send> {
        match self.handler {
            "files" => Box::new(self.files()),
            "cgi" => {
                let mut cgi = Cgi::new("site.example", 8000);
                cgi.files = self.files();
                cgi.settings_mut().https = self.option("https") == Some("on");
                Box::new(cgi)
            }
            "guarded" => {
                let mut guard = Guard::new(self.files(), handlers::check_credentials);
                guard.cors = self.option("cors").map(Into::into);
                Box::new(guard)
            }
            "upload" => {
                let mut upload = Upload::new();
                upload.files = self.files();
                upload.overwrite = self.option("overwrite") == Some("on");
                upload.loopback_only = self.option("loopback-only") == Some("on");
                Box::new(upload)
            }
            "echo" => Box::new(handlers::Echo::default()),
            "stream" => Box::new(handlers::Stream),
            "target" => Box::new(handlers::Target),
            "python" => Box::new(handlers::Python),
            other => panic!("no such handler: {other}"),
        }
    }

    /// The value of an option, the last one if it is given twice.
    fn option(&self, key: &str) -> Option<&'static str> {
        let found = self.options.iter().rev().find(|(name, _)| *name == key);
        found.map(|(_, value)| *value)
    }

    /// The file service that the options ask for.
    fn files(&self) -> Files {
        let text = |key: &str| self.option(key).map(Into::into);
        let mut settings = FileSettings::default();
        if self.option("pages") == Some("styled") {
            settings.list_directory = Arc::new(listing::page);
        }
        settings.plain = self.option("plain") == Some("on");
        settings.hidden = self.option("hidden") == Some("yes");
        settings.precompressed = self.option("precompressed") == Some("on");
        settings.charset = text("charset");
        settings.cache_control = text("cache-control");
        settings.cors = text("cors");
        if self.option("archives") == Some("on") {
            settings.archive = Arc::new(Download::parse);
        }
        let above = self.option("above");
        let above = above.map(|above| above.parse().expect("a number"));
        settings.mount_depth = above.unwrap_or_default();
        settings.spa = text("spa");
        settings.not_found_page = text("not-found");
        let header = self.option("header");
        let header = header.and_then(|field| field.split_once(": "));
        let header = header.map(|(name, value)| (name.into(), value.into()));
        settings.extra_headers.extend(header);
        settings.into()
    }
}

/// The options of handlers.
const FILES: [&str; 16] = [
    "plain",
    "https",
    "above",
    "names",
    "host",
    "loopback-only",
    "overwrite",
    "archives",
    "hidden",
    "precompressed",
    "charset",
    "cache-control",
    "cors",
    "spa",
    "not-found",
    "header",
];
