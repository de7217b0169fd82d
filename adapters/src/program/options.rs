//! [`Options`]: the command line.

use std::env;
#[cfg(not(target_os = "wasi"))]
use std::fs;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Parser, ValueEnum};
use sanserve_core::Protocol;

use super::field::{self, Field};

/// What can be set. The comments are the help.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
#[command(about = "Serves the files of a directory over HTTP, as python -m http.server does")]
pub(crate) struct Options {
    /// Port to listen at, 0 for any that is free
    #[arg(default_value = "8000", value_parser = port, allow_negative_numbers = true)]
    pub(crate) port: u16,

    /// Address or unix:PATH to serve at [default: 0.0.0.0]
    #[arg(short, long, value_name = "ADDRESS")]
    pub(crate) bind: Vec<String>,

    /// Directory to serve
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) directory: PathBuf,

    /// HTTP/1.0 or HTTP/1.1
    #[arg(short, long, value_name = "VERSION", default_value = "HTTP/1.0", value_parser = protocol)]
    pub(crate) protocol: Protocol,

    /// Serve one connection, on standard input and output
    #[cfg(unix)]
    #[arg(long, conflicts_with_all = ["port", "bind", "runtime", "tls_cert"])]
    pub(crate) stdio: bool,

    /// Serve over HTTPS, with this certificate
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "PATH")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Its private key, if that is in another file
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "PATH")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Password of the key, if that is encrypted
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "PATH", hide_short_help = true)]
    pub(crate) tls_password_file: Option<PathBuf>,

    /// What that file says.
    #[cfg(not(target_os = "wasi"))]
    #[arg(skip)]
    pub(crate) tls_password: Option<String>,

    /// mio, tokio or std: what carries the connections
    #[cfg(not(target_os = "wasi"))]
    #[arg(long, value_name = "RUNTIME")]
    #[arg(hide_possible_values = true, hide_short_help = true)]
    pub(crate) runtime: Option<Runtime>,

    /// Follow links also out of the directory
    #[arg(long)]
    pub(crate) follow_symlinks: bool,

    /// Serve and list names that begin with a dot
    #[arg(long)]
    pub(crate) hidden: bool,

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
    #[arg(short = 'H', long = "header", value_name = "NAME VALUE", value_parser = Field::parse)]
    pub(crate) headers: Vec<Field>,

    /// Media type where a name does not tell it
    #[arg(long, value_name = "TYPE", value_parser = media_type)]
    #[arg(default_value = "application/octet-stream", hide_default_value = true)]
    pub(crate) content_type: String,

    /// What text is written in, such as utf-8
    #[arg(long, value_name = "NAME", value_parser = charset, hide_short_help = true)]
    pub(crate) charset: Option<String>,

    /// How long copies may be kept, as no-cache
    #[arg(long, value_name = "TEXT", value_parser = cache_control, hide_short_help = true)]
    pub(crate) cache_control: Option<String>,

    /// Send FILE.br, .zst or .gz for FILE
    #[arg(long, hide_short_help = true)]
    pub(crate) precompressed: bool,

    /// Let pages of other sites read all
    #[arg(long, value_name = "ORIGIN", value_parser = origin, hide_short_help = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "*")]
    pub(crate) cors: Option<String>,

    /// Send this file for pages that are not there
    #[arg(long, value_name = "FILE", value_parser = below, hide_short_help = true)]
    pub(crate) spa: Option<String>,

    /// Send this file with each 404
    #[arg(long, value_name = "FILE", value_parser = below, hide_short_help = true)]
    pub(crate) not_found: Option<String>,

    /// Run the scripts in /cgi-bin and /htbin
    #[cfg(not(target_os = "wasi"))]
    #[arg(long)]
    pub(crate) cgi: bool,

    /// Run the scripts in this directory instead
    #[cfg(not(target_os = "wasi"))]
    #[arg(long = "cgi-dir", value_name = "DIR", value_parser = below, hide_short_help = true)]
    pub(crate) cgi_directories: Vec<String>,
}

/// Formats of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Python,
    Combined,
    Json,
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
    Tokio,
}

/// What a command line turned out to be.
pub(crate) enum Given {
    /// Something to do.
    Options(Box<Options>),
    /// `--help` or `--version`, and what to print.
    Question(String),
    /// A line that says what is wrong.
    Mistake(String),
}

impl Options {
    /// Reads the command line of this process.
    pub(crate) fn read() -> Given {
        let error = match Options::try_parse_from(field::join(env::args_os())) {
            Ok(options) => return options.complete().unwrap_or_else(Given::Mistake),
            Err(error) => error,
        };
        let text = error.render().to_string();
        if let ErrorKind::DisplayHelp | ErrorKind::DisplayVersion = error.kind() {
            return Given::Question(format!("{}\n", text.trim_end()));
        }
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let line = match error.kind() {
            // What else could be said follows on a line of its own.
            ErrorKind::InvalidValue => text.split_inclusive(']').next(),
            // The value that is shown may have lines itself.
            ErrorKind::ValueValidation => text.split("\n\nFor more information").next(),
            _ => text.lines().next(),
        };
        let line = line.unwrap_or_default().replace("\n  [", " [");
        let line = line.replace(char::is_control, "?");
        Given::Mistake(format!("{line} (sanserve --help shows what can be)"))
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

    /// Looks at what the options say together, and reads the password. The lines are Python's.
    #[cfg(not(target_os = "wasi"))]
    fn complete(mut self) -> Result<Given, String> {
        let alone = self.tls_cert.is_none();
        if alone && self.tls_key.is_some() {
            return Err("--tls-key requires --tls-cert to be set".into());
        }
        if let Some(path) = &self.tls_password_file {
            if alone {
                return Err("--tls-password-file requires --tls-cert to be set".into());
            }
            let text = fs::read_to_string(path).map_err(|error| {
                let name = path.display();
                format!("Failed to read TLS password file: {name}: {error}")
            })?;
            self.tls_password = Some(text.trim().to_owned());
        }
        Ok(Given::Options(Box::new(self)))
    }

    /// Here none depends on another.
    #[cfg(target_os = "wasi")]
    fn complete(self) -> Result<Given, String> {
        Ok(Given::Options(Box::new(self)))
    }
}

fn port(text: &str) -> Result<u16, &'static str> {
    text.parse()
        .map_err(|_| "a port is a number from 0 to 65535")
}

fn protocol(text: &str) -> Result<Protocol, &'static str> {
    let known = [Protocol::Http10, Protocol::Http11];
    let found = known.into_iter().find(|protocol| protocol.as_str() == text);
    found.ok_or("it is HTTP/1.0 or HTTP/1.1")
}

fn media_type(text: &str) -> Result<String, &'static str> {
    match field::value(text)? {
        empty if empty.is_empty() => Err("a media type is such as text/plain"),
        text => Ok(text),
    }
}

fn cache_control(text: &str) -> Result<String, &'static str> {
    match field::value(text)? {
        empty if empty.is_empty() => Err("it is such as no-cache or max-age=3600"),
        text => Ok(text),
    }
}

fn charset(text: &str) -> Result<String, &'static str> {
    if text.is_empty() || !text.bytes().all(field::is_token) {
        return Err("it is a name such as utf-8");
    }
    Ok(text.to_owned())
}

/// What browsers send as `Origin`, to the letter: anything else would let nobody in.
fn origin(text: &str) -> Result<String, &'static str> {
    let host = text.split_once("://").map_or("", |(_, host)| host);
    let odd = |char: char| "/?#, ".contains(char) || !char.is_ascii_graphic();
    if text != "*" && (host.is_empty() || host.contains(odd)) {
        return Err("an origin is such as https://example.org, without a slash behind");
    }
    Ok(text.to_owned())
}

fn below(text: &str) -> Result<String, &'static str> {
    let path = text.trim_matches('/');
    if path.split('/').any(|name| matches!(name, "" | "." | "..")) {
        return Err("it is a path below the directory that is served");
    }
    Ok(path.to_owned())
}

const EXAMPLES: &str = "\
Examples:
  sanserve                          the current directory, port 8000
  sanserve -b 127.0.0.1 -d site 80  a site, to be seen on this machine only
  sanserve -b :: -p HTTP/1.1 0      IPv6 too, connections stay open, any port";
