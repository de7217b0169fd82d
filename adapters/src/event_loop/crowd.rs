//! [`Crowd`]: how many there were, to know when it is worth while to give memory back.

/// How many there were at most, since a crowd was last found to have gone.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    most: usize,
}

impl Crowd {
    /// There are so many.
    pub(super) fn saw(&mut self, many: usize) {
        self.most = self.most.max(many);
    }

    /// So many are left. Whether three quarters of a crowd have gone, since that was last so.
    pub(super) fn has_gone(&mut self, left: usize) -> bool {
        let gone = self.most >= CROWD && left <= self.most / 4;
        if gone {
            self.most = left;
        }
        gone
    }
}

/// So many are a crowd.
const CROWD: usize = 16;
