//! The fuzz targets: properties of the engine that must hold for every input.
//!
//! Each module is a target: `check` takes any bytes and panics if a property is violated, and `seeds` returns the first
//! inputs, including those with which the fuzzer has found faults. The modules do not depend on a fuzzer: libFuzzer
//! runs them through `targets/` (`make fuzz`), and a test of the conformance package checks all seeds.

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
    /// Its name in `targets/`.
    pub name: &'static str,
    /// Panics if the engine handles this input wrongly.
    pub check: fn(&[u8]),
    /// Returns the first inputs.
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

/// Converts literals to seeds.
fn owned(seeds: &[&[u8]]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| seed.to_vec()).collect()
}
