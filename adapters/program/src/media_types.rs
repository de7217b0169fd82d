//! [`MediaTypes`]: the media types of `--mime-types`, by extension.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use sanserve_core::mime;
#[cfg(not(target_os = "wasi"))]
use sanserve_server::text_file;

use super::value_parsers;

/// Media types by extension in lower case. Clones share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaTypes(Arc<HashMap<String, String>>);

impl MediaTypes {
    /// Reads a file in the format of `/etc/mime.types`.
    pub(crate) fn read(path: &str) -> Result<MediaTypes, String> {
        let bytes = read(Path::new(path)).map_err(|error| error.to_string())?;
        MediaTypes::parse(&String::from_utf8_lossy(&bytes))
    }

    /// Parses lines with a media type and its extensions, separated by spaces. `#` begins a comment. If an extension
    /// occurs more than once, the last line counts.
    fn parse(text: &str) -> Result<MediaTypes, String> {
        let mut types = HashMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(name) = words.next() else {
                continue;
            };
            let name = value_parsers::media_type(name)
                .map_err(|why| format!("line {number}: {why} (got {name})"))?;
            for extension in words {
                let extension = extension.strip_prefix('.').unwrap_or(extension);
                types.insert(extension.to_lowercase(), name.clone());
            }
        }
        Ok(MediaTypes(Arc::new(types)))
    }

    /// Returns the type of the file with this name.
    pub(crate) fn guess(&self, name: &[u8]) -> Option<&str> {
        let extension = mime::extension(str::from_utf8(name).ok()?)?;
        self.0.get(&extension.to_lowercase()).map(String::as_str)
    }

    /// Returns the extensions and their types, in order.
    #[cfg(not(target_os = "wasi"))]
    pub(crate) fn sorted(&self) -> Vec<(&str, &str)> {
        let types = self.0.iter();
        let mut types: Vec<_> = types.map(|(key, name)| (&**key, &**name)).collect();
        types.sort_unstable();
        types
    }
}

#[cfg(not(target_os = "wasi"))]
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    text_file::read(path)
}

#[cfg(target_os = "wasi")]
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
}

#[cfg(test)]
mod tests {
    use super::MediaTypes;

    #[test]
    fn the_format_is_that_of_mime_types() {
        let text = "# comment\n\ntext/x-one  one ONE1\n  text/x-two\t.two # three\napplication/none\ntext/x-last one\n";
        let types = MediaTypes::parse(text).unwrap();
        for (name, wanted) in [
            (&b"a.one"[..], Some("text/x-last")),
            (b"a.b.One1", Some("text/x-one")),
            (b"a.TWO", Some("text/x-two")),
            (b"a.three", None),
            (b".one", None),
            (b"..one", None),
            (b"one", None),
            (b"\xFF.one", None),
        ] {
            assert_eq!(types.guess(name), wanted, "{name:?}");
        }
    }

    #[test]
    fn the_line_of_an_error_is_reported() {
        let error = MediaTypes::parse("text/plain txt\n\ntext txt").unwrap_err();
        assert!(
            error.starts_with("line 3: expected a media type"),
            "{error}"
        );
        assert!(error.ends_with("(got text)"), "{error}");
    }
}
