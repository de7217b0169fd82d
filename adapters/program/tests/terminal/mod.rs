//! Runs the program on a pseudo-terminal, and returns its output without colours.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::client::get;

/// Runs a command that serves `a.txt` on a terminal, and returns its output without colours.
pub(crate) fn shown(command: &mut Command) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let name = OsStr::from_bytes(name.as_bytes());
    let end = OpenOptions::new().read(true).write(true).open(name);
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command.stdout(end.unwrap()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // The terminal closes with its last user.
    command.stdout(Stdio::null());
    let mut shown = BufReader::new(File::from(terminal));
    let mut text = String::new();
    shown.read_line(&mut text).unwrap();
    // The first line is printed before the program serves. The others have been printed when it has answered.
    let port = text.rsplit(':').next().unwrap().split('/').next().unwrap();
    get(format!("127.0.0.1:{port}").parse().unwrap(), "/a.txt");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    child.wait().unwrap();
    // After the program has ended, reading fails on Linux.
    while shown.read_line(&mut text).is_ok_and(|n| n > 0) {}
    text.replace('\r', "")
}
