//! [`Inflater`]: reads a deflated file from any offset. Deflated bytes can only be inflated from their start, so it keeps
//! [`Checkpoints`], from which it continues.

use std::sync::Mutex;

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};
use sanserve_core::FsError;

use crate::lock::lock;

/// The state of inflating a file, after some of its bytes.
#[derive(Clone)]
pub(super) struct Inflater {
    state: Box<InflateState>,
    /// The number of inflated bytes so far.
    at: u64,
    /// The number of deflated bytes that were read for them.
    deflated_at: u64,
    /// The CRC-32 of the inflated bytes.
    crc32: crc32fast::Hasher,
}

impl Inflater {
    /// Begins at the start of a file.
    pub(super) fn new() -> Inflater {
        Inflater {
            state: InflateState::new_boxed(DataFormat::Raw),
            at: 0,
            deflated_at: 0,
            crc32: crc32fast::Hasher::new(),
        }
    }

    /// The offset of the next byte.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The CRC-32 of all bytes so far.
    pub(super) fn crc32(&self) -> u32 {
        self.crc32.clone().finalize()
    }

    /// Inflates the next bytes. `read` reads deflated bytes from an offset. Returns 0 at the end of the deflated bytes.
    ///
    /// # Errors
    /// Returns the errors of `read`, and `Io` if the bytes are damaged.
    pub(super) fn next(
        &mut self,
        into: &mut [u8],
        read: impl Fn(u64, &mut [u8]) -> Result<usize, FsError>,
    ) -> Result<usize, FsError> {
        let mut deflated = [0; DEFLATED_LEN];
        loop {
            let n = read(self.deflated_at, &mut deflated)?;
            let result = inflate(&mut self.state, &deflated[..n], into, MZFlush::None);
            self.deflated_at += result.bytes_consumed as u64;
            let written = result.bytes_written;
            if written > 0 {
                self.at += written as u64;
                self.crc32.update(&into[..written]);
                return Ok(written);
            }
            match result.status {
                Ok(MZStatus::StreamEnd) => return Ok(0),
                // More deflated bytes are needed.
                Ok(_) if result.bytes_consumed > 0 => {}
                _ => return Err(FsError::Io),
            }
        }
    }
}

/// States of a file at regular offsets, which all its readers share.
pub(super) struct Checkpoints {
    /// The number of bytes between two of them.
    interval: u64,
    /// One for each multiple of the interval, beginning with one interval.
    states: Mutex<Vec<Inflater>>,
}

impl Checkpoints {
    /// Prepares for a file of this many bytes.
    pub(super) fn new(len: u64) -> Checkpoints {
        Checkpoints {
            interval: (len / CHECKPOINTS_MAX).max(INTERVAL_MIN),
            states: Mutex::default(),
        }
    }

    /// Returns the last state that is not after `at`.
    pub(super) fn before(&self, at: u64) -> Inflater {
        let states = lock(&self.states);
        let after = states.partition_point(|state| state.at <= at);
        match after {
            0 => Inflater::new(),
            after => states[after - 1].clone(),
        }
    }

    /// Keeps a state if it is the first one in its interval.
    pub(super) fn offer(&self, state: &Inflater) {
        let index = (state.at / self.interval) as usize;
        let mut states = lock(&self.states);
        // Without the one before it, this one would be in the wrong place.
        if index == states.len() + 1 {
            states.push(state.clone());
        }
    }
}

/// The number of deflated bytes that are read at a time.
const DEFLATED_LEN: usize = 16 * 1024;

/// The maximum number of checkpoints of a file. Each takes about 43 KiB.
const CHECKPOINTS_MAX: u64 = 64;

/// The minimum number of bytes between two checkpoints.
const INTERVAL_MIN: u64 = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_kept_for_each_interval() {
        let content: Vec<u8> = (0..INTERVAL_MIN as u32 * 3)
            .map(|at| (at >> 5) as u8)
            .collect();
        let deflated = miniz_oxide::deflate::compress_to_vec(&content, 1);
        let read = |at: u64, into: &mut [u8]| {
            let rest = &deflated[at as usize..];
            let n = rest.len().min(into.len());
            into[..n].copy_from_slice(&rest[..n]);
            Ok(n)
        };
        let checkpoints = Checkpoints::new(content.len() as u64);
        let mut inflater = checkpoints.before(content.len() as u64);
        assert_eq!(inflater.at(), 0);
        let mut buffer = vec![0; 64 * 1024];
        while inflater.next(&mut buffer, read).expect("it is not damaged") > 0 {
            checkpoints.offer(&inflater);
        }
        for at in [
            0,
            1,
            INTERVAL_MIN,
            INTERVAL_MIN * 2 + 1,
            INTERVAL_MIN * 3 - 1,
        ] {
            let mut kept = checkpoints.before(at);
            let skipped = at - kept.at();
            // States are kept at the end of a read.
            assert!(
                skipped < INTERVAL_MIN + buffer.len() as u64,
                "{skipped} bytes"
            );
            let from = kept.at() as usize;
            let n = kept.next(&mut buffer, read).expect("it is not damaged");
            assert!(buffer[..n] == content[from..from + n]);
        }
    }
}
