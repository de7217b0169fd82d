//! [`case_settings`]: the settings of a conformance case.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use sanserve_conformance::{Setup, upload_token};
use sanserve_server::Disk;

use crate::settings::{Service, Settings, Shared};

/// Returns the settings of a case. With a `root`, the engine serves it with the handler of the case; otherwise Python
/// answers the requests. Log lines are written to standard error at once.
#[pyfunction]
#[pyo3(signature = (handler, options, root=None))]
pub(crate) fn case_settings(
    handler: String,
    options: Vec<(String, String)>,
    root: Option<PathBuf>,
) -> PyResult<Settings> {
    let options: Vec<_> = options
        .into_iter()
        .map(|(key, value)| (leak(key), leak(value)))
        .collect();
    let setup = Setup {
        handler: leak(handler),
        options: options.leak(),
    };
    let disk = root.map(|root| {
        let disk = Disk::open(root).map_err(|error| PyOSError::new_err(error.to_string()))?;
        let disk = disk.with_portable_names(setup.portable_names());
        let disk = disk.with_upload_tokens(upload_token);
        Ok::<_, PyErr>(disk.with_portable_tags(true))
    });
    Ok(Settings(Arc::new(Shared {
        config: Arc::new(setup.config()),
        service: disk.is_some().then_some(Service::Case(setup)),
        service_methods: Vec::new(),
        disk: disk.transpose()?,
        write_log: Some(write_log),
        utc_offset: Arc::default(),
    })))
}

fn leak(text: String) -> &'static str {
    String::leak(text)
}

fn write_log(lines: &str) {
    // If it fails, the case finds the lines missing.
    let _ = std::io::stderr().write_all(lines.as_bytes());
}
