//! The manual page, in the language of man(7).

use clap::builder::PossibleValue;
use clap::{Arg, Command};
use clap_mangen::Man;

/// Writes the page of a command: its options with their help, and the sections of its long help as sections of their own.
pub(super) fn page(command: Command) -> String {
    let sections = command.get_after_long_help().map(ToString::to_string);
    let mut options = Vec::new();
    let man = Man::new(command.mut_args(with_text));
    let rendered = man.render_options_section(&mut options);
    rendered.expect("memory takes everything");
    let mut page = HEAD.replace("VERSION", env!("CARGO_PKG_VERSION"));
    page += &String::from_utf8_lossy(&options);
    for section in sections.unwrap_or_default().split("\n\n") {
        add_section(&mut page, section);
    }
    page
}

/// An option that has its text on the page, too, if the short help leaves it out, and its values in one line.
fn with_text(arg: Arg) -> Arg {
    let values = arg.get_possible_values();
    let arg = arg.hide_short_help(false);
    let is_switch = !arg.get_action().takes_values();
    if is_switch || values.is_empty() || arg.is_hide_possible_values_set() {
        return arg;
    }
    let names: Vec<_> = values.iter().map(PossibleValue::get_name).collect();
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let help = format!("{help} [possible values: {}]", names.join(", "));
    arg.help(help).hide_possible_values(true)
}

/// Adds a section of the long help: a heading with a colon, and lines that are indented. Lines that are indented further, in
/// columns, stay as they are if they are commands, and are items of a list if they begin with a number.
fn add_section(page: &mut String, section: &str) {
    let Some((heading, text)) = section.split_once(":\n") else {
        return;
    };
    *page += &format!(".SH {}\n", heading.trim().to_uppercase());
    let lines = text.lines().map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let is_command = |line: &&str| line.starts_with("sanserve ") || *line == "sanserve";
    if lines
        .iter()
        .all(|line| is_command(&line.split("  ").next().unwrap_or_default()))
    {
        for line in lines {
            let (command, what) = line.split_once("  ").unwrap_or((line, ""));
            *page += &format!(".TP\n.B {}\n{}\n", escaped(command), escaped(what.trim()));
        }
        return;
    }
    for line in lines {
        match line.split_once("  ") {
            Some((code, what)) if code.bytes().all(|byte| byte.is_ascii_digit()) => {
                *page += &format!(".TP\n.B {code}\n{}\n", escaped(what.trim()));
            }
            _ => *page += &format!("{}\n", escaped(line)),
        }
    }
}

/// Text that the formatter takes as it is. A hyphen would be set as a dash, and not be found as a minus.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

/// What is in front of the options.
const HEAD: &str = "\
.TH SANSERVE 1 \"\" \"sanserve VERSION\" \"User Commands\"
.SH NAME
sanserve \\- serve the files of a directory over HTTP
.SH SYNOPSIS
.B sanserve
.RI [ OPTIONS ]
.RI [ PORT ]
.RI [ DIR ]
.SH DESCRIPTION
.B sanserve
serves the files of a directory over HTTP, as
.B python \\-m http.server
does: the current directory at port 8000, unless the command line or the
environment names others.
It does not serve what is outside of the directory, nor names that begin with a
dot.
.PP
Ctrl\\-C ends it at once.
SIGTERM lets running replies finish, for ten seconds at most.
SIGHUP reads certificates and passwords again.
";
