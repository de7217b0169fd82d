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
#[cfg(feature = "gzip")]
pub(crate) mod piece_cache;
mod rights;
mod unfinished_upload;
mod upload_state;

pub use ask::{ArchiveFormat, ArchiveRequest, Ask, CgiScript, Change, Create, Got, UploadRequest};
pub use credentials::Credentials;
pub use entries::{Entries, Entry};
pub use error::FsError;
pub use file_system::{FileSystem, Waiter};
pub use meta::{FileVersion, Meta};
pub use opened::Opened;
pub use path::{Path, percent_decode};
pub use rights::{Right, Rights, Who};
pub use unfinished_upload::{UnfinishedUpload, UploadOwner};
pub use upload_state::{UploadState, UploadToken};
