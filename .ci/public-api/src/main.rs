//! Checks and renews the lists of the public API: `public-api.txt`, beside the `Cargo.toml` of each published library,
//! has one public item per line.
//!
//! `check` fails if a list is out of date and prints what changed; `renew` writes the lists. They have the items of all
//! features, on the target where this runs. Derived and automatic implementations are left out; `make semver` finds one
//! that was lost.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use public_api::Builder;

/// The packages with a library and the folders of their manifests.
const LIBRARIES: [(&str, &str); 4] = [
    ("sanserve-wire", "core/wire"),
    ("sanserve-core", "core"),
    ("sanserve-server", "adapters"),
    ("sanserve-conformance", "conformance"),
];

/// The compiler whose rustdoc produces the lists: another one formats some items differently.
const TOOLCHAIN: &str = "1.95.0";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let renew = match env::args().nth(1).as_deref() {
        Some("check") => false,
        Some("renew") => true,
        _ => return Err("expected check or renew".into()),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()?;
    let target = root.join("target/api");
    let target = env::var_os("CARGO_TARGET_DIR").map_or(target, Into::into);
    let mut code = ExitCode::SUCCESS;
    for (package, folder) in LIBRARIES {
        let list = list(package, &root, &target)?;
        let path = root.join(folder).join("public-api.txt");
        if renew {
            fs::write(path, list)?;
            continue;
        }
        let made = target.join(package).with_extension("txt");
        fs::write(&made, list)?;
        let mut diff = Command::new("diff");
        diff.args(["--unified=0", "--new-file"]);
        if !diff.arg(&path).arg(&made).status()?.success() {
            eprintln!(
                "{folder}/public-api.txt is out of date: if the change is meant, run make api-renew"
            );
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// Returns the list of a package.
fn list(package: &str, root: &Path, target: &Path) -> Result<String, Box<dyn Error>> {
    let mut cargo = Command::new("cargo");
    let version = Command::new("rustc").arg("--version").output()?.stdout;
    if !String::from_utf8_lossy(&version).starts_with(&format!("rustc {TOOLCHAIN} ")) {
        cargo.arg(format!("+{TOOLCHAIN}"));
    }
    cargo.args([
        "rustdoc",
        "--quiet",
        "--locked",
        "--lib",
        "--all-features",
        "--package",
        package,
    ]);
    cargo.args(["--", "-Z", "unstable-options", "--output-format", "json"]);
    // The format is unstable: only a nightly compiler has it without this.
    cargo
        .current_dir(root)
        .env("CARGO_TARGET_DIR", target)
        .env("RUSTC_BOOTSTRAP", "1");
    if !cargo.status()?.success() {
        return Err(format!("rustdoc failed for {package}").into());
    }
    let json = target
        .join("doc")
        .join(package.replace('-', "_"))
        .with_extension("json");
    let api = Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    Ok(api.items().map(|item| format!("{item}\n")).collect())
}
