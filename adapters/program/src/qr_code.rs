//! The QR code of the server's address (`--qr`): on the terminal, and as an image for a listing's `?qr`.

use std::io;
use std::sync::Arc;

use qrcode::QrCode;
use qrcode::render::svg;
use qrcode::render::unicode::Dense1x2;
use sanserve_core::{Exchange, FileSettings, Next, listing};

use super::colour;

/// Returns the code for a terminal, with two modules per character. Light modules must look light: without colours, the
/// terminal is assumed to be dark, as most are.
pub(super) fn for_terminal(url: &str) -> Option<String> {
    let code = QrCode::new(url).ok()?;
    let (light, dark) = (Dense1x2::Dark, Dense1x2::Light);
    let rendered = code.render().light_color(light).dark_color(dark).build();
    let coloured = colour::is_enabled(&io::stdout());
    let lines = rendered.lines().map(|line| match coloured {
        true => format!("{}\n", colour::white_on_black(line)),
        false => format!("{line}\n"),
    });
    Some(lines.collect())
}

/// Offers the codes of listings, whose URLs begin with this origin: a listing has a button, and `DIR/?qr` is the image.
pub(super) fn offer(settings: &mut FileSettings, origin: Arc<str>) {
    settings.qr_code = true;
    settings.list_directory = Arc::new(move |ex, directory| match image(ex, &origin) {
        Some(image) => send(ex, &image),
        None => listing::page(ex, directory),
    });
}

/// Returns the image that a request asks for. A code has room for some 2,900 bytes; the listing is sent in place of a
/// longer one.
fn image(ex: &Exchange<'_>, origin: &str) -> Option<String> {
    let (path, query) = ex.path().split_once('?')?;
    let code = || QrCode::new(format!("{origin}{path}")).ok();
    let code = matches!(query, "qr" | "qr=").then(code)??;
    let mut image = code.render::<svg::Color<'_>>();
    Some(image.min_dimensions(320, 320).build())
}

fn send(ex: &mut Exchange<'_>, image: &str) -> Next {
    ex.send_response(200);
    ex.send_header("Content-Type", "image/svg+xml");
    ex.send_header("Content-Length", image.len());
    ex.send_header("Content-Security-Policy", "default-src 'none'");
    ex.end_headers();
    if ex.command() != "HEAD" {
        ex.write(image.as_bytes());
    }
    Next::Done
}
