//! Compares names as case-insensitive file systems do: folds letter case, and ignores invisible characters.
//!
//! APFS, HFS+, NTFS, FAT and case-insensitive directories of ext4 fold letter case, each in its own way, and some also
//! ignore invisible characters. This module folds to ASCII everything that any of them folds to it. It does not compose
//! or decompose accents.

use crate::text::lowercase::lower_char;

/// Returns whether some file system would treat the path as this directory, or as one below it.
pub(crate) fn is_within_folded(path: &[u8], directory: &[u8]) -> bool {
    let mut path = folded(path);
    folded(directory).all(|wanted| path.next() == Some(wanted))
        && matches!(path.next(), None | Some('/'))
}

/// Returns the characters of a path, folded. A byte that is not UTF-8 is represented by a private-use character that no
/// file name contains.
pub(crate) fn folded(path: &[u8]) -> impl Iterator<Item = char> {
    path.utf8_chunks().flat_map(|chunk| {
        let invalid = chunk.invalid().iter().map(|&byte| private(byte));
        let chars = chunk.valid().chars().filter(|&char| !is_ignorable(char));
        chars.flat_map(letters).chain(invalid)
    })
}

/// Returns a private-use character for a byte.
fn private(byte: u8) -> char {
    char::from_u32(0x10_FF00 + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Returns the lower-case letters to which a character folds.
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
        // Unicode's equivalents of ASCII letters. The Kelvin sign has a lower case.
        '\u{37E}' => (";", None),
        '\u{1FEF}' => ("`", None),
        char => ("", Some(lower_char(char))),
    };
    text.chars().chain(one)
}

/// Returns whether file systems may ignore the character: `Default_Ignorable_Code_Point`.
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
