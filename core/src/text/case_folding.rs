//! Names that some file system takes for the same one.
//!
//! APFS, HFS+, NTFS, FAT and folders of ext4 that ignore case fold letters, each in its own way, and some also
//! ignore characters that are not shown. This folds all that any of them folds into ASCII. It does not compose
//! or decompose accents.

use crate::text::lowercase::lower_char;

/// Whether a path is this directory, or below it, on some file system.
pub(crate) fn is_within_folded(path: &[u8], directory: &[u8]) -> bool {
    let mut path = folded(path);
    folded(directory).all(|wanted| path.next() == Some(wanted))
        && matches!(path.next(), None | Some('/'))
}

/// The characters of a path, those that fold to the same one being the same. Bytes that are not UTF-8 are
/// themselves, as characters that no file name has.
pub(crate) fn folded(path: &[u8]) -> impl Iterator<Item = char> {
    path.utf8_chunks().flat_map(|chunk| {
        let odd = chunk.invalid().iter().map(|&byte| private(byte));
        let chars = chunk.valid().chars().filter(|&char| !is_ignorable(char));
        chars.flat_map(letters).chain(odd)
    })
}

/// A character for private use that no text has.
fn private(byte: u8) -> char {
    char::from_u32(0x10_FF00 + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The letters that a character stands for, in lower case.
fn letters(char: char) -> impl Iterator<Item = char> {
    let (text, one) = match char {
        'ß' | 'ẞ' => ("ss", None),
        'ﬀ' => ("ff", None),
        'ﬁ' => ("fi", None),
        'ﬂ' => ("fl", None),
        'ﬃ' => ("ffi", None),
        'ﬄ' => ("ffl", None),
        'ﬅ' | 'ﬆ' => ("st", None),
        'ſ' => ("s", None),
        'ı' | 'İ' => ("i", None),
        // Unicode's own equivalents of ASCII; the Kelvin sign has a lower case.
        '\u{37E}' => (";", None),
        '\u{1FEF}' => ("`", None),
        char => ("", Some(lower_char(char))),
    };
    text.chars().chain(one)
}

/// Whether file systems that compare names as Unicode does may ignore it: `Default_Ignorable_Code_Point`.
fn is_ignorable(char: char) -> bool {
    matches!(
        char,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFF8}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}
