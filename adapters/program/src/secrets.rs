//! Checks that no key or password file is below the served directory.

use std::fs;
use std::io;
use std::path::{self, Path, PathBuf};

use sanserve_server::text_file;

use super::options::Options;

/// Checks every file of the options that holds a secret.
///
/// # Errors
/// If one of them is below the served directory, with a line for the user. Hidden names are refused, too, since
/// `--hidden` may be added later.
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
            return Err(message(option, file));
        }
    }
    if let Some(file) = &options.tls_save
        && (is_served(options, file) || will_be_served(options, file))
    {
        return Err(message("the private key in --tls-save", file));
    }
    if let Some(file) = &options.record
        && will_be_served(options, file)
    {
        return Err(message("--record", file));
    }
    match &options.tls_cert {
        // A certificate is public, unless its key is in the same file.
        Some(file) if is_served(options, file) && holds_key(file) => {
            Err(message("the private key in --tls-cert", file))
        }
        _ => Ok(()),
    }
}

fn message(what: &str, file: &Path) -> String {
    let file = file.display();
    format!(
        "{what} {file} is in the served directory, where every client could read it: move it, or serve another directory"
    )
}

/// Whether clients can reach the file below the directory. With `--follow-symlinks` this includes links in the
/// directory that the name of the file leads through.
fn is_served(options: &Options, file: &Path) -> bool {
    // Pipes and devices are never served, and unreadable files are refused elsewhere.
    if !fs::metadata(file).is_ok_and(|file| file.is_file()) {
        return false;
    }
    if let Some(only) = &options.file {
        let served = fs::canonicalize(options.directory.join(only));
        return served.is_ok_and(|served| fs::canonicalize(file).is_ok_and(|file| file == served));
    }
    let (Ok(root), Ok(target)) = (Identity::of(&options.directory), fs::canonicalize(file)) else {
        return false;
    };
    is_below(&root, &target)
        || options.follow_symlinks
            && paths_through_links(file)
                .iter()
                .any(|name| is_below(&root, name))
}

/// Whether clients could reach a file that does not exist yet.
fn will_be_served(options: &Options, file: &Path) -> bool {
    if options.file.is_some() {
        return false;
    }
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")));
    let (Ok(root), Ok(folder)) = (Identity::of(&options.directory), folder) else {
        return false;
    };
    is_below(&root, &folder.join("file"))
}

/// Whether the path leads through this directory. Directories before a `..` do not count, since the path leaves them.
fn is_below(root: &Identity, path: &Path) -> bool {
    let parents = path.ancestors().skip(1);
    let mut inside =
        parents.take_while(|parent| parent.parent().is_none() || parent.file_name().is_some());
    inside.any(|parent| Identity::of(parent).is_ok_and(|parent| parent == *root))
}

/// Returns the path of the file and of each link that it leads to, both as written and with its directories resolved.
fn paths_through_links(file: &Path) -> Vec<PathBuf> {
    let mut names = Vec::new();
    let mut next = path::absolute(file).ok();
    while let Some(name) = next.take().filter(|_| names.len() < PATHS_MAX) {
        let folder = name.parent().map(fs::canonicalize);
        let Some((Ok(folder), file)) = folder.zip(name.file_name()) else {
            break;
        };
        next = fs::read_link(&name).ok().map(|target| folder.join(target));
        names.extend([folder.join(file), name]);
    }
    names
}

/// Whether a PEM file has a private key of any kind. A file that is too large is refused elsewhere.
fn holds_key(file: &Path) -> bool {
    const MARK: &[u8] = b"PRIVATE KEY-----";
    text_file::read(file).is_ok_and(|text| text.windows(MARK.len()).any(|part| part == MARK))
}

/// The most paths to a file, two for each link: Linux follows 40 links.
const PATHS_MAX: usize = 82;

/// The identity of a directory, independent of its name, for example with bind mounts.
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

/// The path without links: Windows has no stable inode numbers.
#[cfg(not(unix))]
#[derive(PartialEq)]
struct Identity(PathBuf);

#[cfg(not(unix))]
impl Identity {
    fn of(directory: &Path) -> io::Result<Identity> {
        fs::canonicalize(directory).map(Identity)
    }
}
