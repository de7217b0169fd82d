//! [`Options`]: the options of the command, with the texts of the help. `command_line` reads them, and
//! `value_parsers` checks their values.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Command, CommandFactory, Parser, ValueEnum, ValueHint};
use sanserve_core::Protocol;

use super::features;
use super::header_arg::Field;
use super::media_types::MediaTypes;
use super::value_parsers;

/// The options. Their doc comments are the help, the manual page and the texts of the completions.
#[derive(Debug, Parser)]
#[command(version, disable_version_flag = true, disable_help_flag = true)]
#[command(about = "Serve the files of a directory over HTTP, like python -m http.server")]
pub(crate) struct Options {
    /// Port to listen on, or 0 for any free port [default: 8000]
    #[arg(value_name = "PORT", allow_negative_numbers = true)]
    pub(super) first: Option<OsString>,

    /// Directory, zip archive or file to serve [default: .]
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(super) second: Option<OsString>,

    /// Listen on ADDRESS, or unix:PATH [default: 0.0.0.0]
    #[arg(short, long, value_name = "ADDRESS", help_heading = LISTEN)]
    pub(crate) bind: Vec<String>,

    /// Listen on this port, the same as PORT or -p PORT
    #[arg(long = "port", value_name = "PORT", value_parser = value_parsers::port)]
    #[arg(id = "port", help_heading = LISTEN, hide_short_help = true, allow_negative_numbers = true)]
    pub(super) port_option: Option<u16>,

    /// The port from the command line, the environment or the default.
    #[arg(skip)]
    pub(crate) port: u16,

    /// The address to listen on if `bind` is empty.
    #[arg(skip)]
    pub(crate) host: String,

    /// Answer only for NAME and loopback [default: any]
    #[arg(long = "host", value_name = "NAME", value_parser = value_parsers::host)]
    #[arg(help_heading = LISTEN, hide_short_help = true)]
    pub(crate) hosts: Vec<String>,

    /// Take clients from X-Forwarded-For of this proxy
    #[arg(long, value_name = "IP", value_parser = value_parsers::proxy)]
    #[arg(help_heading = LISTEN, hide_short_help = true)]
    pub(crate) trust_proxy: Vec<String>,

    /// Require the PROXY protocol from --trust-proxy
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, help_heading = LISTEN, hide_short_help = true)]
    pub(crate) proxy_protocol: bool,

    /// Speak HTTP/1.0 or HTTP/1.1 [default: HTTP/1.1]
    #[arg(short, long, value_name = "VERSION", value_parser = value_parsers::protocol)]
    #[arg(help_heading = LISTEN, hide_short_help = true)]
    pub(super) protocol: Option<Protocol>,

    /// Serve one connection on standard input and output
    #[cfg(unix)]
    #[arg(long, help_heading = LISTEN, hide_short_help = true)]
    pub(crate) stdio: bool,

    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "RUNTIME", help = RUNTIMES, hide_possible_values = true)]
    #[arg(help_heading = LISTEN, hide_short_help = true)]
    pub(crate) runtime: Option<Runtime>,

    /// Open the browser
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, help_heading = LISTEN)]
    pub(crate) open: bool,

    /// Show a QR code for phones, also on listings
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, help_heading = LISTEN)]
    pub(crate) qr: bool,

    /// Serve this directory, like PATH
    #[arg(short, long = "directory", value_name = "DIR", value_hint = ValueHint::DirPath)]
    #[arg(id = "directory", help_heading = SERVE, hide_short_help = true)]
    pub(super) directory_option: Option<PathBuf>,

    /// The directory from the command line, the environment or the default.
    #[arg(skip)]
    pub(crate) directory: PathBuf,

    /// Whether `directory` is a zip archive, because PATH is one.
    #[cfg(not(target_os = "wasi"))]
    #[arg(skip)]
    pub(crate) is_zip: bool,

    /// The name of the only file in the directory that is served, if PATH is another file.
    #[arg(skip)]
    pub(crate) file: Option<OsString>,

    /// Serve and list names that begin with a dot
    #[arg(long, help_heading = SERVE)]
    pub(crate) hidden: bool,

    /// Follow symbolic links that lead out of the directory
    #[arg(long, help_heading = SERVE, hide_short_help = true)]
    pub(crate) follow_symlinks: bool,

    /// Offer every directory as DIR/?zip and DIR/?tar
    #[arg(long, help_heading = SERVE)]
    pub(crate) archive: bool,

    /// Show the README of a directory below its files
    #[arg(long, help_heading = SERVE, hide_short_help = true, conflicts_with = "plain")]
    pub(crate) readme: bool,

    /// Send FILE.br, FILE.zst or FILE.gz for FILE if accepted
    #[arg(long, help_heading = SERVE, hide_short_help = true)]
    pub(crate) precompressed: bool,

    /// Compress text of up to 1 MiB with gzip if accepted
    #[arg(long, help_heading = SERVE, hide_short_help = true, conflicts_with = "plain")]
    pub(crate) compress: bool,

    /// Serve below this path, such as /files
    #[arg(long, value_name = "PATH", value_parser = value_parsers::prefix)]
    #[arg(help_heading = SERVE, hide_short_help = true)]
    pub(crate) prefix: Option<String>,

    /// Send about.html for /about, and so on
    #[arg(long, help_heading = SERVE, hide_short_help = true)]
    pub(crate) clean_urls: bool,

    /// Send this file, with status 200, for missing pages
    #[arg(long, value_name = "FILE", value_parser = value_parsers::relative_path)]
    #[arg(help_heading = SERVE, hide_short_help = true)]
    pub(crate) spa: Option<String>,

    /// Send this file with every 404
    #[arg(long, value_name = "FILE", value_parser = value_parsers::relative_path)]
    #[arg(help_heading = SERVE, hide_short_help = true)]
    pub(crate) not_found: Option<String>,

    /// Reply exactly as Python does, by default in HTTP/1.0
    #[arg(long, help_heading = SERVE, hide_short_help = true)]
    pub(crate) plain: bool,

    /// Add a header to files, listings and error pages
    #[arg(short = 'H', long = "header", value_name = "NAME VALUE", value_parser = Field::parse)]
    #[arg(help_heading = HEADERS, hide_short_help = true)]
    pub(crate) headers: Vec<Field>,

    /// Read media types from FILE, like /etc/mime.types
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = MediaTypes::read, help_heading = HEADERS, hide_short_help = true)]
    pub(crate) mime_types: Option<MediaTypes>,

    /// Set the type of files with an unknown extension
    /// [default: application/octet-stream]
    #[arg(long, value_name = "TYPE", value_parser = value_parsers::media_type)]
    #[arg(default_value = "application/octet-stream", hide_default_value = true)]
    #[arg(help_heading = HEADERS, hide_short_help = true, verbatim_doc_comment)]
    pub(crate) content_type: String,

    /// Set the charset of text other than HTML and XML,
    /// or '' for none [default: utf-8]
    #[arg(long, value_name = "NAME", value_parser = value_parsers::charset)]
    #[arg(help_heading = HEADERS, hide_short_help = true, verbatim_doc_comment)]
    pub(super) charset: Option<String>,

    /// Send Cache-Control: TEXT, such as no-cache
    #[arg(long, value_name = "TEXT", value_parser = value_parsers::cache_control)]
    #[arg(help_heading = HEADERS, hide_short_help = true)]
    pub(crate) cache_control: Option<String>,

    /// Let pages of ORIGIN (or all sites) read everything
    #[arg(long, value_name = "ORIGIN", value_parser = value_parsers::origin)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "*")]
    #[arg(help_heading = HEADERS, hide_short_help = true)]
    pub(crate) cors: Option<String>,

    /// Isolate pages, for SharedArrayBuffer
    #[arg(long, help_heading = HEADERS, hide_short_help = true)]
    pub(crate) isolate: bool,

    /// Make ETags from time and length only
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, help_heading = HEADERS, hide_short_help = true)]
    pub(crate) portable_tags: bool,

    /// Require this password, which is visible in ps
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "USER:PASSWORD", help_heading = ACCESS)]
    pub(crate) auth: Vec<String>,

    /// Require a password from this file: bcrypt, as
    /// htpasswd -B prints, Argon2, SHA-crypt or plain
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "PATH", help_heading = ACCESS, hide_short_help = true)]
    #[arg(verbatim_doc_comment)]
    pub(crate) auth_file: Option<PathBuf>,

    /// Serve HTTPS with a new self-signed certificate
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "self-signed", help_heading = ACCESS, hide_possible_values = true)]
    pub(crate) tls: Option<Certificate>,

    /// Keep the self-signed certificate in this file
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    #[arg(help_heading = ACCESS, hide_short_help = true)]
    pub(crate) tls_save: Option<PathBuf>,

    /// Serve HTTPS with this certificate
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "PATH", help_heading = ACCESS, hide_short_help = true)]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Read the key from here [default: --tls-cert]
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "PATH", help_heading = ACCESS, hide_short_help = true)]
    pub(crate) tls_key: Option<PathBuf>,

    /// Read the password of the key from here
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "PATH", help_heading = ACCESS, hide_short_help = true)]
    pub(crate) tls_password_file: Option<PathBuf>,

    /// Let the kernel refuse all files outside PATH
    #[cfg(target_os = "linux")]
    #[arg(long, help_heading = ACCESS, hide_short_help = true)]
    #[arg(conflicts_with_all = ["cgi", "cgi_directories", "open", "stdio"])]
    pub(crate) sandbox: bool,

    /// Let clients store files, by PUT and by a form
    #[cfg(unix)]
    #[arg(long, help_heading = UPLOADS, conflicts_with_all = ["cgi", "cgi_directories"])]
    pub(crate) upload: bool,

    /// Let everybody read and only this user write
    #[cfg(unix)]
    #[arg(long, value_name = "USER:PASS", help_heading = UPLOADS, hide_short_help = true)]
    #[arg(conflicts_with = "upload_only")]
    pub(crate) upload_auth: Vec<String>,

    /// Let clients store files, but not read
    #[cfg(unix)]
    #[arg(long, help_heading = UPLOADS, hide_short_help = true)]
    #[arg(conflicts_with_all = ["cgi", "cgi_directories"])]
    pub(crate) upload_only: bool,

    /// Store files; only on Linux and macOS
    #[cfg(not(unix))]
    #[arg(long, help_heading = UPLOADS, hide_short_help = true)]
    pub(super) upload: bool,

    /// Let uploads replace existing files
    #[cfg(unix)]
    #[arg(long, help_heading = UPLOADS, hide_short_help = true)]
    #[arg(conflicts_with_all = ["cgi", "cgi_directories"])]
    pub(crate) overwrite: bool,

    /// Let clients delete files and empty directories
    #[cfg(unix)]
    #[arg(long, help_heading = UPLOADS, hide_short_help = true)]
    #[arg(conflicts_with_all = ["cgi", "cgi_directories"])]
    pub(crate) delete: bool,

    /// Limit the content of a request [default: 1G]
    #[cfg(unix)]
    #[arg(long, value_name = "SIZE", value_parser = value_parsers::size)]
    #[arg(help_heading = UPLOADS, hide_short_help = true)]
    pub(crate) upload_limit: Option<u64>,

    /// Run the scripts in /cgi-bin and /htbin
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, help_heading = SCRIPTS, hide_short_help = true)]
    pub(crate) cgi: bool,

    /// Run the scripts in this directory instead
    #[cfg(not(target_os = "wasi"))]
    #[arg(long = "cgi-dir", value_name = "DIR", value_parser = value_parsers::script_directory)]
    #[arg(help_heading = SCRIPTS, hide_short_help = true)]
    pub(crate) cgi_directories: Vec<String>,

    /// Run at most this many scripts at a time [default: 64]
    #[cfg(unix)]
    #[arg(long, value_name = "N", value_parser = value_parsers::count)]
    #[arg(help_heading = SCRIPTS, hide_short_help = true)]
    pub(crate) cgi_limit: Option<usize>,

    /// Write no log
    #[arg(short, long, help_heading = LOGGING)]
    pub(crate) quiet: bool,

    /// Log as python, combined or json [default: python]
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "python",
        hide_default_value = true
    )]
    #[arg(help_heading = LOGGING, hide_possible_values = true, hide_short_help = true)]
    pub(crate) log_format: LogFormat,

    /// Record all connections in a new file, for
    /// sanserve-replay, without content and secrets
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(help_heading = LOGGING, hide_short_help = true, verbatim_doc_comment)]
    pub(crate) record: Option<PathBuf>,

    /// Record content, too, with all secrets in it
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, help_heading = LOGGING, hide_short_help = true)]
    pub(crate) record_content: bool,

    /// End the recording at this length [default: 1G]
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "SIZE", value_parser = value_parsers::size)]
    #[arg(help_heading = LOGGING, hide_short_help = true)]
    pub(crate) record_limit: Option<u64>,

    /// Remove the values of this field, too
    #[cfg(not(target_os = "wasi"))]
    #[arg(long = "record-secret", value_name = "NAME")]
    #[arg(help_heading = LOGGING, hide_short_help = true)]
    pub(crate) record_secrets: Vec<String>,

    /// Print the reply to 'GET /path' and why, without
    /// serving; - reads the request from standard input
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "REQUEST", value_parser = value_parsers::request)]
    #[arg(allow_hyphen_values = true)]
    #[arg(help_heading = OTHER, hide_short_help = true, verbatim_doc_comment)]
    pub(crate) explain: Option<String>,

    /// Add 'NAME: VALUE' to the request of --explain
    #[cfg(not(target_os = "wasi"))]
    #[arg(long = "explain-header", value_name = "FIELD", value_parser = value_parsers::request)]
    #[arg(help_heading = OTHER, hide_short_help = true)]
    pub(crate) explain_headers: Vec<String>,

    /// Print completions for bash, elvish, fish,
    /// powershell or zsh
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "SHELL", hide_possible_values = true)]
    #[arg(help_heading = OTHER, hide_short_help = true, verbatim_doc_comment)]
    pub(super) completions: Option<clap_complete::Shell>,

    /// Print the manual page
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, help_heading = OTHER, hide_short_help = true)]
    pub(super) manpage: bool,

    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version)]
    #[arg(help_heading = OTHER, hide_short_help = true)]
    version: Option<bool>,

    /// Print this help; -h prints the common options
    #[arg(short, long, action = ArgAction::Help, help_heading = OTHER)]
    help: Option<bool>,
}

// The groups of the help.
const LISTEN: &str = "Where to listen";
const SERVE: &str = "What to serve";
const HEADERS: &str = "Headers";
#[cfg(not(target_os = "wasi"))]
const ACCESS: &str = match cfg!(feature = "tls") {
    true => "Access and HTTPS",
    false => "Access",
};
const UPLOADS: &str = "Uploads";
#[cfg(not(target_os = "wasi"))]
const SCRIPTS: &str = "CGI scripts";
const LOGGING: &str = "Logging";
const OTHER: &str = "Other";

#[cfg(not(target_os = "wasi"))]
const RUNTIMES: &str = match (cfg!(unix), cfg!(feature = "tokio")) {
    (true, true) => "Use mio, tokio or std (threads) [default: mio]",
    (true, false) => "Use mio or std (threads) [default: mio]",
    (false, true) => "Use std (threads) or tokio [default: std]",
    (false, false) => "Use std (threads), the only one on this system",
};

/// Formats of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Python,
    Combined,
    Json,
}

/// A certificate that is not read from a file.
#[cfg(not(target_os = "wasi"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Certificate {
    /// Created for this run.
    SelfSigned,
}

/// Runtimes that serve connections.
#[cfg(not(target_os = "wasi"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    /// A thread for each connection.
    Std,
    /// An event loop on a few threads.
    #[cfg(unix)]
    Mio,
    /// A task for each connection.
    #[cfg_attr(not(feature = "tokio"), value(hide = true))]
    Tokio,
}

impl Options {
    /// The `charset` parameter of text types, if any.
    pub(super) fn charset(&self) -> Option<&str> {
        let default = (!self.plain).then_some("utf-8");
        let charset = self.charset.as_deref().or(default);
        charset.filter(|name| !name.is_empty())
    }

    /// The HTTP version. By default the highest one to which the server conforms (RFC 9110 §2.5).
    pub(super) fn protocol(&self) -> Protocol {
        let default = match self.plain {
            true => Protocol::Http10,
            false => Protocol::Http11,
        };
        self.protocol.unwrap_or(default)
    }

    /// The runtime. The default is the one that uses the least time and memory on this system.
    #[cfg(not(target_os = "wasi"))]
    pub(crate) fn runtime(&self) -> Runtime {
        #[cfg(unix)]
        const DEFAULT: Runtime = Runtime::Mio;
        #[cfg(not(unix))]
        const DEFAULT: Runtime = Runtime::Std;
        self.runtime.unwrap_or(DEFAULT)
    }

    /// The path of URLs of the server: that of the directory, or that of the only file.
    pub(crate) fn url_path(&self) -> String {
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let mut path = format!("{prefix}/");
        for &byte in self.file.iter().flat_map(|name| name.as_encoded_bytes()) {
            match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                true => path.push(char::from(byte)),
                false => path += &format!("%{byte:02X}"),
            }
        }
        path
    }

    /// Whether CGI scripts are run.
    #[cfg(not(target_os = "wasi"))]
    pub(super) fn runs_scripts(&self) -> bool {
        self.cgi || !self.cgi_directories.is_empty()
    }

    /// Whether some clients lack rights.
    #[cfg(not(target_os = "wasi"))]
    pub(super) fn is_guarded(&self) -> bool {
        self.has_users() || self.has_rights()
    }

    /// Whether the options name users who need not be the only ones to write.
    #[cfg(not(target_os = "wasi"))]
    pub(super) fn has_users(&self) -> bool {
        !self.auth.is_empty() || self.auth_file.is_some()
    }

    /// Whether users may have other rights than all, and everybody others than none.
    #[cfg(not(target_os = "wasi"))]
    pub(super) fn has_rights(&self) -> bool {
        self.auth_file.is_some() || self.upload_only() || !self.upload_auth().is_empty()
    }

    /// The users who may write if others may only read.
    #[cfg(unix)]
    pub(super) fn upload_auth(&self) -> &[String] {
        &self.upload_auth
    }

    #[cfg(windows)]
    #[expect(clippy::unused_self, reason = "as on Unix")]
    pub(super) fn upload_auth(&self) -> &[String] {
        &[]
    }

    /// Whether clients may write, but not read.
    #[cfg(unix)]
    pub(super) fn upload_only(&self) -> bool {
        self.upload_only
    }

    #[cfg(windows)]
    #[expect(clippy::unused_self, reason = "as on Unix")]
    pub(super) fn upload_only(&self) -> bool {
        false
    }
}

/// The options as clap knows them, to be printed in full.
pub(super) fn command() -> Command {
    let command = features::hide_missing(Options::command()).after_help(sections());
    command.mut_args(|arg| arg.hide_short_help(false))
}

/// The help in full.
pub(super) fn help() -> String {
    command().render_help().to_string()
}

/// The help with the most common options only, which fits on a small screen.
pub(super) fn short_help() -> String {
    let command = features::hide_missing(Options::command()).after_help(EXAMPLES);
    let command = command.mut_args(|arg| match arg.is_positional() {
        true => arg,
        false => arg.help_heading("Options"),
    });
    let text = "Print this help; --help prints all options";
    let mut command = command.mut_arg("help", |arg| arg.help(text));
    command.render_help().to_string()
}

/// The sections after the options, without the example of options that this build lacks.
fn sections() -> String {
    let has_example = cfg!(all(
        feature = "passwords",
        feature = "tls",
        not(target_os = "wasi")
    ));
    let lines = SECTIONS.lines();
    let lines = lines.filter(|line| has_example || !line.contains("--auth"));
    lines.collect::<Vec<_>>().join("\n")
}

const EXAMPLES: &str = "\
Examples:
  sanserve site 9000 -b 127.0.0.1    serve ./site on port 9000, to this machine
  sanserve -b :: 0                   listen on IPv6 too, on any free port";

/// These sections in the help and in the manual page of a build with everything.
const SECTIONS: &str = "\
Examples:
  sanserve                                       serve this directory, port 8000
  sanserve site 9000 -b 127.0.0.1                serve ./site to this machine
  sanserve -b :: 0                               listen on IPv6 too, any port
  sanserve --auth mary:secret --tls self-signed  ask for a password, over HTTPS

Environment:
  SANSERVE_NAME sets the option --name if the command line does not, as in
  SANSERVE_CACHE_CONTROL=no-cache or SANSERVE_HIDDEN=yes. PORT sets the port,
  and HOST the address to listen on, if it is an IP address or localhost.

Exit status:
  0  stopped by Ctrl-C or SIGTERM, or printed what was asked for
  1  cannot listen, serve or print
  2  error in the command line, the environment or a file that they name";
