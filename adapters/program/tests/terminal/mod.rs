//! A terminal, and what the program prints on it.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::client::get;

/// What a program that serves `a.txt` prints on a terminal before it serves, without colours.
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
    // The terminal ends when its last user does.
    command.stdout(Stdio::null());
    let mut shown = BufReader::new(File::from(terminal));
    let mut text = String::new();
    shown.read_line(&mut text).unwrap();
    // The banner is there before it serves; what follows is there when it has answered.
    let port = text.rsplit(':').next().unwrap().split('/').next().unwrap();
    get(format!("127.0.0.1:{port}").parse().unwrap(), "/a.txt");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    child.wait().unwrap();
    // Linux ends the terminal of a program that is gone with an error.
    while shown.read_line(&mut text).is_ok_and(|n| n > 0) {}
    text.replace('\r', "")
}
