//! [`Policy`]: the content security policy of the page, which allows only its own styles and scripts, by their hashes.

use core::fmt::{self, Display};

use super::changes::Texts;

/// The policy: the page may load nothing but the empty icon and the pictures that it shows, and its forms lead to the
/// directory itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    /// The texts of a page for changes.
    pub(super) changes: Option<&'static Texts>,
    /// Whether the page shows pictures.
    pub(super) pictures: bool,
}

impl Display for Policy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(START)?;
        if let Some(texts) = self.changes {
            write!(out, " '{}'", texts.style_hash)?;
        }
        if self.pictures {
            write!(out, " '{PICTURES_STYLE}'")?;
        }
        out.write_str(SCRIPT)?;
        if let Some(texts) = self.changes {
            write!(out, " '{}'; connect-src 'self'", texts.script_hash)?;
        }
        out.write_str("; img-src data:")?;
        if self.pictures {
            out.write_str(" 'self'")?;
        }
        out.write_str("; base-uri 'none'; form-action 'self'; frame-ancestors 'self'")
    }
}

/// The start, with the hashes of the styles of every page.
const START: &str = "default-src 'none'; \
    style-src 'sha256-VZqrKLVBEMC/dz9SX3CdM6HyDauW8f5VFZHVYaUUNpM=' \
    'sha256-nm3ZwJXJHQBgJ0LAsrKBDry4ebXnSliNe60/ka/NfJY='";

/// The hash of the style of the cards.
const PICTURES_STYLE: &str = "sha256-bi4o0gwq0IvRoFEkqy2gxbC9XTdUl9uiqdHHwJ2nwRU=";

/// The hash of the script of the filter.
const SCRIPT: &str = "; script-src 'sha256-RVuD9wVCH8WkywUSSiVugIYY79SAYE4yatsCoCCj080='";
