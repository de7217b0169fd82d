//! [`Faults`]: how often each fault occurs in a world.

use super::Random;

/// How often each fault occurs: one time in this number, or never if it is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A read or write is short.
    pub short: u32,
    /// An answer is `Nothing` without a reason.
    pub nothing: u32,
    /// An answer is late, but before the deadline.
    pub slow: u32,
    /// An answer comes after the deadline.
    pub late: u32,
    /// The transport fails.
    pub reset: u32,
    /// A call of the file system fails.
    pub fs_error: u32,
    /// An open file or a CGI process fails.
    pub io_error: u32,
    /// The file system changes before a step.
    pub file_change: u32,
    /// The clock jumps by up to a day.
    pub clock_jump: u32,
    /// `finish()` is called.
    pub finish: u32,
}

impl Faults {
    /// No faults.
    pub const NONE: Faults = Faults {
        short: 0,
        nothing: 0,
        slow: 0,
        late: 0,
        reset: 0,
        fs_error: 0,
        io_error: 0,
        file_change: 0,
        clock_jump: 0,
        finish: 0,
    };

    /// Returns how often a fault occurs.
    #[must_use]
    pub fn odds(&self, class: FaultClass) -> u32 {
        match class {
            FaultClass::Short => self.short,
            FaultClass::Nothing => self.nothing,
            FaultClass::Slow => self.slow,
            FaultClass::Late => self.late,
            FaultClass::Reset => self.reset,
            FaultClass::FsError => self.fs_error,
            FaultClass::IoError => self.io_error,
            FaultClass::FileChange => self.file_change,
            FaultClass::ClockJump => self.clock_jump,
            FaultClass::Finish => self.finish,
        }
    }

    /// Draws the faults of a world. Each is off in half of the worlds, so that each also occurs without the others.
    #[must_use]
    pub fn of(random: &mut Random) -> Faults {
        let mut odds = |often: u32, seldom: u32| random.pick(&[0, 0, often, seldom]);
        Faults {
            short: odds(1, 3),
            nothing: odds(4, 50),
            slow: odds(2, 20),
            late: odds(20, 200),
            reset: odds(30, 300),
            fs_error: odds(5, 50),
            io_error: odds(5, 50),
            file_change: odds(5, 50),
            clock_jump: odds(50, 500),
            finish: odds(20, 200),
        }
    }
}

/// The kinds of faults, one for each field of [`Faults`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultClass {
    /// [`Faults::short`].
    Short,
    /// [`Faults::nothing`].
    Nothing,
    /// [`Faults::slow`].
    Slow,
    /// [`Faults::late`].
    Late,
    /// [`Faults::reset`].
    Reset,
    /// [`Faults::fs_error`].
    FsError,
    /// [`Faults::io_error`].
    IoError,
    /// [`Faults::file_change`].
    FileChange,
    /// [`Faults::clock_jump`].
    ClockJump,
    /// [`Faults::finish`].
    Finish,
}

impl FaultClass {
    /// All of them.
    pub const ALL: [FaultClass; 10] = [
        FaultClass::Short,
        FaultClass::Nothing,
        FaultClass::Slow,
        FaultClass::Late,
        FaultClass::Reset,
        FaultClass::FsError,
        FaultClass::IoError,
        FaultClass::FileChange,
        FaultClass::ClockJump,
        FaultClass::Finish,
    ];

    /// Returns the name, which is that of the field of [`Faults`].
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FaultClass::Short => "short",
            FaultClass::Nothing => "nothing",
            FaultClass::Slow => "slow",
            FaultClass::Late => "late",
            FaultClass::Reset => "reset",
            FaultClass::FsError => "fs_error",
            FaultClass::IoError => "io_error",
            FaultClass::FileChange => "file_change",
            FaultClass::ClockJump => "clock_jump",
            FaultClass::Finish => "finish",
        }
    }

    pub(super) fn named(name: &str) -> Option<FaultClass> {
        FaultClass::ALL
            .into_iter()
            .find(|class| class.name() == name)
    }
}
