//! [`RightsTable`]: the rights of everybody and of users.

use std::collections::HashMap;
use std::sync::OnceLock;

use sanserve_core::{Rights, Who};

use super::PasswordError;

/// Who may do what.
pub(super) struct RightsTable {
    everybody: Rights,
    /// Whether a line of a file has the rights of everybody.
    is_everybody_given: bool,
    /// The rights of users who have none of their own.
    default: Rights,
    own: HashMap<String, Rights>,
    /// The rights that at least one user has, once they are known.
    of_all_users: OnceLock<Rights>,
}

impl Default for RightsTable {
    fn default() -> RightsTable {
        RightsTable {
            everybody: Rights::NONE,
            is_everybody_given: false,
            default: Rights::ALL,
            own: HashMap::new(),
            of_all_users: OnceLock::new(),
        }
    }
}

impl RightsTable {
    pub(super) fn set(&mut self, who: Who<'_>, rights: Rights) {
        self.users_changed();
        match who {
            Who::User(user) => _ = self.own.insert(user.to_owned(), rights),
            Who::AllUsers => self.default = rights,
            _ => self.everybody = rights,
        }
    }

    /// Sets the rights of everybody from a line of a file.
    pub(super) fn set_everybody(&mut self, rights: Rights) -> Result<(), PasswordError> {
        if std::mem::replace(&mut self.is_everybody_given, true) {
            return Err(PasswordError::DuplicateRights);
        }
        self.everybody = rights;
        Ok(())
    }

    /// Has to be called when a user was added.
    pub(super) fn users_changed(&mut self) {
        self.of_all_users.take();
    }

    /// Returns rights, given the names of all users.
    pub(super) fn get<'a>(&self, who: Who<'_>, users: impl Iterator<Item = &'a String>) -> Rights {
        let of_user = |user: &str| self.own.get(user).copied().unwrap_or(self.default);
        match who {
            Who::User(user) => of_user(user),
            Who::AllUsers => *self
                .of_all_users
                .get_or_init(|| users.fold(Rights::NONE, |rights, user| rights | of_user(user))),
            _ => self.everybody,
        }
    }
}
