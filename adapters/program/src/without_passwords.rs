//! The module `access` of a build without the feature `passwords`: no client is a user, and `--upload-only` alone restricts
//! what everybody may do. `features` refuses the options that name users.

use std::sync::Arc;

use sanserve_core::{Credentials, Right, Rights, RightsOf, Who};

use super::banner::Granted;
use super::failure::Failure;
use super::options::Options;

/// A set of users that is always empty.
pub(super) struct Passwords;

impl Passwords {
    /// Rejects all credentials.
    #[expect(clippy::unused_self, reason = "as with passwords")]
    pub(super) fn try_verify(&self, _: &Credentials) -> Option<bool> {
        Some(false)
    }

    #[cfg(unix)]
    pub(super) fn replace(&self, _: Passwords) {}
}

/// Returns the empty set, if not everybody has all rights.
#[expect(clippy::unnecessary_wraps, reason = "as with passwords")]
pub(super) fn passwords(options: &Options) -> Result<Option<Arc<Passwords>>, Failure> {
    Ok(options.upload_only().then(|| Arc::new(Passwords)))
}

/// Returns the file system unchanged.
pub(super) fn with_passwords<F>(files: F, _: Option<Arc<Passwords>>) -> F {
    files
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "as with passwords")]
pub(super) fn read_passwords(_: &Options) -> Result<Passwords, Failure> {
    Ok(Passwords)
}

#[expect(clippy::unnecessary_wraps, reason = "as with passwords")]
pub(super) fn rights_of(_: &Options, _: &Arc<Passwords>) -> Option<RightsOf> {
    Some(Arc::new(|who| match who {
        Who::Everybody => Rights::NONE.with(Right::Write),
        _ => Rights::NONE,
    }))
}

pub(super) fn granted(passwords: Option<&Arc<Passwords>>) -> Granted {
    match passwords {
        None => Granted::default(),
        Some(_) => Granted {
            everybody: Rights::NONE.with(Right::Write),
            users: None,
        },
    }
}
