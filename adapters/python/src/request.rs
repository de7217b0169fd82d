//! [`Request`]: the head of a request, as Python sees it.

use pyo3::prelude::*;
use sanserve_core::Exchange;
use sanserve_core::wire::Version;

/// The head of a request. Text is decoded as ISO-8859-1.
#[pyclass(frozen, module = "sanserve._engine")]
pub(crate) struct Request {
    /// The method, such as `GET`.
    #[pyo3(get)]
    command: String,
    /// The request target, such as `/a?b`. Several slashes at its start are reduced to one.
    #[pyo3(get)]
    path: String,
    /// The target as the engine's services see it: without the host of an absolute target, and with percent-encodings
    /// in place of bytes above 0x7E.
    #[pyo3(get)]
    target: String,
    /// The request line without its line ending.
    #[pyo3(get)]
    requestline: String,
    /// The version as it was sent, such as `HTTP/1.1`; empty for a request of HTTP/0.9, which has neither a version nor
    /// fields.
    #[pyo3(get)]
    version: String,
    /// Whether the client leaves the connection open.
    #[pyo3(get)]
    keep_alive: bool,
    /// Whether the client waits for `100 Continue`.
    #[pyo3(get)]
    expects_100: bool,
    fields: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn of(ex: &Exchange<'_>) -> Request {
        let mut words = ex.requestline().split(' ').skip(1);
        let (target, version) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let slashes = target.len() - target.trim_start_matches('/').len();
        Request {
            command: ex.command().into(),
            path: target[slashes.saturating_sub(1)..].into(),
            target: ex.path().into(),
            requestline: ex.requestline().into(),
            version: version.into(),
            keep_alive: keep_alive(ex),
            expects_100: ex.expects_100(),
            fields: ex
                .headers()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }
}

/// Returns whether the client leaves the connection open (RFC 9112 §9.3).
fn keep_alive(ex: &Exchange<'_>) -> bool {
    let options = || {
        ex.get_all("Connection")
            .flat_map(|value| value.split(','))
            .map(str::trim)
    };
    let has = |name: &str| options().any(|option| option.eq_ignore_ascii_case(name));
    match ex.request_version() {
        Version::Http09 => false,
        Version::Http10 => has("keep-alive") && !has("close"),
        Version::Http11 => !has("close"),
    }
}

#[pymethods]
impl Request {
    /// Returns the fields as names and values, in the order in which they were sent.
    fn fields(&self) -> Vec<(&str, &str)> {
        self.fields
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect()
    }

    /// Returns the value of the first field with this name, or None.
    fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }
}
