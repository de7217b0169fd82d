//! The services: handlers for files, listings, archives, uploads, CGI scripts, passwords and virtual hosts. This is the
//! highest layer: it uses the engine as any other handler could.

pub mod archive;
pub(crate) mod cgi;
pub(crate) mod coding;
mod condition;
mod cors;
pub mod disposition;
mod etag;
pub(crate) mod files;
mod guard;
pub(crate) mod hosts;
pub mod listing;
mod proxies;
mod reply_fields;
mod upload;

pub use cgi::{Cgi, CgiSettings};
pub use disposition::SendDisposition;
pub use files::{ChooseArchive, FileSettings, Files, GuessType, ShowReadme, TranslatePath};
pub use guard::{Guard, RightsOf};
pub use hosts::{HostNames, Hosts};
pub use proxies::{ProxyError, TrustedProxies};
pub use upload::{ResumableUploads, Upload};
