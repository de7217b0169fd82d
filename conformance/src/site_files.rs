//! Serves the site from memory, for implementations without a disk: implements [`FileSystem`] for [`Site`], with
//! [faked](run_script) scripts.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use sanserve_core::ArchiveRequest;
use sanserve_core::archive::Archive;
use sanserve_core::{
    self as engine, CgiScript, Entries, FileSystem, FsError, Got, Meta, Opened, Path,
};

use crate::{CgiOutput, Entry, Site, run_script};

/// An open file, archive or script of a [`Site`].
#[derive(Clone, Debug)]
pub enum SiteFile {
    /// A file, by its index among the entries.
    File(usize),
    /// An archive of a directory.
    Archive(Box<Archive<SiteFile>>),
    /// A CGI script.
    Script(Box<SiteScript>),
}

/// A CGI script of a [`Site`]. It runs when its output is first read.
#[derive(Clone, Debug)]
pub struct SiteScript {
    script: CgiScript,
    content: Vec<u8>,
    output: Option<CgiOutput>,
    /// The number of bytes of its output that were read.
    at: usize,
}

impl Site {
    /// Follows all links of a path. Returns the index of the entry, or `None` for the root.
    fn find(&self, path: &[u8]) -> Result<Option<usize>, FsError> {
        let mut at: Vec<&[u8]> = Vec::new();
        let mut ahead: Vec<&[u8]> = path.rsplit(|&byte| byte == b'/').collect();
        let (mut found, mut links) = (None, 0);
        while let Some(name) = ahead.pop() {
            match name {
                b"" | b"." => continue,
                b".." => _ = at.pop().ok_or(FsError::OutsideRoot)?,
                name => at.push(name),
            }
            let path = at.join(&b'/');
            found = self.entries.iter().position(|entry| entry.path() == path);
            match found.map(|place| &self.entries[place]) {
                None if at.is_empty() => {}
                None => return Err(FsError::NotFound),
                Some(Entry::Link { target, .. }) if links < 8 && !target.starts_with(b"/") => {
                    links += 1;
                    at.pop();
                    ahead.extend(target.rsplit(|&byte| byte == b'/'));
                }
                Some(Entry::Link { .. }) if links < 8 => return Err(FsError::OutsideRoot),
                Some(Entry::Link { .. }) => return Err(FsError::NotFound),
                Some(Entry::File { .. }) if !ahead.is_empty() => return Err(FsError::NotFound),
                Some(_) => {}
            }
        }
        Ok(found)
    }

    fn is_directory(&self, path: &[u8]) -> bool {
        let found = self.find(path).ok();
        found.is_some_and(|found| found.is_none_or(|place| self.entries[place].is_directory()))
    }
}

impl FileSystem for Site {
    type File = SiteFile;

    fn open(&self, path: &Path) -> Result<Opened<SiteFile>, FsError> {
        let Some(place) = self.find(path.as_bytes())? else {
            return Ok(Opened::Directory);
        };
        let Entry::File {
            modified,
            body,
            executable,
            ..
        } = &self.entries[place]
        else {
            return Ok(Opened::Directory);
        };
        Ok(Opened::File {
            file: SiteFile::File(place),
            meta: Meta::new(body.len() as u64)
                .with_modified(Some(modified.0))
                .with_version(Meta::version_at(*modified))
                .with_executable(*executable),
            sendable: false,
        })
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let above = match self.find(path.as_bytes())? {
            None => Vec::new(),
            Some(place) if self.entries[place].is_directory() => {
                [self.entries[place].path(), b"/"].concat()
            }
            Some(_) => return Err(FsError::NotFound),
        };
        let inside = self.entries.iter().filter_map(|entry| {
            let name = entry.path().strip_prefix(&above[..])?;
            let link = matches!(entry, Entry::Link { .. });
            let found = self.find(entry.path()).ok().flatten();
            let (modified, len) = match found.map(|place| &self.entries[place]) {
                Some(Entry::File { modified, body, .. }) => {
                    (Some(modified.0), Some(body.len() as u64))
                }
                Some(Entry::Directory { .. }) => (Some(Site::DIRECTORIES), None),
                _ => (None, None),
            };
            (!name.contains(&b'/')).then(|| engine::Entry {
                name,
                directory: self.is_directory(entry.path()),
                link,
                unavailable: self.find(entry.path()).is_err(),
                len,
                modified,
            })
        });
        Ok(Arc::new(inside.collect()))
    }

    fn read(&self, file: &mut SiteFile, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        let SiteFile::File(place) = file else {
            return Err(FsError::NotRegularFile);
        };
        let Entry::File { body, .. } = &self.entries[*place] else {
            return Err(FsError::NotRegularFile);
        };
        Ok(copy(&body[body.len().min(at as usize)..], into))
    }

    fn run(&self, script: &CgiScript) -> Result<Opened<SiteFile>, FsError> {
        match self.open(&script.path)? {
            Opened::File { meta, .. } if meta.executable => {}
            _ => return Err(FsError::Forbidden),
        }
        Ok(Opened::Process(SiteFile::Script(Box::new(SiteScript {
            script: script.clone(),
            content: Vec::new(),
            output: None,
            at: 0,
        }))))
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<SiteFile>, FsError> {
        Ok(Archive::open(self, request)?.map(|archive| SiteFile::Archive(Box::new(archive))))
    }

    fn write(&self, file: &mut SiteFile, bytes: &[u8]) -> Result<usize, FsError> {
        let SiteFile::Script(script) = file else {
            return Err(FsError::Unsupported);
        };
        script.content.extend(bytes);
        Ok(bytes.len())
    }

    fn fill(&self, file: &mut SiteFile, at: u64, into: &mut [u8]) -> Got<SiteFile> {
        match file {
            SiteFile::Script(script) => script.fill(into),
            SiteFile::Archive(archive) => archive.fill(self, at, into),
            SiteFile::File(_) => self
                .read(file, at, into)
                .map_or_else(Got::Refused, Got::Bytes),
        }
    }
}

impl SiteScript {
    /// Reads from the output. Standard error comes first, and the exit status last.
    fn fill(&mut self, into: &mut [u8]) -> Got<SiteFile> {
        let (script, content) = (&self.script, &self.content);
        let path = script.path.as_bytes();
        let output = self.output.get_or_insert_with(|| {
            run_script(path, &script.env, &script.args, content)
                .expect("no case runs another script")
        });
        if !output.stderr.is_empty() {
            return Got::Note(mem::take(&mut output.stderr));
        }
        let n = copy(&output.stdout[self.at..], into);
        self.at += n;
        if n == 0 && output.status != 0 {
            let status = mem::take(&mut output.status);
            return Got::Note(format!("CGI script exit code {status}"));
        }
        Got::Bytes(n)
    }
}

fn copy(from: &[u8], into: &mut [u8]) -> usize {
    let n = from.len().min(into.len());
    into[..n].copy_from_slice(&from[..n]);
    n
}
