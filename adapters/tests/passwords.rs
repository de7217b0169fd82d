//! Passwords: files of them, what they cost, and who is let in by which.

use std::fs;
use std::io::ErrorKind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use sanserve_core::{Credentials, FsError, Waiter};
use sanserve_server::{PasswordError, Passwords};

/// Hashes of `a:secret` that openssl, Python's bcrypt and argon2-cffi made, and other ways to write it.
const FILE: &str = "\
# who may come in
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

fn given(user: &str, password: &str) -> Credentials {
    Credentials::new(user, password).unwrap()
}

#[test]
fn what_others_hashed_is_understood_and_remembered() {
    let passwords = read(FILE).unwrap();
    for user in ["bcrypt", "argon2", "sha256", "sha512"] {
        let right = given(user, "a:secret");
        assert_eq!(passwords.known(&right), None, "{user}");
        for wrong in ["a:Secret", "", "a:secret "] {
            let wrong = given(user, wrong);
            assert_eq!(passwords.verify(&wrong), Err(FsError::Forbidden));
            assert_eq!(
                passwords.known(&wrong),
                None,
                "wrong ones are not remembered"
            );
        }
        assert_eq!(passwords.verify(&right), Ok(()), "{user}");
        assert_eq!(passwords.known(&right), Some(true), "{user}");
        assert_eq!(passwords.known(&given(user, "a:Secret")), None, "{user}");
    }
}

#[test]
fn plain_ones_are_known_at_once() {
    let passwords = read(FILE).unwrap();
    for user in ["plain", "marked"] {
        assert_eq!(passwords.known(&given(user, "a:secret")), Some(true));
        let wrong = given(user, "a:secre");
        // Where others have a hash, this takes as long as with them: else it would tell that there is such a user.
        assert_eq!(passwords.known(&wrong), None);
        assert_eq!(passwords.verify(&wrong), Err(FsError::Forbidden));
        let passwords = read("plain:a:secret\nmarked:{PLAIN}a:secret\n").unwrap();
        assert_eq!(passwords.known(&wrong), Some(false));
        assert_eq!(passwords.verify(&given(user, "b")), Err(FsError::Forbidden));
    }
    // Where there are hashes, who is not there takes as long as who is.
    let nobody = given("nobody", "a:secret");
    assert_eq!(passwords.known(&nobody), None);
    assert_eq!(passwords.verify(&nobody), Err(FsError::Forbidden));
    assert_eq!(read("a:b").unwrap().known(&nobody), Some(false));
}

/// Lines end with LF or CRLF, and no password with those; blanks may be part of one.
#[test]
fn blanks_at_the_end_of_a_plain_password_count() {
    let passwords = read("mary:secret \r\njohn:{PLAIN} secret  \n \nzoe: ").unwrap();
    for (user, password, right) in [
        ("mary", "secret ", true),
        ("mary", "secret", false),
        ("john", " secret  ", true),
        ("john", "secret", false),
        ("zoe", " ", true),
        ("zoe", "", false),
    ] {
        assert_eq!(
            passwords.known(&given(user, password)),
            Some(right),
            "{user}"
        );
    }
    // No hash has any.
    let hashed = FILE.replace('\n', " \n");
    let passwords = read(&hashed).unwrap();
    assert_eq!(passwords.verify(&given("sha256", "a:secret")), Ok(()));
}

/// shadow(5) and what `htpasswd` leaves alone: fields after the hash, and accounts that are locked.
#[test]
fn what_follows_a_hash_is_ignored_and_a_locked_user_has_no_password() {
    for line in FILE.lines().filter(|line| line.contains('$')) {
        let user = line.split(':').next().unwrap();
        let passwords = read(format!("{line}:night shift: b\n")).unwrap();
        assert_eq!(passwords.verify(&given(user, "a:secret")), Ok(()), "{line}");
        assert!(passwords.verify(&given(user, "night shift")).is_err());
    }
    let sha512 = FILE.lines().find(|line| line.starts_with("sha512:"));
    let hash = sha512.unwrap().split_once(':').unwrap().1;
    let shadow = format!(
        "root:{hash}:19000:0:99999:7:::\nlocked:!{hash}:19000:0:99999:7:::\nnew:!!:19000::::::\n\
         daemon:*:19000:0:99999:7:::\nplain:secret\n"
    );
    let passwords = read(&shadow).unwrap();
    assert_eq!(passwords.verify(&given("root", "a:secret")), Ok(()));
    for (user, password) in [
        ("locked", "a:secret"),
        ("locked", &format!("!{hash}")),
        ("locked", &format!("!{hash}:19000:0:99999:7:::")),
        ("new", "!!"),
        ("new", ""),
        ("daemon", "*"),
        ("daemon", "*:19000:0:99999:7:::"),
    ] {
        let given = given(user, password);
        // It takes as long as with others.
        assert_eq!(passwords.known(&given), None, "{user} {password}");
        assert!(passwords.verify(&given).is_err(), "{user} {password}");
    }
    let passwords = read("locked:!secret\nmarked:{PLAIN}!secret\n").unwrap();
    for (user, password, right) in [
        ("locked", "!secret", false),
        ("locked", "secret", false),
        ("marked", "!secret", true),
    ] {
        assert_eq!(passwords.known(&given(user, password)), Some(right));
    }
}

/// Windows puts a byte order mark in front of UTF-8, and PowerShell writes UTF-16 with one: neither is part of a name.
#[test]
fn a_file_that_windows_wrote_lets_its_first_user_in() {
    let utf8 = [b"\xef\xbb\xbf", "m\u{e4}ry:secret\r\njohn:a\r\n".as_bytes()].concat();
    let units = "\u{feff}m\u{e4}ry:secret\r\njohn:a\r\n".encode_utf16();
    let units: Vec<u16> = units.collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    for file in [utf8, little, big] {
        let passwords = read(file).unwrap();
        for (user, password) in [("m\u{e4}ry", "secret"), ("john", "a")] {
            assert_eq!(
                passwords.known(&given(user, password)),
                Some(true),
                "{user}"
            );
        }
    }
    let error = read(b"m\xe4ry:secret\n").unwrap_err().to_string();
    assert!(error.contains("is not UTF-8: convert it"), "{error}");
}

#[test]
fn users_can_be_replaced_while_they_are_asked_for() {
    let passwords = read(FILE).unwrap();
    let right = given("bcrypt", "a:secret");
    assert_eq!(passwords.verify(&right), Ok(()));
    assert_eq!(passwords.known(&right), Some(true));
    passwords.replace(read("zoe:secret\n").unwrap());
    assert_eq!(passwords.known(&right), Some(false), "it is not remembered");
    assert_eq!(passwords.known(&given("zoe", "secret")), Some(true));
    passwords.replace(read(FILE).unwrap());
    assert_eq!(passwords.known(&right), None);
    assert_eq!(passwords.verify(&right), Ok(()));
}

#[test]
fn a_line_that_is_wrong_is_named() {
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

/// A client whose credentials are queued, and where it writes down that it was told.
struct Client {
    name: &'static str,
    stays: bool,
    told: Arc<Mutex<Vec<&'static str>>>,
    /// The first one keeps its thread from here until it hears that all others are queued.
    pause: Option<(Sender<()>, Receiver<()>)>,
}

impl Waiter for Client {
    fn is_waiting(&self) -> bool {
        self.stays
    }

    fn complete(self: Box<Self>, verified: Result<(), FsError>) {
        assert_eq!(verified.is_ok(), self.name == "right");
        if let Some((begun, go)) = &self.pause {
            begun.send(()).unwrap();
            go.recv().unwrap();
        }
        self.told.lock().unwrap().push(self.name);
    }
}

#[test]
fn addresses_take_turns_however_much_one_of_them_guesses() {
    let (passwords, told) = (read(FILE).unwrap(), Arc::new(Mutex::new(Vec::new())));
    let queue = |name, address: &str, stays, pause| {
        let password = if name == "right" { "a:secret" } else { "wrong" };
        let given = given("bcrypt", password).from_client(address);
        let told = Arc::clone(&told);
        let client = Client {
            name,
            stays,
            told,
            pause,
        };
        passwords.verify_later(&given, Box::new(client));
    };
    let ((begin, begun), (all_queued, go)) = (channel(), channel());
    thread::scope(|scope| {
        let queue = &queue;
        scope.spawn(move || queue("first", "127.0.0.1", true, Some((begin, go))));
        begun.recv().unwrap();
        for _ in 0..50 {
            queue("guess", "127.0.0.1", true, None);
            queue("left", "127.0.0.3", false, None);
        }
        queue("right", "127.0.0.2", true, None);
        queue("network", "2001:db8::1", true, None);
        queue("network", "2001:db8::2", true, None);
        all_queued.send(()).unwrap();
    });
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1 + 50 + 1 + 2, "those that left are not told");
    let start = ["first", "guess", "right", "network", "guess", "network"];
    assert_eq!(told[..6], start);
}

#[test]
fn threads_that_wait_take_turns_too() {
    let passwords = read(FILE).unwrap();
    let answers = thread::scope(|scope| {
        let guess = || passwords.verify(&given("bcrypt", "wrong").from_client("127.0.0.1"));
        let guesses: Vec<_> = (0..50).map(|_| scope.spawn(guess)).collect();
        let right = passwords.verify(&given("bcrypt", "a:secret").from_client("127.0.0.2"));
        assert_eq!(right, Ok(()));
        let answers = guesses.into_iter().map(|guess| guess.join().unwrap());
        answers.collect::<Vec<_>>()
    });
    assert_eq!(answers, [Err(FsError::Forbidden); 50]);
}

#[test]
fn bcrypt_takes_no_password_that_it_does_not_look_at() {
    let longest = "a".repeat(72);
    let hash = bcrypt::hash(&longest, 4).unwrap();
    let passwords = read(format!("mary:{hash}\n")).unwrap();
    let longer = format!("{longest}b");
    assert!(
        bcrypt::verify(&longer, &hash).unwrap(),
        "bcrypt itself looks at the first 72 bytes only"
    );
    assert_eq!(
        passwords.verify(&given("mary", &longer)),
        Err(FsError::Forbidden)
    );
    assert_eq!(passwords.verify(&given("mary", &longest)), Ok(()));
    // Credentials hold no control characters, and so no NUL either.
    assert_eq!(Credentials::new("mary", &format!("{longest}\0")), None);
}
