//! Tests CGI scripts by third parties: git http-backend, and Perl's CGI.pm.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use self::client::noise;
use self::process::Program;
use self::tools::skip;

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;
#[path = "../../../conformance/tests/tools/mod.rs"]
mod tools;

/// Creates a folder with `site/cgi-bin` that all users may read.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("site/cgi-bin")).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Adds a script. It is written by another process: a file that this process has open for writing may also be open in a
/// child of another test, and cannot be executed then.
fn add_script(folder: &Path, name: &str, body: &str) {
    let write = "printf '%s' \"$1\" >\"$0\"; chmod 755 \"$0\"";
    let name = folder.join("site/cgi-bin").join(name);
    let mut shell = Command::new("sh");
    assert!(succeeds(shell.args(["-ec", write]).arg(name).arg(body)));
}

fn succeeds(command: &mut Command) -> bool {
    command.status().unwrap().success()
}

/// Returns whether a command succeeds, which shows that a tool is installed. In CI it must be.
fn is_there(what: &str, command: &mut Command) -> bool {
    let there = command.output().is_ok_and(|output| output.status.success());
    if !there {
        skip(format_args!("{what} is not installed"));
    }
    there
}

/// A served repository, and a folder for its clients.
struct Repository {
    folder: TempDir,
    program: Program,
    url: String,
}

impl Repository {
    /// Serves an empty repository that all may push to. Returns `None` if git is not installed.
    fn serve() -> Option<Repository> {
        if !is_there("git", Command::new("git").args(["http-backend", "-h"])) {
            return None;
        }
        let folder = folder();
        let repositories = folder.path().join("repositories");
        let script = format!(
            "#!/bin/sh\nexport GIT_PROJECT_ROOT='{}' GIT_HTTP_EXPORT_ALL=1 HOME=/nonexistent\n\
             exec git -c safe.directory='*' http-backend\n",
            repositories.display()
        );
        add_script(folder.path(), "git", &script);
        fs::create_dir(folder.path().join("clients")).unwrap();
        let program = Program::serve(&folder.path().join("site"), &["--cgi", "-p", "HTTP/1.1"]);
        let url = format!("http://{}/cgi-bin/git/all.git", program.address());
        let repository = Repository {
            folder,
            program,
            url,
        };
        let at = repositories.join("all.git");
        let init = ["init", "--quiet", "--bare", "--initial-branch=main"];
        repository.git("", &[&init[..], &[at.to_str().unwrap()]].concat());
        for (name, value) in [
            ("http.receivepack", "true"),
            ("uploadpack.allowFilter", "true"),
            // All users may write to files created by a push.
            ("core.sharedRepository", "0666"),
        ] {
            let config = ["-C", at.to_str().unwrap(), "config", name, value];
            repository.git("", &config);
        }
        // If root runs the server, scripts run as another user.
        assert!(succeeds(
            Command::new("chmod")
                .args(["-R", "a+rwX"])
                .arg(&repositories)
        ));
        Some(repository)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("clients").join(name)
    }

    /// Runs git in the folder of a client, and returns its output.
    ///
    /// # Panics
    /// If git fails, with its error and the log of the server.
    fn git(&self, client: &str, arguments: &[&str]) -> String {
        let output = self.try_git(client, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap() + &stderr
    }

    fn try_git(&self, client: &str, arguments: &[&str]) -> Output {
        let mut git = Command::new("timeout");
        git.args(["60", "git", "-c", "gc.auto=0"]).args(arguments);
        git.current_dir(self.path(client))
            .env("HOME", self.folder.path());
        for (name, value) in [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_AUTHOR_NAME", "a"),
            ("GIT_AUTHOR_EMAIL", "a@b"),
            ("GIT_COMMITTER_NAME", "a"),
            ("GIT_COMMITTER_EMAIL", "a@b"),
            ("GIT_TRACE_PACKET", "0"),
        ] {
            git.env(name, value);
        }
        git.output().unwrap()
    }

    /// Clones the repository as `client`, with additional arguments.
    fn clone(&self, client: &str, arguments: &[&str]) -> String {
        let clone = [&["clone"][..], arguments, &[&self.url, client]].concat();
        self.git("", &clone)
    }

    /// Commits a file in a client's clone.
    fn commit(&self, client: &str, name: &str, content: &[u8]) {
        fs::write(self.path(client).join(name), content).unwrap();
        self.git(client, &["add", name]);
        self.git(client, &["commit", "--quiet", "-m", name]);
    }

    fn push(&self, client: &str) {
        self.git(
            client,
            &["push", "--quiet", "origin", "HEAD:refs/heads/main"],
        );
    }

    /// Returns the commit of a name.
    fn commit_of(&self, client: &str, name: &str) -> String {
        self.git(client, &["rev-parse", name])
    }

    fn ends(self) -> String {
        self.program.stop().stderr
    }
}

/// The content of the push is longer than git's buffer, so it is sent in chunks.
#[test]
fn git_pushes_five_megabytes_and_clones_them() {
    let Some(repository) = Repository::serve() else {
        return;
    };
    repository.clone("one", &[]);
    let large = noise(5_000_000);
    repository.commit("one", "large", &large);
    repository.push("one");
    repository.clone("two", &[]);
    assert!(fs::read(repository.path("two/large")).unwrap() == large);
    let log = repository.ends();
    assert!(
        log.contains("POST /cgi-bin/git/all.git/git-receive-pack"),
        "{log}"
    );
}

/// Both need version 2 of the protocol, which the client requests with `Git-Protocol`.
#[test]
fn git_clones_without_history_and_without_content() {
    let Some(repository) = Repository::serve() else {
        return;
    };
    repository.clone("one", &[]);
    for name in ["a", "b", "c"] {
        repository.commit("one", name, name.as_bytes());
    }
    repository.push("one");
    repository.clone("shallow", &["--depth", "1"]);
    let count = repository.git("shallow", &["rev-list", "--count", "HEAD"]);
    assert_eq!(count, "1\n");
    repository.clone("partial", &["--filter=blob:none", "--no-checkout"]);
    let objects = ["rev-list", "--objects", "--missing=print", "HEAD"];
    let objects = repository.git("partial", &objects);
    let missing = objects.lines().filter(|line| line.starts_with('?'));
    assert_eq!(missing.count(), 3, "{objects}");
    let heads = ["-c", "protocol.version=2", "ls-remote", &repository.url];
    let mut traced = Command::new("git");
    let traced = traced.args(heads).env("GIT_TRACE_PACKET", "1").output();
    let trace = String::from_utf8_lossy(&traced.unwrap().stderr).into_owned();
    assert!(trace.contains("< version 2"), "{trace}");
}

/// The request lists all local commits, and is compressed: `Content-Encoding: gzip`.
#[test]
fn git_fetches_into_a_clone_with_many_local_commits() {
    let Some(repository) = Repository::serve() else {
        return;
    };
    repository.clone("one", &[]);
    repository.commit("one", "a", b"a");
    repository.push("one");
    repository.clone("two", &[]);
    // Commits without a common parent, so that all have to be listed.
    let empty = repository.git("two", &["hash-object", "-t", "tree", "-w", "/dev/null"]);
    for number in 0..100 {
        let message = number.to_string();
        let commit = ["commit-tree", empty.trim(), "-m", &message];
        let commit = repository.git("two", &commit);
        let branch = format!("refs/heads/own{number}");
        repository.git("two", &["update-ref", &branch, commit.trim()]);
    }
    repository.commit("one", "b", b"b");
    repository.push("one");
    repository.git("two", &["fetch", "--quiet"]);
    let new = repository.commit_of("one", "HEAD");
    assert_eq!(repository.commit_of("two", "origin/main"), new);
}

/// A Perl script that prints its request as CGI.pm reads it.
const PERL: &str = r#"#!/usr/bin/perl
use strict;
use CGI;
my $q = CGI->new;
if ($q->path_info eq '/go') {
    print "Location: ", $q->script_name, "/there?x=1\n\n";
    exit;
}
print $q->header('text/plain');
print "url ", $q->url, "\n";
print "self ", $q->self_url, "\n";
print "https ", ($ENV{HTTPS} || ''), " ", $q->protocol, "\n";
print "port ", $q->virtual_port, "\n";
print "host ", $q->virtual_host, "\n";
print "method ", $q->request_method, "\n";
print "field ", scalar $q->http('X-Field'), "\n";
print "cookie ", scalar $q->cookie('b'), "\n";
print "x ", join(',', $q->multi_param('x')), "\n";
my $file = $q->upload('file');
print "file ", join('', <$file>), "\n" if $file;
"#;

#[test]
fn a_script_with_cgi_pm_gets_address_form_and_content() {
    let mut perl = Command::new("perl");
    if !is_there("CGI.pm", perl.args(["-MCGI", "-e", "1"])) {
        return;
    }
    let folder = folder();
    add_script(folder.path(), "a.pl", PERL);
    for (scheme, option) in [("http", &[][..]), ("https", &["--tls", "self-signed"])] {
        let options = [&["--cgi", "-p", "HTTP/1.1"][..], option].concat();
        let program = Program::serve(&folder.path().join("site"), &options);
        let port = program.address().port();
        let base = format!("{scheme}://127.0.0.1:{port}/cgi-bin/a.pl");
        let curl = |arguments: &[&str]| {
            let mut curl = Command::new("curl");
            let curl = curl.args(["-sSk", "--max-time", "20"]).args(arguments);
            String::from_utf8(curl.output().unwrap().stdout).unwrap()
        };
        let https = if scheme == "https" { "on" } else { "" };
        let expected = |method: &str, query: &str, rest: &str| {
            format!(
                "url {base}\nself {base}{query}\nhttps {https} {scheme}\nport {port}\nhost 127.0.0.1\n\
                 method {method}\n{rest}"
            )
        };
        let reply = curl(&[
            "-H",
            "X-Field: f",
            "-H",
            "Cookie: a=1; b=2",
            &format!("{base}?x=1&x=2"),
        ]);
        let wanted = expected("GET", "?x=1;x=2", "field f\ncookie 2\nx 1,2\n");
        assert_eq!(reply, wanted);
        let reply = curl(&["-F", "x=3", "-F", "file=@-;filename=a.txt", "--", &base]);
        assert!(
            reply.contains("\nmethod POST\n") && reply.contains("\nx 3\nfile \n"),
            "{reply}"
        );
        // The server answers the redirect as a GET.
        let reply = curl(&["-i", "-d", "y=1", &format!("{base}/go")]);
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
        assert!(
            reply.contains("\nmethod GET\n") && reply.contains("\nx 1\n"),
            "{reply}"
        );
        program.stop();
    }
}
