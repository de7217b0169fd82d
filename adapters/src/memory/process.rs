//! [`RunningProcess`]: a CGI process of a [`Tree`](super::Tree), which is a function in place of a process.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use sanserve_core::{CgiScript, Got};

/// A function in place of a process. It gets the script with its environment, and the whole standard input.
pub type FakeProcess = fn(&CgiScript, &[u8]) -> ProcessOutput;

/// The output of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "tests write it as a literal")]
pub struct ProcessOutput {
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error, all written before the output.
    pub stderr: String,
    /// Its exit status, or the negated number of the signal that ended it.
    pub status: i32,
}

/// A process that was prepared. It runs when its output is first read.
#[derive(Clone, Debug)]
pub struct RunningProcess {
    function: FakeProcess,
    script: CgiScript,
    stdin: Vec<u8>,
    output: Option<ProcessOutput>,
    /// The number of bytes of the output that were read.
    at: usize,
}

impl RunningProcess {
    pub(super) fn new(function: FakeProcess, script: &CgiScript) -> RunningProcess {
        RunningProcess {
            function,
            script: script.clone(),
            stdin: Vec::new(),
            output: None,
            at: 0,
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        self.stdin.extend_from_slice(bytes);
        bytes.len()
    }

    pub(super) fn fill<F>(&mut self, into: &mut [u8]) -> Got<F> {
        let run = || (self.function)(&self.script, &self.stdin);
        let output = self.output.get_or_insert_with(run);
        if !output.stderr.is_empty() {
            return Got::Note(mem::take(&mut output.stderr));
        }
        let rest = &output.stdout[self.at..];
        if rest.is_empty() && output.status != 0 {
            return Got::Note(format!(
                "CGI script exit code {}",
                mem::take(&mut output.status)
            ));
        }
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Got::Bytes(n)
    }
}
