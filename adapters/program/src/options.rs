//! [`Options`]: what can be set. How it is read is in `command`, which values are right in `value`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Parser, ValueEnum, ValueHint};
use sanserve_core::Protocol;

use super::header_arg::Field;
use super::value_parsers;

/// What can be set. The comments are the help.
#[derive(Debug, Parser)]
#[command(version, disable_version_flag = true, after_help = EXAMPLES, after_long_help = MORE)]
#[command(about = "Serves the files of a directory over HTTP, as python -m http.server does")]
pub(crate) struct Options {
    /// Port to listen at, 0 for any that is free [default: 8000]
    #[arg(value_name = "PORT", allow_negative_numbers = true)]
    pub(super) first: Option<OsString>,

    /// Directory to serve [default: .]; both in either order
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) second: Option<OsString>,

    /// Where to listen, or unix:PATH [default: 0.0.0.0]
    #[arg(short, long, value_name = "ADDRESS")]
    pub(crate) bind: Vec<String>,

    /// Directory to serve, the same as DIR
    #[arg(short, long = "directory", value_name = "DIR", value_hint = ValueHint::DirPath)]
    #[arg(id = "directory", hide_short_help = true)]
    pub(super) directory_option: Option<PathBuf>,

    /// What is served in the end.
    #[arg(skip)]
    pub(crate) directory: PathBuf,

    /// Port to listen at, the same as PORT; -p does as well
    #[arg(long = "port", value_name = "PORT", value_parser = value_parsers::port)]
    #[arg(id = "port", hide_short_help = true, allow_negative_numbers = true)]
    pub(super) port_option: Option<u16>,

    /// Where it listens in the end.
    #[arg(skip)]
    pub(crate) port: u16,

    /// The address where it listens if `bind` says nothing.
    #[arg(skip)]
    pub(crate) host: String,

    /// Answer requests for this host and localhost only [default: any host]
    #[arg(long = "host", value_name = "NAME", value_parser = value_parsers::host, hide_short_help = true)]
    pub(crate) hosts: Vec<String>,

    /// HTTP/1.0, or a port number [default: HTTP/1.1]
    #[arg(short, long, value_name = "VERSION", value_parser = value_parsers::protocol)]
    pub(super) protocol: Option<Protocol>,

    /// Serve one connection, on standard input and output
    #[cfg(unix)]
    #[arg(long, hide_short_help = true)]
    pub(crate) stdio: bool,

    /// HTTPS, with a certificate made for this run
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "self-signed", hide_possible_values = true)]
    pub(crate) tls: Option<Certificate>,

    /// HTTPS, with this certificate
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "PATH", hide_short_help = true)]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Its private key, if that is in another file
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "PATH", hide_short_help = true)]
    pub(crate) tls_key: Option<PathBuf>,

    /// Password of the key, if that is encrypted
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "PATH", hide_short_help = true)]
    pub(crate) tls_password_file: Option<PathBuf>,

    /// Let in who has this password; others see it in ps
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "USER:PASSWORD")]
    pub(crate) auth: Vec<String>,

    /// Users and passwords: htpasswd -B, argon2, sha-crypt, plain
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "PATH", hide_short_help = true)]
    pub(crate) auth_file: Option<PathBuf>,

    /// Open the browser
    #[cfg(not(target_os = "wasi"))]
    #[arg(long)]
    pub(crate) open: bool,

    /// Show a code for phones on the same network
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, hide_short_help = true)]
    pub(crate) qr: bool,

    #[cfg_attr(
        feature = "tokio",
        doc = "mio, tokio or std: what carries the connections"
    )]
    #[cfg_attr(
        not(feature = "tokio"),
        doc = "mio or std: what carries the connections"
    )]
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "RUNTIME")]
    #[arg(hide_possible_values = true, hide_short_help = true)]
    pub(crate) runtime: Option<Runtime>,

    /// Follow links also out of the directory
    #[arg(long, hide_short_help = true)]
    pub(crate) follow_symlinks: bool,

    /// Serve and list names that begin with a dot
    #[arg(long)]
    pub(crate) hidden: bool,

    /// Reply as python -m http.server does, to the byte; HTTP/1.0 by default
    #[arg(long, hide_short_help = true)]
    pub(crate) plain: bool,

    /// Do not log requests
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Format of the log: python, combined or json
    #[arg(long, value_name = "FORMAT", default_value = "python")]
    #[arg(
        hide_default_value = true,
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub(crate) log_format: LogFormat,

    /// Field to send with files and listings
    #[arg(short = 'H', long = "header", value_name = "NAME VALUE")]
    #[arg(value_parser = Field::parse, hide_short_help = true)]
    pub(crate) headers: Vec<Field>,

    /// Media type where a name does not tell it
    #[arg(long, value_name = "TYPE", value_parser = value_parsers::media_type, hide_short_help = true)]
    #[arg(default_value = "application/octet-stream", hide_default_value = true)]
    pub(crate) content_type: String,

    /// Encoding of text but HTML and XML, '' for none [default: utf-8]
    #[arg(long, value_name = "NAME", value_parser = value_parsers::charset, hide_short_help = true)]
    pub(super) charset: Option<String>,

    /// How long copies may be kept, as no-cache
    #[arg(long, value_name = "TEXT", value_parser = value_parsers::cache_control, hide_short_help = true)]
    pub(crate) cache_control: Option<String>,

    /// Send FILE.br, .zst or .gz for FILE
    #[arg(long, hide_short_help = true)]
    pub(crate) precompressed: bool,

    /// Send the same ETag on several machines
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, hide_short_help = true)]
    pub(crate) portable_tags: bool,

    /// Let pages of other sites read all
    #[arg(long, value_name = "ORIGIN", value_parser = value_parsers::origin, hide_short_help = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "*")]
    pub(crate) cors: Option<String>,

    /// Send this file for pages that are not there
    #[arg(long, value_name = "FILE", value_parser = value_parsers::below, hide_short_help = true)]
    pub(crate) spa: Option<String>,

    /// Send this file with each 404
    #[arg(long, value_name = "FILE", value_parser = value_parsers::below, hide_short_help = true)]
    pub(crate) not_found: Option<String>,

    /// Let directories be had as DIR/?zip and DIR/?tar
    #[arg(long)]
    pub(crate) archive: bool,

    /// Let everybody store files, by PUT and by form
    #[cfg(unix)]
    #[arg(long, conflicts_with_all = ["cgi", "cgi_directories"])]
    pub(crate) upload: bool,

    /// Store files: on Linux and macOS alone, not here
    #[cfg(not(unix))]
    #[arg(long, hide_short_help = true)]
    pub(super) upload: bool,

    /// Let them overwrite files
    #[cfg(unix)]
    #[arg(long, hide_short_help = true)]
    #[arg(conflicts_with_all = ["cgi", "cgi_directories"])]
    pub(crate) overwrite: bool,

    /// How much a request may store, or send to a script [default: 1G]
    #[cfg(unix)]
    #[arg(long, value_name = "SIZE", value_parser = value_parsers::size, hide_short_help = true)]
    pub(crate) upload_limit: Option<u64>,

    /// Run the scripts in /cgi-bin and /htbin
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, hide_short_help = true)]
    pub(crate) cgi: bool,

    /// Run the scripts in this directory instead
    #[cfg(not(target_os = "wasi"))]
    #[arg(long = "cgi-dir", value_name = "DIR", value_parser = value_parsers::script_directory)]
    #[arg(hide_short_help = true)]
    pub(crate) cgi_directories: Vec<String>,

    /// How many scripts may run at a time [default: 64]
    #[cfg(unix)]
    #[arg(long, value_name = "N", value_parser = value_parsers::count, hide_short_help = true)]
    pub(crate) cgi_limit: Option<usize>,

    /// Print what completes these options in a shell, and end
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "SHELL", hide_short_help = true)]
    pub(super) completions: Option<clap_complete::Shell>,

    /// Print the manual page, and end
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, hide_short_help = true)]
    pub(super) manpage: bool,

    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, hide_short_help = true)]
    version: Option<bool>,
}

/// Formats of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Python,
    Combined,
    Json,
}

/// Where a certificate comes from that is in no file.
#[cfg(not(target_os = "wasi"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Certificate {
    /// It is made for this run.
    SelfSigned,
}

/// What carries the connections.
#[cfg(not(target_os = "wasi"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    /// A thread for each.
    Std,
    /// All on a few threads.
    #[cfg(unix)]
    Mio,
    /// A task for each.
    #[cfg_attr(not(feature = "tokio"), value(hide = true))]
    Tokio,
}

impl Options {
    /// What text is said to be written in, if anything.
    pub(super) fn charset(&self) -> Option<&str> {
        let default = (!self.plain).then_some("utf-8");
        let charset = self.charset.as_deref().or(default);
        charset.filter(|name| !name.is_empty())
    }

    /// The version that is spoken. RFC 9110 §2.5: the highest to which a server conforms.
    pub(super) fn protocol(&self) -> Protocol {
        let default = match self.plain {
            true => Protocol::Http10,
            false => Protocol::Http11,
        };
        self.protocol.unwrap_or(default)
    }

    /// What carries the connections: what takes the least time and memory, where it can be had.
    #[cfg(not(target_os = "wasi"))]
    pub(crate) fn runtime(&self) -> Runtime {
        #[cfg(unix)]
        const DEFAULT: Runtime = Runtime::Mio;
        #[cfg(not(unix))]
        const DEFAULT: Runtime = Runtime::Std;
        self.runtime.unwrap_or(DEFAULT)
    }

    /// Whether scripts are run.
    #[cfg(not(target_os = "wasi"))]
    pub(super) fn runs_scripts(&self) -> bool {
        self.cgi || !self.cgi_directories.is_empty()
    }

    /// Whether a password is asked for.
    #[cfg(not(target_os = "wasi"))]
    pub(super) fn is_guarded(&self) -> bool {
        !self.auth.is_empty() || self.auth_file.is_some()
    }

    #[cfg(target_os = "wasi")]
    pub(super) fn is_guarded(&self) -> bool {
        false
    }
}

const EXAMPLES: &str = "\
Examples:
  sanserve 80 site -b 127.0.0.1     a site, to be seen on this machine only
  sanserve -b :: 0                  IPv6 too, any port that is free";

const MORE: &str = "\
Examples:
  sanserve                          the current directory, port 8000
  sanserve 80 site -b 127.0.0.1     a site, to be seen on this machine only
  sanserve -b :: 0                  IPv6 too, any port that is free
  sanserve --plain                  what python -m http.server sends

Environment:
  SANSERVE_NAME stands for each option --name that the command line does not
  have: SANSERVE_CACHE_CONTROL=no-cache, SANSERVE_HIDDEN=yes. PORT is the port
  then, and HOST the address, if it is an IP address or localhost.

Exit status:
  0  it was ended by Ctrl-C or SIGTERM, or has printed what was asked
  1  it could not listen or serve, or could not print what was asked
  2  the command line or the environment is wrong, or a file that they name
";
