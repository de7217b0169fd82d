//! Refuses to serve the files that must stay secret: keys and passwords that are below the served directory.

use std::fs;
use std::io;
use std::path::{self, Path, PathBuf};

use sanserve_server::text_file;

use super::options::Options;

/// Checks every file of the options that holds a secret.
///
/// # Errors
/// A line for the user, if one of them is below the directory that is served. It makes no difference whether its name
/// begins with a dot: `--hidden` may be added tomorrow.
pub(super) fn refuse_served(options: &Options) -> Result<(), String> {
    let files = [
        ("--tls-key", &options.tls_key),
        ("--tls-password-file", &options.tls_password_file),
        ("--auth-file", &options.auth_file),
    ];
    for (option, file) in files {
        if let Some(file) = file
            && is_served(options, file)
        {
            return Err(complaint(option, file));
        }
    }
    match &options.tls_cert {
        // A certificate is public, unless its key is in the same file.
        Some(file) if is_served(options, file) && holds_key(file) => {
            Err(complaint("the private key in --tls-cert", file))
        }
        _ => Ok(()),
    }
}

fn complaint(what: &str, file: &Path) -> String {
    let file = file.display();
    format!(
        "{what} {file} is in the served directory, where every client could read it: move it, or serve another directory"
    )
}

/// Whether the file can be reached below the directory. With `--follow-symlinks` that is also by a link in it that its
/// name leads through.
fn is_served(options: &Options, file: &Path) -> bool {
    // A pipe or a device is never served, and what cannot be read is refused elsewhere.
    if !fs::metadata(file).is_ok_and(|file| file.is_file()) {
        return false;
    }
    let (Ok(root), Ok(target)) = (Identity::of(&options.directory), fs::canonicalize(file)) else {
        return false;
    };
    is_below(&root, &target)
        || options.follow_symlinks && names(file).iter().any(|name| is_below(&root, name))
}

/// Whether one of the directories in the path is this one. What is before a `..` is not looked at: the path leaves it.
fn is_below(root: &Identity, path: &Path) -> bool {
    let parents = path.ancestors().skip(1);
    let mut inside =
        parents.take_while(|parent| parent.parent().is_none() || parent.file_name().is_some());
    inside.any(|parent| Identity::of(parent).is_ok_and(|parent| parent == *root))
}

/// The name of the file, and what each link in its place stands for; both as they are and without links among their
/// directories.
fn names(file: &Path) -> Vec<PathBuf> {
    let mut names = Vec::new();
    let mut next = path::absolute(file).ok();
    while let Some(name) = next.take().filter(|_| names.len() < NAMES_MAX) {
        let folder = name.parent().map(fs::canonicalize);
        let Some((Ok(folder), file)) = folder.zip(name.file_name()) else {
            break;
        };
        next = fs::read_link(&name).ok().map(|target| folder.join(target));
        names.extend([folder.join(file), name]);
    }
    names
}

/// Whether a file of PEM has a private key, of any kind. One that is too large to be read is refused elsewhere.
fn holds_key(file: &Path) -> bool {
    const MARK: &[u8] = b"PRIVATE KEY-----";
    text_file::read(file).is_ok_and(|text| text.windows(MARK.len()).any(|part| part == MARK))
}

/// Names on the way to a file, two for each link: Linux follows 40 links.
const NAMES_MAX: usize = 82;

/// What makes a directory the same under two names, such as those of a bind mount.
#[cfg(unix)]
#[derive(PartialEq)]
struct Identity {
    device: u64,
    inode: u64,
}

#[cfg(unix)]
impl Identity {
    fn of(directory: &Path) -> io::Result<Identity> {
        use std::os::unix::fs::MetadataExt;
        let found = fs::metadata(directory)?;
        Ok(Identity {
            device: found.dev(),
            inode: found.ino(),
        })
    }
}

/// Windows has no stable numbers for this, so the path has to do, without links.
#[cfg(not(unix))]
#[derive(PartialEq)]
struct Identity(PathBuf);

#[cfg(not(unix))]
impl Identity {
    fn of(directory: &Path) -> io::Result<Identity> {
        fs::canonicalize(directory).map(Identity)
    }
}
