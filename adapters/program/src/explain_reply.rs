//! Says where each line of a reply's head comes from: the section of the RFC or standard that defines it, and the option
//! that changes it.

use sanserve_core::wire::RequestHead;

use crate::options::Options;

/// Returns the lines of a head, each with its source.
pub(super) fn with_sources(options: &Options, request: &RequestHead, lines: &[String]) -> String {
    let longest = lines.iter().map(|line| line.chars().count()).max();
    let width = longest.unwrap_or_default().min(WIDTH_MAX);
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        let source = match line.split_once(':') {
            Some((name, _)) if at > 0 => field_source(options, is_error(lines), name),
            _ => status_source(options, request, line),
        };
        let line = format!("{line:width$}  {source}");
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Returns the section about the status, the fields of the request to which it is the answer, and the options that
/// change it.
fn status_source(options: &Options, request: &RequestHead, line: &str) -> String {
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status: u16 = status.unwrap_or_default();
    let section = match SECTIONS.iter().find(|(known, _)| *known == status) {
        Some((_, section)) => format!("RFC 9110 §{section}"),
        None => String::new(),
    };
    let causes: &[(&str, &str)] = match status {
        // RFC 9110 §13.1.3: If-Modified-Since is ignored beside If-None-Match.
        304 if request.field("If-None-Match").is_some() => &CONDITIONS[..1],
        304 => &CONDITIONS[1..2],
        412 => &CONDITIONS,
        206 | 416 => &[("Range", "14.2")],
        _ => &[],
    };
    let causes = causes
        .iter()
        .filter(|(name, _)| request.field(name).is_some());
    let causes: Vec<String> = causes
        .map(|(name, section)| format!("{name} (RFC 9110 §{section})"))
        .collect();
    match (causes.join(", "), status) {
        (causes, _) if !causes.is_empty() => format!("{section}, because of {causes}"),
        (_, 200) if request.field("Range").is_some() => {
            format!("{section}; Range is not applied (RFC 9110 §14.2)")
        }
        _ => match status_option(options, request, status) {
            Some(option) => format!("{section}; {option}"),
            None => section,
        },
    }
}

/// Returns the option that would change the status.
fn status_option(options: &Options, request: &RequestHead, status: u16) -> Option<&'static str> {
    match status {
        403 | 405 | 409 => option_for_changes(options, request, status),
        413 => Some("--upload-limit"),
        421 => Some("--host"),
        _ => None,
    }
}

/// Returns the option because of which a request may not store or delete files.
#[cfg(unix)]
fn option_for_changes(
    options: &Options,
    request: &RequestHead,
    status: u16,
) -> Option<&'static str> {
    let stores = matches!(request.method(), "POST" | "PUT" | "PATCH");
    match status {
        403 if options.upload_only && !stores => Some("--upload-only"),
        405 if stores && !options.upload => Some("--upload"),
        405 if request.method() == "DELETE" && !options.delete => Some("--delete"),
        409 if stores && !options.overwrite => Some("--overwrite"),
        _ => None,
    }
}

/// Files cannot be stored or deleted there.
#[cfg(not(unix))]
fn option_for_changes(_: &Options, _: &RequestHead, _: u16) -> Option<&'static str> {
    None
}

/// Whether the reply is an error, whose fields other options set.
fn is_error(lines: &[String]) -> bool {
    let status = lines.first().and_then(|line| line.split(' ').nth(1));
    status.is_some_and(|status| status.starts_with(['4', '5']))
}

/// Returns the section about a field, and the options that set it.
fn field_source(options: &Options, is_error: bool, name: &str) -> String {
    let is_given = |given: &str| given.eq_ignore_ascii_case(name);
    if options.headers.iter().any(|field| is_given(&field.name)) {
        return "--header".into();
    }
    let lower = name.to_ascii_lowercase();
    let found = FIELDS
        .iter()
        .find(|(prefix, _)| match prefix.strip_suffix('*') {
            Some(prefix) => lower.starts_with(prefix),
            None => lower == *prefix,
        });
    let source = found.map_or("", |(_, source)| *source);
    // The media type of an error page has no option.
    match source.split_once("; ") {
        Some((section, _)) if is_error && lower == "content-type" => section.into(),
        _ => source.into(),
    }
}

/// The fields with conditions, and their sections in RFC 9110.
const CONDITIONS: [(&str, &str); 4] = [
    ("If-None-Match", "13.1.2"),
    ("If-Modified-Since", "13.1.3"),
    ("If-Match", "13.1.1"),
    ("If-Unmodified-Since", "13.1.4"),
];

/// The sections of RFC 9110 about statuses.
const SECTIONS: [(u16, &str); 33] = [
    (101, "15.2.2"),
    (200, "15.3.1"),
    (201, "15.3.2"),
    (204, "15.3.5"),
    (206, "15.3.7"),
    (301, "15.4.2"),
    (302, "15.4.3"),
    (303, "15.4.4"),
    (304, "15.4.5"),
    (307, "15.4.8"),
    (308, "15.4.9"),
    (400, "15.5.1"),
    (401, "15.5.2"),
    (403, "15.5.4"),
    (404, "15.5.5"),
    (405, "15.5.6"),
    (406, "15.5.7"),
    (408, "15.5.9"),
    (409, "15.5.10"),
    (411, "15.5.12"),
    (412, "15.5.13"),
    (413, "15.5.14"),
    (414, "15.5.15"),
    (415, "15.5.16"),
    (416, "15.5.17"),
    (417, "15.5.18"),
    (421, "15.5.20"),
    (500, "15.6.1"),
    (501, "15.6.2"),
    (502, "15.6.3"),
    (503, "15.6.4"),
    (504, "15.6.5"),
    (505, "15.6.6"),
];

/// The sources of fields. A name that ends with `*` is the beginning of names.
const FIELDS: [(&str, &str); 24] = [
    ("accept-ranges", "RFC 9110 §14.3"),
    ("access-control-*", "Fetch standard, CORS; --cors"),
    ("allow", "RFC 9110 §10.2.1"),
    ("cache-control", "RFC 9111 §5.2; --cache-control"),
    ("connection", "RFC 9110 §7.6.1"),
    ("content-disposition", "RFC 6266"),
    (
        "content-encoding",
        "RFC 9110 §8.4; --precompressed, --compress",
    ),
    ("content-language", "RFC 9110 §8.5"),
    ("content-length", "RFC 9110 §8.6"),
    ("content-range", "RFC 9110 §14.4"),
    ("content-security-policy", "Content Security Policy"),
    (
        "content-type",
        "RFC 9110 §8.3; --content-type, --charset, --mime-types",
    ),
    ("cross-origin-*", "HTML standard; --isolate"),
    ("date", "RFC 9110 §6.6.1"),
    ("etag", "RFC 9110 §8.8.3; --portable-tags"),
    ("keep-alive", "RFC 2068 §19.7.1.1"),
    ("last-modified", "RFC 9110 §8.8.2"),
    ("location", "RFC 9110 §10.2.2"),
    ("retry-after", "RFC 9110 §10.2.3"),
    ("server", "RFC 9110 §10.2.4"),
    ("transfer-encoding", "RFC 9112 §6.1"),
    ("vary", "RFC 9110 §12.5.5"),
    ("www-authenticate", "RFC 9110 §11.6.1; --auth, --auth-file"),
    ("x-content-type-options", "Fetch standard"),
];

/// The column after which the sources of shorter lines begin.
const WIDTH_MAX: usize = 56;
