//! Embeds the folder `site` in the images (with the feature `conformance`, also the files of the conformance
//! cases and the server settings that they need), and gives the linker the memory layout of the
//! machine that they are built for.

use std::{env, fs, io, path::Path};

fn main() -> io::Result<()> {
    let memory = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("arm") => "lm3s6965.x",
        _ => "virt.x",
    };
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={memory}");
    println!("cargo::rerun-if-changed=site");
    let out = env::var_os("OUT_DIR").expect("Cargo sets it");
    let out = Path::new(&out);
    println!("cargo::rustc-link-search={}", out.display());
    // Link identical functions once, and merge strings that are suffixes of others.
    println!("cargo::rustc-link-arg-bins=--icf=all");
    println!("cargo::rustc-link-arg-bins=-O2");
    fs::copy(memory, out.join("memory.x"))?;
    fs::write(out.join("site.rs"), sanserve_server::Flash::source("site")?)?;
    #[cfg(feature = "conformance")]
    write_list(out)?;
    Ok(())
}

/// Writes the files of the conformance list, and the setups of servers that it needs.
#[cfg(feature = "conformance")]
fn write_list(out: &Path) -> io::Result<()> {
    use sanserve_conformance::{Setup, Site, Suite};
    let setup = |Setup { handler, options }| {
        format!(
            "::sanserve_conformance::Setup {{ handler: {handler:?}, options: &{options:?} }},\n"
        )
    };
    let setups: String = Suite::standard().setups().into_iter().map(setup).collect();
    fs::write(out.join("setups.rs"), format!("&[{setups}]"))?;
    fs::write(out.join("tree.rs"), Site::standard().source())
}
