//! Programs of a [`Tree`](super::Tree): functions that take the place of processes.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use sanserve_core::{CgiScript, Got};

/// What runs in place of a process: it is told what the program would find in its environment, and
/// given all of its standard input.
pub type FakeProcess = fn(&CgiScript, &[u8]) -> ProcessOutput;

/// What a program leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "tests write it as a literal")]
pub struct ProcessOutput {
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error, before anything else.
    pub stderr: String,
    /// How it ended: its exit status, or a signal's number below zero.
    pub status: i32,
}

/// A program that was set up. It runs when its output is first read.
#[derive(Clone, Debug)]
pub struct RunningProcess {
    play: FakeProcess,
    program: CgiScript,
    stdin: Vec<u8>,
    played: Option<ProcessOutput>,
    /// How much of the output was read.
    at: usize,
}

impl RunningProcess {
    pub(super) fn new(play: FakeProcess, program: &CgiScript) -> RunningProcess {
        RunningProcess {
            play,
            program: program.clone(),
            stdin: Vec::new(),
            played: None,
            at: 0,
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        self.stdin.extend_from_slice(bytes);
        bytes.len()
    }

    pub(super) fn fill<F>(&mut self, into: &mut [u8]) -> Got<F> {
        let play = || (self.play)(&self.program, &self.stdin);
        let played = self.played.get_or_insert_with(play);
        if !played.stderr.is_empty() {
            return Got::Note(mem::take(&mut played.stderr));
        }
        let rest = &played.stdout[self.at..];
        if rest.is_empty() && played.status != 0 {
            return Got::Note(format!(
                "CGI script exit code {}",
                mem::take(&mut played.status)
            ));
        }
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Got::Bytes(n)
    }
}
