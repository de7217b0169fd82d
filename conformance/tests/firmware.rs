//! The list on the firmware, in a machine of QEMU.

#![cfg(unix)]

mod machine;
mod tools;

use std::env;
use std::io;

use machine::Machine;
use sanserve_conformance::{Case, Peer, Suite, case, divergence, peers};

/// Over a serial line. Another one tells what that cannot: that a connection begins, and where it ends.
#[test]
fn conforms_over_a_serial_line() {
    let Some(image) = machine::build("serial-list") else {
        return;
    };
    let machine = Machine::start(&image, &[]).expect("QEMU starts");
    conform("firmware, UART", &machine, || {
        let (read, write) = machine.wire();
        Ok(Peer::new(read, write))
    });
}

/// Over Ethernet, through QEMU's own network, which has the machine's port at one of the host.
#[test]
fn conforms_over_ethernet() {
    let Some(image) = machine::build("ethernet-list") else {
        return;
    };
    let (machine, address) = Machine::start_with_network(&image).expect("QEMU starts");
    conform("firmware, Ethernet", &machine, || {
        machine.ready();
        Peer::connect(address)
    });
}

/// Runs the cases whose requests the machine can hold, and says which it cannot.
fn conform(name: &str, machine: &Machine, mut connect: impl FnMut() -> io::Result<Peer>) {
    let fits = |case: &Case| case.request.len() <= REQUEST_MAX;
    let (cases, large): (Vec<_>, Vec<_>) = case::all().into_iter().partition(fits);
    let mut divergences = divergence::all();
    divergences.retain(|ours| cases.iter().any(|case| case.name == ours.case));
    let mut suite = Suite::new(cases, divergences);
    if let Ok(part) = env::var("CASE") {
        suite = suite.only(&part);
    }
    let converse = peers(|case| {
        machine.begin(case)?;
        Ok((connect()?, || machine.end().0))
    });
    let report = suite.check(name, converse);
    assert!(report.is_good(), "\n{report}");
    let large: Vec<_> = large.into_iter().map(|case| case.name).collect();
    println!(
        "{report}; {} need more memory than the machine's 64 KiB: {}",
        large.len(),
        large.join(", ")
    );
}

/// Who is refused a line that long is told so, with the line, in the log and on a page: that is in memory
/// several times. Most that are longer are about a limit of 64 KiB.
const REQUEST_MAX: usize = 8_000;
