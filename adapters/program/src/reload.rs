//! [`Reload`]: reloads certificates and passwords on SIGHUP, while the server runs.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use sd_notify::NotifyState;

use super::access::{self, Passwords};
use super::failure::Failure;
use super::options::Options;
use super::output::warn;
use super::secrets;
use super::tls::{self, Tls};

/// Reloads the files of certificate, key and passwords on SIGHUP.
pub(super) struct Reload {
    options: Arc<Options>,
    tls: Option<Tls>,
    passwords: Option<Arc<Passwords>>,
}

impl Reload {
    /// Takes the certificate and passwords of the server that come from files. A self-signed certificate is not
    /// reloaded.
    pub(super) fn new(
        options: Arc<Options>,
        tls: Option<&Tls>,
        passwords: Option<&Arc<Passwords>>,
    ) -> Reload {
        Reload {
            tls: tls.filter(|_| options.tls_cert.is_some()).cloned(),
            passwords: passwords.filter(|_| options.auth_file.is_some()).cloned(),
            options,
        }
    }

    /// Whether there is nothing to reload.
    pub(super) fn is_empty(&self) -> bool {
        self.tls.is_none() && self.passwords.is_none()
    }

    /// Reloads all files, or replaces nothing if one of them is wrong, and logs the result. Notifies the service
    /// manager before and after (`Type=notify-reload`).
    pub(super) fn run(&self) {
        let reloading = NotifyState::monotonic_usec_now();
        let _ = reloading.and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now]));
        match self.read() {
            Ok(()) if self.is_empty() => log_line(NOTHING),
            Ok(()) => {
                let names = self.files().map(|path| path.display().to_string());
                let names = names.collect::<Vec<_>>().join(", ");
                log_line(&format!("reloaded {names}"));
            }
            Err(error) => log_line(&format!("nothing was reloaded: {error}")),
        }
        let _ = sd_notify::notify(&[NotifyState::Ready]);
    }

    fn read(&self) -> Result<(), String> {
        for path in self.files() {
            // Opening a pipe would block until it has a writer, and so would the handling of signals.
            if fs::metadata(path).is_ok_and(|file| !file.is_file()) {
                return Err(format!(
                    "{} is not a regular file and cannot be read again: restart the server",
                    path.display()
                ));
            }
        }
        secrets::refuse_served(&self.options)?;
        let tls = match &self.tls {
            Some(old) => Some((old, tls::load(&self.options)?)),
            None => None,
        };
        let passwords = match &self.passwords {
            Some(old) => Some((
                old,
                access::read_passwords(&self.options).map_err(Failure::into_line)?,
            )),
            None => None,
        };
        if let Some((old, new)) = tls {
            old.replace_certificate(&new);
        }
        if let Some((old, new)) = passwords {
            old.replace(new);
        }
        Ok(())
    }

    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let Options {
            tls_cert,
            tls_key,
            tls_password_file,
            auth_file,
            ..
        } = &*self.options;
        let files = [tls_cert, tls_key, tls_password_file, auth_file];
        files.into_iter().flatten()
    }
}

fn log_line(text: &str) {
    warn(&format!("SIGHUP: {text}"));
}

const NOTHING: &str =
    "nothing to reload: only files with a certificate, its key or passwords are read again";
