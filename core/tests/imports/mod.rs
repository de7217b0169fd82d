//! [`Imports`]: reads the imports between the source files of a crate from their text, and finds cycles among them.
//!
//! A path that begins with `crate`, `super` or `self` is followed to the file that defines its name, through the `use`
//! lines of the files in between. Unit tests at the end of a file, and imports for documentation alone (`#[cfg(doc)]`),
//! are ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The path of a module below its crate, such as `["service", "files"]`.
pub(crate) type Module = Vec<String>;

/// The modules of a crate that are files.
pub(crate) struct Imports(BTreeMap<Module, Source>);

/// The imports of a file.
#[derive(Default)]
struct Source {
    /// Its paths, from the root of the crate.
    paths: BTreeSet<Module>,
    /// The names that it imports, and their paths.
    names: BTreeMap<String, Module>,
}

impl Imports {
    /// Reads all files below `src`.
    pub(crate) fn read(src: &Path) -> Imports {
        let mut files = BTreeMap::new();
        find_files(src, &mut Vec::new(), &mut files);
        assert!(files.len() > 5, "{} has sources", src.display());
        let modules: BTreeSet<Module> = files.keys().cloned().collect();
        let sources = files.into_iter().map(|(module, file)| {
            let text = fs::read_to_string(&file).expect("a source can be read");
            let source = Source::parse(&text, &module, &modules);
            (module, source)
        });
        Imports(sources.collect())
    }

    /// Returns each pair of modules of which the first imports from the second.
    pub(crate) fn edges(&self) -> BTreeSet<(Module, Module)> {
        let mut edges = BTreeSet::new();
        for (module, source) in &self.0 {
            let targets = source.paths.iter().map(|path| self.resolve(path, 0));
            edges.extend(targets.map(|target| (module.clone(), target)));
        }
        edges.retain(|(from, to)| from != to);
        edges
    }

    /// Returns the cycles among the parts of each folder, one per line. The parts of a folder are its files and the
    /// folders in it, except the file of the folder itself (`mod.rs`), since its parts are pieces of it.
    pub(crate) fn cycles(&self) -> Vec<String> {
        let mut folders: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for (from, to) in self.edges() {
            let common = from.iter().zip(&to).take_while(|(one, other)| one == other);
            let common = common.count();
            if let (Some(one), Some(other)) = (from.get(common), to.get(common)) {
                let parts = folders.entry(from[..common].to_vec()).or_default();
                parts.entry(one.clone()).or_default().insert(other.clone());
            }
        }
        let mut cycles = BTreeSet::new();
        for (folder, parts) in &folders {
            for part in parts.keys() {
                let reached = reached(parts, part);
                if reached.contains(part) {
                    let with = parts.keys().filter(|other| reached.contains(*other));
                    let with = with.filter(|other| self::reached(parts, other).contains(part));
                    let with: Vec<_> = with.map(String::as_str).collect();
                    cycles.insert(format!("{}: {}", folder.join("/"), with.join(", ")));
                }
            }
        }
        cycles.into_iter().collect()
    }

    /// Follows a path to the module that defines its name.
    fn resolve(&self, path: &[String], depth: usize) -> Module {
        let mut module = Module::new();
        for (at, name) in path.iter().enumerate() {
            module.push(name.clone());
            if self.0.contains_key(&module) {
                continue;
            }
            module.pop();
            let imported = self.0[&module].names.get(name);
            return match imported.filter(|imported| depth < 8 && *imported != path) {
                Some(imported) => {
                    let further = [imported, &path[at + 1..]].concat();
                    self.resolve(&further, depth + 1)
                }
                None => module,
            };
        }
        module
    }
}

impl Source {
    fn parse(text: &str, module: &Module, modules: &BTreeSet<Module>) -> Source {
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let lines = code
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default());
        let code = lines.collect::<Vec<_>>().join(" ");
        let mut pieces = code.split("#[cfg(doc)]");
        let first = pieces.next().unwrap_or_default();
        let others = pieces.map(|piece| piece.split_once(';').map_or("", |(_, code)| code));
        let code: String = [first].into_iter().chain(others).collect();
        let mut source = Source::default();
        for (at, _) in code.match_indices("::") {
            let start = code[..at].rfind(|char| !is_name(char));
            let start = start.map_or(0, |before| before + 1);
            if code[..start].ends_with("::") {
                continue;
            }
            let before = code[..start].trim_end();
            let is_use = before.ends_with("use") && before.len() < start;
            let root = match &code[start..at] {
                "crate" => Module::new(),
                "self" => module.clone(),
                "super" => module[..module.len().saturating_sub(1)].to_vec(),
                name if is_use => [module.as_slice(), &[name.into()]].concat(),
                _ => continue,
            };
            if is_use && !modules.contains(&root) {
                continue;
            }
            source.read_tree(&code[at + 2..], &root, is_use);
        }
        source
    }

    /// Reads names, or a tree of them in braces, after `::`. Returns the rest.
    fn read_tree<'a>(&mut self, code: &'a str, root: &[String], is_use: bool) -> &'a str {
        let code = code.trim_start();
        if let Some(mut rest) = code.strip_prefix('{') {
            loop {
                rest = rest.trim_start().trim_start_matches(',').trim_start();
                match rest.strip_prefix('}') {
                    Some(rest) => return rest,
                    None if rest.is_empty() => return rest,
                    None => rest = self.read_tree(rest, root, is_use),
                }
            }
        }
        let end = code.find(|char| !is_name(char)).unwrap_or(code.len());
        let (name, rest) = code.split_at(end);
        let path = match name {
            "super" => root[..root.len().saturating_sub(1)].to_vec(),
            "" | "self" => root.to_vec(),
            _ => [root, &[name.into()]].concat(),
        };
        if let Some(rest) = rest.strip_prefix("::") {
            return self.read_tree(rest, &path, is_use);
        }
        let (alias, rest) = match rest.strip_prefix(" as ") {
            Some(rest) => rest.split_at(rest.find(|char| !is_name(char)).unwrap_or(rest.len())),
            None => (path.last().map_or("", String::as_str), rest),
        };
        if is_use {
            self.names.insert(alias.into(), path.clone());
        }
        self.paths.insert(path.clone());
        match name {
            // Anything else, such as `*`: the next name begins after a comma or brace.
            "" => rest.get(1..).unwrap_or_default(),
            _ => rest,
        }
    }
}

/// Returns everything that can be reached from a part.
fn reached(parts: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let (mut reached, mut ahead) = (BTreeSet::new(), vec![from]);
    while let Some(part) = ahead.pop() {
        for next in parts.get(part).into_iter().flatten() {
            if reached.insert(next.clone()) {
                ahead.push(next);
            }
        }
    }
    reached
}

/// Finds the files of a folder and names their modules. `lib.rs` and `mod.rs` belong to the folder itself.
fn find_files(folder: &Path, module: &mut Module, files: &mut BTreeMap<Module, PathBuf>) {
    for entry in fs::read_dir(folder).expect("it is a folder") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_stem().and_then(|name| name.to_str());
        module.push(name.expect("names are UTF-8").into());
        if path.is_dir() {
            find_files(&path, module, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let is_folder = ["lib", "mod"].contains(&&*module[module.len() - 1]);
            let len = module.len() - usize::from(is_folder);
            files.insert(module[..len].to_vec(), path);
        }
        module.pop();
    }
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}
