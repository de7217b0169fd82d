//! The services: handlers for files, listings, archives, uploads, CGI scripts, passwords and virtual hosts. This is the
//! highest layer: it uses the engine as any other handler could.

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
