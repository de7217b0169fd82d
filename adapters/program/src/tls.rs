//! Sets up the certificate and key for HTTPS: loads them from files, with a warning if the certificate is not
//! valid now, or creates a self-signed one for the names and addresses of this machine.

use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

use sanserve_core::date;
use sanserve_server::{Tls, text_file};

use super::failure::{Failure, with_causes};
use super::options::{Certificate, Options};
use super::output::warn;
use super::urls;

/// The settings of TLS, and the SHA-256 of a certificate that was created for this run.
pub(super) struct TlsSetup {
    pub(super) tls: Tls,
    pub(super) sha256: Option<String>,
}

/// Creates or loads the certificate, if the options ask for HTTPS.
pub(super) fn set_up(options: &Options) -> Result<Option<TlsSetup>, Failure> {
    if options.tls == Some(Certificate::SelfSigned) {
        let created = Tls::self_signed(host_names());
        let (tls, sha256) = created.map_err(|error| Failure::Service(with_causes(&error)))?;
        let sha256 = Some(fingerprint(&sha256));
        return Ok(Some(TlsSetup { tls, sha256 }));
    }
    if options.tls_cert.is_none() {
        return Ok(None);
    }
    let tls = load(options).map_err(Failure::Usage)?;
    Ok(Some(TlsSetup { tls, sha256: None }))
}

/// Loads the certificate and the key, and warns if the certificate is expired or not yet valid.
pub(super) fn load(options: &Options) -> Result<Tls, String> {
    let certfile = options
        .tls_cert
        .as_deref()
        .ok_or("there is no --tls-cert")?;
    let password = password(options)?;
    let tls = Tls::load(certfile, options.tls_key.as_deref(), password.as_deref());
    let tls = tls.map_err(|error| with_causes(&error))?;
    if let Some(warning) = validity_warning(&tls) {
        let name = certfile.display();
        warn(&format!("warning: the certificate in {name} {warning}"));
    }
    Ok(tls)
}

/// Reads the password of the key. The message is Python's.
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

/// Returns a warning if the certificate is not valid now.
fn validity_warning(tls: &Tls) -> Option<String> {
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

/// Formats a fingerprint as openssl does.
fn fingerprint(sha256: &[u8]) -> String {
    let pairs: Vec<_> = sha256.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// Returns the names and addresses of this machine.
fn host_names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    if let Some(host) = host_name().filter(|host| is_name(host)) {
        // The name in multicast DNS.
        names.extend((!host.contains('.')).then(|| format!("{host}.local")));
        names.push(host);
    }
    names.extend(["127.0.0.1".to_owned(), "::1".to_owned()]);
    names.extend(urls::local_addrs().iter().map(|(ip, _)| ip.to_string()));
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(unix)]
fn host_name() -> Option<String> {
    let name = rustix::system::uname();
    Some(name.nodename().to_str().ok()?.to_owned())
}

#[cfg(not(unix))]
fn host_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    !text.is_empty() && text != "localhost" && text.bytes().all(plain)
}
