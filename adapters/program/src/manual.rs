//! Renders the manual page from the options and the help, in roff with the macros of man(7).

use clap::{Arg, Command};
use clap_mangen::Man;

/// Renders the manual page of a command: its options by group, and the sections that follow them in its help.
pub(super) fn page(command: Command) -> String {
    let sections = command.get_after_help().map(ToString::to_string);
    let mut options = Vec::new();
    let groups = command.get_arguments().filter_map(Arg::get_help_heading);
    let groups: Vec<_> = groups.collect();
    let man = Man::new(command.clone());
    let rendered = man.render_options_section(&mut options);
    rendered.expect("writing to memory does not fail");
    let mut page = HEAD.replace("VERSION", env!("CARGO_PKG_VERSION"));
    if cfg!(any(feature = "passwords", feature = "tls")) {
        page += "SIGHUP reloads certificates and passwords.\n";
    }
    page += &with_subsections(&String::from_utf8_lossy(&options), &groups);
    for section in sections.unwrap_or_default().split("\n\n") {
        add_section(&mut page, section);
    }
    page
}

/// Turns the groups of options into subsections of OPTIONS; clap_mangen renders them as sections, in capitals.
fn with_subsections(options: &str, groups: &[&str]) -> String {
    let lines = options.lines().map(|line| {
        let name = line.strip_prefix(".SH ").map(|name| name.trim_matches('"'));
        let is_group = |group: &&&str| Some(&*group.to_uppercase()) == name;
        match groups.iter().find(is_group) {
            Some(group) => format!(".SS {group}\n"),
            None => format!("{line}\n"),
        }
    });
    lines.collect()
}

/// Adds a section of the help, which has a heading with a colon and indented lines. Commands and numbers in the first
/// column become items of a list.
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

/// Escapes text for roff. An unescaped hyphen would become a typographic one, which cannot be searched or copied.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

/// The sections before the options.
const HEAD: &str = "\
.TH SANSERVE 1 \"\" \"sanserve VERSION\" \"User Commands\"
.SH NAME
sanserve \\- serve the files of a directory over HTTP
.SH SYNOPSIS
.B sanserve
.RI [ OPTIONS ]
.RI [ PORT ]
.RI [ PATH ]
.SH DESCRIPTION
.B sanserve
serves the files of a directory over HTTP, as
.B python \\-m http.server
does: by default the current directory, on port 8000.
With the name of a file, it serves only that file.
Files outside the directory and names that begin with a dot are not served.
.PP
Ctrl\\-C ends the server immediately.
SIGTERM lets requests in progress finish, for at most ten seconds.
";
