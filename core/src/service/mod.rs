//! The services: handlers that serve files, listings and archives, store uploads, run scripts and ask for passwords. This is the
//! highest floor: it uses the engine as any other handler could.

pub mod archive;
pub(crate) mod cgi;
mod condition;
mod cors;
mod etag;
pub(crate) mod files;
mod guard;
pub(crate) mod hosts;
pub mod listing;
mod reply_fields;
mod upload;

pub use cgi::{Cgi, CgiSettings};
pub use files::{ChooseArchive, FileSettings, Files, GuessType, TranslatePath};
pub use guard::Guard;
pub use hosts::{HostNames, Hosts};
pub use upload::Upload;
