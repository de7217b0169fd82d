//! Tests `Passwords`: the password file, the kinds of hashes, the order in which they are verified, and the replacement
//! of users.

use std::fs;
use std::io::ErrorKind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use sanserve_core::{Credentials, FsError, Rights, Waiter, Who};
use sanserve_server::{PasswordError, Passwords};

/// The password `a:secret` as hashed by openssl, Python's bcrypt and argon2-cffi, and as plain text.
const FILE: &str = "\
# users
bcrypt:$2b$05$KqT2Q.V314tRrJHM0qFHx.VqALqMo41hPDWcP7I.RD61OU4uoWcD6
argon2:$argon2id$v=19$m=64,t=1,p=1$7AMlY/Z24ouFzjoLNUUbzw$8JU8jUhRWMNHH7zrrfrq64e1pGA9PMVPPRqTPLvImQY

sha256:$5$saltsalt$ypZePh0YevUrajjiusuHnrS8JoP0jgAv2jfp79uMsC0
sha512:$6$saltsalt$dEMxprG0ns33kI6PCzlBI8dvwNK8BEl/ALDDvWrJc/d9yCh9a93jKhx1N4Wbwdo7KMlwvDDdd5192baSXkjAP.
plain:a:secret
marked:{PLAIN}a:secret
";

fn read(text: impl AsRef<[u8]>) -> Result<Passwords, PasswordError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, text).unwrap();
    let mut passwords = Passwords::new().unwrap();
    passwords.read(&path).map(|()| passwords)
}

fn credentials(user: &str, password: &str) -> Credentials {
    Credentials::new(user, password).unwrap()
}

#[test]
fn hashes_of_other_tools_are_verified_and_remembered() {
    let passwords = read(FILE).unwrap();
    for user in ["bcrypt", "argon2", "sha256", "sha512"] {
        let right = credentials(user, "a:secret");
        assert_eq!(passwords.try_verify(&right), None, "{user}");
        for wrong in ["a:Secret", "", "a:secret "] {
            let wrong = credentials(user, wrong);
            assert_eq!(passwords.verify(&wrong), Err(FsError::Forbidden));
            assert_eq!(
                passwords.try_verify(&wrong),
                None,
                "a wrong password is not remembered"
            );
        }
        assert_eq!(passwords.verify(&right), Ok(()), "{user}");
        assert_eq!(passwords.try_verify(&right), Some(true), "{user}");
        assert_eq!(
            passwords.try_verify(&credentials(user, "a:Secret")),
            None,
            "{user}"
        );
    }
}

#[test]
fn plain_passwords_are_checked_without_hashing() {
    let passwords = read(FILE).unwrap();
    for user in ["plain", "marked"] {
        assert_eq!(
            passwords.try_verify(&credentials(user, "a:secret")),
            Some(true)
        );
        let wrong = credentials(user, "a:secre");
        // If other users have hashes, this takes as long as theirs, and so does not reveal that this user exists.
        assert_eq!(passwords.try_verify(&wrong), None);
        assert_eq!(passwords.verify(&wrong), Err(FsError::Forbidden));
        let passwords = read("plain:a:secret\nmarked:{PLAIN}a:secret\n").unwrap();
        assert_eq!(passwords.try_verify(&wrong), Some(false));
        assert_eq!(
            passwords.verify(&credentials(user, "b")),
            Err(FsError::Forbidden)
        );
    }
    // If there are hashes, an unknown user takes as long as a known one.
    let unknown = credentials("nobody", "a:secret");
    assert_eq!(passwords.try_verify(&unknown), None);
    assert_eq!(passwords.verify(&unknown), Err(FsError::Forbidden));
    assert_eq!(read("a:b").unwrap().try_verify(&unknown), Some(false));
}

/// LF or CRLF ends a line and is not part of the password; spaces are.
#[test]
fn trailing_spaces_belong_to_a_plain_password() {
    let passwords = read("mary:secret \r\njohn:{PLAIN} secret  \n \nzoe: ").unwrap();
    for (user, password, is_right) in [
        ("mary", "secret ", true),
        ("mary", "secret", false),
        ("john", " secret  ", true),
        ("john", "secret", false),
        ("zoe", " ", true),
        ("zoe", "", false),
    ] {
        assert_eq!(
            passwords.try_verify(&credentials(user, password)),
            Some(is_right),
            "{user}"
        );
    }
    // A hash never contains spaces.
    let hashed = FILE.replace('\n', " \n");
    let passwords = read(&hashed).unwrap();
    assert_eq!(passwords.verify(&credentials("sha256", "a:secret")), Ok(()));
}

/// Lines of shadow(5), and of files that `htpasswd` maintains: fields after the hash, and locked accounts.
#[test]
fn text_after_a_hash_is_ignored_and_a_locked_user_cannot_log_in() {
    for line in FILE.lines().filter(|line| line.contains('$')) {
        let user = line.split(':').next().unwrap();
        let passwords = read(format!("{line}:night shift: b\n")).unwrap();
        assert_eq!(
            passwords.verify(&credentials(user, "a:secret")),
            Ok(()),
            "{line}"
        );
        assert!(passwords.verify(&credentials(user, "night shift")).is_err());
    }
    let sha512 = FILE.lines().find(|line| line.starts_with("sha512:"));
    let hash = sha512.unwrap().split_once(':').unwrap().1;
    let shadow = format!(
        "root:{hash}:19000:0:99999:7:::\nlocked:!{hash}:19000:0:99999:7:::\nnew:!!:19000::::::\n\
         daemon:*:19000:0:99999:7:::\nplain:secret\n"
    );
    let passwords = read(&shadow).unwrap();
    assert_eq!(passwords.verify(&credentials("root", "a:secret")), Ok(()));
    for (user, password) in [
        ("locked", "a:secret"),
        ("locked", &format!("!{hash}")),
        ("locked", &format!("!{hash}:19000:0:99999:7:::")),
        ("new", "!!"),
        ("new", ""),
        ("daemon", "*"),
        ("daemon", "*:19000:0:99999:7:::"),
    ] {
        let attempt = credentials(user, password);
        // This takes as long as for other users.
        assert_eq!(passwords.try_verify(&attempt), None, "{user} {password}");
        assert!(passwords.verify(&attempt).is_err(), "{user} {password}");
    }
    let passwords = read("locked:!secret\nmarked:{PLAIN}!secret\n").unwrap();
    for (user, password, is_right) in [
        ("locked", "!secret", false),
        ("locked", "secret", false),
        ("marked", "!secret", true),
    ] {
        assert_eq!(
            passwords.try_verify(&credentials(user, password)),
            Some(is_right)
        );
    }
}

/// Windows puts a byte order mark in front of UTF-8, and PowerShell writes UTF-16 with one: neither is part of a name.
#[test]
fn a_byte_order_mark_is_not_part_of_the_first_user_name() {
    let utf8 = [b"\xef\xbb\xbf", "m\u{e4}ry:secret\r\njohn:a\r\n".as_bytes()].concat();
    let units: Vec<u16> = "\u{feff}m\u{e4}ry:secret\r\njohn:a\r\n"
        .encode_utf16()
        .collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    for file in [utf8, little, big] {
        let passwords = read(file).unwrap();
        for (user, password) in [("m\u{e4}ry", "secret"), ("john", "a")] {
            assert_eq!(
                passwords.try_verify(&credentials(user, password)),
                Some(true),
                "{user}"
            );
        }
    }
    let error = read(b"m\xe4ry:secret\n").unwrap_err().to_string();
    assert!(error.contains("is not UTF-8: convert it"), "{error}");
}

#[test]
fn users_can_be_replaced_while_in_use() {
    let passwords = read(FILE).unwrap();
    let right = credentials("bcrypt", "a:secret");
    assert_eq!(passwords.verify(&right), Ok(()));
    assert_eq!(passwords.try_verify(&right), Some(true));
    passwords.replace(read("zoe:secret\n").unwrap());
    assert_eq!(
        passwords.try_verify(&right),
        Some(false),
        "the old password is not remembered"
    );
    assert_eq!(
        passwords.try_verify(&credentials("zoe", "secret")),
        Some(true)
    );
    passwords.replace(read(FILE).unwrap());
    assert_eq!(passwords.try_verify(&right), None);
    assert_eq!(passwords.verify(&right), Ok(()));
}

#[test]
fn an_error_names_the_line() {
    for (text, words) in [
        (
            "a:b\nmary",
            "users, line 2: expected USER:PASSWORD or USER:HASH",
        ),
        (
            "mary:$apr1$saltsalt$cDaXFPtbo/Zf4W/Dyy5Zg0",
            "line 1: unknown kind of hash",
        ),
        (
            "mary:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
            "make one with htpasswd -B",
        ),
        ("mary:rl.3StKT.4T8M", "make one with htpasswd -B"),
        ("mary:$2y$05$short", "line 1: this hash is damaged"),
        ("mary:$6$salt$short", "line 1: this hash is damaged"),
        (
            "mary:$6$salt$short:a comment",
            "line 1: this hash is damaged",
        ),
        ("mary:", "line 1: the password is empty"),
        ("mary:{PLAIN}", "line 1: the password is empty"),
        (":secret", "line 1: the user has no name"),
        ("mary::19000:0:99999:7:::", "line 1: the password is empty"),
        (":$6$salt$short", "line 1: this hash is damaged"),
        (":!", "line 1: the user has no name"),
        ("mary:$argon2id$nonsense", "line 1: this hash is damaged"),
        (
            "#\nmary:a\nmary:b",
            "line 3: there is another password for this user",
        ),
        ("mary:a\tb", "line 1: user and password must have at most"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(
            !error.contains("mary") && !error.contains("salt"),
            "{error}"
        );
    }
    let mut passwords = Passwords::new().unwrap();
    let error = passwords.read("/nope").unwrap_err();
    assert_eq!(error.to_string(), "cannot read /nope");
    assert!(
        matches!(error, PasswordError::Read { source, .. } if source.kind() == ErrorKind::NotFound)
    );
}

/// A client that waits in the queue, and records its name when its credentials have been verified.
struct Client {
    name: &'static str,
    is_waiting: bool,
    verified: Arc<Mutex<Vec<&'static str>>>,
    /// The first client blocks its thread here until all others are queued.
    pause: Option<(Sender<()>, Receiver<()>)>,
}

impl Waiter for Client {
    fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    fn complete(self: Box<Self>, verified: Result<(), FsError>) {
        assert_eq!(verified.is_ok(), self.name == "right");
        if let Some((begun, resume)) = &self.pause {
            begun.send(()).unwrap();
            resume.recv().unwrap();
        }
        self.verified.lock().unwrap().push(self.name);
    }
}

#[test]
fn addresses_take_turns_no_matter_how_often_one_of_them_guesses() {
    let (passwords, verified) = (read(FILE).unwrap(), Arc::new(Mutex::new(Vec::new())));
    let queue = |name, address: &str, is_waiting, pause| {
        let password = if name == "right" { "a:secret" } else { "wrong" };
        let client = Client {
            name,
            is_waiting,
            verified: Arc::clone(&verified),
            pause,
        };
        let attempt = credentials("bcrypt", password).from_client(address);
        passwords.verify_later(&attempt, Box::new(client));
    };
    let ((begun, has_begun), (all_queued, resume)) = (channel(), channel());
    thread::scope(|scope| {
        let queue = &queue;
        scope.spawn(move || queue("first", "127.0.0.1", true, Some((begun, resume))));
        has_begun.recv().unwrap();
        for _ in 0..50 {
            queue("guess", "127.0.0.1", true, None);
            queue("left", "127.0.0.3", false, None);
        }
        queue("right", "127.0.0.2", true, None);
        queue("network", "2001:db8::1", true, None);
        queue("network", "2001:db8::2", true, None);
        all_queued.send(()).unwrap();
    });
    let verified = verified.lock().unwrap();
    assert_eq!(
        verified.len(),
        1 + 50 + 1 + 2,
        "disconnected clients are skipped"
    );
    let expected = ["first", "guess", "right", "network", "guess", "network"];
    assert_eq!(verified[..6], expected);
}

#[test]
fn waiting_threads_take_turns() {
    let passwords = read(FILE).unwrap();
    let answers = thread::scope(|scope| {
        let guess = || passwords.verify(&credentials("bcrypt", "wrong").from_client("127.0.0.1"));
        let guesses: Vec<_> = (0..50).map(|_| scope.spawn(guess)).collect();
        let right = passwords.verify(&credentials("bcrypt", "a:secret").from_client("127.0.0.2"));
        assert_eq!(right, Ok(()));
        let answers = guesses.into_iter().map(|guess| guess.join().unwrap());
        answers.collect::<Vec<_>>()
    });
    assert_eq!(answers, [Err(FsError::Forbidden); 50]);
}

#[test]
fn bcrypt_passwords_over_72_bytes_are_refused() {
    let longest = "a".repeat(72);
    let hash = bcrypt::hash(&longest, 4).unwrap();
    let passwords = read(format!("mary:{hash}\n")).unwrap();
    let longer = format!("{longest}b");
    assert!(
        bcrypt::verify(&longer, &hash).unwrap(),
        "bcrypt itself uses only the first 72 bytes"
    );
    assert_eq!(
        passwords.verify(&credentials("mary", &longer)),
        Err(FsError::Forbidden)
    );
    assert_eq!(passwords.verify(&credentials("mary", &longest)), Ok(()));
    // Credentials have no control characters, so no NUL either.
    assert_eq!(Credentials::new("mary", &format!("{longest}\0")), None);
}

const BCRYPT: &str = "$2b$05$KqT2Q.V314tRrJHM0qFHx.VqALqMo41hPDWcP7I.RD61OU4uoWcD6";

fn rights(passwords: &Passwords, who: Who<'_>) -> String {
    passwords.rights(who).to_string()
}

#[test]
fn a_line_has_the_rights_of_a_user_or_of_everybody() {
    let text = format!(
        "*:rights=read\nbcrypt:{BCRYPT}:rights=read,write\nlocked:!:rights=delete\n\
         plain:a:secret:rights=write \nnone:{BCRYPT}:rights=\nall:{BCRYPT}:night shift\n\
         shadow:{BCRYPT}:19000:0:99999:7:::\nlater:{BCRYPT}:a comment:rights=read\n\
         marked:{{PLAIN}}a:rights=read\n*:a star\n"
    );
    let passwords = read(&text).unwrap();
    for (user, expected) in [
        ("bcrypt", "read,write"),
        ("locked", "delete"),
        ("plain", "write"),
        ("none", ""),
        ("all", "read,write,delete"),
        ("shadow", "read,write,delete"),
        ("later", "read"),
        ("marked", "read,write,delete"),
        ("*", "read,write,delete"),
    ] {
        assert_eq!(rights(&passwords, Who::User(user)), expected, "{user}");
    }
    assert_eq!(rights(&passwords, Who::Everybody), "read");
    assert_eq!(rights(&passwords, Who::AllUsers), "read,write,delete");
    for (user, password) in [
        ("plain", "a:secret"),
        ("marked", "a:rights=read"),
        ("*", "a star"),
    ] {
        let given = credentials(user, password);
        assert_eq!(passwords.try_verify(&given), Some(true), "{user}");
    }
    assert_eq!(passwords.verify(&credentials("bcrypt", "a:secret")), Ok(()));
}

/// A typing error must not give a user all rights.
#[test]
fn wrong_rights_are_errors() {
    for field in [
        "rights=raed",
        "rights=read;write",
        "Rights=read",
        "right=read",
        "rights =read",
        "rights= read,",
    ] {
        for user in [
            format!("mary:{BCRYPT}"),
            "mary:!".into(),
            "mary:secret".into(),
            "*".into(),
        ] {
            let error = read(format!("a:b\n{user}:{field}\n")).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains("line 2: expected rights such as"),
                "{user}:{field}: {text}"
            );
        }
    }
    let error = read("*:rights=read\n*:rights=write\n").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("line 2: the rights of everybody are given twice")
    );
}

/// What looks like a restriction must not give all rights.
#[test]
fn rights_in_the_place_of_a_password_are_errors() {
    for line in ["mary:rights=read", " *:rights=read", "* :rights=read"] {
        assert!(read(format!("a:b\n{line}\n")).is_err(), "{line}");
    }
}

#[test]
fn rights_by_default_and_of_all_users_follow_the_users() {
    let mut passwords = Passwords::new().unwrap();
    assert_eq!(rights(&passwords, Who::Everybody), "");
    assert_eq!(rights(&passwords, Who::AllUsers), "", "there are no users");
    passwords.set_rights(Who::AllUsers, Rights::parse("read").unwrap());
    passwords.add("mary", "a").unwrap();
    assert_eq!(rights(&passwords, Who::AllUsers), "read");
    passwords.add("zoe", "a").unwrap();
    passwords.set_rights(Who::User("zoe"), Rights::parse("write").unwrap());
    assert_eq!(rights(&passwords, Who::AllUsers), "read,write");
    assert_eq!(rights(&passwords, Who::User("mary")), "read");
    let new = read("*:rights=read\nmary:b:rights=delete\n").unwrap();
    passwords.replace(new);
    assert_eq!(rights(&passwords, Who::Everybody), "read");
    assert_eq!(rights(&passwords, Who::AllUsers), "delete");
}
