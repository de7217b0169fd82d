//! File systems with faults that can be planted.

pub(crate) mod folder;
pub(crate) mod memory;
