//! The recording of `--record`: creates it, and writes the options on which replies depend.

use std::time::Duration;

use sanserve_core::Rights;
use sanserve_server::{Recorder, RecorderSettings};

use super::banner::Granted;
use super::failure::Failure;
use super::handlers::ServerInfo;
use super::media_types::MediaTypes;
use super::options::Options;
use super::output::warn;
use super::settings;

/// Creates the recording, if the options ask for one.
pub(super) fn create(options: &Options) -> Result<Option<Recorder>, Failure> {
    let Some(path) = &options.record else {
        return Ok(None);
    };
    let mut settings = RecorderSettings::default();
    settings.content = options.record_content;
    settings.max_bytes = options.record_limit.unwrap_or(settings.max_bytes);
    settings.secret_names = options.record_secrets.clone();
    let recorder = Recorder::create(path, settings).map_err(|error| {
        let path = path.display();
        Failure::Usage(format!(
            "cannot create {path} for --record: {error}; name a file that does not exist"
        ))
    })?;
    Ok(Some(recorder))
}

/// Notes the options from which `sanserve-replay` makes the same handlers.
pub(super) fn note_options(
    recorder: &Recorder,
    options: &Options,
    server: &ServerInfo,
    granted: Granted,
) {
    let flags = [
        ("plain", options.plain),
        ("hidden", options.hidden),
        ("precompressed", options.precompressed),
        ("compress", options.compress),
        ("readme", options.readme),
        ("archive", options.archive),
        ("clean-urls", options.clean_urls),
        ("upload", options.upload),
        ("cgi", options.runs_scripts()),
        ("auth", options.is_guarded()),
        ("https", server.https),
        #[cfg(unix)]
        ("overwrite", options.overwrite),
        #[cfg(unix)]
        ("delete", options.delete),
        #[cfg(unix)]
        (
            "loopback-only",
            server.loopback_only && options.hosts.is_empty(),
        ),
    ];
    for (name, _) in flags.iter().filter(|(_, is_set)| *is_set) {
        recorder.note(name, "yes");
    }
    let values = [
        ("charset", options.charset()),
        ("cache-control", options.cache_control.as_deref()),
        ("cors", options.cors.as_deref()),
        ("prefix", options.prefix.as_deref()),
        ("spa", options.spa.as_deref()),
        ("not-found", options.not_found.as_deref()),
        ("content-type", Some(&*options.content_type)),
    ];
    for (name, value) in values {
        if let Some(value) = value {
            recorder.note(name, value);
        }
    }
    if options.has_rights() {
        let users = granted.users.unwrap_or(Rights::NONE);
        recorder.note("rights-of-everybody", &granted.everybody.to_string());
        recorder.note("rights-of-users", &users.to_string());
    }
    for (name, value) in settings::headers(options) {
        recorder.note("header", &format!("{name}: {value}"));
    }
    if !options.plain {
        for (name, value) in settings::error_headers(options) {
            recorder.note("error-header", &format!("{name}: {value}"));
        }
    }
    if let Some(file) = &options.file {
        recorder.note("single-file", &file.to_string_lossy());
    }
    for (extension, name) in options.mime_types.iter().flat_map(MediaTypes::sorted) {
        recorder.note("media-type", &format!("{extension} {name}"));
    }
    for host in &options.hosts {
        recorder.note("host", host);
    }
    for directory in &options.cgi_directories {
        recorder.note("cgi-dir", directory);
    }
}

/// Ends the recording before the process ends, and says what is missing in it.
pub(super) fn close(recorder: &Recorder) {
    recorder.close(CLOSE_WAIT);
    let dropped = recorder.dropped();
    if dropped > 0 {
        warn(&format!(
            "{dropped} events were not recorded, because the file could not be written in time or is full"
        ));
    }
}

/// How long the end of the process waits for the recording to be written.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
