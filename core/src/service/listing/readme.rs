//! [`Readme`]: the text of a file that the HTML page shows below the entries, as it is: the page does not render Markdown.

use alloc::string::String;
use alloc::vec::Vec;

use super::mix_bytes;
use super::text::{excerpt, href, html, put, write_display};

/// The text of a file, with the HTML around it.
#[derive(Debug, Clone)]
pub(crate) struct Readme {
    /// What is above the text: the name as a heading, which is a link to the file.
    head: Vec<u8>,
    text: String,
    /// The number of bytes that are written in all, and a hash of the text.
    pub(super) len: usize,
    pub(super) version: u64,
    /// [`write`]. A function, so that a program that shows no README need not contain it.
    write: fn(&Readme, usize, &mut Vec<u8>) -> Option<usize>,
}

impl Readme {
    /// Returns the readme of the file with this name, which shows at most `len_max` bytes of the text.
    pub(crate) fn new(name: &[u8], mut text: Vec<u8>, len_max: usize) -> Readme {
        let is_long = text.len() > len_max;
        if is_long {
            let end = excerpt(&text, len_max).len();
            text.truncate(end);
        }
        let mut text = String::from_utf8_lossy(&text).into_owned();
        if is_long {
            text.push_str("\n\u{2026}");
        }
        let mut head = Vec::from(b"<article>\n<h2><a href=\"");
        href(name, &mut head);
        put(b"\">", &mut head);
        write_display(name, &mut head);
        put(b"</a></h2>\n<pre>\n", &mut head);
        let escaped = text.bytes().map(|byte| match byte {
            b'&' => 5,
            b'<' | b'>' => 4,
            _ => 1,
        });
        Readme {
            len: head.len() + escaped.sum::<usize>() + FOOT.len(),
            version: mix_bytes(0, text.as_bytes()),
            head,
            text,
            write,
        }
    }

    /// Writes the next part, of the text from byte `at` on. Returns where the next one begins, if there is more.
    pub(super) fn write(&self, at: usize, out: &mut Vec<u8>) -> Option<usize> {
        (self.write)(self, at, out)
    }
}

fn write(readme: &Readme, at: usize, out: &mut Vec<u8>) -> Option<usize> {
    let Readme { head, text, .. } = readme;
    if at == 0 {
        put(head, out);
    }
    let end = text.len().min(at + PART);
    html(&text.as_bytes()[at..end], out);
    if end < text.len() {
        return Some(end);
    }
    put(FOOT, out);
    None
}

const FOOT: &[u8] = b"</pre>\n</article>\n";

/// The number of bytes of the text that are written at once.
const PART: usize = 512;
