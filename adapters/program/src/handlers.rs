//! Creates the handlers that the options ask for: the check of the host, passwords, CGI scripts and uploads around the
//! file service. Also reads the passwords.

use std::net::SocketAddr;
use std::sync::Arc;

use sanserve_core::{Cgi, Credentials, Files, Guard, Handler, Hosts, Upload};
use sanserve_server::Passwords;

use super::failure::{Failure, with_causes};
use super::options::Options;
use super::settings::hosts;

/// Returns a handler for each connection.
pub(super) type Handlers = Box<dyn Fn() -> Box<dyn Handler + Send> + Send + Sync>;

/// Reads the passwords, if the options require any.
pub(super) fn passwords(options: &Options) -> Result<Option<Arc<Passwords>>, Failure> {
    if !options.requires_password() {
        return Ok(None);
    }
    read_passwords(options).map(Arc::new).map(Some)
}

/// Reads all passwords of the options.
pub(super) fn read_passwords(options: &Options) -> Result<Passwords, Failure> {
    let mut passwords = Passwords::new().map_err(Failure::service)?;
    read_into(&mut passwords, options).map_err(Failure::Usage)?;
    Ok(passwords)
}

fn read_into(passwords: &mut Passwords, options: &Options) -> Result<(), String> {
    for given in &options.auth {
        // Not quoted: without a colon, this may be a password.
        let (user, password) = given
            .split_once(':')
            .ok_or("--auth: expected USER:PASSWORD, with a colon")?;
        let added = passwords.add(user, password);
        added.map_err(|error| format!("--auth '{user}:...': {error}"))?;
    }
    let Some(path) = &options.auth_file else {
        return Ok(());
    };
    let before = passwords.len();
    passwords.read(path).map_err(|error| with_causes(&error))?;
    if passwords.len() == before {
        let path = path.display();
        return Err(format!(
            "--auth-file {path} contains no user: add a line, as 'htpasswd -nB USER' prints it"
        ));
    }
    Ok(())
}

/// Properties of the server that its handlers depend on.
pub(super) struct ServerInfo {
    /// The address that scripts get as SERVER_NAME and SERVER_PORT.
    pub(super) address: SocketAddr,
    pub(super) https: bool,
    /// Whether only this machine can connect.
    #[cfg_attr(
        not(unix),
        expect(dead_code, reason = "uploads, which depend on it, need Unix")
    )]
    pub(super) loopback_only: bool,
}

/// Returns the handlers, or `None` if the file service alone is enough.
pub(super) fn handlers(
    options: &Options,
    files: &Files,
    server: &ServerInfo,
    passwords: Option<&Arc<Passwords>>,
) -> Option<Handlers> {
    let names = hosts(options);
    if names.is_empty() {
        return handlers_for_any_host(options, files, server, passwords);
    }
    let inner = handlers_for_any_host(options, files, server, passwords);
    let files = files.clone();
    Some(match inner {
        Some(inner) => Box::new(move || Box::new(Hosts::new(inner(), names.clone()))),
        None => Box::new(move || Box::new(Hosts::new(files.clone(), names.clone()))),
    })
}

/// Returns the handlers without the check of the host.
fn handlers_for_any_host(
    options: &Options,
    files: &Files,
    server: &ServerInfo,
    passwords: Option<&Arc<Passwords>>,
) -> Option<Handlers> {
    let inner: Handlers = if let Some(mut scripts) = scripts(options, files, server) {
        scripts.settings_mut().behind_guard = passwords.is_some();
        Box::new(move || Box::new(scripts.clone()))
    } else if let Some(upload) = upload(options, files, server) {
        Box::new(move || Box::new(upload.clone()))
    } else {
        passwords?;
        let files = files.clone();
        Box::new(move || Box::new(files.clone()))
    };
    let Some(passwords) = passwords.cloned() else {
        return Some(inner);
    };
    let cors: Option<Arc<str>> = files.settings().cors.as_deref().map(Arc::from);
    Some(Box::new(move || {
        let passwords = Arc::clone(&passwords);
        let known = move |credentials: &Credentials| passwords.try_verify(credentials);
        let mut guard = Guard::new(inner(), known);
        guard.cors = cors.clone();
        Box::new(guard)
    }))
}

/// Returns the CGI handler, if scripts are run. It passes other requests to `files`.
fn scripts(options: &Options, files: &Files, server: &ServerInfo) -> Option<Cgi> {
    if !options.runs_scripts() {
        return None;
    }
    let name = server.address.ip().to_string();
    let mut scripts = Cgi::new(name, server.address.port());
    scripts.settings_mut().https = server.https;
    scripts.files = files.clone();
    if !options.cgi_directories.is_empty() {
        let directories = options.cgi_directories.iter().cloned();
        scripts.settings_mut().cgi_directories = directories.map(Into::into).collect();
    }
    Some(scripts)
}

/// Returns the upload handler, if uploads are allowed. It passes other requests to `files`.
#[cfg(unix)]
fn upload(options: &Options, files: &Files, server: &ServerInfo) -> Option<Upload> {
    let mut upload = Upload::new();
    upload.files = files.clone();
    upload.overwrite = options.overwrite;
    // With --host, requests for other hosts do not reach this handler.
    upload.loopback_only = server.loopback_only && options.hosts.is_empty();
    options.upload.then_some(upload)
}

#[cfg(not(unix))]
fn upload(_: &Options, _: &Files, _: &ServerInfo) -> Option<Upload> {
    None
}
