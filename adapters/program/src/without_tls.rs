//! The module `tls` of a build without the feature `tls`: no server has a certificate. `features` refuses the options that
//! ask for one.

use super::failure::Failure;
use super::options::Options;
use super::server::Server;

/// A certificate and its key, of which this build has none.
#[derive(Clone)]
pub(super) enum Tls {}

#[cfg(unix)]
impl Tls {
    pub(super) fn replace_certificate(&self, _: &Tls) {
        match *self {}
    }
}

pub(super) fn is_wanted(_: &Options) -> bool {
    false
}

#[expect(clippy::unnecessary_wraps, reason = "as with TLS")]
pub(super) fn set_up(_: &Options) -> Result<Option<Tls>, Failure> {
    Ok(None)
}

pub(super) fn secure(_: Server, tls: Tls) -> Server {
    match tls {}
}

pub(super) fn description(_: &Options, tls: &Tls) -> String {
    match *tls {}
}

#[cfg(unix)]
pub(super) fn load(_: &Options) -> Result<Tls, String> {
    Err("there is no --tls-cert".into())
}
