//! Tests that the table in `docs/porting.md` has the right length of each adapter's loop: the lines of its `match`.

use std::fs;
use std::path::Path;

#[test]
fn the_guide_gives_the_length_of_each_loop() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let docs = root.expect("the top folder").join("docs");
    let guide = fs::read_to_string(docs.join("porting.md")).expect("the guide");
    let (_, table) = guide.split_once("\n## All loops\n").expect("a table");
    let (table, _) = table.split_once("\n## ").expect("another section");
    let mut rows: Vec<(String, usize)> = table.lines().filter_map(row).collect();
    assert!(rows.len() > 10, "{rows:?}");
    let mut wrong = Vec::new();
    while let Some((path, _)) = rows.first().cloned() {
        let documented: Vec<usize> = rows
            .extract_if(.., |row| row.0 == path)
            .map(|row| row.1)
            .collect();
        let source = fs::read_to_string(docs.join(&path)).expect("a loop");
        let actual = loop_lengths(&source);
        if actual != documented {
            wrong.push(format!("{path}: {actual:?}, not {documented:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "wrong lengths in docs/porting.md:\n{}",
        wrong.join("\n")
    );
}

/// Parses the path and the length in a row of the table.
fn row(line: &str) -> Option<(String, usize)> {
    let (_, rest) = line.strip_prefix("| [`")?.split_once("](")?;
    let (path, rest) = rest.split_once(')')?;
    let lines = rest.split('|').nth(1)?.trim().parse();
    Some((path.to_owned(), lines.expect("a number of lines")))
}

/// Returns the number of lines of each `match` that follows a step.
fn loop_lengths(source: &str) -> Vec<usize> {
    let mut lengths = Vec::new();
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
        lengths.push(len + 1);
    }
    lengths
}
