//! [`Plan`]: everything that is chosen for a world before it begins, as a value from which parts can be left out.

use std::ops::Range;
use std::time::Duration;

use sanserve_core::{Config, FileSystem, Handler};

use super::conversation::Phase;
use super::fault_plan::FaultPlan;
use super::faults::{FaultClass, Faults};
use super::input::Input;
use super::peer::{Break, pieces};
use super::request::Request;
use super::seed::{ALL, Part, Reduction, Seed};
use super::settings::WorldSettings;
use super::shown::brief;
use super::{DATE, Random, Sim, mistake_log, settings};

/// What is chosen for a world.
pub(super) struct Plan {
    pub(super) faults: Faults,
    /// The random numbers of the file system.
    pub(super) fs: Random,
    /// The random numbers of the faults of the whole world.
    world: Random,
    pub(super) connections: Vec<ConnectionPlan>,
    seed: Seed,
}

/// What is chosen for a connection.
#[derive(Clone, Debug)]
pub(super) struct ConnectionPlan {
    pub(super) number: usize,
    pub(super) phase: Phase,
    pub(super) handler: u64,
    pub(super) config: Config,
    pub(super) unix: Option<i64>,
    pub(super) upgradable: bool,
    pub(super) half_close: bool,
    /// The start, from that of the world.
    pub(super) start: Duration,
    /// The requests that were not left out, with their numbers.
    pub(super) requests: Vec<(usize, Request)>,
    /// The random numbers of each change of the bytes that the peer sends, with its number.
    pub(super) damage: Vec<(usize, Random)>,
    /// The random number for where these bytes end.
    pub(super) cut: Option<Random>,
    /// See [`pieces`].
    pub(super) pieces: Vec<(Duration, u64)>,
    pub(super) breaks: Option<Break>,
    faults: Random,
}

impl<S: FileSystem, H: Handler> Sim<S, H> {
    /// Returns the plan of a seed, without what the seed leaves out.
    pub(super) fn plan(&self, seed: &Seed) -> Plan {
        let mut random = Random::new(seed.number);
        let faults = Faults::of(&mut random);
        let (fs, world) = (random.fork(), random.fork());
        let common = WorldSettings::draw(&mut random);
        let connections = (self.connections)(&mut random);
        let mut connections = (0..connections)
            .map(|number| self.connection_plan(number, random.fork(), common))
            .collect::<Vec<_>>();
        let probes = if random.one_in(4) { 2 } else { 0 };
        let probe = random.fork();
        for phase in [Phase::Before, Phase::After].into_iter().take(probes) {
            connections.push(self.probe_plan(connections.len(), phase, probe.clone()));
        }
        let mut plan = Plan {
            faults: self.faults.unwrap_or(faults),
            fs,
            world,
            connections,
            seed: seed.clone(),
        };
        plan.reduce();
        plan
    }

    fn connection_plan(
        &self,
        number: usize,
        mut random: Random,
        common: WorldSettings,
    ) -> ConnectionPlan {
        let random = &mut random;
        let mut requests = match self.requests_for {
            Some(_) => Vec::new(),
            None => (self.requests)(random, common.content_max),
        };
        let (mut damage, mut cut) = (Vec::new(), None);
        match random.below(5) {
            _ if !common.has_damage => {}
            0 => {
                let changes = 0..=random.below(4);
                damage = changes.map(|at| (at, random.fork())).collect();
            }
            1 => cut = Some(random.fork()),
            _ => {}
        }
        let handler = random.number();
        if let Some(requests_for) = self.requests_for {
            requests = requests_for(random, handler);
        }
        ConnectionPlan {
            number,
            phase: Phase::During,
            handler,
            config: mistake_log::set(match &self.config {
                Some(config) => config(random),
                None if common.has_limits => settings::config(random),
                None => settings::default_config(random),
            }),
            unix: (!random.one_in(8)).then_some(DATE),
            upgradable: !random.one_in(4),
            half_close: !random.one_in(3),
            start: match self.requests_for.is_some() && !random.one_in(4) {
                true => Duration::ZERO,
                false => settings::start(random),
            },
            requests: requests.into_iter().enumerate().collect(),
            damage,
            cut,
            pieces: pieces(random),
            breaks: Break::draw(random).filter(|_| common.has_breaks),
            faults: random.fork(),
        }
    }
}

impl<S: FileSystem, H: Handler> Sim<S, H> {
    /// Returns the plan of a connection without faults, with one request.
    fn probe_plan(&self, number: usize, phase: Phase, mut random: Random) -> ConnectionPlan {
        let random = &mut random;
        let request = match self.targets {
            Some(targets) => Some(Request::new("GET", random.pick(targets))),
            None if self.requests_for.is_some() => None,
            None => (self.requests)(random, PROBE_CONTENT_MAX)
                .into_iter()
                .next(),
        };
        let config = self.config.as_ref();
        let config = config.map_or_else(Config::default, |config| config(random));
        let handler = random.number();
        let request = match self.requests_for {
            Some(requests_for) => requests_for(random, handler).into_iter().next(),
            None => request,
        };
        ConnectionPlan {
            number,
            phase,
            handler,
            config: mistake_log::set(config),
            unix: Some(DATE),
            upgradable: true,
            half_close: true,
            start: Duration::ZERO,
            requests: request.into_iter().enumerate().collect(),
            damage: Vec::new(),
            cut: None,
            pieces: vec![(Duration::ZERO, 0)],
            breaks: None,
            faults: random.fork(),
        }
    }
}

/// The limit of content in the request of a probe.
const PROBE_CONTENT_MAX: usize = 60;

impl Plan {
    /// Leaves out what the seed leaves out.
    fn reduce(&mut self) {
        let without = &self.seed.without;
        let of = |connection| {
            without
                .iter()
                .filter(move |one| one.connection == connection)
        };
        self.connections
            .retain(|plan| !of(None).any(|one| one.contains(Part::Connection, plan.number)));
        for plan in &mut self.connections {
            of(Some(plan.number)).for_each(|one| plan.reduce(one));
            for (at, request) in &mut plan.requests {
                let parts = of(Some(plan.number)).filter(|one| one.request == Some(*at));
                let parts: Vec<&Reduction> = parts.collect();
                if !parts.is_empty() {
                    request.reduce(&parts);
                }
            }
        }
    }

    /// Returns the lines of a transcript about the whole world.
    pub(super) fn describe(&self) -> String {
        let with = FaultClass::ALL.map(|class| (class, self.faults.odds(class)));
        let without = |part| self.seed.lacks(part, ALL.start);
        let with = with.iter().filter(|(class, odds)| {
            *odds > 0 && !without(Part::Faults) && !without(Part::Fault(*class))
        });
        let faults = with.map(|(class, odds)| format!(", {} 1 in {odds}", class.name()));
        let faults: String = faults.collect();
        format!(
            "# sanserve transcript 2, seed {}\n# faults: {}\n",
            self.seed,
            faults.strip_prefix(", ").unwrap_or("none")
        )
    }

    /// Returns the faults of a connection, or of the world as a whole.
    pub(super) fn faults(&self, connection: Option<&ConnectionPlan>, recording: bool) -> FaultPlan {
        let number = connection.map(|connection| connection.number);
        let random = connection.map_or(&self.world, |connection| &connection.faults);
        let mut without: Vec<(FaultClass, Range<usize>)> = Vec::new();
        for one in &self.seed.without {
            let is_of_all = one.connection.is_none() && one.range == ALL;
            match one.part {
                _ if one.connection != number && !is_of_all => {}
                Part::Faults => without.extend(FaultClass::ALL.map(|class| (class, ALL))),
                Part::Fault(class) => without.push((class, one.range.clone())),
                _ => {}
            }
        }
        let is_probe = connection.is_some_and(|plan| plan.phase != Phase::During);
        let faults = if is_probe { Faults::NONE } else { self.faults };
        FaultPlan::new(faults, random.clone(), without, recording)
    }
}

impl ConnectionPlan {
    /// Leaves out a part of the connection.
    fn reduce(&mut self, one: &Reduction) {
        match one.part {
            Part::Request => self.requests.retain(|(at, _)| !one.range.contains(at)),
            Part::Damage => self.damage.retain(|(at, _)| !one.range.contains(at)),
            Part::Cut => self.cut = None,
            Part::Pieces => self.pieces.truncate(1),
            Part::Break => self.breaks = None,
            Part::Start => self.start = Duration::ZERO,
            Part::Config => {
                let config = Config::default().with_protocol(self.config.protocol);
                self.config = mistake_log::set(config);
            }
            _ => {}
        }
    }

    /// Returns the lines of a transcript about the peer.
    pub(super) fn describe(&self, input: &[u8]) -> Vec<String> {
        let mut lines = match self.phase {
            Phase::During => Vec::new(),
            phase => vec![format!("a probe {phase:?} all others").to_lowercase()],
        };
        lines.push(format!(
            "the peer sends {} bytes in {} pieces, then {}: {}",
            input.len(),
            self.pieces.len(),
            match self.half_close {
                true => "half-closes",
                false => "is silent",
            },
            brief(input)
        ));
        if let Some(breaks) = self.breaks {
            lines.push(format!("break: {breaks:?}"));
        }
        lines
    }

    /// Returns what the peer sends.
    pub(super) fn input(&self) -> Input {
        let mut input = Input::of(self.requests.iter().map(|(_, request)| request));
        for (_, random) in &self.damage {
            input.damage(random.clone());
        }
        if let Some(random) = &self.cut {
            input.cut(random.clone());
        }
        input
    }
}
