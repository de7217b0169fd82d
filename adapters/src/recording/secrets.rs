//! [`SecretNames`]: removes secrets from the lines of a head. Each removed byte is replaced by an `x`, so that lengths
//! stay the same.

use sanserve_core::wire::syntax::is_token;

/// The names of fields and parameters whose values are removed.
#[derive(Debug, Default)]
pub(super) struct SecretNames {
    /// Names that the user has added, in lower case.
    added: Vec<String>,
}

impl SecretNames {
    /// Adds names, in any case.
    pub(super) fn new<'a>(added: impl IntoIterator<Item = &'a String>) -> SecretNames {
        let added = added.into_iter().map(|name| name.to_ascii_lowercase());
        SecretNames {
            added: added.collect(),
        }
    }

    /// Removes the secrets of a request line: those in its target.
    pub(super) fn clean_first_line(&self, line: &mut [u8]) {
        if has_bare_cr(line) {
            return remove(line);
        }
        for word in line.split_mut(u8::is_ascii_whitespace) {
            if word.first() != Some(&b'/') {
                let end = word.iter().position(|byte| b"/?#".contains(byte));
                let end = end.unwrap_or(word.len());
                remove_userinfo(&mut word[..end]);
            }
        }
        self.clean_urls(line);
    }

    /// Removes what a status line quotes from a request that was not understood: `400 Bad request syntax ('…')`.
    pub(super) fn clean_status_line(&self, line: &mut [u8]) {
        let mut quotes = (0..line.len()).filter(|at| b"'\"".contains(&line[*at]));
        if let (Some(first), Some(last)) = (quotes.next(), quotes.next_back()) {
            remove(&mut line[first + 1..last]);
        }
        self.clean_urls(line);
    }

    /// Removes the secrets of a field line. `continues_secret` says that the field before it is secret, and that this
    /// line continues it if it begins with white space. Returns whether this field is secret.
    pub(super) fn clean_field_line(&self, line: &mut [u8], continues_secret: bool) -> bool {
        let is_continued = matches!(line, [b' ' | b'\t', ..]) && continues_secret;
        let colon = line.iter().position(|byte| *byte == b':');
        let name = line[..colon.unwrap_or(line.len())].trim_ascii();
        let is_secret = is_continued || has_bare_cr(line) || self.is_secret(name);
        match colon {
            _ if !is_secret => self.clean_urls(line),
            Some(colon) if !is_continued && !has_bare_cr(line) => {
                let is_authorization = name.eq_ignore_ascii_case(b"authorization");
                remove_value(&mut line[colon + 1..], is_authorization);
            }
            _ => remove(line),
        }
        is_secret
    }

    /// Removes the secrets of a note, which may be a field.
    pub(super) fn clean_note(&self, note: &mut [u8]) {
        if note.windows(2).any(|two| two == b": ") {
            self.clean_field_line(note, false);
        } else {
            self.clean_urls(note);
        }
    }

    /// Removes the passwords of URLs, and the values of secret parameters.
    fn clean_urls(&self, line: &mut [u8]) {
        let ends_authority = |byte: &u8| b"/?#\"<> \t\r\n".contains(byte);
        let mut at = 0;
        while let Some(found) = line[at..].windows(2).position(|two| two == b"//") {
            at += found + 2;
            let end = line[at..].iter().position(ends_authority);
            let end = end.map_or(line.len(), |end| at + end);
            remove_userinfo(&mut line[at..end]);
        }
        let ends_part = |byte: &u8| b"?&;#\"<> \t\r\n".contains(byte);
        // The part before the first delimiter is no parameter.
        for part in line.split_mut(ends_part).skip(1) {
            if is_upload(part) {
                part[UPLOAD.len()..].fill(b'0');
            } else if let Some(equals) = part.iter().position(|byte| *byte == b'=')
                && self.is_secret(&percent_decoded(&part[..equals]))
            {
                part[equals + 1..].fill(b'x');
            }
        }
    }

    /// Returns whether the value of a field or parameter of this name is secret.
    fn is_secret(&self, name: &[u8]) -> bool {
        let name = name.to_ascii_lowercase();
        if self.added.iter().any(|added| added.as_bytes() == name) {
            return true;
        }
        if PUBLIC.iter().any(|public| public.as_bytes() == name) {
            return false;
        }
        let contains = |part: &&str| name.windows(part.len()).any(|at| at == part.as_bytes());
        let mut words = name.split(|byte| !byte.is_ascii_alphanumeric());
        PARTS.iter().any(contains)
            || words.any(|word| WORDS.iter().any(|secret| secret.as_bytes() == word))
    }
}

/// Returns whether a parameter is the token of an upload that can be resumed. It is replaced by zeros, so that it remains
/// a token.
fn is_upload(part: &[u8]) -> bool {
    let token = part.strip_prefix(UPLOAD).unwrap_or_default();
    token.len() == 32 && token.iter().all(u8::is_ascii_hexdigit)
}

const UPLOAD: &[u8] = b"upload=";

/// A field or parameter is secret if its name contains one of these.
const PARTS: [&str; 12] = [
    "apikey",
    "auth",
    "bearer",
    "cookie",
    "credential",
    "csrf",
    "jwt",
    "passw",
    "secret",
    "session",
    "signature",
    "token",
];

/// A field or parameter is also secret if one of the words in its name is one of these.
const WORDS: [&str; 12] = [
    "code", "hmac", "key", "otp", "pass", "pin", "psk", "pw", "pwd", "sid", "sig", "xsrf",
];

/// Fields that are not secret although their names look like it, and that a reply depends on.
const PUBLIC: [&str; 7] = [
    ":authority",
    "access-control-allow-credentials",
    "author",
    "authority",
    "proxy-authenticate",
    "sec-websocket-key",
    "www-authenticate",
];

/// Replaces everything but white space at the start, and the end of the line.
pub(super) fn remove(line: &mut [u8]) {
    let start = indent(line);
    let value = line[start..].iter_mut();
    for byte in value.filter(|byte| !b"\r\n".contains(byte)) {
        *byte = b'x';
    }
}

/// Replaces everything but white space, on which the error for a malformed head depends.
pub(super) fn remove_words(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| !b" \t\r\n".contains(byte)) {
        *byte = b'x';
    }
}

/// Replaces a malformed request line by one with the same error and an error page of the same length. It keeps white
/// space, the methods GET and HEAD, a version at the end, and characters that the page escapes.
pub(super) fn remove_request_line(line: &mut [u8]) {
    let line_end = line.trim_ascii_end().len();
    let method_end = line.iter().position(|byte| *byte == b' ').unwrap_or(0);
    let start = match &line[..method_end] {
        b"GET" | b"HEAD" => method_end,
        _ => 0,
    };
    let is_version = |word: &&[u8; 9]| {
        matches!(word, [b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit())
    };
    let version = line[start..line_end].last_chunk().filter(is_version);
    let end = line.len() - version.map_or(0, |word| line.len() - line_end + word.len());
    for (at, byte) in line.iter_mut().enumerate().take(end).skip(start) {
        *byte = match *byte {
            b' ' | b'\'' | b'"' | b'\\' | b'&' | b'<' | b'>' => *byte,
            control if control.is_ascii_control() => control,
            0x80..=0xa0 | 0xad => 0x80,
            0xa1.. => 0xff,
            // No token contains it.
            mark if at < method_end && !is_token(&[mark]) => b'@',
            _ => b'x',
        };
    }
}

/// Returns the length of the white space at the start.
fn indent(line: &[u8]) -> usize {
    let start = line.iter().position(|byte| !b" \t".contains(byte));
    start.unwrap_or(line.len())
}

fn has_bare_cr(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line).contains(&b'\r')
}

/// Replaces user and password at the beginning of an authority.
fn remove_userinfo(authority: &mut [u8]) {
    if let Some(at) = authority.iter().rposition(|byte| *byte == b'@') {
        authority[..at].fill(b'x');
    }
}

/// Replaces the value of a secret field. Basic credentials become other ones of the same length, because a reply
/// depends on whether they are valid.
fn remove_value(value: &mut [u8], is_authorization: bool) {
    let start = indent(value);
    let value = &mut value[start..];
    let end = value.trim_ascii_end().len();
    let basic = value[..end].split_at_mut_checked(6);
    if let (true, Some((scheme, encoded))) = (is_authorization, basic)
        && scheme.eq_ignore_ascii_case(b"basic ")
        && replace_credentials(encoded)
    {
        return;
    }
    remove(value);
}

/// Replaces credentials in base64 by `x:xxx…`. Returns false if they are not valid.
fn replace_credentials(encoded: &mut [u8]) -> bool {
    let padding = encoded.iter().rev().take_while(|b| **b == b'=').count();
    let letters = &encoded[..encoded.len() - padding];
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    if padding > 2 || !encoded.len().is_multiple_of(4) || !letters.iter().all(is_base64) {
        return false;
    }
    let groups = encoded.len() / 4;
    for (at, group) in encoded.chunks_exact_mut(4).enumerate() {
        let padding = if at + 1 == groups { padding } else { 0 };
        group.copy_from_slice(match (at, padding) {
            (0, 0) => b"eDp4",
            (0, 1) => b"eDo=",
            (0, _) => b"Og==",
            (_, 0) => b"eHh4",
            (_, 1) => b"eHg=",
            _ => b"eA==",
        });
    }
    true
}

/// Decodes the percent-encoding of a name.
fn percent_decoded(name: &[u8]) -> Vec<u8> {
    let (mut decoded, mut rest) = (Vec::new(), name);
    while let [first, tail @ ..] = rest {
        let byte = match rest {
            [b'%', high, low, ..] => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                digit(*high).zip(digit(*low))
            }
            _ => None,
        };
        match byte {
            Some((high, low)) => (decoded.push((high * 16 + low) as u8), rest = &rest[3..]).0,
            None => (decoded.push(*first), rest = tail).0,
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64, Encoding};

    use super::SecretNames;

    fn first_line(line: &str) -> String {
        let mut bytes = line.as_bytes().to_vec();
        SecretNames::default().clean_first_line(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    fn field_line(line: &str) -> String {
        let mut bytes = line.as_bytes().to_vec();
        let added = ["X-Badge".to_string()];
        SecretNames::new(&added).clean_field_line(&mut bytes, false);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn passwords_in_a_target_are_removed() {
        for (line, clean) in [
            ("GET /a?b=c&d HTTP/1.1\r\n", "GET /a?b=c&d HTTP/1.1\r\n"),
            (
                "GET /@scope/a@2x.png HTTP/1.1\n",
                "GET /@scope/a@2x.png HTTP/1.1\n",
            ),
            (
                "GET /?password=ab&x=y HTTP/1.1\r\n",
                "GET /?password=xx&x=y HTTP/1.1\r\n",
            ),
            (
                "GET /?p%61sSword=ab HTTP/1.1\r\n",
                "GET /?p%61sSword=xx HTTP/1.1\r\n",
            ),
            (
                "GET /a;jsessionid=ab/c?d HTTP/1.1\r\n",
                "GET /a;jsessionid=xxxx?d HTTP/1.1\r\n",
            ),
            (
                "GET http://u:p@w/?a HTTP/1.1\r\n",
                "GET http://xxx@w/?a HTTP/1.1\r\n",
            ),
            ("GET //u:p@w/?a HTTP/1.1\r\n", "GET //xxx@w/?a HTTP/1.1\r\n"),
            (
                "CONNECT u:p@w:443 HTTP/1.1\r\n",
                "CONNECT xxx@w:443 HTTP/1.1\r\n",
            ),
            (
                "GET /a\rAuthorization: b\r\n",
                "xxxxxx\rxxxxxxxxxxxxxxxx\r\n",
            ),
        ] {
            assert_eq!(first_line(line), clean, "{line}");
        }
    }

    #[test]
    fn quotations_of_a_request_are_removed() {
        let mut line = *b"HTTP/1.1 400 Bad request syntax ('it\\'s a')\r\n";
        SecretNames::default().clean_status_line(&mut line);
        assert_eq!(line, *b"HTTP/1.1 400 Bad request syntax ('xxxxxxx')\r\n");
        let mut line = *b"HTTP/1.1 400 Bad request syntax (\"it's a\")\r\n";
        SecretNames::default().clean_status_line(&mut line);
        assert_eq!(line, *b"HTTP/1.1 400 Bad request syntax (\"xxxxxx\")\r\n");
    }

    #[test]
    fn values_of_secret_fields_are_removed() {
        for (line, clean) in [
            ("Host: a\r\n", "Host: a\r\n"),
            (
                "Proxy-Authorization: Basic YTpi\r\n",
                "Proxy-Authorization: xxxxxxxxxx\r\n",
            ),
            ("COOKIE :a=b; c=d\n", "COOKIE :xxxxxxxx\n"),
            ("X-Api-Key:\tab \r\n", "X-Api-Key:\txxx\r\n"),
            ("x-badge: 17\r\n", "x-badge: xx\r\n"),
            ("Monkey: 17\r\n", "Monkey: 17\r\n"),
            (
                "Authorization Basic YTpi\r\n",
                "xxxxxxxxxxxxxxxxxxxxxxxx\r\n",
            ),
            (
                "Referer: https://u:p@w/?token=ab#c\r\n",
                "Referer: https://xxx@w/?token=xx#c\r\n",
            ),
            (
                "WWW-Authenticate: Basic realm=\"a\"\r\n",
                "WWW-Authenticate: Basic realm=\"a\"\r\n",
            ),
            (
                "Content-Type: a/b; boundary=key\r\n",
                "Content-Type: a/b; boundary=key\r\n",
            ),
        ] {
            assert_eq!(field_line(line), clean, "{line}");
        }
    }

    #[test]
    fn a_continued_line_is_as_secret_as_its_field() {
        let names = SecretNames::default();
        assert!(names.clean_field_line(&mut b"Cookie: a\r\n".to_vec(), false));
        let mut line = b" b=c: d\r\n".to_vec();
        assert!(names.clean_field_line(&mut line, true));
        assert_eq!(line, b" xxxxxx\r\n");
    }

    #[test]
    fn valid_credentials_become_others_of_the_same_length() {
        for len in 3..20 {
            let credentials = format!("a:{}", "b".repeat(len - 2));
            let encoded = Base64::encode_string(credentials.as_bytes());
            let line = field_line(&format!("authorization: BASIC {encoded}\r\n"));
            let rest = line.strip_prefix("authorization: BASIC ").unwrap();
            let replaced = Base64::decode_vec(rest.trim_end()).unwrap();
            assert_eq!(replaced, format!("x:{}", "x".repeat(len - 2)).as_bytes());
        }
        assert_eq!(
            field_line("Authorization: Basic a:b\n"),
            "Authorization: xxxxxxxxx\n"
        );
    }
}
