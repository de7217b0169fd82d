//! [`Hash`]: parses a hashed password (bcrypt, Argon2 or SHA-crypt), and verifies passwords against it.

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use sha_crypt::ShaCrypt;

use super::PasswordError;

/// A hash in the format of crypt(3) and its successors, which names its algorithm.
pub(super) enum Hash {
    Bcrypt(String),
    Argon2(String),
    Sha(String),
}

impl Hash {
    /// Parses a hash; `None` if the text does not look like one.
    pub(super) fn read(text: &str) -> Result<Option<Hash>, PasswordError> {
        let owned = || text.to_owned();
        let is = |name: &str| text.starts_with(name);
        let hash = if is("$2a$") || is("$2b$") || is("$2y$") {
            let parts: Result<bcrypt::HashParts, _> = text.parse();
            parts.is_ok().then(|| Hash::Bcrypt(owned()))
        } else if is("$argon2") {
            let parts = PasswordHash::new(text);
            parts.is_ok().then(|| Hash::Argon2(owned()))
        } else if is("$5$") || is("$6$") {
            let length = if is("$5$") { 43 } else { 86 };
            let parts: Vec<&str> = text[3..].split('$').collect();
            let whole = match parts[..] {
                [_, hash] => hash.len() == length,
                [rounds, _, hash] => rounds.starts_with("rounds=") && hash.len() == length,
                _ => false,
            };
            whole.then(|| Hash::Sha(owned()))
        } else if is("$") || is("{") || is_traditional_crypt(text) {
            return Err(PasswordError::UnknownHash);
        } else {
            return Ok(None);
        };
        hash.map(Some).ok_or(PasswordError::DamagedHash)
    }

    /// Returns whether the password matches. This is slow by design.
    pub(super) fn verify(&self, password: &str) -> bool {
        let password = password.as_bytes();
        match self {
            Hash::Bcrypt(hash) => {
                // bcrypt ignores the rest, so any longer password with the same beginning would match.
                let fits = password.len() <= BCRYPT_MAX && !password.contains(&0);
                let matches = bcrypt::verify(password, hash).unwrap_or(false);
                matches && fits
            }
            Hash::Argon2(hash) => PasswordHash::new(hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok()),
            Hash::Sha(hash) => {
                use sha_crypt::PasswordVerifier;
                ShaCrypt::default()
                    .verify_password(password, hash.as_str())
                    .is_ok()
            }
        }
    }
}

/// The number of bytes of a password that bcrypt uses. It also stops at a NUL byte.
const BCRYPT_MAX: usize = 72;

/// Returns whether the text may be a hash of traditional crypt(3), which has no marker. Taken as a password, it
/// would be readable by anybody who can read the file.
fn is_traditional_crypt(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"./".contains(&byte);
    text.len() == 13 && text.bytes().all(plain)
}
