//! [`ScriptProcess`]: fakes a CGI process, for the scripts of a [`Tree`](super::Tree).

/// What a script does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// Prints a word.
    Hello,
    /// Prints its content.
    Cat,
    /// Prints a `Content-Length`.
    Length,
    /// Sets a status.
    Status,
    /// Prints a long text.
    Long,
    /// Prints an invalid head.
    Bad,
    /// Prints nothing and exits with 3.
    Silent,
    /// Reads no content.
    Deaf,
}

impl Script {
    pub(super) const ALL: &[(&str, Script)] = &[
        ("cgi-bin/hello", Script::Hello),
        ("cgi-bin/cat", Script::Cat),
        ("cgi-bin/length", Script::Length),
        ("cgi-bin/status", Script::Status),
        ("cgi-bin/long", Script::Long),
        ("cgi-bin/bad", Script::Bad),
        ("cgi-bin/silent", Script::Silent),
        ("cgi-bin/deaf", Script::Deaf),
    ];

    fn output(self, stdin: &[u8]) -> Vec<u8> {
        let plain = b"Content-Type: text/plain\r\n\r\n";
        match self {
            Script::Hello | Script::Deaf => [&plain[..], b"hello\n"].concat(),
            Script::Cat => [plain, stdin].concat(),
            Script::Length => b"Content-Length: 5\nX: y\nConnection: z\n\nhello".to_vec(),
            Script::Status => b"Status: 404 Nope\nContent-Type: text/plain\n\nbody".to_vec(),
            Script::Long => [&plain[..], &b"0123456789abcdef\n".repeat(200)].concat(),
            Script::Bad => b"Content-Type: text/plain\rX: y\n\nbody".to_vec(),
            Script::Silent => Vec::new(),
        }
    }
}

/// A running script. It produces its output when it is first read.
#[derive(Clone, Debug)]
pub struct ScriptProcess {
    script: Script,
    stdin: Vec<u8>,
    output: Option<Vec<u8>>,
    at: usize,
    noted: bool,
}

impl ScriptProcess {
    pub(super) fn new(script: Script) -> ScriptProcess {
        ScriptProcess {
            script,
            stdin: Vec::new(),
            output: None,
            at: 0,
            noted: false,
        }
    }

    /// Writes to its standard input. Returns how many bytes it accepts.
    pub(super) fn write(&mut self, from: &[u8]) -> usize {
        if self.script == Script::Deaf {
            return 0;
        }
        self.stdin.extend_from_slice(from);
        from.len()
    }

    pub(super) fn note(&mut self) -> Option<String> {
        let notes = self.script == Script::Silent && !std::mem::replace(&mut self.noted, true);
        notes.then(|| "CGI script exit code 3".into())
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> usize {
        let output = || self.script.output(&self.stdin);
        let output = self.output.get_or_insert_with(output);
        let rest = &output[self.at..];
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        n
    }
}
