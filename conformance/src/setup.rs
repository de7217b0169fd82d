//! [`Setup`]: creates the handler and the configuration of the server for a case, from their names in the case.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use sanserve_core::archive::Download;
use sanserve_core::{
    Cgi, Config, FileSettings, Files, Guard, Handler, HostNames, Hosts, Limits, Path, Protocol,
    Rights, Upload, UploadToken, Who, disposition, from_async_fn,
};
#[cfg(feature = "all-options")]
use sanserve_core::{ResumableUploads, ShowReadme, TrustedProxies, error_page, listing};

use crate::{async_handlers, handlers, shout};

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
    /// option   error-header NAME: VALUE   a further field of error replies
    /// option   pages styled         sanserve's own error pages and listings in place of CPython's
    /// option   trust-proxy NETWORK  what a proxy of this network reports about the client counts; may be repeated
    /// option   proxy ADDRESS        requests are treated as if they came from this address, for `trust-proxy`
    /// ```
    ///
    /// The options of handlers are listed at [`handler`](Self::handler).
    ///
    /// # Panics
    /// If an option is unknown or its value is invalid.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        #[cfg(feature = "all-options")]
        let (mut proxies, mut proxy) = (TrustedProxies::default(), "");
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
                ("error-header", _) => {
                    let (name, value) = value.split_once(": ").expect("NAME: VALUE");
                    config.error_headers.push((name.into(), value.into()));
                }
                #[cfg(feature = "all-options")]
                ("pages", "styled") => config.error_page = Arc::new(error_page::page),
                #[cfg(feature = "all-options")]
                ("trust-proxy", network) => proxies.trust(network).expect("a network"),
                #[cfg(feature = "all-options")]
                ("proxy", address) => proxy = address,
                (key, _) if HANDLER_OPTIONS.contains(&key) => {}
                _ => panic!("unknown option: {key} {value}"),
            }
        }
        #[cfg(feature = "all-options")]
        if self.trusts_proxies() {
            return config
                .with_find_client(move |head, _, client| proxies.find_client(head, proxy, client));
        }
        config
    }

    /// Returns a handler for one connection:
    ///
    /// - `files`: the file service; `cgi`: with CGI scripts; `guarded`: with passwords; `upload`: with uploads;
    ///   `guarded-upload`: with both;
    /// - `echo`: sends the content back when it has read all of it; `stream`: sends it back while it reads;
    /// - `target`: sends the path back;
    /// - `shout`: upgrades the connection to the protocol of that name, see `Shout`;
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
    /// option   compress-listings on listings are compressed for clients that accept it
    /// option   compress-files on    files are compressed for clients that accept it
    /// option   charset utf-8        the `charset` parameter for text types
    /// option   cache-control TEXT   the value of that field
    /// option   cors *               the origin that may read replies
    /// option   spa FILE             the file that is sent for missing pages
    /// option   not-found FILE       the page of a 404
    /// option   header NAME: VALUE   a further field
    /// option   readme on            listings show the README
    /// option   qr-code on           listings have a button for a QR code
    /// option   archives on          directories can be downloaded as archives
    /// option   downloads on         `?download` requests a file to be saved
    /// option   overwrite on         uploads may replace files
    /// option   store off            nothing can be uploaded
    /// option   delete on            files and empty directories can be deleted
    /// option   resumable on         uploads can be resumed; the first has the token 1, the second 2, see `upload_token`
    /// option   loopback-only on     uploads are allowed only if the `Host` is this machine
    /// option   hidden yes           names that begin with a dot are served
    /// option   plain on             replies are CPython's
    /// option   https on             CGI scripts see a server that speaks TLS
    /// option   mount-at PATH        the path at which the root is mounted
    /// option   single-file FILE     the only file that is served
    /// option   clean-urls on        `/page` is answered with the file `page.html`
    /// option   mount-depth N        the number of segments of a target that are above the root
    /// option   names portable       the file system refuses names that are not portable, see `portable_names`; `any`: the
    ///                               case would give another result there
    /// ```
    ///
    /// The handlers with passwords have these options:
    ///
    /// ```text
    /// option   rights-of-everybody read         none by default
    /// option   rights-of-mary read,write        those of the user mary
    /// option   rights-of-users read,write       those of all other users; all by default
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
        self.with_hosts(self.handler_for_any_host())
    }

    /// Returns the same handler as an asynchronous function ([`from_async_fn`]), whose replies are the same. A port
    /// that passes the cases with it as well can run any such function.
    ///
    /// # Panics
    /// If the handler is unknown, when it is called.
    #[must_use]
    pub fn async_handler(&self) -> Box<dyn Handler + Send> {
        let setup = *self;
        self.with_hosts(Box::new(from_async_fn(move |ex| {
            async_handlers::answer(ex, setup)
        })))
    }

    /// Returns the [handler](Self::handler) if the number of the connection is even, and the
    /// [asynchronous one](Self::async_handler) if it is odd. The conversations of a case follow each other, so a port
    /// that numbers its connections runs each case that is not timed with both, in no more time than with one.
    ///
    /// # Panics
    /// As these functions do.
    #[must_use]
    pub fn alternating_handler(&self, connection: usize) -> Box<dyn Handler + Send> {
        match connection.is_multiple_of(2) {
            true => self.handler(),
            false => self.async_handler(),
        }
    }

    /// Lets the handler answer only the hosts of the options, if there are any.
    fn with_hosts(&self, handler: Box<dyn Handler + Send>) -> Box<dyn Handler + Send> {
        let hosts = self.options.iter().filter(|(key, _)| *key == "host");
        let hosts: HostNames = hosts.map(|(_, name)| *name).collect();
        match hosts.is_empty() {
            true => handler,
            false => Box::new(Hosts::new(handler, hosts)),
        }
    }

    /// Returns whether the [handler](Self::handler) accepts only some hosts. A client that cannot choose the `Host` of
    /// its requests, such as a script in a browser, cannot run these cases.
    #[must_use]
    pub fn checks_host(&self) -> bool {
        let mut keys = self.options.iter().map(|(key, _)| *key);
        keys.any(|key| matches!(key, "host" | "loopback-only"))
    }

    /// Returns whether listings and error pages are those for people. They need the feature `all-options`.
    #[must_use]
    pub fn has_styled_pages(&self) -> bool {
        self.option("pages") == Some("styled")
    }

    /// Returns whether the client of a request may be the one that a proxy reports. This needs the feature `all-options`.
    #[must_use]
    pub fn trusts_proxies(&self) -> bool {
        self.option("trust-proxy").is_some()
    }

    /// Returns whether uploads can be resumed. This needs the feature `all-options`.
    #[must_use]
    pub fn has_resumable_uploads(&self) -> bool {
        self.option("resumable") == Some("on")
    }

    /// Returns whether replies may be compressed. The compressor needs the feature `all-options`.
    #[must_use]
    pub fn compresses(&self) -> bool {
        let mut keys = self.options.iter().map(|(key, _)| *key);
        keys.any(|key| key.starts_with("compress-"))
    }

    /// Returns whether the file system must refuse names that are not portable
    /// ([`Path::is_portable`](sanserve_core::Path::is_portable)), as on Windows. In all other cases names are what they
    /// are on Unix. A port whose file system has one rule leaves out the cases of the other.
    #[must_use]
    pub fn portable_names(&self) -> bool {
        self.option("names") == Some("portable")
    }

    /// Returns the handler without the check of hosts.
    pub(crate) fn handler_for_any_host(&self) -> Box<dyn Handler + Send> {
        match self.handler {
            "files" => Box::new(self.files()),
            "cgi" => {
                let mut cgi = Cgi::new("site.example", 8000);
                cgi.files = self.files();
                cgi.settings_mut().https = self.option("https") == Some("on");
                Box::new(cgi)
            }
            "guarded" => self.guarded(Box::new(self.files())),
            "upload" => Box::new(self.upload()),
            "guarded-upload" => self.guarded(Box::new(self.upload())),
            "echo" => Box::new(handlers::Echo::default()),
            "stream" => Box::new(handlers::Stream),
            "target" => Box::new(handlers::Target),
            "shout" => Box::new(shout::Upgrades),
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

    /// Returns the upload service for these options.
    fn upload(&self) -> Upload {
        let mut upload = Upload::new();
        upload.files = self.files();
        upload.store = self.option("store") != Some("off");
        upload.delete = self.option("delete") == Some("on");
        upload.overwrite = self.option("overwrite") == Some("on");
        #[cfg(feature = "all-options")]
        if self.has_resumable_uploads() {
            upload.resumable = Some(ResumableUploads::new());
        }
        upload.loopback_only = self.option("loopback-only") == Some("on");
        upload
    }

    /// Wraps a handler in a guard with the passwords of cases, and the rights of these options.
    fn guarded(&self, handler: Box<dyn Handler + Send>) -> Box<dyn Handler + Send> {
        let mut guard = Guard::new(handler, handlers::check_credentials);
        guard.cors = self.option("cors").map(Into::into);
        let rights = |key: &str| {
            self.option(key)
                .map(|names| Rights::parse(names).expect("rights"))
        };
        let (everybody, mary) = (rights("rights-of-everybody"), rights("rights-of-mary"));
        let users = rights("rights-of-users");
        if everybody.or(mary).or(users).is_some() {
            let users = users.unwrap_or(Rights::ALL);
            let mary = mary.unwrap_or(users);
            guard.rights = Some(Arc::new(move |who| match who {
                Who::User("mary") => mary,
                Who::User(_) => users,
                Who::AllUsers => users | mary,
                _ => everybody.unwrap_or(Rights::NONE),
            }));
        }
        Box::new(guard)
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
        #[cfg(feature = "all-options")]
        if self.has_styled_pages() {
            settings.list_directory = Arc::new(listing::page);
        }
        #[cfg(feature = "all-options")]
        {
            settings.compress_listings = self.option("compress-listings") == Some("on");
            settings.compress_files = self.option("compress-files") == Some("on");
            settings.readme = (self.option("readme") == Some("on")).then(ShowReadme::new);
        }
        settings.plain = self.option("plain") == Some("on");
        settings.qr_code = self.option("qr-code") == Some("on");
        settings.hidden = self.option("hidden") == Some("yes");
        settings.precompressed = self.option("precompressed") == Some("on");
        settings.charset = text("charset");
        settings.cache_control = text("cache-control");
        settings.cors = text("cors");
        if self.option("archives") == Some("on") {
            settings.archive = Arc::new(Download::parse);
        }
        if self.option("downloads") == Some("on") {
            settings.disposition = Some(Arc::new(disposition::on_request));
        }
        let depth = self.option("mount-depth");
        let depth = depth.map(|depth| depth.parse().expect("a number"));
        settings.mount_depth = depth.unwrap_or_default();
        if let Some(path) = self.option("mount-at").and_then(Path::parse) {
            settings.mount_at(path);
        }
        settings.single_file = self
            .option("single-file")
            .and_then(|name| Path::from_bytes(name.into()));
        settings.clean_urls = self.option("clean-urls") == Some("on");
        settings.spa = text("spa");
        settings.not_found_page = text("not-found");
        let header = self.option("header");
        let header = header.and_then(|field| field.split_once(": "));
        let header = header.map(|(name, value)| (name.into(), value.into()));
        settings.extra_headers.extend(header);
        settings.into()
    }
}

/// Returns the token of the upload with this number, as the cases expect it: a file system for them counts the uploads that
/// can be resumed, from 1 on, and must not choose random tokens.
#[must_use]
pub fn upload_token(number: u64) -> Option<UploadToken> {
    Some(number.into())
}

/// The options of handlers.
const HANDLER_OPTIONS: [&str; 30] = [
    "qr-code",
    "readme",
    "compress-files",
    "compress-listings",
    "rights-of-everybody",
    "rights-of-mary",
    "rights-of-users",
    "mount-at",
    "single-file",
    "clean-urls",
    "plain",
    "https",
    "mount-depth",
    "names",
    "host",
    "loopback-only",
    "overwrite",
    "resumable",
    "store",
    "delete",
    "archives",
    "downloads",
    "hidden",
    "precompressed",
    "charset",
    "cache-control",
    "cors",
    "spa",
    "not-found",
    "header",
];
