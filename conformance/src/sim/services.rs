//! The simulation of the services: downloads, listings, archives, uploads, passwords, virtual hosts, CGI scripts, waits
//! and upgrades. Each connection of a world has a server of its own, with other settings, and all of them serve one
//! [`ModelTree`], on which they interfere with each other.

mod archives;
mod downloads;
mod exchange;
mod guard;
mod hosts;
mod listings;
mod named_changes;
mod parts;
mod replies;
pub(super) mod requests;
mod served;
mod settings;
pub mod unpack;
mod uploads;

use sanserve_core::{FileSystem, Handler};

use self::served::Served;
use self::settings::{Service, Settings};
pub use super::model_tree::{Cause, Change, ModelFile, ModelTree, Version};
use super::{Conversation, Random, Sim};

/// A check of what the services served in a world.
type ServiceCheck = fn(&Served<'_>) -> Result<(), String>;

/// The checks of all services, with their names.
const CHECKS: [(&str, ServiceCheck); 12] = [
    ("parts", parts::check),
    ("uploads", uploads::check),
    ("temporary", uploads::check_temporary),
    ("changes", named_changes::check),
    ("downloads", downloads::check),
    ("listings", listings::check),
    ("archives", archives::check),
    ("hosts", hosts::check),
    ("guard", guard::check),
    ("scripts", replies::check_scripts),
    ("waits", replies::check_waits),
    ("upgrades", replies::check_upgrades),
];

/// Returns the handler for a number, as in [`Sim::services`] and its transcripts.
#[must_use]
pub fn service_handler(number: u64) -> Box<dyn Handler> {
    Settings::of(number).handler()
}

/// Checks a world. All checks share the parsed requests and replies.
fn check(tree: &ModelTree, conversations: &[Conversation]) -> Result<(), (&'static str, String)> {
    let served = Served::new(tree, conversations).map_err(|message| ("replies", message))?;
    let mut checks = CHECKS.iter();
    checks.try_for_each(|(name, check)| check(&served).map_err(|message| (*name, message)))
}

impl Service {
    /// Whether it replies with files and listings.
    fn serves_files(self) -> bool {
        matches!(self, Service::Files | Service::Upload)
    }
}

impl Sim<ModelTree, Box<dyn Handler>> {
    /// Simulates the services of sanserve-core, with several servers on one tree.
    #[must_use]
    pub fn services() -> Self {
        Sim::services_over(ModelTree::grow, service_handler)
    }
}

impl<S: FileSystem + AsRef<ModelTree> + 'static, H: Handler> Sim<S, H> {
    /// Does the same with a file system that contains a [`ModelTree`], and with another handler for the numbers of
    /// [`service_handler`]: to see what the checks find.
    pub fn services_over(
        fs: impl Fn(&mut Random) -> S + 'static,
        handler: impl Fn(u64) -> H + 'static,
    ) -> Self {
        let mut sim = Sim::over(fs, handler)
            .change(|fs: &S, random| fs.as_ref().change_at_random(random))
            .allow_handler_errors(|_, _| false);
        sim.requests_for = Some(requests::random);
        // The targets belong to the grammar.
        sim.targets = None;
        sim.connections = |random| random.pick(&[1, 1, 2, 2, 2, 3, 3, 4]);
        sim.world_checks.push(Box::new(|fs, conversations| {
            check(fs.as_ref(), conversations)
        }));
        sim
    }
}
