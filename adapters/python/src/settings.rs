//! [`Settings`]: the settings of the connections of a server: those of the engine, and the file service.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use sanserve_core::{Cgi, Config, FileSettings, Files, Handler, Path, Protocol, log as formats};
use sanserve_server::Disk;
use sanserve_server::blocking::stderr;

use crate::log;

/// The settings that the connections of a server share.
#[pyclass(frozen, module = "sanserve._engine")]
pub(crate) struct Settings(pub(crate) Arc<Shared>);

/// The settings themselves.
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) service: Option<Service>,
    /// The methods that the service answers without Python.
    pub(crate) service_methods: Vec<String>,
    pub(crate) disk: Option<Disk>,
    /// Writes log lines, unless Python does.
    pub(crate) write_log: Option<fn(&str)>,
    pub(crate) utc_offset: Arc<AtomicI32>,
}

impl Shared {
    /// Returns whether the service answers requests with this method without Python.
    pub(crate) fn serves_alone(&self, command: &str) -> bool {
        match self.service {
            #[cfg(feature = "conformance")]
            Some(Service::Case(_)) => true,
            _ => self.service_methods.iter().any(|method| method == command),
        }
    }
}

/// The service that answers requests without Python.
#[derive(Clone)]
pub(crate) enum Service {
    Files(Files),
    Cgi(Cgi),
    /// The service of a conformance case.
    #[cfg(feature = "conformance")]
    Case(sanserve_conformance::Setup),
}

impl Service {
    pub(crate) fn handler(&self) -> Box<dyn Handler + Send> {
        match self {
            Service::Files(files) => Box::new(files.clone()),
            Service::Cgi(cgi) => Box::new(cgi.clone()),
            #[cfg(feature = "conformance")]
            Service::Case(setup) => setup.handler(),
        }
    }

    /// Returns whether the service would run a script for this path, rather than send a file.
    pub(crate) fn is_script(&self, path: &str) -> bool {
        match self {
            Service::Files(_) => false,
            Service::Cgi(cgi) => Path::parse(path).is_some_and(|path| cgi.is_cgi(&path).is_some()),
            #[cfg(feature = "conformance")]
            Service::Case(_) => false,
        }
    }
}

#[pymethods]
impl Settings {
    #[new]
    #[pyo3(signature = (*, server, keep_alive, timeout=None, minimum_rate=None, logs_to_python=true))]
    fn new(
        server: String,
        keep_alive: bool,
        timeout: Option<f64>,
        minimum_rate: Option<u32>,
        logs_to_python: bool,
    ) -> PyResult<Settings> {
        let utc_offset = Arc::new(AtomicI32::new(0));
        let protocol = if keep_alive {
            Protocol::Http11
        } else {
            Protocol::Http10
        };
        let offset = Arc::clone(&utc_offset);
        let mut config = Config::default()
            .with_protocol(protocol)
            .with_server(server)
            .with_local_offset(move |_| offset.load(Ordering::Relaxed));
        config = match logs_to_python {
            true => config.with_log_format(log::format),
            false => config.with_log_format(formats::python),
        };
        if let Some(seconds) = timeout {
            let timeout = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO);
            let timeouts = config.timeouts;
            config.timeouts = timeouts
                .with_idle(timeout)
                .with_head(timeout)
                .with_grace(timeout);
        }
        if let Some(rate) = minimum_rate {
            config.timeouts.rate = rate;
        }
        Ok(Settings(Arc::new(Shared {
            config: Arc::new(config),
            service: None,
            service_methods: Vec::new(),
            disk: None,
            write_log: (!logs_to_python).then_some(stderr as fn(&str)),
            utc_offset,
        })))
    }

    /// Returns these settings with a service that sends the files of a directory. `guess_type` is called once for each
    /// extension. With `cgi_directories`, the scripts in these directories are run.
    #[pyo3(signature = (
        directory, methods, *, index_pages, guess_type, extra_headers, cgi_directories=None,
        server_name=None, port=0, https=false,
    ))]
    #[allow(
        clippy::too_many_arguments,
        reason = "each is a keyword argument of Python"
    )]
    fn with_files(
        &self,
        py: Python<'_>,
        directory: std::path::PathBuf,
        methods: Vec<String>,
        index_pages: Vec<String>,
        guess_type: Py<PyAny>,
        extra_headers: Vec<(String, String)>,
        cgi_directories: Option<Vec<String>>,
        server_name: Option<String>,
        port: u16,
        https: bool,
    ) -> PyResult<Settings> {
        let disk = py.detach(|| Disk::open(directory));
        let disk = disk.map_err(|error| PyOSError::new_err(error.to_string()))?;
        let mut files = FileSettings::default();
        files.index_pages = index_pages.into_iter().map(Cow::Owned).collect();
        files.absolute_redirects = true;
        files.extra_headers = extra_headers
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let types = TypeCache {
            guess_type,
            known: Mutex::default(),
        };
        files.guess_type = Arc::new(move |name| types.get(name).map(Cow::Owned));
        let files = Files::from(files);
        let service = match cgi_directories {
            None => Service::Files(files),
            Some(directories) => {
                let mut cgi = Cgi::new(server_name.unwrap_or_default(), port);
                cgi.settings_mut().https = https;
                cgi.settings_mut().cgi_directories =
                    directories.into_iter().map(Cow::Owned).collect();
                cgi.files = files;
                Service::Cgi(cgi)
            }
        };
        Ok(Settings(Arc::new(Shared {
            config: Arc::clone(&self.0.config),
            service: Some(service),
            service_methods: methods,
            disk: Some(disk),
            write_log: self.0.write_log,
            utc_offset: Arc::clone(&self.0.utc_offset),
        })))
    }

    /// Sets the offset of local time from UTC in seconds, for log lines that Python does not format.
    fn set_utc_offset(&self, seconds: i32) {
        self.0.utc_offset.store(seconds, Ordering::Relaxed);
    }
}

/// The media types that Python has guessed, by extension.
struct TypeCache {
    guess_type: Py<PyAny>,
    known: Mutex<HashMap<Vec<u8>, Option<String>>>,
}

impl TypeCache {
    fn get(&self, name: &[u8]) -> Option<String> {
        let name = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let dot = name
            .iter()
            .rposition(|byte| *byte == b'.')
            .filter(|at| *at > 0);
        let extension = dot.map_or(&b""[..], |dot| &name[dot..]);
        if let Some(known) = self.known().get(extension) {
            return known.clone();
        }
        let example = format!("file{}", String::from_utf8_lossy(extension));
        let guessed = Python::attach(|py| {
            let guessed = self.guess_type.call1(py, (example,)).ok()?;
            guessed.extract::<String>(py).ok()
        });
        self.known().insert(extension.to_vec(), guessed.clone());
        guessed
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Vec<u8>, Option<String>>> {
        self.known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
