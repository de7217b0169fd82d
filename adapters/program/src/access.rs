//! Reads the users and their passwords from the options, and determines the rights of users and of everybody.

use std::sync::Arc;

use sanserve_core::{FileSystem, Right, Rights, RightsOf, Who};
pub(super) use sanserve_server::Passwords;
use sanserve_server::WithPasswords;

use super::banner::Granted;
use super::failure::{Failure, with_causes};
use super::options::Options;

/// Reads the passwords, if not everybody has all rights.
pub(super) fn passwords(options: &Options) -> Result<Option<Arc<Passwords>>, Failure> {
    if !options.is_guarded() {
        return Ok(None);
    }
    read_passwords(options).map(Arc::new).map(Some)
}

/// Returns the file system that verifies passwords for the handlers.
pub(super) fn with_passwords<F: FileSystem>(
    files: F,
    passwords: Option<Arc<Passwords>>,
) -> WithPasswords<F> {
    WithPasswords::new(files, passwords)
}

/// Reads all passwords and rights of the options.
pub(super) fn read_passwords(options: &Options) -> Result<Passwords, Failure> {
    let mut passwords = Passwords::new().map_err(Failure::service)?;
    read_into(&mut passwords, options).map_err(Failure::Usage)?;
    Ok(passwords)
}

fn read_into(passwords: &mut Passwords, options: &Options) -> Result<(), String> {
    let rights = default_rights(options);
    passwords.set_rights(Who::AllUsers, rights);
    if !options.has_users() {
        passwords.set_rights(Who::Everybody, rights);
    }
    for given in &options.auth {
        add(passwords, "--auth", given)?;
    }
    for given in options.upload_auth() {
        let user = add(passwords, "--upload-auth", given)?;
        passwords.set_rights(Who::User(user), Rights::ALL);
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

/// Adds a user of an option, and returns the name.
fn add<'a>(passwords: &mut Passwords, option: &str, given: &'a str) -> Result<&'a str, String> {
    // Not quoted: without a colon, this may be a password.
    let (user, password) = given
        .split_once(':')
        .ok_or_else(|| format!("{option}: expected USER:PASSWORD, with a colon"))?;
    let added = passwords.add(user, password);
    added.map_err(|error| format!("{option} '{user}:...': {error}"))?;
    Ok(user)
}

/// The rights of users who have none of their own; if there are none, of everybody.
fn default_rights(options: &Options) -> Rights {
    match options.upload_only() {
        true => Rights::NONE.with(Right::Write),
        false if options.upload_auth().is_empty() => Rights::ALL,
        false => Rights::NONE.with(Right::Read),
    }
}

/// Returns the rights for a guard, or `None` if each user has all rights and other clients have none. Rights in a file may
/// change when it is read again.
pub(super) fn rights_of(options: &Options, passwords: &Arc<Passwords>) -> Option<RightsOf> {
    let passwords = Arc::clone(passwords);
    options
        .has_rights()
        .then(|| -> RightsOf { Arc::new(move |who| passwords.rights(who)) })
}

/// Returns the rights for the banner and for recordings.
pub(super) fn granted(passwords: Option<&Arc<Passwords>>) -> Granted {
    match passwords {
        None => Granted::default(),
        Some(passwords) => Granted {
            everybody: passwords.rights(Who::Everybody),
            users: (!passwords.is_empty()).then(|| passwords.rights(Who::AllUsers)),
        },
    }
}
