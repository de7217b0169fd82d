//! The list for hosts that speak HTTP themselves and hand a request on as method, target, fields and
//! content: `wasi:http`, a browser, axum.
//!
//! What of the list is theirs to get right cannot be asked of a port behind them. Whether a case
//! applies is decided from its data alone: each request that is answered must be one that any host
//! hands on, and no reply may be about that. What applies is put in the form that both
//! sides of the comparison have here, for each request:
//!
//! ```text
//! STATUS              the number alone
//! name: value         the fields in the order of their names, in small letters
//!                     an empty line, then the content
//! ```
//!
//! `Connection`, `Keep-Alive` and `Transfer-Encoding` are left out, and `Content-Length` where there
//! is the content to tell it. Interim replies are the host's. The request line in the log is the one
//! that a port behind a host sees: the path as target, and HTTP/1.1, which is what scripts are told, too.

mod expected_reply;
mod http;
mod request;

use std::collections::HashMap;

use crate::report::LeftOut;
use crate::text::{self, Token};
use crate::{Case, Divergence, Fragmentation, Observed, Pattern, Suite};

/// A request, as a host hands it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query, or `*`.
    pub target: String,
    /// The fields in their order, with `Host`, without those that speak of a connection.
    pub fields: Vec<(String, Vec<u8>)>,
    /// Whether it begins a conversation. If the case [stores](Case::stores) something, what came before
    /// must not be seen.
    pub first: bool,
    /// The content, if there is any. A field tells its length, unless it came in chunks.
    pub content: Option<Vec<u8>>,
    /// The request line that was sent.
    line: String,
}

/// What a host was answered, and what was logged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// All fields.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The content.
    pub content: Vec<u8>,
    /// The lines that were logged meanwhile, each ended by a newline.
    pub log: String,
}

/// Runs a port behind a host through what applies of the list, and reports by that name.
///
/// `send` gives it one request and answers what came back, its content cut as the fragmentation says. A case
/// with several requests on a connection sends one after the other. `excludes` says why this host
/// does not hand a request on, though others do.
///
/// On success it prints one line that tells how many cases apply, and why the others do not.
///
/// # Panics
/// Once, at the end, after a report of all that went wrong.
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
        let mut said = Observed::default();
        for request in &requests[&case.name] {
            let reply = send(case, request, fragmentation);
            said.bytes.extend(reply.normal(request));
            said.log.extend(reply.log.lines().map(str::to_owned));
        }
        said
    });
    report.left_out = left_out;
    report.assert_passed();
}

/// What applies of a suite, in the form for hosts.
#[derive(Clone, Debug)]
pub struct HostedSuite {
    /// The cases that apply, and their divergences.
    pub suite: Suite,
    /// What each of them sends, by its name.
    pub requests: HashMap<String, Vec<Request>>,
    /// Why the others do not apply.
    pub left_out: LeftOut,
}

impl HostedSuite {
    /// Parts a suite.
    #[must_use]
    pub fn new(suite: &Suite, excludes: impl Fn(&Case, &Request) -> Option<&'static str>) -> Self {
        let (mut cases, mut divergences) = (Vec::new(), Vec::new());
        let (mut requests, mut left_out) = (HashMap::new(), LeftOut::new());
        for case in suite.cases() {
            let name = case.name.clone();
            let parted = part(case, suite.divergence(case)).and_then(|parted| {
                let refused = parted.0.iter().find_map(|request| excludes(case, request));
                refused.map_or(Ok(parted), Err)
            });
            match parted {
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

/// The requests of a case that are answered, and the case with its divergence in the form for hosts.
/// Or why it does not apply.
fn part(
    case: &Case,
    divergence: Option<&Divergence>,
) -> Result<(Vec<Request>, Case, Option<Divergence>), &'static str> {
    if ["line", "fields"]
        .iter()
        .any(|key| case.option(key).is_some())
    {
        return Err("the limits of a head");
    }
    if case.option("host").is_some() && !names_host(&case.request) {
        return Err("the host");
    }
    let ours = divergence.map_or(&case.reply, |ours| &ours.reply);
    let (requests, ours) = form(&case.request, ours)?;
    // What CPython answers may have no such form; nobody answers so then.
    let theirs = |reply| form(&case.request, reply).map_or(Pattern::exact(b"-"), |(_, form)| form);
    let hosted = Case {
        reply: theirs(&case.reply),
        cpython_reply: theirs(&case.cpython_reply),
        log: log(&case.log, &requests),
        ..case.clone()
    };
    let divergence = divergence.map(|divergence| Divergence {
        reply: ours,
        log: log(&divergence.log, &requests),
        ..divergence.clone()
    });
    // They may have differed in what is the host's.
    let divergence = divergence.filter(|ours| ours.reply != hosted.reply || ours.log != hosted.log);
    Ok((requests, hosted, divergence))
}

/// Whether the field is there. Where it is not, the host may add one.
fn names_host(request: &[u8]) -> bool {
    let request = request.to_ascii_lowercase();
    request.windows(7).any(|bytes| bytes == b"\r\nhost:")
}

/// The requests that a reply answers, and the form of that reply.
fn form(sent: &[u8], reply: &Pattern) -> Result<(Vec<Request>, Pattern), &'static str> {
    let (mut requests, mut form) = (Vec::new(), Vec::new());
    let (mut sent, mut told) = (sent, reply.tokens());
    while !told.is_empty() {
        let mut request = Request::parse(&mut sent)?;
        request.first = requests.is_empty();
        form.extend(expected_reply::parse(&mut told, &request.method)?);
        requests.push(request);
    }
    if requests.is_empty() {
        return Err("no reply");
    }
    expected_reply::modernize(&mut form);
    Ok((requests, Pattern::new(form)))
}

/// The lines of a log as a port behind a host writes them.
fn log(lines: &[String], requests: &[Request]) -> Vec<String> {
    let line = |line: &String| {
        requests.iter().fold(line.clone(), |line, request| {
            let seen = format!("{} {} HTTP/1.1", request.method, request.target);
            let quoted = |text: &str| format!("\"{}\" ", text::log(text));
            line.replace(&quoted(&request.line), &quoted(&seen))
        })
    };
    lines.iter().map(line).collect()
}

impl Reply {
    /// The form in which replies are compared.
    fn normal(&self, request: &Request) -> Vec<u8> {
        let tokens = |bytes: &[u8]| bytes.iter().copied().map(Some).collect::<Vec<Token>>();
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
