//! The handler of the command `sanserve`, as the notes in a recording describe it: they are its options.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use sanserve_core::archive::Download;
use sanserve_core::{
    Cgi, Config, Credentials, FileSettings, Files, Guard, Handler, Hosts, Path, ResumableUploads,
    Rights, RightsOf, ShowReadme, Upload, Who, disposition, error_page, listing, mime,
};

use super::Recording;

/// Sets what depends on the options.
pub(super) fn config(recording: &Recording, config: Config) -> Config {
    if has(recording, "plain") {
        return config;
    }
    let mount = value(recording, "prefix").unwrap_or_default();
    config
        .with_error_page(error_page::page_below(mount.into()))
        .with_error_headers(headers(recording, "error-header"))
}

/// Returns the fields in the notes of this name.
fn headers(recording: &Recording, note: &str) -> Vec<(Cow<'static, str>, Cow<'static, str>)> {
    let notes = recording.notes(note);
    let headers = notes.filter_map(|header| header.split_once(": "));
    headers
        .map(|(name, value)| (name.to_string().into(), value.to_string().into()))
        .collect()
}

/// Returns the handler of a connection.
pub(super) fn handler(recording: &Recording) -> Box<dyn Handler> {
    let files = Files::from(files(recording));
    let mut handler: Box<dyn Handler> = if has(recording, "cgi") {
        Box::new(scripts(recording, files.clone()))
    } else if has(recording, "upload") || has(recording, "delete") {
        let mut upload = Upload::new();
        upload.files = files.clone();
        upload.store = has(recording, "upload");
        upload.overwrite = has(recording, "overwrite");
        upload.delete = has(recording, "delete");
        upload.resumable = (!has(recording, "plain")).then(ResumableUploads::new);
        upload.loopback_only = has(recording, "loopback-only");
        Box::new(upload)
    } else {
        Box::new(files.clone())
    };
    if has(recording, "auth") {
        let mut guard = Guard::new(handler, |_: &Credentials| None);
        guard.cors = files.settings().cors.as_deref().map(Arc::from);
        guard.rights = rights(recording);
        handler = Box::new(guard);
    }
    let names: Vec<String> = recording.notes("host").map(Into::into).collect();
    Box::new(Hosts::new(
        handler,
        names.into_iter().collect::<sanserve_core::HostNames>(),
    ))
}

/// Returns the rights of clients, if the notes have any. A recording does not name users, so each of them has the rights
/// that at least one had.
fn rights(recording: &Recording) -> Option<RightsOf> {
    let noted = |note| Rights::parse(&value(recording, note)?);
    let everybody = noted("rights-of-everybody")?;
    let users = noted("rights-of-users").unwrap_or(Rights::NONE);
    Some(Arc::new(move |who| match who {
        Who::Everybody => everybody,
        _ => users,
    }))
}

fn files(recording: &Recording) -> FileSettings {
    let mut settings = FileSettings::default();
    let plain = has(recording, "plain");
    settings.plain = plain;
    settings.hidden = has(recording, "hidden");
    settings.precompressed = has(recording, "precompressed");
    settings.compress_files = has(recording, "compress");
    settings.readme = has(recording, "readme").then(ShowReadme::new);
    settings.charset = value(recording, "charset");
    settings.cache_control = value(recording, "cache-control");
    settings.cors = value(recording, "cors");
    settings.spa = value(recording, "spa");
    settings.clean_urls = has(recording, "clean-urls");
    let file = value(recording, "single-file");
    settings.single_file = file.and_then(|name| Path::from_bytes(name.as_bytes().to_vec()));
    if let Some(path) = value(recording, "prefix").and_then(|prefix| Path::parse(&prefix)) {
        settings.mount_at(path);
    }
    settings.not_found_page = value(recording, "not-found");
    if let Some(default_type) = value(recording, "content-type") {
        settings.default_type = default_type;
    }
    settings.extra_headers = headers(recording, "header");
    if has(recording, "archive") {
        settings.archive = Arc::new(Download::parse);
    }
    if !plain {
        settings.list_directory = Arc::new(listing::page);
        settings.compress_listings = true;
        settings.disposition = Some(Arc::new(disposition::on_request));
        settings.guess_type = Arc::new(|name| {
            let known = mime::guess_registered_type(name, |extension| {
                mime_guess::from_ext(extension).first_raw()
            });
            known.map(Into::into)
        });
    }
    let types = recording.notes("media-type");
    let types = types.filter_map(|note| note.split_once(' '));
    let types: HashMap<String, String> = types
        .map(|(extension, name)| (extension.to_string(), name.to_string()))
        .collect();
    if !types.is_empty() {
        let other = Arc::clone(&settings.guess_type);
        settings.guess_type = Arc::new(move |name| {
            let extension = str::from_utf8(name).ok().and_then(mime::extension);
            let own = extension.and_then(|extension| types.get(&extension.to_lowercase()));
            own.map(|own| own.clone().into()).or_else(|| other(name))
        });
    }
    settings
}

fn scripts(recording: &Recording, files: Files) -> Cgi {
    // Only scripts see the address of the server.
    let mut scripts = Cgi::new("localhost", 80);
    scripts.files = files;
    let settings = scripts.settings_mut();
    settings.behind_guard = has(recording, "auth");
    settings.https = has(recording, "https");
    let directories: Vec<String> = recording.notes("cgi-dir").map(Into::into).collect();
    if !directories.is_empty() {
        settings.cgi_directories = directories.into_iter().map(Into::into).collect();
    }
    scripts
}

fn has(recording: &Recording, name: &str) -> bool {
    recording.notes(name).next().is_some()
}

fn value(recording: &Recording, name: &str) -> Option<Cow<'static, str>> {
    recording
        .notes(name)
        .next()
        .map(|value| value.to_string().into())
}
