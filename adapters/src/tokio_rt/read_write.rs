//! [`ReadWrite`]: the trait of streams that can be served.

use tokio::io::{AsyncRead, AsyncWrite};

/// A stream that can be served.
pub(super) trait ReadWrite: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ReadWrite for S {}
