//! [`ReadWrite`]: the traits that a stream must have to be served, under one name.

use tokio::io::{AsyncRead, AsyncWrite};

/// A stream that can be served.
pub(super) trait ReadWrite: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ReadWrite for S {}
