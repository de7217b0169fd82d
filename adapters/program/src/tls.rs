//! What HTTPS needs, if it is asked for.

use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

use sanserve_core::date;
use sanserve_server::{Tls, text_file};

use super::address;
use super::failure::{Failure, in_full};
use super::options::{Certificate, Options};
use super::output::complain;

/// A certificate with its key. If it was made for this run, its SHA-256 comes with it.
pub(super) struct Certified {
    pub(super) tls: Tls,
    pub(super) sha256: Option<String>,
}

/// What the options ask for.
pub(super) fn configured(options: &Options) -> Result<Option<Certified>, Failure> {
    if options.tls == Some(Certificate::SelfSigned) {
        let made = Tls::self_signed(names());
        let (tls, sha256) = made.map_err(|error| Failure::Service(in_full(&error)))?;
        let sha256 = Some(fingerprint(&sha256));
        return Ok(Some(Certified { tls, sha256 }));
    }
    if options.tls_cert.is_none() {
        return Ok(None);
    }
    let tls = load(options).map_err(Failure::Usage)?;
    Ok(Some(Certified { tls, sha256: None }))
}

/// Reads the certificate and the key, and warns if it is not the time for them.
pub(super) fn load(options: &Options) -> Result<Tls, String> {
    let certfile = options
        .tls_cert
        .as_deref()
        .ok_or("there is no --tls-cert")?;
    let password = password(options)?;
    let tls = Tls::load(certfile, options.tls_key.as_deref(), password.as_deref());
    let tls = tls.map_err(|error| in_full(&error))?;
    if let Some(warning) = untimely(&tls) {
        let name = certfile.display();
        complain(&format!("warning: the certificate in {name} {warning}"));
    }
    Ok(tls)
}

/// The password of the key. The line is Python's.
fn password(options: &Options) -> Result<Option<String>, String> {
    let Some(path) = &options.tls_password_file else {
        return Ok(None);
    };
    let failed = |error: &dyn Display| {
        let name = path.display();
        format!("Failed to read TLS password file: {name}: {error}")
    };
    let bytes = text_file::read(path).map_err(|error| failed(&error))?;
    let text = str::from_utf8(&bytes).map_err(|error| failed(&error))?;
    Ok(Some(text.trim().to_owned()))
}

/// Why clients will reject a certificate now, if they will.
fn untimely(tls: &Tls) -> Option<String> {
    let (from, until) = tls.validity()?;
    let now = SystemTime::now();
    let date = |time: SystemTime| {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let date = date::format(since.as_secs() as i64);
        String::from_utf8_lossy(&date).into_owned()
    };
    if now > until {
        let until = date(until);
        Some(format!(
            "expired on {until}, so clients reject it: renew it"
        ))
    } else if now < from {
        let from = date(from);
        Some(format!(
            "is not valid before {from}, so clients reject it: check the clock"
        ))
    } else {
        None
    }
}

/// As openssl writes it.
fn fingerprint(sha256: &[u8]) -> String {
    let pairs: Vec<_> = sha256.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// What this machine is called: names and addresses.
fn names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    if let Some(host) = host().filter(|host| is_name(host)) {
        // What a network without a name server finds it by.
        names.extend((!host.contains('.')).then(|| format!("{host}.local")));
        names.push(host);
    }
    names.extend(["127.0.0.1".to_owned(), "::1".to_owned()]);
    names.extend(address::own().iter().map(|(ip, _)| ip.to_string()));
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(unix)]
fn host() -> Option<String> {
    let name = rustix::system::uname();
    Some(name.nodename().to_str().ok()?.to_owned())
}

#[cfg(not(unix))]
fn host() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    !text.is_empty() && text != "localhost" && text.bytes().all(plain)
}
