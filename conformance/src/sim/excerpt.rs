//! The excerpt of a transcript that is printed: a limited number of lines, none of them long.

/// The lines that are printed at most, with one that says how many are left out.
const LINES_MAX: usize = 180;

/// Those of them that are the last.
const LAST: usize = 110;

/// The characters of a line that are printed.
const WIDTH_MAX: usize = 200;

/// Returns an excerpt of a transcript: its first and last lines, 180 in all, each cut after 200 characters.
#[must_use]
pub fn excerpt(transcript: &str) -> String {
    let lines: Vec<&str> = transcript.lines().collect();
    let left_out = match lines.len() {
        ..=LINES_MAX => 0,
        count => count + 1 - LINES_MAX,
    };
    let first = LINES_MAX - 1 - LAST;
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        if left_out > 0 && at == first {
            let hint = "SAVE=FILE writes all of them";
            text.push_str(&format!("# ... {left_out} lines are left out: {hint}\n"));
        }
        if left_out > 0 && (first..first + left_out).contains(&at) {
            continue;
        }
        match line.char_indices().nth(WIDTH_MAX) {
            Some((end, _)) => text.push_str(&format!("{}...\n", &line[..end])),
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn an_excerpt_has_the_first_and_the_last_lines_and_is_short() {
        let long = "\u{e4}".repeat(1000);
        let transcript: String = (0..5000).map(|at| format!("{at} {long}\n")).collect();
        let text = excerpt(&transcript);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 180);
        assert!(lines[0].starts_with("0 ") && lines[68].starts_with("68 "));
        assert!(
            lines[69].contains("4821 lines are left out"),
            "{}",
            lines[69]
        );
        assert!(lines[70].starts_with("4890 ") && lines[179].starts_with("4999 "));
        assert!(lines.iter().all(|line| line.chars().count() <= 203));
        assert_eq!(excerpt("a\nb\n"), "a\nb\n");
    }
}
