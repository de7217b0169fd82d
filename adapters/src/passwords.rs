//! [`Passwords`]: users and their passwords, from files or given by the program. Verifies credentials, and remembers
//! correct ones, so that each user's hash is calculated only once. `hash` verifies one password, `line` parses a line of
//! a file, `rights` has the rights of users and of everybody, and `verify_queue` decides whose turn it is.

mod error;
mod hash;
mod line;
mod rights;
mod verify_queue;

use std::collections::HashMap;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ring::hmac::{self, Tag};
use ring::rand::SystemRandom;
use sanserve_core::{Credentials, FsError, Rights, Waiter, Who};

pub use self::error::PasswordError;
use self::hash::Hash;
use self::line::{Line, Password};
use self::rights::RightsTable;
use self::verify_queue::{Job, VerifyQueue};
use crate::text_file;

/// Users and their passwords, plain or hashed, and their rights.
///
/// Calculating a good hash takes long, by design. It is calculated once for each user: correct credentials are
/// remembered under a key that is generated for each run. Wrong passwords take the full time each time, and so do
/// unknown users. Only one hash is calculated at a time, so clients that guess passwords occupy one core, and memory
/// for one hash. The addresses of clients (for IPv6 the /64 networks) take turns, so one address delays each request of
/// another by at most one hash, besides the one being calculated.
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
///     Guard::new(Files::new(), move |given| passwords.try_verify(given))
/// };
/// # let _ = (disk, handler());
/// # Ok(())
/// # }
/// ```
pub struct Passwords {
    users: RwLock<Arc<Users>>,
    queue: VerifyQueue,
}

/// All users, and the credentials that were verified. [`Passwords::replace`] replaces it.
struct Users {
    secrets: HashMap<String, Secret>,
    rights: RightsTable,
    /// The tags of correct credentials.
    remembered: Mutex<HashMap<String, Tag>>,
    key: hmac::Key,
    /// The tag of an empty text.
    no_user: Tag,
}

/// The stored form of a password.
enum Secret {
    Plain(Tag),
    Hash(Hash),
    /// No password is correct.
    Locked,
}

impl Passwords {
    /// Creates an empty set of users.
    ///
    /// # Errors
    /// If the system provides no random numbers.
    pub fn new() -> Result<Passwords, PasswordError> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| PasswordError::NoRandomness)?;
        let users = Users {
            secrets: HashMap::new(),
            rights: RightsTable::default(),
            remembered: Mutex::default(),
            // Credentials always contain a colon, so none have this tag.
            no_user: hmac::sign(&key, b""),
            key,
        };
        Ok(Passwords {
            users: RwLock::new(Arc::new(users)),
            queue: VerifyQueue::default(),
        })
    }

    /// Replaces all users by those of `other`, even while this is in use. It applies to requests that arrive
    /// from now on; a user who was removed gets 401 on an open connection, too.
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
    /// assert_eq!(passwords.try_verify(&given), Some(true));
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
    /// If the user exists, if one of the two is empty, or if no client could send them: the name must not
    /// contain a colon, neither may contain control characters, and together they have at most 1,023 bytes.
    pub fn add(&mut self, user: &str, password: &str) -> Result<(), PasswordError> {
        if password.is_empty() {
            return Err(PasswordError::EmptyPassword);
        }
        let credentials = credentials(user, password)?;
        let tag = hmac::sign(&self.users().key, credentials.as_str().as_bytes());
        self.insert(user, Secret::Plain(tag))
    }

    /// Adds the users of a file, one on each line: `user:hash` as `htpasswd -B` writes it (bcrypt), argon2
    /// (`$argon2id$`), or SHA-crypt (`$5$`, `$6$`). Anything after another colon is ignored: a comment, or the
    /// other fields of shadow(5). Text that does not look like a hash is the password itself, and so is text
    /// after `{PLAIN}`, including trailing spaces. If the first character is `!` or `*`, the user is locked, as
    /// in shadow(5), and no password is correct. Empty lines and lines that begin with `#` are ignored.
    ///
    /// `user:hash:rights=read,write` gives a user these [rights](Rights) only, and so does `:rights=` at the end of a line
    /// with a password that has no `{PLAIN}` before it. `*:rights=read` gives everybody these rights, also without a
    /// password.
    ///
    /// # Errors
    /// If the file cannot be read, or if a line is wrong; the error names the first such line.
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
            self.add_line(line).map_err(|error| PasswordError::Line {
                path: path.into(),
                number: number + 1,
                problem: Box::new(error),
            })?;
        }
        Ok(())
    }

    fn add_line(&mut self, line: &str) -> Result<(), PasswordError> {
        let (user, password, rights) = match Line::parse(line)? {
            Line::Everybody(rights) => return self.users_mut().rights.set_everybody(rights),
            Line::User(user, password, rights) => (user, password, rights),
        };
        match password {
            Password::Plain(password) => self.add(user, password)?,
            Password::Hash(hash) => self.add_secret(user, Secret::Hash(hash))?,
            Password::Locked => self.add_secret(user, Secret::Locked)?,
        }
        if let Some(rights) = rights {
            self.set_rights(Who::User(user), rights);
        }
        Ok(())
    }

    fn add_secret(&mut self, user: &str, secret: Secret) -> Result<(), PasswordError> {
        credentials(user, "")?;
        self.insert(user, secret)
    }

    fn insert(&mut self, user: &str, secret: Secret) -> Result<(), PasswordError> {
        let users = self.users_mut();
        users.rights.users_changed();
        if users.secrets.insert(user.to_owned(), secret).is_some() {
            return Err(PasswordError::Duplicate);
        }
        Ok(())
    }

    fn users_mut(&mut self) -> &mut Users {
        let users = self.users.get_mut();
        let users = Arc::get_mut(users.unwrap_or_else(PoisonError::into_inner));
        // Calls hold the `Arc` only while they run, and this one has exclusive access.
        users.expect("no other call is running")
    }

    /// Sets the rights of everybody or of one user, or with [`Who::AllUsers`] those of all users who have none of their
    /// own. By default everybody has none, and users have all. A line of a file takes precedence for everybody and for
    /// its user, if it is read later.
    ///
    /// ```
    /// # use sanserve_server::Passwords;
    /// # use sanserve_core::{Right, Rights, Who};
    /// # fn main() -> std::io::Result<()> {
    /// let mut passwords = Passwords::new()?;
    /// passwords.add("mary", "a secret")?;
    /// passwords.set_rights(Who::Everybody, Rights::NONE.with(Right::Read));
    /// assert_eq!(passwords.rights(Who::User("mary")), Rights::ALL);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_rights(&mut self, who: Who<'_>, rights: Rights) {
        self.users_mut().rights.set(who, rights);
    }

    /// Returns the rights of clients, as [`Guard::rights`](sanserve_core::Guard::rights) needs them. For
    /// [`Who::AllUsers`] these are the rights that at least one user has.
    pub fn rights(&self, who: Who<'_>) -> Rights {
        let users = self.users();
        users.rights.get(who, users.secrets.keys())
    }

    /// Returns the number of users.
    pub fn len(&self) -> usize {
        self.users().secrets.len()
    }

    /// Returns whether there are no users.
    pub fn is_empty(&self) -> bool {
        self.users().secrets.is_empty()
    }

    /// Returns whether credentials are correct, if that is known without calculating a hash.
    pub fn try_verify(&self, given: &Credentials) -> Option<bool> {
        self.users().try_verify(given)
    }

    /// Verifies credentials. Waits for its turn, and blocks while a hash is calculated.
    ///
    /// # Errors
    /// [`FsError::Forbidden`] if they are wrong.
    pub fn verify(&self, given: &Credentials) -> Result<(), FsError> {
        self.queue.wait(given.client());
        let done = self.verify_now(given);
        self.verify_others();
        done
    }

    /// Verifies credentials without waiting for a turn. The result is passed to `waiter` by the thread that is
    /// calculating hashes at that time. If there is none, the calling thread does it, and continues with
    /// credentials that are queued in the meantime.
    pub fn verify_later(&self, given: &Credentials, waiter: Box<dyn Waiter>) {
        let given = given.clone();
        if self.queue.push(Job { given, waiter }) {
            self.verify_others();
        }
    }

    fn verify_others(&self) {
        while let Some(Job { given, waiter }) = self.queue.next() {
            waiter.complete(self.verify_now(&given));
        }
    }

    /// Verifies credentials. A panic is caught, because the next turn has to follow.
    fn verify_now(&self, given: &Credentials) -> Result<(), FsError> {
        let verify = AssertUnwindSafe(|| self.users().calculate(given));
        panic::catch_unwind(verify).unwrap_or(Err(FsError::Io))
    }
}

impl Users {
    fn try_verify(&self, given: &Credentials) -> Option<bool> {
        let is = |tag: &Tag| {
            let text = given.as_str().as_bytes();
            hmac::verify(&self.key, text, tag.as_ref()).is_ok()
        };
        match self.secrets.get(given.user()) {
            // A wrong password must take as long as that of a user with a hash.
            Some(Secret::Plain(tag)) if self.any_hash().is_none() || is(tag) => Some(is(tag)),
            Some(Secret::Plain(_)) => None,
            Some(Secret::Hash(_)) => {
                let right = self.remembered().get(given.user()).is_some_and(is);
                right.then_some(true)
            }
            Some(Secret::Locked) | None if self.any_hash().is_some() => None,
            // Takes as long as for a user with a password.
            Some(Secret::Locked) | None => Some(is(&self.no_user)),
        }
    }

    fn calculate(&self, given: &Credentials) -> Result<(), FsError> {
        // Browsers send several requests at the same time, so the result may be known by now.
        if let Some(known) = self.try_verify(given) {
            return known.then_some(()).ok_or(FsError::Forbidden);
        }
        let user = given.user();
        let (hash, is_user) = match self.secrets.get(user) {
            Some(Secret::Hash(hash)) => (Some(hash), true),
            _ => (self.any_hash(), false),
        };
        let right = hash.is_some_and(|hash| hash.verify(given.password()));
        if !right || !is_user {
            return Err(FsError::Forbidden);
        }
        let tag = hmac::sign(&self.key, given.as_str().as_bytes());
        self.remembered().insert(user.to_owned(), tag);
        Ok(())
    }

    /// Returns any hash, to spend the same time on unknown users.
    fn any_hash(&self) -> Option<&Hash> {
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
    /// Shows only the number of users.
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
