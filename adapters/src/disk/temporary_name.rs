//! Makes random names for temporary files. Their prefix is reserved, so that no request can reach such a file.

use std::ffi::OsString;

use rustix::io::Errno;
use sanserve_core::Path;

/// Returns an unpredictable name.
pub(super) fn temporary_name() -> Result<OsString, Errno> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| Errno::IO)?;
    let random = u128::from_ne_bytes(random);
    Ok(format!("{}{random:032x}", Path::TEMPORARY_PREFIX).into())
}
