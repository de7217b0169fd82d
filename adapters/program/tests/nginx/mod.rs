//! [`Nginx`]: runs nginx in front of the program.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;

/// nginx, which is stopped on drop.
pub(crate) struct Nginx {
    child: Child,
    /// The URL of nginx, without a slash at its end.
    pub(crate) url: String,
    _folder: TempDir,
}

impl Nginx {
    /// Starts nginx on a free port, with this block for its server.
    pub(crate) fn start(location: &str) -> Nginx {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let front = listener.local_addr().unwrap();
        let folder = TempDir::new().unwrap();
        let here = folder.path().display();
        let user = if getuid().is_root() { "user root;" } else { "" };
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|name| format!("{name}_temp_path {here}/{name};"));
        let configuration = format!(
            "{user} daemon off; pid {here}/pid; error_log stderr; events {{}}\n\
             http {{ access_log off; {}\n\
             server {{ listen {front}; {location} }} }}\n",
            temporary.concat(),
        );
        let path = folder.path().join("nginx.conf");
        fs::write(&path, configuration).unwrap();
        // nginx inherits an open socket, so that no other program can take the port.
        let mut command = Command::new("sh");
        command.args(["-c", "NGINX='3;' exec nginx -p \"$0\" -c \"$1\" 3<&0"]);
        command.arg(folder.path()).arg(path);
        command.stdin(Stdio::from(OwnedFd::from(listener)));
        Nginx {
            child: command.stderr(Stdio::null()).spawn().unwrap(),
            url: format!("http://{front}"),
            _folder: folder,
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // This also ends its worker.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
