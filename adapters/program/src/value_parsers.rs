//! Parsers for the values of options. Their errors say what was expected.

use std::net::IpAddr;

use sanserve_core::{Path, Protocol, TrustedProxies};

use super::header_arg;

/// Parses the variable of an option without a value.
pub(super) fn yes_or_no(text: &str) -> Result<bool, &'static str> {
    match &*text.to_ascii_lowercase() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err("expected yes or no"),
    }
}

pub(super) fn port(text: &str) -> Result<u16, &'static str> {
    text.parse()
        .map_err(|_| "expected a number from 0 to 65535")
}

pub(super) fn protocol(text: &str) -> Result<Protocol, &'static str> {
    let known = [Protocol::Http10, Protocol::Http11];
    let found = known.into_iter().find(|protocol| protocol.as_str() == text);
    found.ok_or("expected HTTP/1.0 or HTTP/1.1")
}

pub(super) fn media_type(text: &str) -> Result<String, &'static str> {
    let text = header_arg::value(text)?;
    let kind = text.split(';').next().unwrap_or_default().trim_end();
    let is_token = |text: &str| !text.is_empty() && text.bytes().all(header_arg::is_token);
    match kind.split_once('/') {
        Some((kind, subtype)) if is_token(kind) && is_token(subtype) => Ok(text),
        _ => Err("expected a media type, such as text/plain"),
    }
}

pub(super) fn cache_control(text: &str) -> Result<String, &'static str> {
    match header_arg::value(text)? {
        empty if empty.is_empty() => Err("expected directives, such as no-cache or max-age=3600"),
        text => Ok(text),
    }
}

/// Parses the name of a charset. The empty name means none.
pub(super) fn charset(text: &str) -> Result<String, &'static str> {
    if !text.bytes().all(header_arg::is_token) {
        return Err("expected a name, such as utf-8, or '' for none");
    }
    Ok(text.to_owned())
}

/// Parses a name or an address, as in the `Host` field but without a port.
pub(super) fn host(text: &str) -> Result<String, &'static str> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
        let is_valid = bare.is_none() || address.is_ipv6();
        return is_valid.then(|| text.to_owned()).ok_or(HOST);
    }
    let is_name = |char: char| char.is_ascii_alphanumeric() || "-._~".contains(char);
    if text.trim_end_matches('.').is_empty() || !text.chars().all(is_name) {
        return Err(HOST);
    }
    Ok(text.to_owned())
}

const HOST: &str = "expected a name or an address without a port, such as files.example";

/// Parses the address of a trusted proxy, a network, or `unix`.
pub(super) fn proxy(text: &str) -> Result<String, &'static str> {
    let trusted = TrustedProxies::default().trust(text);
    trusted.map_err(|_| "expected an address, a network such as 10.0.0.0/8, or unix")?;
    Ok(text.to_owned())
}

/// Parses a line of a request. The engine decides whether it is valid.
#[cfg(not(target_os = "wasi"))]
pub(super) fn request(text: &str) -> Result<String, &'static str> {
    match text.trim().is_empty() || text.contains(['\r', '\n']) {
        true => Err("expected one line, such as 'GET /path'"),
        false => Ok(text.to_owned()),
    }
}

/// Parses an origin in the form that browsers send, since it is compared byte by byte.
pub(super) fn origin(text: &str) -> Result<String, &'static str> {
    let host = text.split_once("://").map_or("", |(_, host)| host);
    let is_invalid = |char: char| "/?#, ".contains(char) || !char.is_ascii_graphic();
    if text != "*" && (host.is_empty() || host.contains(is_invalid)) {
        return Err(
            "expected an origin without a trailing slash, such as https://example.org, or *",
        );
    }
    Ok(text.to_owned())
}

/// Parses a path below the served directory.
pub(super) fn relative_path(text: &str) -> Result<String, &'static str> {
    let path = text.trim_matches('/');
    let is_invalid = |name: &str| matches!(name, "" | "." | "..");
    if path.split('/').any(is_invalid) || Path::from_bytes(path.into()).is_none() {
        return Err("expected a path below the served directory, such as pages/404.html");
    }
    Ok(path.to_owned())
}

/// Parses the path below which the directory is served, without the slash at its end.
pub(super) fn prefix(text: &str) -> Result<String, &'static str> {
    let path = text.trim_end_matches('/');
    let names = path.strip_prefix('/').ok_or(PREFIX)?;
    let is_valid = |name: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !matches!(name, "" | "." | "..") && name.bytes().all(is_plain)
    };
    match names.split('/').all(is_valid) {
        true => Ok(path.to_owned()),
        false => Err(PREFIX),
    }
}

const PREFIX: &str = "expected a path of letters, digits and any of -._~, such as /files";

/// Parses the path of a script directory. It must be ASCII: file systems fold, compose and decompose other letters, so
/// not all spellings of the directory would be known.
#[cfg(not(target_os = "wasi"))]
pub(super) fn script_directory(text: &str) -> Result<String, &'static str> {
    if !text.is_ascii() {
        return Err("expected a path in ASCII");
    }
    relative_path(text).map_err(|_| "expected a path below the served directory, such as scripts")
}

#[cfg(unix)]
pub(super) fn count(text: &str) -> Result<usize, &'static str> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or("expected a number of at least 1")
}

/// Parses a size, such as `1048576`, `1024K` or `1M`.
#[cfg(not(target_os = "wasi"))]
pub(super) fn size(text: &str) -> Result<u64, &'static str> {
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => Some(1),
        "K" => Some(1 << 10),
        "M" => Some(1 << 20),
        "G" => Some(1 << 30),
        "T" => Some(1 << 40),
        _ => None,
    };
    let number = digits
        .parse()
        .ok()
        .and_then(|number: u64| number.checked_mul(unit?));
    number.ok_or("expected a number of bytes, or a size such as 500K, 20M or 2G")
}
