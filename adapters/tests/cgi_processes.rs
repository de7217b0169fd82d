//! Tests the processes of CGI scripts: which files may run, their input, output, environment, privileges and number,
//! and that none of them is left behind.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, Instant};

use sanserve_core::{CgiScript, FileSystem, FsError, Got, Path};

use self::cgi_site::{CgiSite, cgi_script, descriptors, read_output};

mod cgi_site;

/// Returns pseudorandom bytes.
fn noise(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

#[test]
fn content_arrives_on_standard_input_with_its_length() {
    let site = CgiSite::new().with_script("a", "echo ${CONTENT_LENGTH-none} >&2; cat");
    let mib = 1024 * 1024;
    for (len, content_length) in [
        (0, "none"),
        (5, "5"),
        (64 * 1024, "65536"),
        (10 * mib, "10485760"),
    ] {
        let content = noise(len);
        let output = site.run("a", &content);
        assert!(
            output.stdout == content,
            "{len} bytes became {}",
            output.stdout.len()
        );
        assert_eq!(output.log.trim_end(), content_length);
        site.assert_clean();
    }
}

#[test]
fn standard_input_may_be_ignored_reopened_or_closed() {
    let site = CgiSite::new()
        .with_script("ignored", "echo ok")
        .with_script("reopened", "wc -c < /dev/stdin | tr -d ' '")
        .with_script("closed", "exec <&-; echo ok");
    for (name, text) in [
        ("ignored", "ok\n"),
        ("reopened", "1000000\n"),
        ("closed", "ok\n"),
    ] {
        let output = site.run(name, &noise(1_000_000));
        assert_eq!((output.text(), &*output.log), (text, ""), "{name}");
    }
    site.assert_clean();
}

#[test]
fn a_failing_exit_status_is_logged() {
    let site = CgiSite::new()
        .with_script("good", "exit 0")
        .with_script("bad", "echo half; exit 3")
        .with_script("killed", "kill -9 $$");
    let log = |name| site.run(name, b"").log;
    assert_eq!(log("good"), "");
    assert_eq!(log("bad"), "CGI script exit code 3\n");
    assert_eq!(log("killed"), "CGI script exit code -9\n");
    assert_eq!(site.run("bad", b"").text(), "half\n");
    site.assert_clean();
}

#[test]
fn standard_error_is_logged_line_by_line() {
    let site =
        CgiSite::new().with_script("a", "echo one >&2; echo two >&2; printf three >&2; exit 1");
    let output = site.run("a", b"");
    assert_eq!(output.log, "one\ntwo\nthree\nCGI script exit code 1\n");
}

#[test]
fn a_flood_on_standard_error_neither_blocks_nor_fills_the_log() {
    let body = "head -c 5000000 /dev/zero | tr '\\0' x >&2; head -c 5000000 /dev/zero; echo y >&2";
    let site = CgiSite::new().with_script("a", body);
    let output = site.run("a", b"");
    assert_eq!(output.stdout.len(), 5_000_000);
    let lines: Vec<_> = output.log.lines().collect();
    assert_eq!(lines[0], "x".repeat(16 * 1024));
    assert_eq!(lines[1..], ["(and more on standard error)"]);
    site.assert_clean();
}

#[test]
fn dropping_a_process_kills_it_and_its_children() {
    let site = CgiSite::new()
        .with_script("endless", "echo hi; sleep 1000")
        .with_script("busy", "echo hi; while :; do echo; done")
        .with_script(
            "stubborn",
            "trap '' TERM HUP INT; echo hi; while :; do sleep 1000; done",
        )
        .with_script(
            "parent",
            "(sleep 1000; sleep 1000) & sh -c 'sleep 1000' & echo hi; wait",
        )
        .with_script("mute", "exec 2>&-; echo hi; exec >&-; sleep 1000");
    for name in ["endless", "busy", "stubborn", "parent", "mute"] {
        let (disk, mut file) = (site.disk(), site.prepare(name).unwrap());
        while !matches!(disk.fill(&mut file, 0, &mut [0]), Got::Bytes(1)) {}
        drop((disk, file));
        site.assert_clean();
    }
}

#[test]
fn a_script_whose_output_is_never_read_is_never_started() {
    let site = CgiSite::new().with_script("a", "touch ../marks/started");
    let (disk, mut file) = (site.disk(), site.prepare("a").unwrap());
    assert!(matches!(
        disk.answer_write(&mut file, &noise(100_000)),
        Got::Bytes(100_000)
    ));
    drop((disk, file));
    site.assert_clean();
    assert!(!site.root().join("marks/started").exists());
}

#[test]
fn output_ends_with_the_script_even_if_its_children_run_on() {
    let site = CgiSite::new().with_script("a", "sleep 1000 & (sleep 1000; echo late) & echo hi");
    let output = site.run("a", b"");
    assert_eq!(output.text(), "hi\n");
    assert_eq!(output.log, "");
    site.assert_clean();
}

#[test]
fn after_its_output_a_script_has_a_moment_to_exit() {
    let site = CgiSite::new()
        .with_script(
            "tidy",
            "echo hi; exec >&-; sleep 0.1; echo done >&2; exit 3",
        )
        .with_script("endless", "echo hi; exec >&-; sleep 1000");
    let output = site.run("tidy", b"");
    assert_eq!(output.log, "done\nCGI script exit code 3\n");
    site.assert_clean();
    let output = site.run("endless", b"");
    assert_eq!(
        output.log,
        "CGI script kept running after its output and was killed\n"
    );
    site.assert_clean();
}

#[test]
fn a_silent_script_does_not_block() {
    let site = CgiSite::new().with_script("a", "sleep 1000");
    let (disk, mut file) = (site.disk(), site.prepare("a").unwrap());
    let start = Instant::now();
    assert!(matches!(
        disk.fill(&mut file, 0, &mut [0; 10]),
        Got::Nothing
    ));
    assert!(start.elapsed() < Duration::from_secs(60));
    drop((disk, file));
    site.assert_clean();
}

#[test]
fn the_environment_has_only_the_documented_variables() {
    const CHILD: &str = "CGI_TEST_CHILD";
    let site = CgiSite::new().with_script("a", "cat /proc/$$/environ");
    let name = "the_environment_has_only_the_documented_variables";
    // The test runs in a child process, whose environment it can set.
    if env::var_os(CHILD).is_none() {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", name]).env(CHILD, "1");
        child
            .env("HTTP_PROXY", "evil")
            .env("SECRET", "s")
            .env("LD_PRELOAD_NOT", "l");
        child
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .env("CONTENT_LENGTH", "7");
        assert!(child.output().unwrap().status.success());
        return;
    }
    let output = site.run_with(
        CgiScript {
            env: vec![
                ("QUERY_STRING".into(), b"a=b".into()),
                ("PATH_INFO".into(), b"/x\xff/".into()),
            ],
            path_translated: Path::parse("/x%ED%B3%BF/").unwrap(),
            ..cgi_script("a")
        },
        b"",
    );
    let actual: BTreeMap<_, _> = output
        .stdout
        .split(|&byte| byte == 0)
        .filter(|variable| !variable.is_empty())
        .map(|variable| variable.split_at(variable.iter().position(|&it| it == b'=').unwrap()))
        .map(|(name, value)| (name.to_vec(), value[1..].to_vec()))
        .collect();
    let translated = [site.root().to_str().unwrap().as_bytes(), b"/x\xff/"].concat();
    let path = env::var("PATH").unwrap();
    let mut expected: BTreeMap<Vec<u8>, Vec<u8>> = [
        ("QUERY_STRING", &b"a=b"[..]),
        ("PATH_INFO", b"/x\xff/"),
        ("PATH_TRANSLATED", &translated),
        ("PATH", path.as_bytes()),
        ("TZ", b"UTC"),
        ("LC_ALL", b"C"),
    ]
    .map(|(name, value)| (name.into(), value.to_vec()))
    .into();
    for (name, value) in env::vars() {
        if matches!(&*name, "LANG" | "LANGUAGE" | "TMPDIR") || name.starts_with("LC_") {
            expected.insert(name.into(), value.into());
        }
    }
    assert_eq!(actual, expected);
}

#[test]
fn a_script_runs_in_its_own_directory_with_its_arguments() {
    let site = CgiSite::new().with_script(
        "a",
        "pwd; for arg; do echo \"<$arg>\"; done; echo $PATH_TRANSLATED",
    );
    let args = vec![b"a b".to_vec(), b"*".to_vec(), Vec::new()];
    let output = site.run_with(
        CgiScript {
            args,
            ..cgi_script("a")
        },
        b"",
    );
    let root = site.root().display().to_string();
    assert_eq!(
        output.text(),
        format!("{root}/cgi-bin\n<a b>\n<*>\n<>\n{root}\n")
    );
}

#[test]
fn a_script_inherits_only_three_descriptors() {
    let site = CgiSite::new().with_script("a", "exec ls /proc/self/fd");
    let disk = site.disk();
    let _open = (
        TcpListener::bind("127.0.0.1:0").unwrap(),
        disk.open(&cgi_script("a").path),
    );
    let other = site.prepare("a").unwrap();
    let inherited = |fd: &u32| {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
        let digits = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = digits.map(|digits| u32::from_str_radix(digits.trim(), 8).unwrap());
        flags.is_some_and(|flags| flags & 0o2_000_000 == 0)
    };
    // Descriptors that this process has inherited are passed on to its children.
    let mut expected: BTreeSet<u32> = descriptors().into_iter().filter(inherited).collect();
    expected.extend([0, 1, 2]);
    // The directory that `ls` reads.
    expected.insert((0..).find(|fd| !expected.contains(fd)).unwrap());
    let output = site.run("a", b"content");
    let actual = output.text().lines().map(|line| line.parse().unwrap());
    assert_eq!(actual.collect::<BTreeSet<u32>>(), expected);
    drop(other);
}

#[test]
fn a_script_never_runs_as_root() {
    let site = CgiSite::new().with_script("a", "id -u; id -ru; id -g; id -G");
    let id = |args: &[&str]| {
        let output = Command::new("id").args(args).output().unwrap().stdout;
        String::from_utf8(output).unwrap()
    };
    let output = site.run("a", b"");
    if id(&["-u"]) == "0\n" {
        let (user, group) = (id(&["-u", "nobody"]), id(&["-g", "nobody"]));
        assert_eq!(output.text(), format!("{user}{user}{group}{group}"));
    } else {
        assert_eq!(
            output.text(),
            id(&["-u"]) + &id(&["-ru"]) + &id(&["-g"]) + &id(&["-G"])
        );
    }
}

#[test]
fn anything_but_an_executable_file_is_refused() {
    let site = CgiSite::new();
    site.write("text", "echo hi", 0o644);
    fs::create_dir(site.root().join("cgi-bin/d")).unwrap();
    symlink("/bin/sh", site.root().join("cgi-bin/out")).unwrap();
    let result = |name| site.prepare(name).map(drop);
    assert_eq!(result("nope"), Err(FsError::NotFound));
    assert_eq!(result("out"), Err(FsError::OutsideRoot));
    assert_eq!(result("d"), Err(FsError::NotRegularFile));
    assert_eq!(result("text"), Err(FsError::Forbidden));
}

#[test]
fn the_log_says_why_a_script_cannot_be_run() {
    let site = CgiSite::new();
    site.write("missing", "#!/nowhere/sh\n", 0o755);
    site.write("directory", "#!/\n", 0o755);
    for name in ["missing", "directory"] {
        let output = site.run(name, b"content");
        assert!(
            output.failed && output.log.starts_with("CGI script cannot be run: "),
            "{output:?}"
        );
    }
    site.assert_clean();
    // A regular file takes no input.
    site.write("text", "", 0o644);
    let disk = site.disk();
    let Ok(sanserve_core::Opened::File { mut file, .. }) = disk.open(&cgi_script("text").path)
    else {
        panic!("not a file");
    };
    assert_eq!(disk.write(&mut file, b"x"), Err(FsError::Unsupported));
    assert!(!read_output(&disk, &mut file).failed);
}

/// Exchanges two names, atomically.
#[cfg(target_os = "linux")]
fn exchange(first: &std::path::Path, second: &std::path::Path) {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, first, CWD, second, RenameFlags::EXCHANGE).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn no_script_outside_the_root_runs_while_directories_are_exchanged() {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::{os::unix::fs::PermissionsExt, thread};

    let outside = tempfile::TempDir::new().unwrap();
    fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let script = outside.path().join("a");
    fs::write(&script, "#!/bin/sh\necho outside\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let site = CgiSite::new().with_script("a", "echo inside");
    let (directory, link) = (site.root().join("cgi-bin"), site.root().join("link"));
    symlink(outside.path(), &link).unwrap();
    let (stop, mut ran) = (AtomicBool::new(false), 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                exchange(&directory, &link);
            }
        });
        let disk = site.disk();
        let start = Instant::now();
        // Half of the requests fail, because the link is refused.
        while ran < 100 && start.elapsed() < cgi_site::TIMEOUT {
            let Ok(sanserve_core::Opened::Process(mut file)) = disk.run(&cgi_script("a")) else {
                continue;
            };
            let output = read_output(&disk, &mut file);
            assert_ne!(output.text(), "outside\n");
            ran += usize::from(output.text() == "inside\n");
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(ran >= 20, "{ran} scripts ran");
    if !directory.is_dir() || directory.is_symlink() {
        exchange(&directory, &link);
    }
    site.assert_clean();
}

#[test]
fn a_script_runs_in_the_root_that_was_opened() {
    let site = CgiSite::new().with_script("a", "echo $(cat ../version); pwd");
    fs::write(site.root().join("version"), "old").unwrap();
    let (root, disk) = (site.root(), site.disk());
    let moved = root.with_extension("moved");
    let Ok(sanserve_core::Opened::Process(mut file)) = disk.run(&cgi_script("a")) else {
        panic!("not a script");
    };
    fs::rename(&root, &moved).unwrap();
    fs::create_dir_all(root.join("cgi-bin")).unwrap();
    fs::write(root.join("version"), "new").unwrap();
    fs::copy(moved.join("cgi-bin/a"), root.join("cgi-bin/a")).unwrap();
    let output = read_output(&disk, &mut file);
    fs::remove_dir_all(&root).unwrap();
    fs::rename(&moved, &root).unwrap();
    let expected = format!("old\n{}/cgi-bin\n", moved.display());
    assert_eq!(output.text(), expected, "{output:?}");
}

#[test]
fn a_script_replaced_before_it_started_is_not_run() {
    let site = CgiSite::new().with_script("a", "echo old");
    let (disk, mut file) = (site.disk(), site.prepare("a").unwrap());
    site.write("b", "#!/bin/sh\necho new\n", 0o755);
    let directory = site.root().join("cgi-bin");
    fs::rename(directory.join("b"), directory.join("a")).unwrap();
    let output = read_output(&disk, &mut file);
    assert!(output.failed && output.stdout.is_empty(), "{output:?}");
    assert!(
        output.log.contains("a was replaced in the meantime"),
        "{output:?}"
    );
}

#[test]
fn a_link_within_the_root_may_lead_to_a_script() {
    let site = CgiSite::new();
    fs::create_dir(site.root().join("lib")).unwrap();
    site.write("../lib/b", "#!/bin/sh\npwd\n", 0o755);
    symlink("../lib/b", site.root().join("cgi-bin/a")).unwrap();
    let expected = format!("{}/cgi-bin\n", site.root().display());
    assert_eq!(site.run("a", b"").text(), expected);
}

#[cfg(target_os = "linux")]
#[test]
fn a_script_cannot_gain_privileges() {
    let site = CgiSite::new().with_script("a", "grep NoNewPrivs /proc/self/status | tr -dc 0-9");
    assert_eq!(site.run("a", b"").text(), "1");
    let status = fs::read_to_string("/proc/self/status").unwrap();
    assert!(
        status.contains("NoNewPrivs:\t0"),
        "this process was changed, too"
    );
}

#[test]
fn the_number_of_scripts_is_limited_and_all_can_be_killed() {
    let site = CgiSite::new()
        .with_script("a", "touch ../marks/runs; sleep 1000")
        .with_max_scripts(1);
    let disk = site.disk();
    let prepare = || match disk.run(&cgi_script("a")) {
        Ok(sanserve_core::Opened::Process(file)) => Ok(file),
        other => Err(other.map(drop)),
    };
    // Both are prepared before either of them runs.
    let (mut first, mut second) = (prepare().unwrap(), prepare().unwrap());
    assert!(matches!(
        disk.fill(&mut first, 0, &mut [0; 10]),
        Got::Nothing
    ));
    site.wait_for_file("marks/runs");
    let refused = disk.fill(&mut second, 0, &mut [0; 10]);
    assert!(
        matches!(refused, Got::Refused(FsError::TooMany)),
        "{refused:?}"
    );
    assert!(matches!(prepare(), Err(Err(FsError::TooMany))));
    disk.scripts().end_all();
    site.wait_for_end_of_scripts();
    assert!(read_output(&disk, &mut first).log.contains("exit code -9"));
    // No script is started after that.
    assert!(prepare().is_ok());
    let mut late = prepare().unwrap();
    let refused = disk.fill(&mut late, 0, &mut [0; 10]);
    assert!(matches!(refused, Got::Refused(FsError::TooMany)));
    drop((disk, first, second, late));
    site.assert_clean();
}
