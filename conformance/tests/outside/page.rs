//! [`Page`]: reads the blocks of code of a page of the documentation.

use std::fs;

use crate::tools::inner_build::root;

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    name: String,
    blocks: Vec<Block>,
}

/// A block of code.
#[derive(Debug)]
pub(crate) struct Block {
    /// The title of the section that it is in.
    section: String,
    /// What follows the opening fence, such as `rust`.
    pub(crate) kind: String,
    pub(crate) text: String,
}

impl Page {
    /// Reads a page, by its path in the repository.
    pub(crate) fn read(name: &str) -> Page {
        let text = fs::read_to_string(root().join(name)).expect("the page exists");
        let (mut blocks, mut section) = (Vec::new(), String::new());
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(kind) = line.strip_prefix("```") {
                let inside: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
                blocks.push(Block {
                    section: section.clone(),
                    kind: kind.into(),
                    text: inside.join("\n") + "\n",
                });
            } else if line.starts_with('#') {
                section = line.trim_start_matches('#').trim().into();
            }
        }
        let name = name.into();
        Page { name, blocks }
    }

    /// Returns the blocks of a section.
    pub(crate) fn blocks(&self, section: &str) -> Vec<&Block> {
        let blocks = self.blocks.iter();
        blocks.filter(|block| block.section == section).collect()
    }

    /// Returns the only block of this kind in a section.
    pub(crate) fn block(&self, section: &str, kind: &str) -> &Block {
        let mut found = self.blocks(section);
        found.retain(|block| block.kind == kind);
        match found[..] {
            [block] => block,
            _ => panic!(
                "{}: {} blocks of {kind} in {section}",
                self.name,
                found.len()
            ),
        }
    }
}

impl Block {
    /// Returns the code without the lines that rustdoc hides.
    pub(crate) fn code(&self) -> String {
        let shown = |line: &&str| !line.starts_with("# ") && *line != "#";
        let lines = self.text.lines().filter(shown);
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// Applies this diff to code: lines that begin with `-` are replaced by those that begin with `+`.
    pub(crate) fn apply_to(&self, code: &str) -> String {
        let side = |sign: char| -> String {
            let lines = self.text.lines().filter_map(|line| line.strip_prefix(sign));
            lines.map(|line| format!("{line}\n")).collect()
        };
        let (removed, added) = (side('-'), side('+'));
        assert_eq!(
            code.matches(&removed).count(),
            1,
            "these lines are in the code once:\n{removed}"
        );
        code.replace(&removed, &added)
    }
}
