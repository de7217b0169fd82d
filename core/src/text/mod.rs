//! Text: tables, formats and rules that do not depend on files, connections or requests. The lowest layer of this
//! crate.

pub(crate) mod case_folding;
pub mod date;
pub(crate) mod decimal;
pub(crate) mod escape;
#[cfg(feature = "gzip")]
pub(crate) mod gzip;
pub(crate) mod lowercase;
pub mod mime;
pub(crate) mod natural_order;
pub(crate) mod page_style;
pub(crate) mod qvalue;
pub mod range;
pub mod status;
