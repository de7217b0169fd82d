//! The option `--explain`: prints the reply to one request, and the steps that led to it, without a socket.
//!
//! The engine answers the request as it would on a connection, with the handler, the files and the settings of the
//! options. The steps are its own: its questions to the file system with their answers, and the events of its log.
//! Nothing is changed: a script is not run, and nothing is stored or deleted. `explain_reply` says where each line of
//! the reply's head comes from.

use std::cell::Cell;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sanserve_core::log::{LogEvent, LogRecord};
use sanserve_core::wire::{Limits, RequestHead};
use sanserve_core::{
    Ask, Change, Config, Connection, FileSystem, Files, Got, Handler, Now, Opened, Path, Step,
    Want, date,
};

use crate::explain_reply::with_sources;
use crate::failure::Failure;
use crate::options::Options;
use crate::output::print;
use crate::refusals::RefusalWithHint;
use crate::settings::{config, disk, files, zip};
use crate::urls::{Scope, local_addrs, urls};
use crate::{access, handlers, qr_code, tls};

/// Prints the reply to a request, which is a request line such as `GET /path`, or `-` for standard input.
pub(crate) fn run(options: &Options, request: &str) -> Result<(), Failure> {
    match options.is_zip {
        true => explain(options, request, zip(options)?),
        false => explain(options, request, disk(options)?),
    }
}

fn explain(options: &Options, request: &str, served: impl FileSystem) -> Result<(), Failure> {
    let input = request_bytes(options, request)?;
    let mut head = RequestHead::new();
    // If it cannot be parsed, it has neither a path nor fields that the reply depends on.
    let _ = head.parse(&input, &Limits::new());
    let passwords = access::passwords(options)?;
    let disk = access::with_passwords(served, passwords.clone());
    let mut settings = files(options);
    if let Some(origin) = qr_origin(options) {
        qr_code::offer(&mut settings, origin);
    }
    let files = Files::from(settings);
    let info = handlers::ServerInfo {
        address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, options.port)),
        https: tls::is_wanted(options),
        loopback_only: is_loopback_only(options),
    };
    let steps = Steps::default();
    let config = config(options).with_log_format({
        let steps = steps.clone();
        let prefix = options.prefix.clone();
        move |record, _| {
            steps.extend(event(record, prefix.as_deref()));
            Ok(())
        }
    });
    let explanation = Explanation {
        options,
        disk: &disk,
        steps,
        input: &input,
        head: &head,
        is_missing: Cell::new(false),
    };
    let handlers = handlers::handlers(options, &files, &info, passwords.as_ref());
    let reply = explanation.answer(config, handlers());
    print(&explanation.text(&reply))
}

/// The request and the steps so far.
struct Explanation<'a, F> {
    options: &'a Options,
    disk: &'a F,
    steps: Steps,
    input: &'a [u8],
    head: &'a RequestHead,
    /// Whether the last answer of the file system was an error.
    is_missing: Cell<bool>,
}

impl<F: FileSystem> Explanation<'_, F> {
    /// Answers the request up to the end of the reply's head, and returns this head. It is incomplete if the request asks
    /// for something that is not done.
    fn answer<H: Handler>(&self, config: Config, handler: H) -> Vec<u8> {
        let mut conn = Connection::new(config, PEER, handler);
        let start = Instant::now();
        let (mut unread, mut reply, mut got) = (self.input, Vec::new(), Got::Nothing);
        loop {
            let Step { want, .. } = conn.step(now(start), got);
            got = match want {
                Want::Read(into) => {
                    let n = into.len().min(unread.len());
                    into[..n].copy_from_slice(&unread[..n]);
                    unread = &unread[n..];
                    Got::Bytes(n)
                }
                Want::Write(from) => {
                    reply.extend_from_slice(from);
                    if final_head(&reply).is_some() {
                        return reply;
                    }
                    Got::Bytes(from.len())
                }
                Want::Ask(ask) => match self.ask(ask) {
                    Some(got) => got,
                    None => return reply,
                },
                Want::ReadFile { file, at, into } => self.disk.fill(file, at, into),
                Want::Copy { len, .. } => Got::Bytes(usize::try_from(len).unwrap_or(usize::MAX)),
                Want::Wait => {
                    thread::sleep(RETRY_INTERVAL);
                    Got::Nothing
                }
                Want::Log(_) | Want::Shutdown => Got::Nothing,
                Want::WriteFile { .. } | Want::Commit { .. } | Want::Upgrade | Want::Close => {
                    return reply;
                }
            };
        }
    }

    /// Answers a question to the file system, or returns `None` if that would change something or run a script.
    fn ask(&self, ask: &Ask) -> Option<Got<F::File>> {
        let not_done = match ask {
            Ask::Run(script) => Some(format!("run the script {}", name(&script.path))),
            Ask::Create(create) => Some(format!("store {}", name(&create.path))),
            Ask::Change(change) => Some(format!("{} {}", verb(change), name(change.path()))),
            _ => None,
        };
        if let Some(work) = not_done {
            self.steps
                .extend([format!("{work}: not done, since this only explains")]);
            return None;
        }
        let got = self.disk.answer(ask);
        if let Got::Nothing = got {
            thread::sleep(RETRY_INTERVAL);
            return Some(got);
        }
        let question = match ask {
            Ask::Open(path) => match self.option_that_opens(path) {
                Some(option) => format!("open {}, because of {option}", name(path)),
                None => format!("open {}", name(path)),
            },
            Ask::List(path) => format!("list {}", name(path)),
            Ask::Archive(request) => format!("make an archive of {}", name(&request.path)),
            Ask::Verify(credentials) => format!("verify the password of {}", credentials.user()),
            _ => "ask the file system".into(),
        };
        self.steps.extend([format!("{question}: {}", answer(&got))]);
        let is_missing = matches!(got, Got::Opened(Err(_)) | Got::Listed(Err(_)));
        self.is_missing.set(is_missing);
        Some(got)
    }

    /// Returns the option because of which a file is opened that the request does not name.
    fn option_that_opens(&self, path: &Path) -> Option<&'static str> {
        let options = self.options;
        let is = |file: &Option<String>| {
            let file = file.as_ref().map(String::as_bytes);
            file == Some(path.as_bytes()) && self.is_missing.get()
        };
        if is(&options.spa) {
            return Some("--spa");
        }
        if is(&options.not_found) {
            return Some("--not-found");
        }
        let requested = Path::parse(self.head.path())?;
        let requested = match &options.prefix {
            Some(prefix) => requested.below(&Path::parse(prefix)?)?,
            None => requested,
        };
        match path.as_bytes().strip_prefix(requested.as_bytes())? {
            b".html" => Some("--clean-urls"),
            b".br" | b".zst" | b".gz" => Some("--precompressed"),
            _ => None,
        }
    }

    /// Returns the text: the request, the steps, and the reply's head.
    fn text(&self, reply: &[u8]) -> String {
        let head = self.input.split_inclusive(|byte| *byte == b'\n');
        let head = head.take_while(|line| !line.trim_ascii().is_empty());
        let mut text: String = head.map(|line| format!("{}\n", printable(line))).collect();
        text.push('\n');
        let mut steps = self.steps.take();
        if steps.is_empty() {
            steps.push("the reply depends on the request alone".into());
        }
        for (at, step) in steps.iter().enumerate() {
            text += &format!("{}. {}\n", at + 1, printable(step.as_bytes()));
        }
        let Some(start) = final_head(reply) else {
            return text;
        };
        let lines = reply[start..].split(|byte| *byte == b'\n');
        let lines = lines
            .map(<[u8]>::trim_ascii_end)
            .take_while(|line| !line.is_empty());
        let lines: Vec<String> = lines.map(printable).collect();
        text + "\n" + &with_sources(self.options, self.head, &lines)
    }
}

/// The steps, which the connection's log format shares.
#[derive(Clone, Debug, Default)]
struct Steps(Arc<Mutex<Vec<String>>>);

impl Steps {
    fn extend(&self, steps: impl IntoIterator<Item = String>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(steps);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns the step for an event, in the words of the log.
fn event(record: &LogRecord<'_>, prefix: Option<&str>) -> Option<String> {
    match record.event {
        LogEvent::Error { status, message } => Some(format!("code {status}, message {message}")),
        LogEvent::Failure(text) | LogEvent::Message(text) => Some(text.to_string()),
        LogEvent::Refused(refusal) => {
            Some(RefusalWithHint::new(refusal, record.request, prefix).to_string())
        }
        _ => None,
    }
}

/// Describes the answer of the file system.
fn answer<F>(got: &Got<F>) -> String {
    match got {
        Got::Opened(Ok(Opened::File { meta, .. })) => {
            let modified = meta.date().map(|unix| {
                let date = date::format(unix);
                format!(", modified {}", String::from_utf8_lossy(&date))
            });
            let modified = modified.unwrap_or_default();
            format!("a file of {} bytes{modified}", meta.len)
        }
        Got::Opened(Ok(Opened::Directory)) => "a directory".into(),
        Got::Listed(Ok(entries)) => format!("{} entries", entries.iter().count()),
        Got::Verified(Ok(())) => "right".into(),
        Got::Opened(Err(error)) | Got::Listed(Err(error)) | Got::Verified(Err(error)) => {
            error.to_string()
        }
        _ => "done".into(),
    }
}

fn verb(change: &Change) -> &'static str {
    match change {
        Change::CreateDirectory { .. } => "create the directory",
        _ => "delete",
    }
}

/// Returns a path as it is after decoding.
fn name(path: &Path) -> String {
    let slash = if path.ends_with_slash() { "/" } else { "" };
    let name = String::from_utf8_lossy(path.as_bytes());
    match &*name {
        "" => "/".into(),
        name => format!("/{name}{slash}"),
    }
}

/// Returns the offset of the first head in a reply that is not an interim one, if that head is complete.
fn final_head(reply: &[u8]) -> Option<usize> {
    let mut start = 0;
    loop {
        let rest = &reply[start..];
        let end = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        match rest.get(9) {
            Some(b'1') => start += end + 4,
            _ => return Some(start),
        }
    }
}

/// Returns a line as text without control characters.
fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line.trim_ascii_end());
    text.replace(char::is_control, "?")
}

/// Returns the bytes of the request.
fn request_bytes(options: &Options, request: &str) -> Result<Vec<u8>, Failure> {
    if request == "-" {
        return read_stdin();
    }
    let has_version = request.split_whitespace().count() > 2;
    let version = if has_version { "" } else { " HTTP/1.1" };
    let mut text = format!("{request}{version}\r\n");
    let is_host = |field: &String| field.to_ascii_lowercase().starts_with("host:");
    if !options.explain_headers.iter().any(is_host) {
        text += "Host: localhost\r\n";
    }
    for field in &options.explain_headers {
        text += &format!("{field}\r\n");
    }
    Ok((text + "\r\n").into_bytes())
}

fn read_stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut input = io::stdin().lock().take(REQUEST_MAX + 1);
    let read = input.read_to_end(&mut bytes);
    read.map_err(|error| Failure::Service(format!("cannot read the request: {error}")))?;
    if bytes.len() as u64 > REQUEST_MAX {
        let line = "the request on standard input is longer than 1 MiB: give less content";
        return Err(Failure::Usage(line.into()));
    }
    Ok(bytes)
}

/// Whether the server would listen on loopback addresses only.
fn is_loopback_only(options: &Options) -> bool {
    hosts(options).iter().all(|host| {
        let address = listen_ip(host);
        host == "localhost" || address.is_some_and(|address| address.is_loopback())
    })
}

/// Returns the URL of the server without a path, if listings would offer its QR code.
fn qr_origin(options: &Options) -> Option<Arc<str>> {
    if !options.qr || options.plain {
        return None;
    }
    let scheme = if tls::is_wanted(options) {
        "https"
    } else {
        "http"
    };
    let local = local_addrs();
    let addresses = hosts(options).iter().filter_map(|host| listen_ip(host));
    let name = options.hosts.first().map(String::as_str);
    let mut urls =
        addresses.flat_map(|ip| urls(scheme, SocketAddr::new(ip, options.port), name, &local));
    let url = urls.find(|url| matches!(url.scope, Scope::Network(_)))?.url;
    Some(Arc::from(url.trim_end_matches('/')))
}

/// The names and addresses to listen on.
fn hosts(options: &Options) -> &[String] {
    match &options.bind[..] {
        [] => slice::from_ref(&options.host),
        hosts => hosts,
    }
}

fn listen_ip(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

fn now(start: Instant) -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    Now {
        tick: start.elapsed(),
        unix: unix.ok().map(|unix| unix.as_secs() as i64),
    }
}

/// The address of the client.
const PEER: &str = "127.0.0.1";

/// The most bytes of a request on standard input: 1 MiB.
const REQUEST_MAX: u64 = 1 << 20;

/// The time after which a file system that was too busy is asked again.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);
