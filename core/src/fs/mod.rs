//! File systems: the [`FileSystem`] trait, the questions to it ([`Ask`]) and its answers ([`Got`]), and paths and
//! metadata. This layer builds on `text`.

mod ask;
mod credentials;
pub(crate) mod entries;
mod error;
mod file_system;
mod meta;
mod opened;
mod path;

pub use ask::{ArchiveFormat, ArchiveRequest, Ask, CgiScript, Create, Got};
pub use credentials::Credentials;
pub use entries::{Entries, Entry};
pub use error::FsError;
pub use file_system::{FileSystem, Waiter};
pub use meta::{FileVersion, Meta};
pub use opened::Opened;
pub use path::{Path, percent_decode};
