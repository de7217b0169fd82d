//! Compiles the C example's loop and its files.

fn main() {
    let example = "../../examples/c";
    println!("cargo::rerun-if-changed={example}");
    println!("cargo::rerun-if-changed=../../adapters/c/include");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    cc::Build::new()
        .files(["server.c", "files.c"].map(|file| format!("{example}/{file}")))
        .includes([example, "../../adapters/c/include"])
        .std("gnu11")
        .warnings_into_errors(true)
        .compile("sanserve_c_example");
}
