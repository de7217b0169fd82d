//! Who may come in, and what serves those.

use std::net::SocketAddr;
use std::sync::Arc;

use sanserve_core::{Cgi, Credentials, Files, Guard, Handler, Hosts, Upload};
use sanserve_server::Passwords;

use super::failure::{Failure, in_full};
use super::options::Options;
use super::settings::hosts;

/// Makes a handler for each connection.
pub(super) type Handlers = Box<dyn Fn() -> Box<dyn Handler + Send> + Send + Sync>;

/// The passwords, if there are any.
pub(super) fn passwords(options: &Options) -> Result<Option<Arc<Passwords>>, Failure> {
    if !options.is_guarded() {
        return Ok(None);
    }
    read(options).map(Arc::new).map(Some)
}

/// Reads all passwords of the options.
pub(super) fn read(options: &Options) -> Result<Passwords, Failure> {
    let mut passwords = Passwords::new().map_err(Failure::service)?;
    read_into(&mut passwords, options).map_err(Failure::Usage)?;
    Ok(passwords)
}

fn read_into(passwords: &mut Passwords, options: &Options) -> Result<(), String> {
    for given in &options.auth {
        // What is given may be a password alone, so it is not repeated.
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
    passwords.read(path).map_err(|error| in_full(&error))?;
    if passwords.len() == before {
        let path = path.display();
        return Err(format!(
            "--auth-file {path} contains no user: add a line, as 'htpasswd -nB USER' prints it"
        ));
    }
    Ok(())
}

/// Where a server listens, as far as its handlers depend on it.
pub(super) struct Reached {
    /// What scripts are told.
    pub(super) address: SocketAddr,
    /// Whether over TLS.
    pub(super) https: bool,
    /// Whether only this machine can connect.
    #[cfg_attr(
        not(unix),
        expect(dead_code, reason = "uploads, which depend on it, need Unix")
    )]
    pub(super) loopback_only: bool,
}

/// What serves, where that is more than the file service.
pub(super) fn handlers(
    options: &Options,
    files: &Files,
    reached: &Reached,
    passwords: Option<&Arc<Passwords>>,
) -> Option<Handlers> {
    let names = hosts(options);
    if names.is_empty() {
        return guarded(options, files, reached, passwords);
    }
    let inner = guarded(options, files, reached, passwords);
    let files = files.clone();
    Some(match inner {
        Some(inner) => Box::new(move || Box::new(Hosts::new(inner(), names.clone()))),
        None => Box::new(move || Box::new(Hosts::new(files.clone(), names.clone()))),
    })
}

/// The same for every host.
fn guarded(
    options: &Options,
    files: &Files,
    reached: &Reached,
    passwords: Option<&Arc<Passwords>>,
) -> Option<Handlers> {
    let inner: Handlers = if let Some(mut scripts) = scripts(options, files, reached) {
        scripts.settings_mut().behind_guard = passwords.is_some();
        Box::new(move || Box::new(scripts.clone()))
    } else if let Some(upload) = upload(options, files, reached) {
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
        let known = move |given: &Credentials| passwords.known(given);
        let mut guard = Guard::new(inner(), known);
        guard.cors = cors.clone();
        Box::new(guard)
    }))
}

/// The handler of scripts, if they are to be run. It leaves all other requests to `files`.
fn scripts(options: &Options, files: &Files, reached: &Reached) -> Option<Cgi> {
    if !options.runs_scripts() {
        return None;
    }
    let name = reached.address.ip().to_string();
    let mut scripts = Cgi::new(name, reached.address.port());
    scripts.settings_mut().https = reached.https;
    scripts.files = files.clone();
    if !options.cgi_directories.is_empty() {
        let directories = options.cgi_directories.iter().cloned();
        scripts.settings_mut().cgi_directories = directories.map(Into::into).collect();
    }
    Some(scripts)
}

/// The handler that stores files, if it is to do so. It leaves all other requests to `files`.
#[cfg(unix)]
fn upload(options: &Options, files: &Files, reached: &Reached) -> Option<Upload> {
    let mut upload = Upload::new();
    upload.files = files.clone();
    upload.overwrite = options.overwrite;
    // Where hosts are named, others do not get here.
    upload.loopback_only = reached.loopback_only && options.hosts.is_empty();
    options.upload.then_some(upload)
}

#[cfg(not(unix))]
fn upload(_: &Options, _: &Files, _: &Reached) -> Option<Upload> {
    None
}
