//! Generates the source text of a [`Flash`], for build scripts.

use std::fmt::Write;
use std::path::Path;
use std::time::UNIX_EPOCH;
use std::{fs, io};

use super::Flash;

impl Flash {
    /// Returns the Rust expression for a `Flash` with the content of `folder`. In a build script of a program
    /// that has this package in its `[build-dependencies]`:
    ///
    /// ```no_run
    /// # use std::{env, fs, io, path::Path};
    /// fn main() -> io::Result<()> {
    ///     println!("cargo::rerun-if-changed=site");
    ///     let out = env::var_os("OUT_DIR").expect("Cargo sets it");
    ///     fs::write(Path::new(&out).join("site.rs"), sanserve_server::Flash::source("site")?)
    /// }
    /// ```
    ///
    /// and in the program:
    ///
    /// ```text
    /// static SITE: sanserve_server::Flash = include!(concat!(env!("OUT_DIR"), "/site.rs"));
    /// ```
    ///
    /// # Errors
    /// The errors of the file system, and [`InvalidData`](io::ErrorKind::InvalidData) for a name that is not UTF-8
    /// and for anything that is neither a file nor a directory.
    pub fn source(folder: impl AsRef<Path>) -> io::Result<String> {
        let mut text = "::sanserve_server::Flash::new(&[".to_owned();
        write_nodes(&folder.as_ref().canonicalize()?, &mut text)?;
        text.push_str("])\n");
        Ok(text)
    }
}

fn write_nodes(folder: &Path, text: &mut String) -> io::Result<()> {
    let mut paths: Vec<_> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    paths.sort();
    for path in paths {
        let bad = || io::Error::new(io::ErrorKind::InvalidData, path.display().to_string());
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(bad)?;
        let meta = fs::metadata(&path)?;
        if meta.is_dir() {
            let _ = write!(text, "::sanserve_server::Node::directory({name:?}, &[");
            write_nodes(&path, text)?;
            text.push_str("]),");
        } else if meta.is_file() {
            let whole = path.to_str().ok_or_else(bad)?;
            let file =
                format!("::sanserve_server::Node::file({name:?}, include_bytes!({whole:?}))");
            let changed = meta.modified()?.duration_since(UNIX_EPOCH);
            let changed = changed.map_or(0, |changed| changed.as_secs());
            let version = checksum(&fs::read(&path)?);
            let _ = write!(text, "{file}.modified({changed}).version({version}),");
        } else {
            return Err(bad());
        }
    }
    Ok(())
}

/// FNV-1a with 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
