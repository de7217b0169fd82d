//! What must be true of the engine for every input.
//!
//! Each module is one target: `check` takes any bytes and panics if something is not as it must
//! be, `seeds` are inputs to begin with, and what the fuzzer has found is among them for good. The
//! modules know no fuzzer. libFuzzer runs them through `targets/` (`make fuzz`), and a test of the
//! conformance package checks all seeds wherever the tests run.

pub mod body;
pub mod connection;
pub mod date;
pub mod form;
pub mod head;
pub mod path;
pub mod range;
pub mod response;

/// A target.
pub struct Target {
    /// What it is called in `targets/`.
    pub name: &'static str,
    /// Panics if the engine is wrong about this input.
    pub check: fn(&[u8]),
    /// Where to begin.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: [Target; 8] = [
    Target {
        name: "head",
        check: head::check,
        seeds: head::seeds,
    },
    Target {
        name: "response",
        check: response::check,
        seeds: response::seeds,
    },
    Target {
        name: "body",
        check: body::check,
        seeds: body::seeds,
    },
    Target {
        name: "form",
        check: form::check,
        seeds: form::seeds,
    },
    Target {
        name: "path",
        check: path::check,
        seeds: path::seeds,
    },
    Target {
        name: "date",
        check: date::check,
        seeds: date::seeds,
    },
    Target {
        name: "range",
        check: range::check,
        seeds: range::seeds,
    },
    Target {
        name: "connection",
        check: connection::check,
        seeds: connection::seeds,
    },
];

/// Literals as seeds.
fn owned(seeds: &[&[u8]]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| seed.to_vec()).collect()
}
