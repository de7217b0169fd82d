//! Who may come in, and what serves those.

use std::sync::Arc;

use sanserve::Passwords;
use sanserve_core::{Cgi, Credentials, Files, Guard, Handler};

use super::options::Options;

/// Makes a handler for each connection.
pub(super) type Handlers = Box<dyn Fn() -> Box<dyn Handler + Send> + Send + Sync>;

/// The passwords, if there are any.
pub(super) fn passwords(options: &Options) -> Result<Option<Arc<Passwords>>, String> {
    if options.auth.is_empty() && options.auth_file.is_none() {
        return Ok(None);
    }
    let mut passwords = Passwords::new().map_err(|error| error.to_string())?;
    for given in &options.auth {
        let (user, password) = given.split_once(':').unwrap_or((given, ""));
        let added = passwords.add(user, password);
        added.map_err(|error| format!("--auth {user}: {error}"))?;
    }
    if let Some(path) = &options.auth_file {
        passwords.read(path).map_err(|error| error.to_string())?;
    }
    if passwords.is_empty() {
        return Err("the file of --auth-file has no user in it".into());
    }
    Ok(Some(Arc::new(passwords)))
}

/// What serves, where that is more than the file service.
pub(super) fn handlers(
    files: &Files,
    scripts: Option<Cgi>,
    passwords: Option<&Arc<Passwords>>,
) -> Option<Handlers> {
    let Some(passwords) = passwords.cloned() else {
        let scripts = scripts?;
        return Some(Box::new(move || Box::new(scripts.clone())));
    };
    let (files, scripts) = (files.clone(), scripts.map(Box::new));
    Some(Box::new(move || {
        let passwords = Arc::clone(&passwords);
        let known = move |given: &Credentials| passwords.known(given);
        match &scripts {
            Some(scripts) => {
                let mut scripts = (**scripts).clone();
                scripts.guarded = true;
                Box::new(Guard::new(scripts, known))
            }
            None => Box::new(Guard::new(files.clone(), known)),
        }
    }))
}
