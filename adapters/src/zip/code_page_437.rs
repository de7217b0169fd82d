//! Decodes names in code page 437, the one of the first PCs: zip archives have their names in it, unless a flag says that
//! they are UTF-8 (APPNOTE.TXT 4.4.4, appendix D).

use alloc::borrow::Cow;
use alloc::string::String;

/// Returns a name in UTF-8. Many programs write UTF-8 without the flag, so a name that can be UTF-8 is.
pub(super) fn decode(name: &[u8]) -> Cow<'_, [u8]> {
    if str::from_utf8(name).is_ok() {
        return Cow::Borrowed(name);
    }
    let upper = UPPER.chars();
    let char = |byte: u8| match byte.checked_sub(128) {
        Some(at) => upper.clone().nth(at.into()).unwrap_or_default(),
        None => char::from(byte),
    };
    let decoded: String = name.iter().copied().map(char).collect();
    Cow::Owned(decoded.into_bytes())
}

/// The characters of the bytes from 128 on.
const UPPER: &str = "\
ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

#[cfg(test)]
mod tests {
    use super::{UPPER, decode};

    /// The values are those of CPython's codec cp437.
    #[test]
    fn names_are_decoded_unless_they_are_utf_8() {
        assert_eq!(UPPER.chars().count(), 128);
        let decoded = |name: &[u8]| String::from_utf8(decode(name).into_owned()).unwrap();
        assert_eq!(decoded(b"caf\x82.txt"), "caf\u{e9}.txt");
        assert_eq!(decoded(b"\x80\x9f\xe1\xff"), "\u{c7}\u{192}\u{df}\u{a0}");
        assert_eq!(decoded("caf\u{e9}.txt".as_bytes()), "caf\u{e9}.txt");
        assert_eq!(decoded(b"plain.txt"), "plain.txt");
    }
}
