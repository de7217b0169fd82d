//! The engine of sanserve for Python: the extension module `sanserve._engine`.
//!
//! [`Connection`] runs the engine for one connection. Its handler, [`relay`], passes requests to Python, or answers
//! them with the file service if the [`Settings`] have one. Bytes are moved by [`transport`]: over a socket, without the
//! GIL, or over a buffer, for TLS and asyncio. The packages in `python/sanserve` build Python's interfaces on top.

#[cfg(feature = "conformance")]
mod conformance;
mod connection;
mod log;
mod relay;
mod request;
mod settings;
#[cfg(unix)]
mod socket;
mod transport;

use pyo3::prelude::*;

/// Everything that Python sees of this crate. The module does not rely on the GIL for its safety.
#[pymodule(gil_used = false)]
mod _engine {
    #[cfg(feature = "conformance")]
    #[pymodule_export]
    use super::conformance::case_settings;
    #[pymodule_export]
    use super::connection::Connection;
    #[pymodule_export]
    use super::request::Request;
    #[pymodule_export]
    use super::settings::Settings;

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        use super::connection::Event;
        module.add("CLOSED", Event::Closed as u8)?;
        module.add("REQUEST", Event::Request as u8)?;
        module.add("READY", Event::Ready as u8)?;
        module.add("WANTS_INPUT", Event::WantsInput as u8)?;
        module.add("HAS_OUTPUT", Event::HasOutput as u8)?;
        module.add("LOG", Event::Log as u8)?;
        module.add("REFUSED", Event::Refused as u8)?;
        module.add("UPGRADED", Event::Upgraded as u8)?;
        module.add("SHUTDOWN", Event::Shutdown as u8)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
