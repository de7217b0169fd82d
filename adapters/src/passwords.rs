//! [`Passwords`]: who may come in. How a password is hashed is in `hash`, whose turn it is in `turns`.

mod error;
mod hash;
mod turns;

use std::collections::HashMap;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ring::hmac::{self, Tag};
use ring::rand::SystemRandom;
use sanserve_core::{Credentials, FsError, Waiter};

pub use self::error::PasswordError;
use self::hash::Hash;
use self::turns::{Job, Turns};
use crate::text_file;

/// Users and their passwords, plain or hashed.
///
/// A good hash takes long, which is what it is for. It is calculated once for each user: what was
/// right is remembered under a key that is drawn anew for each run. What is wrong takes its full time
/// every time, and so do users that are not there. Hashes are calculated one after the other, so
/// that a crowd that guesses takes one core and the memory for one. The addresses of clients take turns
/// (of IPv6 the networks of 64 bits), so that it delays only clients of its own address.
///
/// ```
/// use sanserve_server::{Disk, WithPasswords, Passwords};
/// use sanserve_core::{Files, Guard};
/// use std::sync::Arc;
///
/// # fn main() -> std::io::Result<()> {
/// let mut passwords = Passwords::new()?;
/// passwords.add("mary", "a secret")?;
/// let passwords = Arc::new(passwords);
/// let disk = WithPasswords::new(Disk::open(".")?, Some(Arc::clone(&passwords)));
/// let handler = move || {
///     let passwords = Arc::clone(&passwords);
///     Guard::new(Files::new(), move |given| passwords.known(given))
/// };
/// # let _ = (disk, handler());
/// # Ok(())
/// # }
/// ```
pub struct Passwords {
    users: RwLock<Arc<Users>>,
    turns: Turns,
}

/// All users, and what was found out about them. [`Passwords::replace`] puts another one in its place.
struct Users {
    secrets: HashMap<String, Secret>,
    /// Of those credentials that were right.
    remembered: Mutex<HashMap<String, Tag>>,
    key: hmac::Key,
    /// Of nothing.
    nobody: Tag,
}

/// What is known of a password.
enum Secret {
    Plain(Tag),
    Hash(Hash),
    /// No password is right.
    Locked,
}

impl Passwords {
    /// Nobody.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn new() -> Result<Passwords, PasswordError> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| PasswordError::NoRandomness)?;
        let users = Users {
            secrets: HashMap::new(),
            remembered: Mutex::default(),
            // No credentials are without a colon.
            nobody: hmac::sign(&key, b""),
            key,
        };
        Ok(Passwords {
            users: RwLock::new(Arc::new(users)),
            turns: Turns::default(),
        })
    }

    /// Takes the users of another one in place of its own, while it is in use: for requests that come from now on. A user
    /// that is no longer among them gets 401 on an open connection, too.
    ///
    /// ```
    /// # use sanserve_server::Passwords;
    /// # use sanserve_core::Credentials;
    /// # fn main() -> std::io::Result<()> {
    /// let passwords = Passwords::new()?;
    /// let mut others = Passwords::new()?;
    /// others.add("mary", "a secret")?;
    /// passwords.replace(others);
    /// let given = Credentials::new("mary", "a secret").unwrap();
    /// assert_eq!(passwords.known(&given), Some(true));
    /// # Ok(())
    /// # }
    /// ```
    pub fn replace(&self, other: Passwords) {
        let new = other.users.into_inner();
        let new = new.unwrap_or_else(PoisonError::into_inner);
        *self.users.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    fn users(&self) -> Arc<Users> {
        Arc::clone(&self.users.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a user with a plain password.
    ///
    /// # Errors
    /// If there is such a user, if one of these is empty, or if they cannot be sent: a name is without a colon, neither
    /// holds control characters, and together they have at most 1,023 bytes.
    pub fn add(&mut self, user: &str, password: &str) -> Result<(), PasswordError> {
        if password.is_empty() {
            return Err(PasswordError::EmptyPassword);
        }
        let credentials = credentials(user, password)?;
        let tag = hmac::sign(&self.users().key, credentials.as_str().as_bytes());
        self.insert(user, Secret::Plain(tag))
    }

    /// Adds the users of a file, a line each: `user:hash` as `htpasswd -B` writes it (bcrypt), argon2
    /// (`$argon2id$`), or SHA-crypt (`$5$`, `$6$`). Behind another colon, what follows a hash is ignored: a comment, or the
    /// other fields of shadow(5). What looks like no hash is the password itself, as is what follows `{PLAIN}`, with
    /// spaces at its end if there are some. Where `!` or `*` is the first character the user is locked, as in shadow(5),
    /// and no password is right. Empty lines, and those that begin with `#`, are passed over.
    ///
    /// # Errors
    /// If it cannot be read, or names the first line that is wrong.
    pub fn read(&mut self, path: impl AsRef<Path>) -> Result<(), PasswordError> {
        let path = path.as_ref();
        let bytes = text_file::read(path).map_err(|source| PasswordError::Read {
            path: path.into(),
            source,
        })?;
        let text =
            String::from_utf8(bytes).map_err(|_| PasswordError::NotUtf8 { path: path.into() })?;
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            self.line(line).map_err(|error| PasswordError::Line {
                path: path.into(),
                number: number + 1,
                problem: Box::new(error),
            })?;
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<(), PasswordError> {
        let (user, secret) = line.split_once(':').ok_or(PasswordError::NoColon)?;
        if let Some(password) = secret.strip_prefix("{PLAIN}") {
            return self.add(user, password);
        }
        let field = secret.split(':').next().unwrap_or_default();
        if field.is_empty() {
            return Err(PasswordError::EmptyPassword);
        }
        let field = field.trim_end();
        let hidden = if field.starts_with(['!', '*']) {
            Secret::Locked
        } else {
            match Hash::read(field)? {
                Some(hash) => Secret::Hash(hash),
                None => return self.add(user, secret),
            }
        };
        credentials(user, "")?;
        self.insert(user, hidden)
    }

    fn insert(&mut self, user: &str, secret: Secret) -> Result<(), PasswordError> {
        let users = self.users.get_mut();
        let users = Arc::get_mut(users.unwrap_or_else(PoisonError::into_inner));
        // Others have it for the time of a call, and no call runs while this one is possible.
        let users = users.expect("nobody else has the users");
        if users.secrets.insert(user.to_owned(), secret).is_some() {
            return Err(PasswordError::Duplicate);
        }
        Ok(())
    }

    /// The number of users.
    pub fn len(&self) -> usize {
        self.users().secrets.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.users().secrets.is_empty()
    }

    /// Whether these are right, if that can be told at once.
    pub fn known(&self, given: &Credentials) -> Option<bool> {
        self.users().known(given)
    }

    /// Whether these are right. It takes its time, and waits for its turn.
    ///
    /// # Errors
    /// [`FsError::Forbidden`] if they are wrong.
    pub fn verify(&self, given: &Credentials) -> Result<(), FsError> {
        self.turns.wait(given.client());
        let done = self.verify_now(given);
        self.verify_others();
        done
    }

    /// The same without waiting for a turn: the thread that calculates hashes at that time tells the
    /// `waiter`; if there is none, this one does, and goes on with those that are queued meanwhile.
    pub fn verify_later(&self, given: &Credentials, waiter: Box<dyn Waiter>) {
        let given = given.clone();
        if self.turns.queue(Job { given, waiter }) {
            self.verify_others();
        }
    }

    fn verify_others(&self) {
        while let Some(Job { given, waiter }) = self.turns.pass_on() {
            waiter.complete(self.verify_now(&given));
        }
    }

    /// Whatever goes wrong, the turn has to be passed on.
    fn verify_now(&self, given: &Credentials) -> Result<(), FsError> {
        let verify = AssertUnwindSafe(|| self.users().calculate(given));
        panic::catch_unwind(verify).unwrap_or(Err(FsError::Io))
    }
}

impl Users {
    fn known(&self, given: &Credentials) -> Option<bool> {
        let is = |tag: &Tag| {
            let text = given.as_str().as_bytes();
            hmac::verify(&self.key, text, tag.as_ref()).is_ok()
        };
        match self.secrets.get(given.user()) {
            // A wrong one takes as long as those of others.
            Some(Secret::Plain(tag)) if self.hash().is_none() || is(tag) => Some(is(tag)),
            Some(Secret::Plain(_)) => None,
            Some(Secret::Hash(_)) => {
                let right = self.remembered().get(given.user()).is_some_and(is);
                right.then_some(true)
            }
            Some(Secret::Locked) | None if self.hash().is_some() => None,
            // As long as for a user that can log in.
            Some(Secret::Locked) | None => Some(is(&self.nobody)),
        }
    }

    fn calculate(&self, given: &Credentials) -> Result<(), FsError> {
        // Browsers ask for several things at once.
        if let Some(known) = self.known(given) {
            return known.then_some(()).ok_or(FsError::Forbidden);
        }
        let user = given.user();
        let (hash, is_there) = match self.secrets.get(user) {
            Some(Secret::Hash(hash)) => (Some(hash), true),
            _ => (self.hash(), false),
        };
        let right = hash.is_some_and(|hash| hash.verify(given.password()));
        if !right || !is_there {
            return Err(FsError::Forbidden);
        }
        let tag = hmac::sign(&self.key, given.as_str().as_bytes());
        self.remembered().insert(user.to_owned(), tag);
        Ok(())
    }

    /// Any hash, for users that are not there.
    fn hash(&self) -> Option<&Hash> {
        self.secrets.values().find_map(|secret| match secret {
            Secret::Hash(hash) => Some(hash),
            Secret::Plain(_) | Secret::Locked => None,
        })
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<String, Tag>> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Passwords {
    /// How many.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users = self.len();
        out.debug_struct("Passwords")
            .field("users", &users)
            .finish()
    }
}

fn credentials(user: &str, password: &str) -> Result<Credentials, PasswordError> {
    if user.is_empty() {
        return Err(PasswordError::EmptyName);
    }
    Credentials::new(user, password).ok_or(PasswordError::Unsendable)
}
