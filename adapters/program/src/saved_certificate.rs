//! The file of `--tls-save`: a self-signed certificate with its key, which is created if it is missing, used again at the
//! next start, and replaced when it has expired.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
#[cfg(unix)]
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;

use sanserve_server::{Tls, text_file};

use super::failure::{Failure, with_causes};
#[cfg(unix)]
use super::output::warn;

/// Loads the certificate from this file if it is valid now. Otherwise creates one for these names, and saves it.
pub(super) fn load_or_create(path: &Path, names: Vec<String>) -> Result<Tls, Failure> {
    let unusable = |why: &str| {
        let name = path.display();
        Failure::Usage(format!("--tls-save {name}: {why}"))
    };
    // A link that leads nowhere is a name that exists.
    if path.symlink_metadata().is_err() {
        return create(path, path, names);
    }
    let text = text_file::read(path).map_err(|error| unusable(&error.to_string()))?;
    if !text.starts_with(MARK.as_bytes()) {
        return Err(unusable(
            "this file was not written by --tls-save: choose another name, or use --tls-cert",
        ));
    }
    warn_if_readable(path);
    let loaded = Tls::load(path, None, None);
    let tls = loaded.map_err(|error| {
        let why = with_causes(&error);
        Failure::Usage(format!("{why}: delete the file to get a new certificate"))
    })?;
    match is_valid(&tls) {
        true => Ok(tls),
        false => create(path, &temporary(path), names),
    }
}

/// Creates a certificate and saves it as `path`. It is written to `file` first, which must not exist.
fn create(path: &Path, file: &Path, names: Vec<String>) -> Result<Tls, Failure> {
    let pem = Tls::self_signed_pem(names);
    let pem = pem.map_err(|error| Failure::Service(with_causes(&error)))?;
    let saved = write_new(file, &(MARK.to_owned() + &pem)).and_then(|()| match file == path {
        true => Ok(()),
        false => fs::rename(file, path),
    });
    saved.map_err(|error| {
        let name = path.display();
        Failure::Usage(format!("--tls-save {name}: cannot save it: {error}"))
    })?;
    Tls::load(path, None, None).map_err(|error| Failure::Service(with_causes(&error)))
}

/// Writes a file that must not exist, and that only its owner may read.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(path)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// Returns the name under which a file is written before it replaces another one.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", process::id()));
    name.into()
}

/// Whether the certificate is valid now.
fn is_valid(tls: &Tls) -> bool {
    let now = SystemTime::now();
    tls.validity()
        .is_some_and(|(from, until)| from <= now && now <= until)
}

#[cfg(unix)]
fn warn_if_readable(path: &Path) {
    if fs::metadata(path).is_ok_and(|file| file.mode() & 0o077 != 0) {
        let name = path.display();
        warn(&format!(
            "warning: others may read the private key in {name}: chmod 600 prevents that"
        ));
    }
}

#[cfg(not(unix))]
fn warn_if_readable(_: &Path) {}

/// The first line of the file, by which it is recognized.
const MARK: &str =
    "# Written by sanserve --tls-save: a self-signed certificate and its private key\n";
