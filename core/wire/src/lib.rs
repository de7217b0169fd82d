//! A strict parser for HTTP/1.1 messages, without I/O: heads of requests and responses, and where their content ends.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

mod authority;
mod body;
mod encode;
mod fields;
mod internal_redirect;
mod latin1;
mod limits;
mod name_bloom;
mod parse_error;
mod request_head;
mod request_line;
mod response_head;
mod search;
pub mod syntax;
mod target;
#[cfg(feature = "http")]
mod to_http;

pub use body::{Body, Piece};
pub use encode::{EncodeError, HeadEncoder, encode_chunk, encode_chunk_size, encode_last_chunk};
pub use fields::Fields;
pub use limits::Limits;
pub use name_bloom::NameBloom;
pub use parse_error::ParseError;
pub use request_head::RequestHead;
pub use request_line::Version;
pub use response_head::ResponseHead;
