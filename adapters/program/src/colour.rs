//! Colours lines of the log as Python does, and of the banner, and decides whether to.
//!
//! The lines must already be escaped: nothing here removes a peer's control characters.

use std::env;
use std::io::{self, IsTerminal};

/// Whether to colour lines for this stream. As in Python, an empty variable counts as not set.
pub(crate) fn is_enabled(stream: &impl IsTerminal) -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    if is_set("NO_COLOR") {
        return false;
    }
    // The old console of Windows prints the codes. Windows Terminal, which sets this variable, supports them.
    let supported = cfg!(not(windows)) || is_set("WT_SESSION");
    let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    is_set("FORCE_COLOR") || (supported && !dumb && stream.is_terminal())
}

/// Colours a line of the banner.
pub(crate) fn banner(line: &str) -> String {
    let parts = line
        .split_once(" (")
        .and_then(|(text, rest)| Some((text, rest.split_once(')')?)));
    match parts {
        Some((text, (url, rest))) => format!("{GREEN}{text}{RESET} ({CYAN}{url}{RESET}){rest}"),
        None => line.to_owned(),
    }
}

/// Colours the URLs in lines for standard output, if colours are enabled for it.
pub(crate) fn mark_urls(lines: &str) -> String {
    if !is_enabled(&io::stdout()) {
        return lines.to_owned();
    }
    let mark = |word: &str| match word.contains("://") {
        true => format!("{CYAN}{word}{RESET}"),
        false => word.to_owned(),
    };
    let words: Vec<String> = lines
        .split(' ')
        .map(|word| match word.split_once('\n') {
            Some((word, rest)) => format!("{}\n{rest}", mark(word)),
            None => mark(word),
        })
        .collect();
    words.join(" ")
}

/// White on black, independent of the colours of the terminal.
#[cfg(not(target_os = "wasi"))]
pub(crate) fn white_on_black(text: &str) -> String {
    format!("\x1b[97;40m{text}{RESET}")
}

/// Colours log lines.
pub(crate) fn log(lines: &str) -> String {
    let mut coloured = String::new();
    for line in lines.split_inclusive('\n') {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (line, ""),
        };
        let text = match line.split_once("] ") {
            Some((head, message)) => {
                let message =
                    access(message).unwrap_or_else(|| format!("{YELLOW}{message}{RESET}"));
                format!("{GREY}{head}]{RESET} {message}")
            }
            None => line.to_owned(),
        };
        coloured += &text;
        coloured += end;
    }
    coloured
}

/// Colours the message of a request, such as `"GET / HTTP/1.1" 200 -`. Returns `None` for another message.
fn access(message: &str) -> Option<String> {
    let (quoted, end) = message.strip_prefix('"')?.rsplit_once("\" ")?;
    let (status, size) = end.split_once(' ')?;
    let request = match quoted.split(' ').collect::<Vec<_>>()[..] {
        [method, target, version] => format!("{method} {CYAN}{target}{RESET} {version}"),
        _ => quoted.to_owned(),
    };
    let colour = match status.as_bytes().first() {
        Some(b'2') => GREEN,
        Some(b'3') => BRIGHT_CYAN,
        Some(b'4') => YELLOW,
        Some(b'5') => RED,
        _ => RESET,
    };
    Some(format!(
        "\"{request}\" {colour}{status}{RESET} {GREY}{size}{RESET}"
    ))
}

const RESET: &str = "\x1b[0m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";
const GREY: &str = "\x1b[90m";
const BRIGHT_CYAN: &str = "\x1b[96m";

#[cfg(test)]
mod tests {
    use super::{banner, log};

    /// Replaces the codes by letters.
    fn short(text: &str) -> String {
        let codes = [
            ("0", "_"),
            ("31", "r"),
            ("32", "g"),
            ("33", "y"),
            ("36", "c"),
            ("90", "k"),
        ];
        codes
            .iter()
            .fold(text.replace("\x1b[96m", "<C>"), |text, (code, letter)| {
                text.replace(&format!("\x1b[{code}m"), &format!("<{letter}>"))
            })
    }

    #[test]
    fn each_part_of_a_line_has_its_colour() {
        let lines = "::1 - - [t t] code 404, message File not found\n\
                     ::1 - - [t t] \"GET /\\x1b%22 HTTP/1.1\" 404 -\n";
        let coloured = "<k>::1 - - [t t]<_> <y>code 404, message File not found<_>\n\
                        <k>::1 - - [t t]<_> \"GET <c>/\\x1b%22<_> HTTP/1.1\" <y>404<_> <k>-<_>\n";
        assert_eq!(short(&log(lines)), coloured);
        for (status, letter) in [(100, "_"), (206, "g"), (304, "C"), (400, "y"), (500, "r")] {
            let line = log(&format!("a - - [t] \"GET /\" {status} 9\n"));
            let coloured = format!("<k>a - - [t]<_> \"GET /\" <{letter}>{status}<_> <k>9<_>\n");
            assert_eq!(short(&line), coloured);
        }
        let line = "Serving HTTP on :: port 8 (http://[::]:8/) ...\n";
        let coloured = "<g>Serving HTTP on :: port 8<_> (<c>http://[::]:8/<_>) ...\n";
        assert_eq!(short(&banner(line)), coloured);
    }

    #[test]
    fn other_lines_are_not_changed() {
        for line in ["", "\n", "word", "[] \" \"", "\"\"\" 1"] {
            let plain = log(line).replace('\x1b', "");
            let plain = ["[0m", "[33m", "[90m"]
                .iter()
                .fold(plain, |t, code| t.replace(code, ""));
            assert_eq!(plain, line);
        }
    }
}
