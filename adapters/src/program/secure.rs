//! What HTTPS needs, if it is asked for.

use sanserve::Tls;

use super::options::{Certificate, Options};
use super::{Failure, address};

/// A certificate with its key. If it was made for this run, its SHA-256 comes with it.
pub(super) struct Secure {
    pub(super) tls: Tls,
    pub(super) sha256: Option<String>,
}

/// What the options ask for.
pub(super) fn secure(options: &Options) -> Result<Option<Secure>, Failure> {
    if options.tls == Some(Certificate::SelfSigned) {
        let made = Tls::self_signed(names());
        let (tls, sha256) =
            made.map_err(|error| Failure::Service(format!("cannot make a certificate: {error}")))?;
        let sha256 = Some(fingerprint(&sha256));
        return Ok(Some(Secure { tls, sha256 }));
    }
    let Some(certfile) = &options.tls_cert else {
        return Ok(None);
    };
    let (keyfile, password) = (options.tls_key.as_ref(), options.tls_password.as_deref());
    let tls = Tls::load(certfile, keyfile, password)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(Some(Secure { tls, sha256: None }))
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
