//! Plants faults in the engine, the event loop and the server on tokio, one at a time, and prints the test, case or
//! seed that finds each.
//!
//! The faults are in `mutants/mutants.txt`, `mutants/event_loop.txt` and `mutants/tokio.txt`. They are applied to a
//! copy of the repository, with its own target folder, and the fastest tests run first. It fails if a fault is not
//! found, does not compile, or no longer matches the source. With arguments, only faults with one of them in their
//! file or description are tried.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// A planted fault.
struct Mutant {
    /// Below `core/src`, or `wire/` and a file below `core/wire/src`, or a file of the adapters `event_loop`
    /// and `tokio_rt` below `adapters/src`.
    file: &'static str,
    description: &'static str,
    /// A piece of the file, and its replacement.
    original: &'static str,
    replacement: &'static str,
}

/// The tests that may find a fault, the fastest first, with their cargo arguments.
const FINDERS: [Finder; 3] = [
    ("list", &["--manifest-path", "../list/Cargo.toml"]),
    (
        "core",
        &[
            "--package",
            "sanserve-core",
            "--package",
            "sanserve-wire",
            "--tests",
        ],
    ),
    (
        "sim",
        &["--package", "sanserve-conformance", "--test", "sim"],
    ),
];

/// The package of the finder `list`: the list on the memory adapter, without what the other adapters need, so that it
/// builds in a few seconds.
const LIST: &str = r#"
[package]
name = "list"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
sanserve-core = { path = "../tree/core" }
sanserve-conformance = { path = "../tree/conformance" }
sanserve-server = { path = "../tree/adapters", default-features = false }

[[test]]
name = "memory"
path = "../tree/conformance/tests/memory.rs"
"#;

/// The number of worlds in which a fault of the event loop has to be found. The rarest takes about 2,000; the test's
/// default of 300 would miss a quarter of them.
const LOOP_WORLDS: &str = "4000";

/// A test binary that takes more processor time never ends, whatever else the machine does. None takes a third of it.
const CPU_LIMIT: &str = "--cpu=100";

/// The number of seconds after which tests that take no processor time are ended, too: they wait for each other.
const LIMIT: &str = "1000";

/// The tests that may find a fault of the event loop.
const LOOP_FINDERS: [Finder; 1] = [(
    "loop",
    &[
        "--package",
        "sanserve-server",
        "--lib",
        "event_loop::simulation",
    ],
)];

/// The tests that may find a fault of the server on tokio.
const TOKIO_FINDERS: [Finder; 1] = [(
    "tokio",
    &[
        "--package",
        "sanserve-server",
        "--lib",
        "tokio_rt::simulation",
    ],
)];

type Finder = (&'static str, &'static [&'static str]);

fn main() -> ExitCode {
    let parts: Vec<String> = std::env::args().skip(1).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let scratch = root.join("target/mutants");
    copy(&root, &scratch.join("tree"));
    create_list(&scratch);
    let finders = [&FINDERS[..], &LOOP_FINDERS, &TOKIO_FINDERS];
    if let Some((finder, _)) = finders.iter().find_map(|finders| find(&scratch, finders)) {
        println!("{finder} fails without a fault");
        return ExitCode::FAILURE;
    }
    let (mut tried, mut missed) = (0, 0);
    for mutant in mutants() {
        let name = format!("{}: {}", mutant.file, mutant.description);
        if !parts.is_empty() && !parts.iter().any(|part| name.contains(part)) {
            continue;
        }
        tried += 1;
        let file = scratch.join("tree").join(mutant.path());
        let source = fs::read_to_string(&file).expect("the copy has the file");
        fs::write(&file, mutant.apply(&source)).expect("the copy can be written");
        let found = find(&scratch, mutant.finders());
        fs::write(&file, source).expect("the copy can be written");
        let (verdict, by) = found.unwrap_or(("MISSED", String::new()));
        missed += usize::from(matches!(verdict, "MISSED" | "COMPILER"));
        println!("{verdict:<9}{name} ({by})");
    }
    println!("{} of {tried} faults were found", tried - missed);
    ExitCode::from(u8::from(missed > 0 || tried == 0))
}

/// Copies the files that git tracks or does not ignore.
fn copy(root: &Path, tree: &Path) {
    let script = "rm -rf \"$1\" && mkdir -p \"$1\" && git ls-files -coz --exclude-standard | \
                  xargs -0 cp --parents --target-directory \"$1\"";
    let status = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(tree)
        .current_dir(root)
        .status();
    assert!(
        status.expect("sh runs").success(),
        "the repository cannot be copied"
    );
}

/// Creates the package of the finder `list` beside the copy.
fn create_list(scratch: &Path) {
    let list = scratch.join("list");
    fs::create_dir_all(&list).expect("a folder can be created");
    fs::write(list.join("Cargo.toml"), LIST).expect("the package can be written");
    let lock = scratch.join("tree/Cargo.lock");
    fs::copy(lock, list.join("Cargo.lock")).expect("the package can be written");
}

/// Runs the tests. Returns which one fails, and the name of the case or test.
fn find(scratch: &Path, finders: &[Finder]) -> Option<(&'static str, String)> {
    finders.iter().find_map(|(name, args)| {
        let run = |program: &str, before: &[&str], after: &[&str]| {
            Command::new(program)
                .args(before)
                .args(["test", "--quiet"])
                .args(*args)
                .args(after)
                .current_dir(scratch.join("tree"))
                .env("CARGO_TARGET_DIR", scratch.join("target"))
                .env("CARGO_INCREMENTAL", "1")
                .env("CARGO_PROFILE_DEV_DEBUG", "0")
                .envs((*name == "loop").then_some(("SEEDS", LOOP_WORLDS)))
                .output()
                .expect("cargo, timeout and prlimit can be run")
        };
        if !run("cargo", &[], &["--no-run"]).status.success() {
            return Some(("COMPILER", String::new()));
        }
        let output = run("timeout", &[LIMIT, "prlimit", CPU_LIMIT, "cargo"], &[]);
        if output.status.success() {
            return None;
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let case = |line| Some(str::split_once(line, " (whole")?.0);
        let test = |line| str::strip_prefix(line, "---- ")?.strip_suffix(" stdout ----");
        let by = text.lines().find_map(case);
        let by = by.or(text.lines().find_map(test));
        Some((*name, by.unwrap_or("took too long").to_owned()))
    })
}

impl Mutant {
    /// Returns the path of the file in the repository.
    fn path(&self) -> PathBuf {
        match self.file.split_once('/') {
            Some(("wire", file)) => Path::new("core/wire/src").join(file),
            _ if self.is_of("event_loop") || self.is_of("tokio_rt") => {
                Path::new("adapters/src").join(self.file)
            }
            _ => Path::new("core/src").join(self.file),
        }
    }

    fn finders(&self) -> &'static [Finder] {
        match self.file {
            _ if self.is_of("event_loop") => &LOOP_FINDERS,
            _ if self.is_of("tokio_rt") => &TOKIO_FINDERS,
            _ => &FINDERS,
        }
    }

    /// Returns whether the file is that of an adapter, or in its folder.
    fn is_of(&self, adapter: &str) -> bool {
        let rest = self.file.strip_prefix(adapter);
        rest.is_some_and(|rest| rest.starts_with(['.', '/']))
    }

    /// Returns the source with the fault.
    fn apply(&self, source: &str) -> String {
        assert!(self.matches(source), "{}: {}", self.file, self.description);
        source.replace(self.original, self.replacement)
    }

    /// Returns whether the original piece occurs exactly once.
    fn matches(&self, source: &str) -> bool {
        self.original != self.replacement && source.matches(self.original).count() == 1
    }
}

fn mutants() -> Vec<Mutant> {
    let mut mutants: Vec<Mutant> = Vec::new();
    let lines = include_str!("../mutants/mutants.txt").lines();
    let lines = lines.chain(include_str!("../mutants/event_loop.txt").lines());
    let lines = lines.chain(include_str!("../mutants/tokio.txt").lines());
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (keyword, rest) = line.split_once(' ').expect("a keyword and a value");
        match (keyword, rest.trim(), mutants.last_mut()) {
            ("mutant", rest, _) => {
                let (file, description) = rest.split_once(' ').expect("a file and a description");
                let (description, original, replacement) = (description.trim(), "", "");
                mutants.push(Mutant {
                    file,
                    description,
                    original,
                    replacement,
                });
            }
            ("-", original, Some(mutant)) => mutant.original = original,
            ("+", replacement, Some(mutant)) => mutant.replacement = replacement,
            _ => panic!("invalid line: {line}"),
        }
    }
    mutants
}

#[test]
fn every_fault_matches_the_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut stale = Vec::new();
    for mutant in mutants() {
        let source = fs::read_to_string(root.join(mutant.path())).unwrap_or_default();
        if !mutant.matches(&source) {
            stale.push(format!("{}: {}", mutant.file, mutant.original));
        }
    }
    assert!(stale.is_empty(), "missing, or not unique: {stale:#?}");
}
