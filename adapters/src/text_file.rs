//! Reads text files written by people and other programs, such as passwords and certificates, in UTF-8 or
//! UTF-16. Their size is limited, and so is the wait for a pipe.

#[cfg(not(unix))]
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Reads a file. A byte order mark is removed, and UTF-16 that begins with one, as PowerShell writes it, is
/// converted to UTF-8.
///
/// # Errors
/// As for [`read_bytes`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = read_bytes(path)?;
    Ok(match &bytes[..] {
        [0xef, 0xbb, 0xbf, text @ ..] => text.to_vec(),
        [0xff, 0xfe, text @ ..] => utf_8(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => utf_8(text, u16::from_be_bytes),
        _ => bytes,
    })
}

/// Reads a file of at most 1 MiB. A pipe, such as `<(COMMAND)` in a shell, is read to its end.
///
/// # Errors
/// If the file is larger (an endless device, for example), if it is a directory, or if it is a pipe that no
/// process opens for writing within 5 s or that is silent for 2 minutes.
pub fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    if path.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, DIRECTORY));
    }
    let mut file = open(path)?;
    let mut bytes = Vec::new();
    (&mut file).take(SIZE_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SIZE_MAX {
        return Err(io::Error::new(ErrorKind::FileTooLarge, TOO_LARGE));
    }
    Ok(bytes)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<unix::Reader> {
    unix::Reader::open(path)
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::{self, ErrorKind, Read};
    use std::path::Path;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{Mode, OFlags};

    /// A file that is opened and read without blocking, so that each wait has a limit.
    pub(super) struct Reader {
        file: File,
        /// Whether anything was read yet.
        begun: bool,
        /// The time in which a writer has to open a pipe.
        open_timeout: Duration,
        /// The time for which a writer may be silent.
        read_timeout: Duration,
    }

    impl Reader {
        pub(super) fn open(path: &Path) -> io::Result<Reader> {
            Reader::with(path, OPEN_TIMEOUT, READ_TIMEOUT)
        }

        pub(super) fn with(
            path: &Path,
            open_timeout: Duration,
            read_timeout: Duration,
        ) -> io::Result<Reader> {
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
            let file = rustix::fs::open(path, flags, Mode::empty())?;
            Ok(Reader {
                file: file.into(),
                begun: false,
                open_timeout,
                read_timeout,
            })
        }

        /// Waits for data or the end; returns whether there was any.
        fn wait(&self, time: Duration) -> io::Result<bool> {
            let time = Timespec::try_from(time).map_err(io::Error::other)?;
            let mut polled = [PollFd::new(&self.file, PollFlags::IN)];
            Ok(poll(&mut polled, Some(&time))? > 0)
        }
    }

    impl Read for Reader {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let timed_out = |what| Err(io::Error::new(ErrorKind::TimedOut, what));
            let (mut not_opened, mut silent) = (false, false);
            loop {
                match self.file.read(into) {
                    Ok(0) if not_opened => return timed_out(NOT_OPENED),
                    // A pipe that was never opened for writing looks as if it had ended, but poll(2) waits for
                    // a writer.
                    Ok(0) if !self.begun => {
                        not_opened = !self.wait(self.open_timeout)?;
                        self.begun = true;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        if silent {
                            return timed_out(SILENT);
                        }
                        not_opened = false;
                        silent = !self.wait(self.read_timeout)?;
                    }
                    read => {
                        self.begun = true;
                        return read;
                    }
                }
            }
        }
    }

    const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
    const READ_TIMEOUT: Duration = Duration::from_secs(120);
    const NOT_OPENED: &str =
        "no process has opened this pipe for writing: start the one that writes to it first";
    const SILENT: &str = "the process that writes to this pipe sends nothing: give a regular file";
}

fn utf_8(text: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
    let units = text.chunks(2).map(|pair| match *pair {
        [first, second] => unit([first, second]),
        _ => 0xfffd,
    });
    let chars = char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER));
    chars.collect::<String>().into_bytes()
}

/// Certificates, keys and passwords are far smaller.
const SIZE_MAX: u64 = 1 << 20;
const DIRECTORY: &str = "it is a directory: give a file";
const TOO_LARGE: &str = "it is larger than 1 MiB: give the right file";

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, File, OpenOptions};
    use std::io::{Read, Write};
    use std::path::Path;
    use std::thread;
    use std::time::Duration;

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::unix::Reader;
    use super::{SIZE_MAX, read_bytes};

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);

    /// Reads a file to its end, or returns the error.
    fn all(path: &Path, open_timeout: Duration, read_timeout: Duration) -> String {
        let mut text = String::new();
        let mut reader = Reader::with(path, open_timeout, read_timeout).unwrap();
        match reader.read_to_string(&mut text) {
            Ok(_) => text,
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_file_is_read_up_to_one_mebibyte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        for (len, fits) in [
            (0, true),
            (SIZE_MAX, true),
            (SIZE_MAX + 1, false),
            (1 << 40, false),
        ] {
            file.set_len(len).unwrap();
            let read = read_bytes(&path);
            assert_eq!(
                read.is_ok_and(|bytes| bytes.len() as u64 == len),
                fits,
                "{len}"
            );
        }
        assert_eq!(read_bytes(Path::new("/dev/null")).unwrap(), b"");
        let error = |path: &Path| read_bytes(path).unwrap_err().to_string();
        assert_eq!(error(Path::new("/dev/zero")), super::TOO_LARGE);
        assert_eq!(error(folder.path()), super::DIRECTORY);
    }

    #[test]
    fn a_pipe_is_read_to_its_end_within_time_limits() {
        let folder = tempfile::tempdir().unwrap();
        let path = &folder.path().join("pipe");
        mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
        let message = all(path, SHORT, LONG);
        assert!(
            message.contains("no process has opened this pipe"),
            "{message}"
        );
        // Opening the pipe for writing blocks until there is a reader.
        thread::scope(|scope| {
            scope.spawn(|| fs::write(path, "written late"));
            assert_eq!(all(path, LONG, LONG), "written late");
            scope.spawn(|| fs::write(path, ""));
            assert_eq!(all(path, LONG, LONG), "");
        });
        // Both ends, so that the pipe is always open for writing.
        let both = OpenOptions::new().read(true).write(true).open(path);
        let mut both = both.unwrap();
        both.write_all(b"begun").unwrap();
        let message = all(path, SHORT, SHORT);
        assert!(message.contains("sends nothing"), "{message}");
    }
}
