//! Measures the cost of the engine: the instructions and the time of each piece of work. Also starts the check of the
//! amplification budget.
//!
//! Each piece of work is run under callgrind, a number of times and twice that number: the difference gives the
//! instructions for one. They do not depend on the load of the machine; the time does.
//!
//! `make bench` shows a table and writes it as JSON. `make bench-check` compares the counts with those in
//! `counts.txt`, and fails if one is more than three per cent above. `make bench-renew` writes that file.
//!
//! # What a count depends on
//!
//! A count depends on the compiler, which is named in `counts.txt`: counts of another one are not compared. It also
//! depends on the locked packages and the C library, whose `memcpy` and `malloc` are a tenth of it. It does not depend
//! on the machine: valgrind shows every program the same processor if the real one has AVX2, so that code that detects
//! its features always selects the same branch. No hash has a random seed, and the environment is cleared, because it
//! moves the stack.

mod amplification;
mod count;
mod h11;
mod hyper;
mod work;

use std::fmt::Write;
use std::process::{Command, ExitCode};
use std::{env, fs};

use count::{Cost, costs};
use work::{BROWSER, CURL, WORK};

/// The allowed increase in per cent.
const TOLERANCE: u64 = 3;

/// A difference of up to this many instructions is allowed whatever the percentage: whether the compiler inlines a
/// function that takes 300 of them depends on what else is in the program.
const SLACK: u64 = 24;

/// The file with the expected counts.
const COUNTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/counts.txt");

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["check"] => return check(),
        ["amplification"] => return amplification::check(""),
        ["amplification", name] => return amplification::check(name),
        ["amplification-part", name, part, of] => {
            let number = |text: &str| text.parse().expect("a number");
            amplification::run(name, number(part), number(of));
        }
        ["renew"] => fs::write(COUNTS, renewed(&costs(false))).expect("counts.txt can be written"),
        ["json", path] => report(path),
        [name, times] => {
            let found = WORK.iter().find(|(other, _)| *other == name);
            let (_, work) = found.expect("there is work of that name");
            work(times.parse().expect("a number"));
        }
        _ => panic!("usage: json PATH | check | renew | amplification [NAME]"),
    }
    ExitCode::SUCCESS
}

/// Returns the content of `counts.txt`: the compiler, and a line for each piece of work.
fn renewed(costs: &[Cost]) -> String {
    let mut all = format!("# {}\n", compiler());
    for Cost {
        name, instructions, ..
    } in costs
    {
        writeln!(all, "{instructions:9} {name}").expect("writing to a string succeeds");
    }
    all
}

/// `rustc 1.95.0 (59807616e 2026-04-14)`.
fn compiler() -> String {
    let said = Command::new("rustc").arg("--version").output();
    let said = said.expect("rustc is installed").stdout;
    String::from_utf8_lossy(&said).trim().to_owned()
}

/// Prints all costs, and writes them to a JSON file.
fn report(path: &str) {
    let mut costs = costs(true);
    costs.extend(h11::cost("the same by h11, curl", CURL));
    costs.extend(h11::cost("the same by h11, a browser", BROWSER));
    println!("{:38} {:>12} {:>12}", "", "instructions", "nanoseconds");
    let mut json = String::from("{\n");
    for (
        at,
        Cost {
            name,
            instructions,
            nanoseconds,
        },
    ) in costs.iter().enumerate()
    {
        println!("{name:38} {instructions:12} {nanoseconds:12}");
        let comma = if at + 1 < costs.len() { "," } else { "" };
        let cost = format!("\"instructions\": {instructions}, \"nanoseconds\": {nanoseconds}");
        writeln!(json, "  \"{name}\": {{ {cost} }}{comma}").expect("writing to a string succeeds");
    }
    fs::write(path, json + "}\n").expect("the file can be written");
    if !costs.iter().any(|cost| cost.name.contains("h11")) {
        println!("\nh11 is not installed, so it was not measured: python3 -m pip install h11");
    }
    println!("\n{path}");
}

/// Compares the counts with the expected ones.
fn check() -> ExitCode {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("SKIPPED: valgrind is not installed");
        return ExitCode::SUCCESS;
    }
    let expected = fs::read_to_string(COUNTS).expect("counts.txt exists");
    if expected.lines().next() != Some(&format!("# {}", compiler())) {
        println!("SKIPPED: counts.txt is from another compiler; `make bench-renew` updates it.");
        return ExitCode::SUCCESS;
    }
    let expected = |name: &str| {
        let mut lines = expected
            .lines()
            .filter_map(|line| line.trim_start().split_once(' '));
        let (count, _) = lines.find(|(_, other)| *other == name)?;
        count.parse::<u64>().ok()
    };
    let (mut above, mut below) = (false, false);
    for Cost {
        name, instructions, ..
    } in costs(false)
    {
        let Some(before) = expected(name) else {
            println!("{name:38} {instructions:12}, and is not in counts.txt");
            above = true;
            continue;
        };
        let margin = (before * TOLERANCE / 100).max(SLACK);
        let word = match () {
            () if instructions > before + margin => "above the limit",
            () if instructions + margin < before => "less",
            () => "unchanged",
        };
        println!("{name:38} {instructions:12}, was {before:12}: {word}");
        above |= word == "above the limit";
        below |= word == "less";
    }
    if above || below {
        println!("\nIf this is intended, `make bench-renew` updates counts.txt.");
    }
    ExitCode::from(u8::from(above))
}
