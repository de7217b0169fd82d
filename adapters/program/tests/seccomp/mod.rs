//! Makes system calls fail in a program that a test starts, by a seccomp filter.
#![allow(dead_code, reason = "no test uses all of it")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::sock_filter;

/// A system call that fails with this error, always or where an argument has one of these bits.
#[derive(Clone, Copy)]
pub(crate) struct Denied {
    pub(crate) call: libc::c_long,
    /// The index of the argument, and the bits.
    pub(crate) with: Option<(u32, u32)>,
    pub(crate) error: i32,
}

impl Denied {
    pub(crate) fn always(call: libc::c_long, error: i32) -> Denied {
        Denied {
            call,
            with: None,
            error,
        }
    }
}

/// Makes these calls fail for a command.
pub(crate) fn deny(command: &mut Command, denied: &[Denied]) {
    let mut filter = Vec::new();
    for Denied { call, with, error } in denied {
        let (place, bits) = with.unwrap_or((0, 0));
        let jumps = u8::from(with.is_some()) * 2 + 1;
        filter.push(load(0));
        filter.push(jump(libc::BPF_JEQ, *call as u32, 0, jumps));
        if with.is_some() {
            filter.push(load(16 + place * 8));
            filter.push(jump(libc::BPF_JSET, bits, 0, 1));
        }
        filter.push(end(libc::SECCOMP_RET_ERRNO | *error as u32));
    }
    filter.push(end(libc::SECCOMP_RET_ALLOW));
    confine(command, filter);
}

/// Applies a filter to a command.
pub(crate) fn confine(command: &mut Command, filter: Vec<sock_filter>) {
    let set_up = move || {
        let program = libc::sock_fprog {
            len: filter.len() as u16,
            filter: filter.as_ptr().cast_mut(),
        };
        // SAFETY: both calls are safe after a fork; the filter lives as long as this closure.
        let done = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) == 0
        };
        match done {
            true => Ok(()),
            false => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: the closure makes two system calls and allocates nothing.
    unsafe { command.pre_exec(set_up) };
}

/// Loads the word at an offset of `seccomp_data`. For an argument, that is its lower half.
pub(crate) fn load(at: u32) -> sock_filter {
    step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at, 0, 0)
}

/// Skips `jt` steps if the comparison with `k` is true, and `jf` steps otherwise.
pub(crate) fn jump(how: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    step(libc::BPF_JMP | how | libc::BPF_K, k, jt, jf)
}

pub(crate) fn end(with: u32) -> sock_filter {
    step(libc::BPF_RET | libc::BPF_K, with, 0, 0)
}

fn step(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    let code = code as u16;
    sock_filter { code, jt, jf, k }
}
