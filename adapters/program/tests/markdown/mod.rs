//! [`Page`]: parses a Markdown page of the repository. It finds the commands, code blocks, links and anchors, for tests
//! that check them.

pub(crate) mod attempt;
pub(crate) mod blocks;
#[allow(dead_code, reason = "nothing is built here")]
#[path = "../../../../conformance/tests/tools/inner_build.rs"]
pub(crate) mod inner_build;

use std::fs;

pub(crate) use inner_build::root;

/// A text on a page, and its place, such as `README.md:7`.
pub(crate) struct Located {
    pub(crate) place: String,
    pub(crate) text: String,
}

/// A command.
pub(crate) struct Command {
    pub(crate) place: String,
    pub(crate) text: String,
    /// The folder to run it in, relative to the root of the workspace.
    pub(crate) folder: String,
}

/// A fenced block.
pub(crate) struct Block {
    pub(crate) place: String,
    pub(crate) kind: String,
    pub(crate) text: String,
    /// The line above it.
    pub(crate) title: String,
}

/// The parts of a page that are checked.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) name: String,
    pub(crate) commands: Vec<Command>,
    pub(crate) blocks: Vec<Block>,
    /// Lines in blocks of commands that are not commands: their output.
    pub(crate) shown: Vec<Located>,
    /// The texts between backticks.
    pub(crate) spans: Vec<Located>,
    /// The targets of links in the prose.
    pub(crate) links: Vec<Located>,
    /// The anchors of its headings, as GitHub makes them.
    pub(crate) anchors: Vec<String>,
    /// The folder after the last `cd` of the block.
    folder: String,
}

/// The pages in the root folder.
const TOP: [&str; 6] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "RELEASING.md",
    "SECURITY.md",
];

/// Reads all pages.
pub(crate) fn all() -> Vec<Page> {
    let mut names = TOP.map(str::to_owned).to_vec();
    for page in fs::read_dir(root().join("docs")).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            names.push(format!("docs/{name}"));
        }
    }
    names.sort();
    let read = |name: &String| Page::read(name, &fs::read_to_string(root().join(name)).unwrap());
    names.iter().map(read).collect()
}

impl Page {
    pub(crate) fn read(name: &str, text: &str) -> Page {
        let mut page = Page {
            name: name.to_owned(),
            ..Page::default()
        };
        let lines: Vec<(usize, &str)> = (1..).zip(text.lines()).collect();
        let mut rest = &lines[..];
        let (mut prose, mut title) = (Vec::new(), "");
        while let [(number, line), after @ ..] = rest {
            if let Some(kind) = line.strip_prefix("```") {
                let len = after.iter().position(|(_, line)| *line == "```").unwrap();
                page.fenced(*number, kind, title, &after[..len]);
                rest = &after[len + 1..];
            } else if line.starts_with("    ") {
                let inside =
                    |(_, line): &&(usize, &str)| line.starts_with("    ") || line.is_empty();
                let len = rest.iter().take_while(inside).count();
                page.indented(&rest[..len]);
                rest = &rest[len..];
            } else {
                prose.push((*number, *line));
                title = if line.is_empty() { title } else { line };
                rest = after;
            }
        }
        page.prose(&prose);
        page
    }

    fn fenced(&mut self, number: usize, kind: &str, title: &str, lines: &[(usize, &str)]) {
        if matches!(kind, "text" | "sh" | "bash" | "console") {
            return self.indented(lines);
        }
        let lines: Vec<&str> = lines.iter().map(|(_, line)| *line).collect();
        self.blocks.push(Block {
            place: self.place(number),
            kind: kind.to_owned(),
            text: lines.join("\n"),
            title: title.to_owned(),
        });
    }

    /// Adds the lines of a block of commands. If one begins with `$`, all its commands do.
    fn indented(&mut self, lines: &[(usize, &str)]) {
        self.folder.clear();
        let marked = lines.iter().any(|(_, line)| line.trim().starts_with("$ "));
        for (number, line) in lines.iter().filter(|(_, line)| !line.trim().is_empty()) {
            match line.trim().strip_prefix("$ ") {
                Some(line) => self.command(*number, line),
                None if !marked && begins_as_a_command(line.trim()) => {
                    self.command(*number, line.trim());
                }
                None => self.shown.push(Located {
                    place: self.place(*number),
                    text: line.trim().to_owned(),
                }),
            }
        }
    }

    /// Adds a command. Two spaces and a `#` begin a comment.
    fn command(&mut self, number: usize, line: &str) {
        let (text, remark) = line.split_once("  #").unwrap_or((line, ""));
        let text = text.trim().to_owned();
        if let Some(folder) = text.strip_prefix("cd ") {
            self.folder = folder.to_owned();
        }
        let elsewhere = remark.trim().strip_prefix("in ");
        self.commands.push(Command {
            place: self.place(number),
            text,
            folder: elsewhere.unwrap_or(&self.folder).to_owned(),
        });
    }

    /// Adds spans, links and headings; a span of several words may be a command.
    fn prose(&mut self, lines: &[(usize, &str)]) {
        let mut text = String::new();
        let mut starts = Vec::new();
        for (number, line) in lines {
            let targets = line.split("](").skip(1);
            for (target, _) in targets.filter_map(|rest| rest.split_once(')')) {
                let (place, text) = (self.place(*number), target.to_owned());
                self.links.push(Located { place, text });
            }
            if line.starts_with('#') {
                self.anchors
                    .push(anchor(line.trim_start_matches('#').trim()));
            }
            starts.push((text.len(), *number));
            text += line;
            text.push('\n');
        }
        self.folder.clear();
        let mut at = 0;
        for (odd, part) in text.split('`').enumerate() {
            let before = starts.partition_point(|(start, _)| *start <= at);
            let number = starts[before.saturating_sub(1)].1;
            at += part.len() + 1;
            if odd % 2 == 0 {
                continue;
            }
            let span: Vec<&str> = part.split_whitespace().collect();
            let span = span.join(" ");
            if begins_as_a_command(&span) && span.contains(' ') {
                self.command(number, &span);
            }
            let place = self.place(number);
            self.spans.push(Located { place, text: span });
        }
    }

    fn place(&self, number: usize) -> String {
        format!("{}:{number}", self.name)
    }
}

/// Returns the anchor of a heading: in lower case, with hyphens for spaces and without other punctuation.
fn anchor(heading: &str) -> String {
    let plain = |char: &char| char.is_alphanumeric() || " -_".contains(*char);
    let heading: String = heading.chars().filter(plain).collect();
    heading.to_lowercase().replace(' ', "-")
}

/// Splits the environment variables from the front of a command.
pub(crate) fn split(command: &str) -> (Vec<&str>, &str) {
    let mut rest = command;
    let mut variables = Vec::new();
    loop {
        let word = rest.split(' ').next().unwrap_or_default();
        match word.split_once('=') {
            Some((name, _)) if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                variables.push(word);
                rest = rest[word.len()..].trim_start();
            }
            _ => return (variables, rest),
        }
    }
}

fn begins_as_a_command(line: &str) -> bool {
    let (_, rest) = split(line);
    let word = rest.split(' ').next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(plain)
        || word.starts_with("./")
}
