//! Sets up the certificate and key for HTTPS: loads them from files, with a warning if the certificate is not
//! valid now, or creates a self-signed one for the names and addresses of this machine.

use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

use base64ct::{Base64, Encoding};
use sanserve_core::date;
pub(super) use sanserve_server::Tls;
use sanserve_server::text_file;

use super::failure::{Failure, with_causes};
use super::options::{Certificate, Options};
use super::output::warn;
use super::server::Server;
use super::{saved_certificate, urls};

/// Whether the options ask for HTTPS.
pub(super) fn is_wanted(options: &Options) -> bool {
    options.tls.is_some() || options.tls_cert.is_some()
}

/// Creates or loads the certificate, if the options ask for HTTPS.
pub(super) fn set_up(options: &Options) -> Result<Option<Tls>, Failure> {
    if options.tls == Some(Certificate::SelfSigned) {
        let tls = match &options.tls_save {
            Some(path) => saved_certificate::load_or_create(path, host_names())?,
            None => {
                let created = Tls::self_signed(host_names());
                let failure = |error| Failure::Service(with_causes(&error));
                created.map_err(failure)?.0
            }
        };
        return Ok(Some(tls));
    }
    if options.tls_cert.is_none() {
        return Ok(None);
    }
    load(options).map(Some).map_err(Failure::Usage)
}

/// Makes the server speak TLS.
pub(super) fn secure(server: Server, tls: Tls) -> Server {
    match server {
        Server::Std(servers) => Server::each(servers, |it| it.with_tls(tls.clone())),
        #[cfg(unix)]
        Server::Mio(server) => Server::Mio(server.with_tls(tls)),
        #[cfg(feature = "tokio")]
        Server::Tokio(server, runtime) => Server::Tokio(server.with_tls(tls), runtime),
    }
}

/// Returns the banner's lines about a self-signed certificate: its SHA-256, as browsers show it, and the pin of its key,
/// as `curl --pinnedpubkey` takes it. A certificate from a file needs none.
pub(super) fn description(options: &Options, tls: &Tls) -> String {
    if options.tls.is_none() {
        return String::new();
    }
    let sha256 = fingerprint(&tls.certificate_sha256());
    let pin = Base64::encode_string(&tls.key_sha256().unwrap_or_default());
    format!("Certificate: self-signed, SHA-256 {sha256}\nPublic key: sha256//{pin}\n")
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
