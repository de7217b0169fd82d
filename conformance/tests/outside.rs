//! Tests the code of `docs/porting.md` and `docs/simulation.md` in a package outside the workspace that depends on the
//! packaged crates: the ports pass the list, the simulation passes, and each change that, according to the guide, makes
//! the list fail does so, with the message that the guide shows.

#![cfg(unix)]

mod outside {
    pub(crate) mod package;
    pub(crate) mod page;
}
mod tools;

use outside::package::Package;
use outside::page::{Block, Page};
use sanserve_conformance::Suite;

/// Returns each change of the loop that the guide tells the reader to make, with the message that the guide shows.
fn changes(porting: &Page) -> Vec<(&Block, &Block)> {
    let blocks = porting.blocks("See it fail");
    let changes: Vec<_> = blocks
        .chunks(2)
        .map(|pair| match pair {
            [change, message] if change.kind == "diff" && message.kind == "text,report" => {
                (*change, *message)
            }
            _ => panic!("a change is followed by its message: {pair:?}"),
        })
        .collect();
    assert_eq!(changes.len(), 3);
    changes
}

/// The `Server` of the guide, which its reader already has.
const SERVER: &str = r#"
struct Server(sanserve_server::ThreadingHTTPServer);

impl Server {
    fn bind(address: &str) -> std::io::Result<Self> {
        Ok(Self(sanserve_server::ThreadingHTTPServer::bind(address)?))
    }

    fn address(&self) -> std::net::SocketAddr {
        self.0.server_address()
    }

    fn serve<H: sanserve_core::Handler + Send + 'static>(
        self,
        files: sanserve_server::Disk,
        config: sanserve_core::Config,
        handler: impl Fn() -> H + Send + Sync + 'static,
        log: impl Fn(&str) + Send + Sync + 'static,
    ) {
        let _ = self.0.with_log(log).serve_forever(files, config, handler);
    }
}
"#;

#[test]
fn the_packaged_crates_test_a_port_outside_the_workspace() {
    let (porting, simulation) = (
        Page::read("docs/porting.md"),
        Page::read("docs/simulation.md"),
    );
    let list = "The conformance list on your port";
    let port = &porting.block("The loop", "rust").text;
    let server = porting.block(list, "rust,no_run").code();
    let handler = &simulation.block("Simulate your handler", "rust").text;
    let changes = changes(&porting);

    let mut package = Package::new(porting.block(list, "toml"));
    package.add_program("port", port);
    package.add_test("server", &[SERVER, &server].concat());
    package.add_test("handler", handler);
    for (at, (change, _)) in changes.iter().enumerate() {
        package.add_program(&format!("change{at}"), &change.apply_to(port));
    }
    package.build();
    the_loop_passes(&package);
    the_server_passes_the_list(&package);
    the_handler_is_simulated(&package);
    for (at, (change, message)) in changes.into_iter().enumerate() {
        the_list_fails_as_the_guide_shows(&package, &format!("change{at}"), change, message);
    }
}

fn the_loop_passes(package: &Package) {
    let ran = package.run("port", &[]);
    assert!(ran.passed, "{}", ran.output);
    println!("{}", ran.line("mine: "));
}

fn the_server_passes_the_list(package: &Package) {
    let ran = package.run("server", &[]);
    assert!(ran.passed, "{}", ran.output);
    let cases = Suite::standard().cases().len();
    let line = ran.line("mine: ");
    assert!(line.contains(&format!(" of {cases} cases apply")), "{line}");
    assert!(
        line.ends_with("left out: 4 stopping the server, 16 upgrades"),
        "{line}"
    );
    println!("{line}");
}

fn the_handler_is_simulated(package: &Package) {
    let ran = package.run("handler", &[("SEEDS", "2000")]);
    assert!(ran.passed, "{}", ran.output);
    println!("{}", ran.line("2000 "));
}

fn the_list_fails_as_the_guide_shows(
    package: &Package,
    name: &str,
    change: &Block,
    message: &Block,
) {
    let ran = package.run(name, &[("CASE", "ranges/")]);
    let (change, message, output) = (&change.text, &message.text, &ran.output);
    assert!(!ran.passed, "the list passes with this change:\n{change}");
    let (_, report) = output.split_once("panicked at ").expect("a panic");
    let mut printed = report.lines().skip(1).filter(|line| !line.is_empty());
    for shown in message.lines() {
        let printed = printed.next().unwrap_or_default();
        assert!(
            is_shown_as(printed, shown),
            "{change}\nThe guide shows {shown:?}, and the list prints {printed:?}:\n{output}"
        );
    }
}

/// Returns whether a page shows a line as `shown`, where `…` is any text.
fn is_shown_as(printed: &str, shown: &str) -> bool {
    match shown.split_once('…') {
        Some((start, end)) => printed.starts_with(start) && printed.ends_with(end),
        None => printed == shown,
    }
}
