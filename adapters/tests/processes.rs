//! Programs of a disk: what reaches them, what comes back, and that nothing of them stays.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Instant;

use sanserve_core::{CgiScript, FileSystem, FsError, Got, Path};

use self::stage::{Stage, descriptors, program, read};

mod stage;

/// Bytes that do not repeat every so often.
fn noise(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

#[test]
fn content_is_standard_input_and_its_length_is_known() {
    let stage = Stage::new().script("a", "echo ${CONTENT_LENGTH-none} >&2; cat");
    let mib = 1024 * 1024;
    for (len, said) in [
        (0, "none"),
        (5, "5"),
        (64 * 1024, "65536"),
        (10 * mib, "10485760"),
    ] {
        let content = noise(len);
        let played = stage.play("a", &content);
        assert!(
            played.stdout == content,
            "{len} bytes became {}",
            played.stdout.len()
        );
        assert_eq!(played.notes.trim_end(), said);
        stage.assert_clean();
    }
}

#[test]
fn content_may_be_left_alone_opened_again_or_closed() {
    let stage = Stage::new()
        .script("alone", "echo ok")
        .script("again", "wc -c < /dev/stdin | tr -d ' '")
        .script("closed", "exec <&-; echo ok");
    for (name, said) in [
        ("alone", "ok\n"),
        ("again", "1000000\n"),
        ("closed", "ok\n"),
    ] {
        let played = stage.play(name, &noise(1_000_000));
        assert_eq!((played.text(), &*played.notes), (said, ""), "{name}");
    }
    stage.assert_clean();
}

#[test]
fn how_it_ends_is_noted() {
    let stage = Stage::new()
        .script("good", "exit 0")
        .script("bad", "echo half; exit 3")
        .script("killed", "kill -9 $$");
    let notes = |name| stage.play(name, b"").notes;
    assert_eq!(notes("good"), "");
    assert_eq!(notes("bad"), "CGI script exit code 3\n");
    assert_eq!(notes("killed"), "CGI script exit code -9\n");
    assert_eq!(stage.play("bad", b"").text(), "half\n");
    stage.assert_clean();
}

#[test]
fn what_it_complains_of_is_noted_line_by_line() {
    let stage = Stage::new().script("a", "echo one >&2; echo two >&2; printf three >&2; exit 1");
    let played = stage.play("a", b"");
    assert_eq!(played.notes, "one\ntwo\nthree\nCGI script exit code 1\n");
}

#[test]
fn a_flood_of_complaints_neither_blocks_nor_fills_the_log() {
    let body = "head -c 5000000 /dev/zero | tr '\\0' x >&2; head -c 5000000 /dev/zero; echo y >&2";
    let stage = Stage::new().script("a", body);
    let played = stage.play("a", b"");
    assert_eq!(played.stdout.len(), 5_000_000);
    let lines: Vec<_> = played.notes.lines().collect();
    assert_eq!(lines[0], "x".repeat(16 * 1024));
    let dropped = "(and more on standard error)";
    assert_eq!(lines[1..], [dropped]);
    stage.assert_clean();
}

#[test]
fn to_be_dropped_is_its_end_whatever_it_does_about_it() {
    let stage = Stage::new()
        .script("endless", "echo hi; sleep 1000")
        .script("busy", "echo hi; while :; do echo; done")
        .script(
            "stubborn",
            "trap '' TERM HUP INT; echo hi; while :; do sleep 1000; done",
        )
        .script(
            "mother",
            "(sleep 1000; sleep 1000) & sh -c 'sleep 1000' & echo hi; wait",
        )
        .script("mute", "exec 2>&-; echo hi; exec >&-; sleep 1000");
    for name in ["endless", "busy", "stubborn", "mother", "mute"] {
        let (disk, mut file) = (stage.disk(), stage.set_up(name).unwrap());
        while !matches!(disk.fill(&mut file, 0, &mut [0]), Got::Bytes(1)) {}
        drop((disk, file));
        stage.assert_clean();
    }
}

#[test]
fn what_was_never_read_was_never_started() {
    let stage = Stage::new().script("a", "touch /tmp/never");
    let (disk, mut file) = (stage.disk(), stage.set_up("a").unwrap());
    assert!(matches!(
        disk.answer_write(&mut file, &noise(100_000)),
        Got::Bytes(100_000)
    ));
    drop((disk, file));
    stage.assert_clean();
}

#[test]
fn its_end_is_that_of_the_script_and_not_of_its_children() {
    let stage = Stage::new().script("a", "sleep 1000 & (sleep 1000; echo late) & echo hi");
    let played = stage.play("a", b"");
    assert_eq!(played.text(), "hi\n");
    assert_eq!(played.notes, "");
    stage.assert_clean();
}

#[test]
fn after_its_output_it_has_time_to_tidy_up_and_no_more() {
    let stage = Stage::new()
        .script(
            "tidy",
            "echo hi; exec >&-; sleep 0.1; echo done >&2; exit 3",
        )
        .script("endless", "echo hi; exec >&-; sleep 1000");
    let played = stage.play("tidy", b"");
    assert_eq!(played.notes, "done\nCGI script exit code 3\n");
    stage.assert_clean();
    let played = stage.play("endless", b"");
    assert_eq!(
        played.notes,
        "CGI script kept running after its output and was killed\n"
    );
    stage.assert_clean();
}

#[test]
fn silence_is_not_waited_for() {
    let stage = Stage::new().script("a", "sleep 1000");
    let (disk, mut file) = (stage.disk(), stage.set_up("a").unwrap());
    let start = Instant::now();
    assert!(matches!(
        disk.fill(&mut file, 0, &mut [0; 10]),
        Got::Nothing
    ));
    assert!(start.elapsed().as_secs() < 1);
    drop((disk, file));
    stage.assert_clean();
}

#[test]
fn it_finds_in_its_environment_what_was_promised() {
    const AGAIN: &str = "STAGE_AGAIN";
    let stage = Stage::new().script("a", "cat /proc/$$/environ");
    let name = "it_finds_in_its_environment_what_was_promised";
    if env::var_os(AGAIN).is_none() {
        let mut again = Command::new(env::current_exe().unwrap());
        again.args(["--exact", name]).env(AGAIN, "1");
        again
            .env("HTTP_PROXY", "evil")
            .env("SECRET", "s")
            .env("LD_PRELOAD_NOT", "l");
        again
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .env("CONTENT_LENGTH", "7");
        assert!(again.output().unwrap().status.success());
        return;
    }
    let played = stage.play_with(
        CgiScript {
            env: vec![
                ("QUERY_STRING".into(), b"a=b".into()),
                ("PATH_INFO".into(), b"/x\xff/".into()),
            ],
            path_translated: Path::parse("/x%ED%B3%BF/").unwrap(),
            ..program("a")
        },
        b"",
    );
    let env = played
        .stdout
        .split(|&byte| byte == 0)
        .filter(|row| !row.is_empty());
    let found: BTreeMap<_, _> = env
        .map(|row| row.split_at(row.iter().position(|&byte| byte == b'=').unwrap()))
        .map(|(name, value)| (name.to_vec(), value[1..].to_vec()))
        .collect();
    let translated = [stage.root().to_str().unwrap().as_bytes(), b"/x\xff/"].concat();
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
    assert_eq!(found, expected);
}

#[test]
fn it_runs_where_it_lies_with_its_arguments() {
    let stage = Stage::new().script(
        "a",
        "pwd; for arg; do echo \"<$arg>\"; done; echo $PATH_TRANSLATED",
    );
    let args = vec![b"a b".to_vec(), b"*".to_vec(), Vec::new()];
    let played = stage.play_with(
        CgiScript {
            args,
            ..program("a")
        },
        b"",
    );
    let root = stage.root().display().to_string();
    assert_eq!(
        played.text(),
        format!("{root}/cgi-bin\n<a b>\n<*>\n<>\n{root}\n")
    );
}

#[test]
fn it_has_three_descriptors_and_no_more() {
    let stage = Stage::new().script("a", "exec ls /proc/self/fd");
    let disk = stage.disk();
    let _open = (
        TcpListener::bind("127.0.0.1:0").unwrap(),
        disk.open(&program("a").path),
    );
    let other = stage.set_up("a").unwrap();
    let inherited = |fd: &u32| {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.map(|flags| u32::from_str_radix(flags.trim(), 8).unwrap());
        flags.is_some_and(|flags| flags & 0o2_000_000 == 0)
    };
    // What this process itself was started with goes on to whatever it starts.
    let mut expected: BTreeSet<u32> = descriptors().into_iter().filter(inherited).collect();
    expected.extend([0, 1, 2]);
    // The directory that `ls` reads.
    expected.insert((0..).find(|fd| !expected.contains(fd)).unwrap());
    let played = stage.play("a", b"content");
    let found = played.text().lines().map(|line| line.parse().unwrap());
    assert_eq!(found.collect::<BTreeSet<u32>>(), expected);
    drop(other);
}

#[test]
fn it_never_runs_as_root() {
    let stage = Stage::new().script("a", "id -u; id -ru; id -g; id -G");
    let id = |args: &[&str]| {
        let output = Command::new("id").args(args).output().unwrap().stdout;
        String::from_utf8(output).unwrap()
    };
    let played = stage.play("a", b"");
    if id(&["-u"]) == "0\n" {
        let (user, group) = (id(&["-u", "nobody"]), id(&["-g", "nobody"]));
        assert_eq!(played.text(), format!("{user}{user}{group}{group}"));
    } else {
        assert_eq!(
            played.text(),
            id(&["-u"]) + &id(&["-ru"]) + &id(&["-g"]) + &id(&["-G"])
        );
    }
}

#[test]
fn what_is_no_script_is_refused() {
    let stage = Stage::new();
    stage.write("text", "echo hi", 0o644);
    fs::create_dir(stage.root().join("cgi-bin/d")).unwrap();
    symlink("/bin/sh", stage.root().join("cgi-bin/out")).unwrap();
    let refusal = |name| stage.set_up(name).map(drop);
    assert_eq!(refusal("nope"), Err(FsError::NotFound));
    assert_eq!(refusal("out"), Err(FsError::OutsideRoot));
    assert_eq!(refusal("d"), Err(FsError::NotRegularFile));
    assert_eq!(refusal("text"), Err(FsError::Forbidden));
}

#[test]
fn what_cannot_be_run_says_why() {
    let stage = Stage::new();
    stage.write("missing", "#!/nowhere/sh\n", 0o755);
    stage.write("directory", "#!/\n", 0o755);
    for name in ["missing", "directory"] {
        let played = stage.play(name, b"content");
        assert!(
            played.failed && played.notes.starts_with("CGI script cannot be run: "),
            "{played:?}"
        );
    }
    stage.assert_clean();
    // A regular file is none that can be given anything.
    stage.write("text", "", 0o644);
    let disk = stage.disk();
    let Ok(sanserve_core::Opened::File { mut file, .. }) = disk.open(&program("text").path) else {
        panic!("it is a file");
    };
    assert_eq!(disk.write(&mut file, b"x"), Err(FsError::Unsupported));
    assert!(!read(&disk, &mut file).failed);
}

/// Exchanges two names, at once.
#[cfg(target_os = "linux")]
fn exchange(one: &std::path::Path, other: &std::path::Path) {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn no_script_outside_is_run_while_directories_are_exchanged() {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::{os::unix::fs::PermissionsExt, thread};

    let outside = tempfile::TempDir::new().unwrap();
    fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let script = outside.path().join("a");
    fs::write(&script, "#!/bin/sh\necho outside\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let stage = Stage::new().script("a", "echo inside");
    let (directory, link) = (stage.root().join("cgi-bin"), stage.root().join("link"));
    symlink(outside.path(), &link).unwrap();
    let (stop, mut ran) = (AtomicBool::new(false), 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                exchange(&directory, &link);
            }
        });
        let disk = stage.disk();
        let start = Instant::now();
        // Half of the requests find no script, as the link is refused.
        while ran < 100 && start.elapsed() < stage::LONG {
            let Ok(sanserve_core::Opened::Process(mut file)) = disk.run(&program("a")) else {
                continue;
            };
            let played = read(&disk, &mut file);
            assert_ne!(played.text(), "outside\n");
            ran += usize::from(played.text() == "inside\n");
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(ran >= 20, "{ran} scripts ran");
    if !directory.is_dir() || directory.is_symlink() {
        exchange(&directory, &link);
    }
    stage.assert_clean();
}

#[test]
fn a_script_is_run_in_the_root_that_was_opened() {
    let stage = Stage::new().script("a", "echo $(cat ../who); pwd");
    fs::write(stage.root().join("who"), "old").unwrap();
    let (root, disk) = (stage.root(), stage.disk());
    let aside = root.with_extension("aside");
    let Ok(sanserve_core::Opened::Process(mut file)) = disk.run(&program("a")) else {
        panic!("there is a script");
    };
    fs::rename(&root, &aside).unwrap();
    fs::create_dir_all(root.join("cgi-bin")).unwrap();
    fs::write(root.join("who"), "new").unwrap();
    fs::copy(aside.join("cgi-bin/a"), root.join("cgi-bin/a")).unwrap();
    let played = read(&disk, &mut file);
    fs::remove_dir_all(&root).unwrap();
    fs::rename(&aside, &root).unwrap();
    let wanted = format!("old\n{}/cgi-bin\n", aside.display());
    assert_eq!(played.text(), wanted, "{played:?}");
}

#[test]
fn a_script_that_was_replaced_before_it_started_is_not_run() {
    let stage = Stage::new().script("a", "echo old");
    let (disk, mut file) = (stage.disk(), stage.set_up("a").unwrap());
    stage.write("b", "#!/bin/sh\necho new\n", 0o755);
    let directory = stage.root().join("cgi-bin");
    fs::rename(directory.join("b"), directory.join("a")).unwrap();
    let played = read(&disk, &mut file);
    assert!(played.failed && played.stdout.is_empty(), "{played:?}");
    assert!(
        played.notes.contains("a was replaced meanwhile"),
        "{played:?}"
    );
}

#[test]
fn a_link_within_the_root_may_lead_to_a_script() {
    let stage = Stage::new();
    fs::create_dir(stage.root().join("lib")).unwrap();
    stage.write("../lib/b", "#!/bin/sh\npwd\n", 0o755);
    symlink("../lib/b", stage.root().join("cgi-bin/a")).unwrap();
    let wanted = format!("{}/cgi-bin\n", stage.root().display());
    assert_eq!(stage.play("a", b"").text(), wanted);
}

#[cfg(target_os = "linux")]
#[test]
fn it_gains_no_privileges() {
    let stage = Stage::new().script("a", "grep NoNewPrivs /proc/self/status | tr -dc 0-9");
    assert_eq!(stage.play("a", b"").text(), "1");
    let own = fs::read_to_string("/proc/self/status").unwrap();
    assert!(own.contains("NoNewPrivs:\t0"), "this process is as it was");
}

#[test]
fn no_more_than_allowed_are_started_and_all_can_be_ended() {
    let stage = Stage::new()
        .script("a", "touch ../marks/runs; sleep 1000")
        .with_max_scripts(1);
    let disk = stage.disk();
    let set_up = || match disk.run(&program("a")) {
        Ok(sanserve_core::Opened::Process(file)) => Ok(file),
        other => Err(other.map(drop)),
    };
    // Two that were set up before one of them ran.
    let (mut one, mut other) = (set_up().unwrap(), set_up().unwrap());
    assert!(matches!(disk.fill(&mut one, 0, &mut [0; 10]), Got::Nothing));
    stage.wait_for("marks/runs");
    let refused = disk.fill(&mut other, 0, &mut [0; 10]);
    assert!(
        matches!(refused, Got::Refused(FsError::TooMany)),
        "{refused:?}"
    );
    assert!(matches!(set_up(), Err(Err(FsError::TooMany))));
    disk.scripts().end_all();
    stage.wait_for_the_end_of_scripts();
    assert!(read(&disk, &mut one).notes.contains("exit code -9"));
    // None is started after that.
    assert!(set_up().is_ok());
    let mut late = set_up().unwrap();
    let refused = disk.fill(&mut late, 0, &mut [0; 10]);
    assert!(matches!(refused, Got::Refused(FsError::TooMany)));
    drop((disk, one, other, late));
    stage.assert_clean();
}
