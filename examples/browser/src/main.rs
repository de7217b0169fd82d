//! Builds the folder for a web server: the page, and the engine for its Service Worker.
//!
//! ```text
//! sanserve-browser FOLDER [FEATURES]
//! ```
//!
//! wasm-bindgen is used as a library, so no tool has to be installed, and its version always matches the worker's.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let folder = PathBuf::from(
        arguments
            .next()
            .ok_or("sanserve-browser FOLDER [FEATURES]")?,
    );
    let features = arguments.next().unwrap_or_default();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(here.join("page"))? {
        let entry = entry?;
        fs::copy(entry.path(), folder.join(entry.file_name()))?;
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| here.join("target"), PathBuf::from);
    let built = Command::new(env!("CARGO"))
        .current_dir(here)
        .env("CARGO_TARGET_DIR", &target)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--package",
            "sanserve-worker",
        ])
        .args(["--target", "wasm32-unknown-unknown", "--profile", "worker"])
        .arg("--features")
        .arg(features)
        .status()?;
    if !built.success() {
        return Err("cargo cannot build the worker".into());
    }
    Bindgen::new()
        .input_path(target.join("wasm32-unknown-unknown/worker/sanserve_worker.wasm"))
        .out_name("sanserve")
        .no_modules(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(&folder)?;
    let engine = fs::read(folder.join("sanserve_bg.wasm"))?;
    seal(&folder.join("worker.js"), &engine)?;
    let size = engine.len();
    println!("{}: a page and an engine of {size} bytes", folder.display());
    Ok(())
}

/// Writes the SHA-256 of the engine into the worker, so that it runs no other engine.
fn seal(worker: &Path, engine: &[u8]) -> Result<(), Box<dyn Error>> {
    const PLACEHOLDER: &str = "const ENGINE_SHA256 = \"\";";
    let script = fs::read_to_string(worker)?;
    if script.matches(PLACEHOLDER).count() != 1 {
        return Err(format!("{} has no placeholder for the SHA-256", worker.display()).into());
    }
    let hex: Vec<_> = Sha256::digest(engine)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let sealed = format!("const ENGINE_SHA256 = \"{}\";", hex.concat());
    fs::write(worker, script.replace(PLACEHOLDER, &sealed))?;
    Ok(())
}
