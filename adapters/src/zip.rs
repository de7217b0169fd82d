//! [`ZipFiles`]: a file system that reads the files of a zip archive in place, without unpacking it.

mod code_page_437;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod files;
mod index;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod inflater;

#[cfg(all(feature = "std", not(target_os = "wasi")))]
pub use files::{ZipFile, ZipFiles};
pub use index::{LOCAL_HEADER_LEN, ZipEntry, ZipIndex, ZipNode};
