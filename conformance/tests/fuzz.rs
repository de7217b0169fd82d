//! Runs the fuzz targets on their seeds, without a fuzzer. With `CORPUS=DIR` the seeds are also written to that folder,
//! for `make fuzz`.

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is also a crate")]
mod fuzz;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[test]
fn all_seeds_pass() {
    let mut wrong = Vec::new();
    for target in &fuzz::TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for (at, seed) in seeds.iter().enumerate() {
            if catch_unwind(|| (target.check)(seed)).is_err() {
                wrong.push(format!("{} {at}: {}", target.name, seed.escape_ascii()));
            }
        }
        if let Ok(folder) = std::env::var("CORPUS") {
            write(&Path::new(&folder).join(target.name), &seeds);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn write(folder: &Path, seeds: &[Vec<u8>]) {
    fs::create_dir_all(folder).expect("CORPUS can be written");
    for (at, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{at}")), seed).expect("CORPUS can be written");
    }
}
