//! The loop of each adapter is one `match`, and `docs/porting.md` says how long it is.

use std::fs;
use std::path::Path;

#[test]
fn each_loop_is_one_match_of_the_length_that_the_guide_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let docs = root.expect("the top folder").join("docs");
    let guide = fs::read_to_string(docs.join("porting.md")).expect("the guide");
    let (_, table) = guide.split_once("\n## All loops\n").expect("a table");
    let (table, _) = table.split_once("\n## ").expect("another section");
    let mut rows: Vec<(String, usize)> = table.lines().filter_map(row).collect();
    assert!(rows.len() > 10, "{rows:?}");
    let mut wrong = Vec::new();
    while let Some((path, _)) = rows.first().cloned() {
        let said: Vec<usize> = rows
            .extract_if(.., |row| row.0 == path)
            .map(|row| row.1)
            .collect();
        let source = fs::read_to_string(docs.join(&path)).expect("a loop");
        let found = matches(&source);
        if found != said {
            wrong.push(format!("{path}: {found:?} and not {said:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "lines of the loops:\n{}",
        wrong.join("\n")
    );
}

/// Reads the path and the number of a row.
fn row(line: &str) -> Option<(String, usize)> {
    let (_, rest) = line.strip_prefix("| [`")?.split_once("](")?;
    let (path, rest) = rest.split_once(')')?;
    let lines = rest.split('|').nth(1)?.trim().parse();
    Some((path.to_owned(), lines.expect("a number of lines")))
}

/// Returns how many lines each `match` of a want has that follows a step.
fn matches(source: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let code = source.lines().filter(|line| !line.trim().starts_with("//"));
    let lines: Vec<&str> = code.collect();
    for (at, _) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.contains("conn.step("))
    {
        let is_match = |line: &&str| {
            let line = line.trim();
            line == "match want {" || line.starts_with("got = match ")
        };
        let start = at + lines[at..].iter().position(is_match).expect("a match");
        let mut depth = 0;
        let ends = |line: &&str| {
            depth += line.matches('{').count() as isize - line.matches('}').count() as isize;
            depth == 0
        };
        let len = lines[start..].iter().position(ends).expect("an end");
        found.push(len + 1);
    }
    found
}
