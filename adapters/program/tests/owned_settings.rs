//! Tests that the program owns its settings and does not leak them to make them `'static`: searches its sources for
//! `leak` and `OnceLock`.

use std::fs;
use std::path::Path;

#[test]
fn settings_are_owned_and_not_leaked() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut read = 0;
    for entry in fs::read_dir(&folder).expect("the sources") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a source file");
        for (number, line) in (1..).zip(text.lines()) {
            let leaks = line.contains("leak(") || line.contains("OnceLock");
            assert!(!leaks, "{}:{number}: {line}", path.display());
        }
        read += 1;
    }
    assert!(read > 20, "only {read} files were read");
}
