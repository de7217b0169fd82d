//! [`Setup`]: creates the handler and the configuration of the server for a case, from their names in the case.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use sanserve_core::archive::Download;
use sanserve_core::{
    Cgi, Config, FileSettings, Files, Guard, Handler, HostNames, Hosts, Limits, Protocol, Upload,
    error_page, listing,
};

use crate::handlers;

/// The handler and settings of a server. It holds only `'static` data, so that it can be compiled into a port that runs
/// on another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Setup {
    /// The name of the handler.
    pub handler: &'static str,
    /// The settings that differ from the defaults.
    pub options: &'static [(&'static str, &'static str)],
}

impl Setup {
    /// Returns the configuration for these options:
    ///
    /// ```text
    /// option   protocol HTTP/1.1
    /// option   requests 3           the most requests on a connection
    /// option   line 100             the length limit of a request line, including its end
    /// option   fields 100           the length limit of all fields
    /// option   content 100          the most bytes of content
    /// option   drain 100            the most bytes of unread content that are discarded
    /// option   keep-alive on        replies have a `Keep-Alive` field
    /// option   outbox 1024          the size of the buffer for bytes to be sent
    /// option   idle-timeout 150     the wait for a request, in milliseconds
    /// option   head-timeout 150     the time for a request head, in milliseconds
    /// option   grace 150            the time for content and replies before the rate counts, in milliseconds
    /// option   rate 10              the minimum rate, in bytes per second
    /// option   receive-buffer 0     the size of the client's receive buffer
    /// option   linger 150           the time between a last reply and the close, in milliseconds
    /// option   half-closed 150      the time for work after the client has closed its side, in milliseconds
    /// option   pages styled         sanserve's own error pages and listings in place of CPython's
    /// ```
    ///
    /// The options of handlers are listed at [`handler`](Self::handler).
    ///
    /// # Panics
    /// If an option is unknown or its value is invalid.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        let (limits, timeouts): (&mut Limits, _) = (&mut config.limits, &mut config.timeouts);
        // On a busy machine a script may take seconds to start.
        timeouts.half_closed = Duration::from_secs(15);
        for &(key, value) in self.options {
            let number = || {
                value
                    .parse()
                    .unwrap_or_else(|_| panic!("{key} {value}: not a number"))
            };
            let millis = || Duration::from_millis(u64::from(number()));
            match (key, value) {
                ("protocol", "HTTP/1.0") => config.protocol = Protocol::Http10,
                ("protocol", "HTTP/1.1") => config.protocol = Protocol::Http11,
                ("requests", _) => limits.requests = number(),
                ("line", _) => limits.head.request_line = number() as usize,
                ("fields", _) => limits.head.field_bytes = number() as usize,
                ("content", _) => limits.content = number().into(),
                ("drain", _) => limits.drain = number().into(),
                ("outbox", _) => limits.outbox = number() as usize,
                ("idle-timeout", _) => timeouts.idle = millis(),
                ("head-timeout", _) => timeouts.head = millis(),
                ("grace", _) => timeouts.grace = millis(),
                ("rate", _) => timeouts.rate = number(),
                ("receive-buffer", _) => timeouts.receive_buffer = number(),
                ("linger", _) => timeouts.linger = millis(),
                ("half-closed", _) => timeouts.half_closed = millis(),
                ("keep-alive", "on") => config.keep_alive = true,
                ("plain", "on") => config.page_for_bad_head = true,
                ("pages", "styled") => config.error_page = Arc::new(error_page::page),
                (key, _) if HANDLER_OPTIONS.contains(&key) => {}
                _ => panic!("unknown option: {key} {value}"),
            }
        }
        config
    }

    /// Returns a handler for one connection:
    ///
    /// - `files`: the file service; `cgi`: with CGI scripts; `guarded`: with passwords; `upload`: with uploads;
    /// - `echo`: sends the content back when it has read all of it; `stream`: sends it back while it reads;
    /// - `target`: sends the path back;
    /// - `large`: sends two million bytes; `endless`: a terabyte;
    /// - `waits-long`: sends the head of a reply, and its content ten seconds later;
    /// - `wakes` (with the feature `std`, as the next three): wakes itself, waits to be woken, and then replies;
    /// - `wakes-later`: waits until a thread wakes it, and then replies;
    /// - `waits`: replies in two parts, and waits for a moment before each;
    /// - `writes`: replies with content that is longer than any buffer;
    /// - `python`: the handler of CPython's own tests.
    ///
    /// The file service has these options:
    ///
    /// ```text
    /// option   precompressed on     compressed variants are sent in place of files
    /// option   charset utf-8        the `charset` parameter for text types
    /// option   cache-control TEXT   the value of that field
    /// option   cors *               the origin that may read replies
    /// option   spa FILE             the file that is sent for missing pages
    /// option   not-found FILE       the page of a 404
    /// option   header NAME: VALUE   a further field
    /// option   archives on          directories can be downloaded as archives
    /// option   overwrite on         uploads may replace files
    /// option   loopback-only on     uploads are allowed only if the `Host` is this machine
    /// option   hidden yes           names that begin with a dot are served
    /// option   plain on             replies are CPython's
    /// option   https on             CGI scripts see a server that speaks TLS
    /// option   mount-depth N        the number of segments of a target that are above the root
    /// option   names portable       the file system refuses names that are not portable, see `portable_names`; `any`: the
    ///                               case would give another result there
    /// ```
    ///
    /// Every handler has this option, which may be given several times:
    ///
    /// ```text
    /// option   host NAME            an accepted host name; this machine's own names are always accepted
    /// ```
    ///
    /// # Panics
    /// If the handler is unknown.
    #[must_use]
    pub fn handler(&self) -> Box<dyn Handler + Send> {
        let hosts = self.options.iter().filter(|(key, _)| *key == "host");
        let hosts: HostNames = hosts.map(|(_, name)| *name).collect();
        match hosts.is_empty() {
            true => self.handler_for_any_host(),
            false => Box::new(Hosts::new(self.handler_for_any_host(), hosts)),
        }
    }

    /// Returns whether the [handler](Self::handler) accepts only some hosts. A client that cannot choose the `Host` of
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

    /// Returns the handler without the check of hosts.
    fn handler_for_any_host(&self) -> Box<dyn Handler + Send> {
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
            "large" => Box::new(handlers::Large { left: 2_000_000 }),
            "endless" => Box::new(handlers::Large {
                left: 1_000_000_000_000,
            }),
            "waits-long" => Box::new(handlers::WaitsLong::default()),
            #[cfg(feature = "std")]
            "wakes" => Box::new(handlers::Wakes),
            #[cfg(feature = "std")]
            "wakes-later" => Box::new(handlers::WakesLater::default()),
            #[cfg(feature = "std")]
            "waits" => Box::new(handlers::Waits::default()),
            #[cfg(feature = "std")]
            "writes" => Box::new(handlers::Writes::default()),
            "python" => Box::new(handlers::Python),
            other => panic!("unknown handler: {other}"),
        }
    }

    /// Returns the value of an option: the last one if it is given several times.
    fn option(&self, key: &str) -> Option<&'static str> {
        let found = self.options.iter().rev().find(|(name, _)| *name == key);
        found.map(|(_, value)| *value)
    }

    /// Returns the file service for these options.
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
        let depth = self.option("mount-depth");
        let depth = depth.map(|depth| depth.parse().expect("a number"));
        settings.mount_depth = depth.unwrap_or_default();
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
const HANDLER_OPTIONS: [&str; 16] = [
    "plain",
    "https",
    "mount-depth",
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
