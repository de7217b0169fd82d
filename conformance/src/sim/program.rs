//! [`Running`]: the programs of a [`Tree`](super::Tree), played without a process.

/// What a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Play {
    /// Says a word.
    Hello,
    /// Says what it was given.
    Cat,
    /// Says how long its content is.
    Length,
    /// Has a status of its own.
    Status,
    /// Says a lot.
    Long,
    /// Has a header that is none.
    Bad,
    /// Says nothing, but complains.
    Silent,
    /// Takes no content.
    Deaf,
}

impl Play {
    pub(super) const ALL: &[(&str, Play)] = &[
        ("cgi-bin/hello", Play::Hello),
        ("cgi-bin/cat", Play::Cat),
        ("cgi-bin/length", Play::Length),
        ("cgi-bin/status", Play::Status),
        ("cgi-bin/long", Play::Long),
        ("cgi-bin/bad", Play::Bad),
        ("cgi-bin/silent", Play::Silent),
        ("cgi-bin/deaf", Play::Deaf),
    ];

    fn output(self, stdin: &[u8]) -> Vec<u8> {
        let plain = b"Content-Type: text/plain\r\n\r\n";
        match self {
            Play::Hello | Play::Deaf => [&plain[..], b"hello\n"].concat(),
            Play::Cat => [plain, stdin].concat(),
            Play::Length => b"Content-Length: 5\nX: y\nConnection: z\n\nhello".to_vec(),
            Play::Status => b"Status: 404 Nope\nContent-Type: text/plain\n\nbody".to_vec(),
            Play::Long => [&plain[..], &b"0123456789abcdef\n".repeat(200)].concat(),
            Play::Bad => b"Content-Type: text/plain\rX: y\n\nbody".to_vec(),
            Play::Silent => Vec::new(),
        }
    }
}

/// A program that was set up, and runs when it is first read from.
#[derive(Clone, Debug)]
pub struct Running {
    play: Play,
    stdin: Vec<u8>,
    output: Option<Vec<u8>>,
    at: usize,
    noted: bool,
}

impl Running {
    pub(super) fn new(play: Play) -> Running {
        Running {
            play,
            stdin: Vec::new(),
            output: None,
            at: 0,
            noted: false,
        }
    }

    /// How much it takes of what it is given.
    pub(super) fn take(&mut self, from: &[u8]) -> usize {
        if self.play == Play::Deaf {
            return 0;
        }
        self.stdin.extend_from_slice(from);
        from.len()
    }

    pub(super) fn note(&mut self) -> Option<String> {
        let notes = self.play == Play::Silent && !std::mem::replace(&mut self.noted, true);
        notes.then(|| "CGI script exit code 3".into())
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> usize {
        let output = || self.play.output(&self.stdin);
        let output = self.output.get_or_insert_with(output);
        let rest = &output[self.at..];
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        n
    }
}
