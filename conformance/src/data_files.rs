//! The data files of this package, included with their names. Add a new file of cases here.
//!
//! They are parsed by [`case`](crate::case), [`divergence`](crate::divergence) and [`Site`](crate::Site).

/// A data file: its name, for messages, and its content.
pub(crate) type DataFile = (&'static str, &'static str);

/// The files of cases, in the order in which they run.
pub(crate) const CASES: [DataFile; 38] = [
    (
        "recorded-requestline_http10.case",
        include_str!("../cases/recorded-requestline_http10.case"),
    ),
    (
        "recorded-headers_http10.case",
        include_str!("../cases/recorded-headers_http10.case"),
    ),
    (
        "recorded-headers_http11.case",
        include_str!("../cases/recorded-headers_http11.case"),
    ),
    (
        "recorded-paths_HEAD.case",
        include_str!("../cases/recorded-paths_HEAD.case"),
    ),
    (
        "recorded-paths_GET.case",
        include_str!("../cases/recorded-paths_GET.case"),
    ),
    (
        "recorded-mime_HEAD.case",
        include_str!("../cases/recorded-mime_HEAD.case"),
    ),
    (
        "recorded-if_modified_since_HEAD.case",
        include_str!("../cases/recorded-if_modified_since_HEAD.case"),
    ),
    (
        "requestline.case",
        include_str!("../cases/requestline.case"),
    ),
    ("targets.case", include_str!("../cases/targets.case")),
    ("urls.case", include_str!("../cases/urls.case")),
    ("host.case", include_str!("../cases/host.case")),
    ("fields.case", include_str!("../cases/fields.case")),
    ("lengths.case", include_str!("../cases/lengths.case")),
    ("codings.case", include_str!("../cases/codings.case")),
    ("chunked.case", include_str!("../cases/chunked.case")),
    ("paths.case", include_str!("../cases/paths.case")),
    ("content.case", include_str!("../cases/content.case")),
    ("connection.case", include_str!("../cases/connection.case")),
    ("listing.case", include_str!("../cases/listing.case")),
    ("edges.case", include_str!("../cases/edges.case")),
    ("ranges.case", include_str!("../cases/ranges.case")),
    ("validators.case", include_str!("../cases/validators.case")),
    ("encodings.case", include_str!("../cases/encodings.case")),
    ("compressed.case", include_str!("../cases/compressed.case")),
    ("methods.case", include_str!("../cases/methods.case")),
    ("guard.case", include_str!("../cases/guard.case")),
    ("rights.case", include_str!("../cases/rights.case")),
    ("cgi.case", include_str!("../cases/cgi.case")),
    ("proxies.case", include_str!("../cases/proxies.case")),
    ("python.case", include_str!("../cases/python.case")),
    ("archive.case", include_str!("../cases/archive.case")),
    ("download.case", include_str!("../cases/download.case")),
    ("upload.case", include_str!("../cases/upload.case")),
    ("resumable.case", include_str!("../cases/resumable.case")),
    ("stored.case", include_str!("../cases/stored.case")),
    ("delete.case", include_str!("../cases/delete.case")),
    ("time.case", include_str!("../cases/time.case")),
    ("upgrade.case", include_str!("../cases/upgrade.case")),
];

/// The divergences.
pub(crate) const DIVERGENCES: DataFile =
    ("divergences.txt", include_str!("../cases/divergences.txt"));

/// The site.
pub(crate) const SITE: DataFile = ("site.txt", include_str!("../cases/site.txt"));

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    #[test]
    fn every_case_file_is_listed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        for file in fs::read_dir(folder).expect("the folder exists") {
            let name = file.expect("the folder is readable").file_name();
            let name = name.to_str().expect("the name is UTF-8");
            let listed = super::CASES.iter().any(|(listed, _)| *listed == name);
            assert_eq!(listed, name.ends_with(".case"), "cases/{name}");
        }
    }
}
