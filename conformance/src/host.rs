//! Runs the cases on implementations behind a host: a program that parses HTTP itself and passes on method, target,
//! fields and content, such as `wasi:http`, a browser or axum.
//!
//! Cases about what the host does do not apply. This is decided from the data of a case alone: every request that gets
//! a reply must be one that every host passes on, and the reply must be one that the host leaves to the implementation.
//! Both the expected and the observed replies are converted to this form:
//!
//! ```text
//! STATUS              only the number
//! name: value         the fields, sorted, with names in lower case
//!                     an empty line, then the content
//! ```
//!
//! `Connection`, `Keep-Alive`, `Transfer-Encoding` and `Upgrade` are omitted, and so is a `Content-Length` that is that
//! of the content. Interim replies are the host's. The request line in the log is the one that a port behind a host sees, with
//! the path as the target and HTTP/1.1, which CGI scripts see as well.

mod expected_reply;
mod http;
mod request;

use std::collections::HashMap;
use std::time::Instant;

use crate::gzip;
use crate::report::LeftOut;
use crate::text::{self, Token};
use crate::{Case, Divergence, Fragmentation, Observed, Pace, Pattern, Suite};

/// A request as a host passes it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query, or `*`.
    pub target: String,
    /// The fields in their order, with `Host` and without those about the connection.
    pub fields: Vec<(String, Vec<u8>)>,
    /// Whether it is the first of a conversation. If the case [stores](Case::stores) files, those of earlier
    /// conversations must be gone.
    pub first: bool,
    /// The content, if there is any. There is a `Content-Length` unless it was chunked.
    pub content: Option<Vec<u8>>,
    /// The request line in the case.
    request_line: String,
}

/// The reply of a port to its host, and its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The fields.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The content.
    pub content: Vec<u8>,
    /// The log lines, each ended by a newline.
    pub log: String,
}

/// Runs the cases that apply to a port behind a host, and reports under `name`.
///
/// `send` sends one request, with its content divided as the fragmentation says, and returns the reply. It is called
/// once for each request of a case. `excludes` returns a reason if this host does not pass on a request.
///
/// On success it prints one line with the number of cases that apply, and of those that do not, by reason.
///
/// # Panics
/// Once, at the end, with a report of all failures.
pub fn hosts(
    name: &str,
    excludes: impl Fn(&Case, &Request) -> Option<&'static str>,
    mut send: impl FnMut(&Case, &Request, Fragmentation) -> Reply,
) {
    let HostedSuite {
        suite,
        requests,
        left_out,
    } = HostedSuite::new(&Suite::from_env(), excludes);
    let mut report = suite.check(name, |case, fragmentation| {
        let (mut observed, start) = (Observed::default(), Instant::now());
        for request in &requests[&case.name] {
            let reply = send(case, request, fragmentation);
            observed.bytes.extend(reply.to_form(request));
            observed.log.extend(reply.log.lines().map(str::to_owned));
        }
        let in_time = case
            .pace
            .within
            .is_none_or(|within| start.elapsed() < within);
        assert!(in_time, "the conversation does not end in time");
        observed
    });
    report.left_out = left_out;
    report.assert_passed();
}

/// The cases of a suite that apply behind a host, in the form for hosts.
#[derive(Clone, Debug)]
pub struct HostedSuite {
    /// The cases that apply, and their divergences.
    pub suite: Suite,
    /// The requests of each case, by its name.
    pub requests: HashMap<String, Vec<Request>>,
    /// The names of the other cases, by reason.
    pub left_out: LeftOut,
}

impl HostedSuite {
    /// Selects and converts the cases of a suite.
    #[must_use]
    pub fn new(suite: &Suite, excludes: impl Fn(&Case, &Request) -> Option<&'static str>) -> Self {
        let (mut cases, mut divergences) = (Vec::new(), Vec::new());
        let (mut requests, mut left_out) = (HashMap::new(), LeftOut::new());
        for case in suite.cases() {
            let name = case.name.clone();
            let converted = convert(case, suite.divergence(case)).and_then(|converted| {
                let excluded = converted
                    .0
                    .iter()
                    .find_map(|request| excludes(case, request));
                excluded.map_or(Ok(converted), Err)
            });
            match converted {
                Err(reason) => left_out.entry(reason).or_default().push(name),
                Ok((sent, case, divergence)) => {
                    requests.insert(name, sent);
                    cases.push(case);
                    divergences.extend(divergence);
                }
            }
        }
        let suite = Suite::new(cases, divergences);
        Self {
            suite,
            requests,
            left_out,
        }
    }
}

/// Returns the requests of a case that get a reply, and the case and its divergence in the form for hosts; or the
/// reason why the case does not apply.
fn convert(
    case: &Case,
    divergence: Option<&Divergence>,
) -> Result<(Vec<Request>, Case, Option<Divergence>), &'static str> {
    if ["line", "fields"]
        .iter()
        .any(|key| case.option(key).is_some())
    {
        return Err("the limits of a head");
    }
    // A time limit alone does not depend on the client.
    let pace = Pace {
        within: None,
        ..case.pace.clone()
    };
    if pace != Pace::default() {
        return Err("when the client sends and reads");
    }
    if case.upgrades {
        return Err("upgrades");
    }
    if case.option("host").is_some() && !has_host_field(&case.request) {
        return Err("the host");
    }
    let reply = divergence.map_or(&case.reply, |divergence| &divergence.reply);
    let (requests, reply) = to_form(&case.request, reply)?;
    // CPython's reply may have no such form. Then it is a pattern that no reply matches.
    let convert =
        |reply| to_form(&case.request, reply).map_or(Pattern::exact(b"-"), |(_, form)| form);
    let hosted = Case {
        reply: convert(&case.reply),
        cpython_reply: convert(&case.cpython_reply),
        log: hosted_log(&case.log, &requests),
        ..case.clone()
    };
    let divergence = divergence.map(|divergence| Divergence {
        reply,
        log: hosted_log(&divergence.log, &requests),
        ..divergence.clone()
    });
    // Without the parts that the host decides, there may be no difference.
    let divergence = divergence
        .filter(|divergence| divergence.reply != hosted.reply || divergence.log != hosted.log);
    Ok((requests, hosted, divergence))
}

/// Whether there is a `Host` field. If it is missing, the host may add one.
fn has_host_field(request: &[u8]) -> bool {
    let request = request.to_ascii_lowercase();
    request.windows(7).any(|bytes| bytes == b"\r\nhost:")
}

/// Returns the requests that get a reply, and the replies in the form for hosts.
fn to_form(sent: &[u8], reply: &Pattern) -> Result<(Vec<Request>, Pattern), &'static str> {
    let (mut requests, mut form) = (Vec::new(), Vec::new());
    let (mut sent, mut replies) = (sent, reply.tokens());
    while !replies.is_empty() {
        let mut request = Request::parse(&mut sent)?;
        request.first = requests.is_empty();
        form.extend(expected_reply::parse(&mut replies, &request.method)?);
        requests.push(request);
    }
    if requests.is_empty() {
        return Err("no reply");
    }
    expected_reply::set_http11(&mut form);
    Ok((requests, Pattern::new(form)))
}

/// Returns the log lines as a port behind a host writes them.
fn hosted_log(lines: &[String], requests: &[Request]) -> Vec<String> {
    let line = |line: &String| {
        requests.iter().fold(line.clone(), |line, request| {
            let seen = format!("{} {} HTTP/1.1", request.method, request.target);
            let quoted = |text: &str| format!("\"{}\" ", text::log(text));
            line.replace(&quoted(&request.request_line), &quoted(&seen))
        })
    };
    lines.iter().map(line).collect()
}

impl Reply {
    /// Returns the reply with decoded content, if its content is in gzip.
    fn decoded(&self) -> Option<Reply> {
        let is_stream = self.content.starts_with(&gzip::MAGIC);
        let content = is_stream.then(|| gzip::decode_gzip(&self.content).ok())??;
        let len = self.content.len().to_string().into_bytes();
        let mut decoded = self.clone();
        for (name, value) in &mut decoded.fields {
            match &*name.to_ascii_lowercase() {
                "content-encoding" if value == b"gzip" => *value = gzip::DECODED.into(),
                "content-length" if *value == len => *value = content.len().to_string().into(),
                _ => {}
            }
        }
        decoded.content = content;
        Some(decoded)
    }

    /// Converts the reply to the form for hosts.
    fn to_form(&self, request: &Request) -> Vec<u8> {
        let tokens = |bytes: &[u8]| bytes.iter().copied().map(Some).collect::<Vec<Token>>();
        if let Some(decoded) = self.decoded() {
            return decoded.to_form(request);
        }
        let fields = self
            .fields
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), tokens(value)));
        let form = expected_reply::form(
            self.status,
            fields.collect(),
            &tokens(&self.content),
            &request.method,
        );
        form.into_iter().flatten().collect()
    }
}
