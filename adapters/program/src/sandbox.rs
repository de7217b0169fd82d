//! A second wall around what is served (`--sandbox`): Landlock, by which a process gives up access to files and the
//! network. If a fault of this program let a request leave the served directory, the kernel would still refuse it.

use std::error::Error;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus,
};

use super::failure::Failure;
use super::options::Options;
use super::output::warn;

/// Confines this thread, and all threads that it starts from now on, to reading what is served, to storing and deleting
/// there if the options allow it, and to the open sockets. Warns if the kernel cannot do that.
///
/// The thread that handles signals must have been started before, since it reads certificates and passwords again.
///
/// # Errors
/// Returns why the kernel refuses the rules, or why the directory cannot be opened.
pub(super) fn enter(options: &Options) -> Result<(), Failure> {
    let confined = confine(options);
    let status = confined.map_err(|error| Failure::Service(format!("--sandbox: {error}")))?;
    if status == RulesetStatus::NotEnforced {
        warn(
            "warning: --sandbox has no effect: this kernel has no Landlock, or has it switched off",
        );
    }
    Ok(())
}

fn confine(options: &Options) -> Result<RulesetStatus, Box<dyn Error>> {
    let served = PathFd::new(&options.directory)?;
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::ConnectTcp)?
        .create()?
        .add_rule(PathBeneath::new(served, allowed(options)))?;
    Ok(rules.restrict_self()?.ruleset)
}

/// Returns what is allowed in the served directory, or with the served archive.
fn allowed(options: &Options) -> BitFlags<AccessFs> {
    let mut access = AccessFs::ReadFile.into();
    if options.is_zip {
        return access;
    }
    access |= AccessFs::ReadDir;
    if options.upload || options.delete {
        access |= AccessFs::RemoveFile | AccessFs::RemoveDir;
    }
    if options.upload {
        access |= AccessFs::WriteFile | AccessFs::Truncate | AccessFs::Refer;
        access |= AccessFs::MakeReg | AccessFs::MakeDir;
    }
    access
}

/// The newest version of Landlock whose rights are handled. With an older kernel, those that it does not know are not
/// restricted.
const NEWEST: ABI = ABI::V5;
