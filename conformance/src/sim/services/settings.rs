//! [`Settings`]: the service of a connection and its settings, which follow from the number of its handler. Each
//! connection of a world has another server, all of which serve one tree.

use std::sync::Arc;
use std::time::Duration;

use sanserve_core::archive::Download;
use sanserve_core::{
    Cgi, Event, Exchange, FileSettings, Files, Guard, Handler, Hosts, Next, ResumableUploads,
    Right, Rights, Upload, Who, listing, wire,
};

use super::hosts;
use crate::sim::Random;
use crate::sim::model_tree::PASSWORD;

/// The settings of one server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) service: Service,
    /// Whether a password is required.
    pub(super) is_guarded: bool,
    /// Whether the file system verifies it.
    verifies_later: bool,
    /// The rights of everybody and those of the user, if they are not the default ones.
    pub(super) rights: Option<(Rights, Rights)>,
    /// Whether uploads may replace files.
    pub(super) overwrite: bool,
    /// Whether files may be deleted.
    pub(super) delete: bool,
    /// Whether uploads can be resumed.
    pub(super) resumable: bool,
    /// Whether names that begin with a dot are served.
    pub(super) hidden: bool,
    /// Whether listings are in the format that the request asks for, rather than CPython's page.
    pub(super) negotiates: bool,
    pub(super) precompressed: bool,
    /// Whether files and listings are compressed while they are sent.
    pub(super) compresses: bool,
    /// Whether only some hosts are accepted.
    pub(super) checks_host: bool,
    /// Whether replies have a charset, fields for caches and other origins, and one more.
    adds_fields: bool,
}

/// What a server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Files,
    Upload,
    Cgi,
    Waiter,
    Upgrader,
}

impl Settings {
    pub(super) fn of(number: u64) -> Settings {
        let mut random = Random::new(number);
        let (service, is_guarded) = match random.below(16) {
            0..4 => (Service::Files, false),
            4..8 => (Service::Upload, false),
            8 => (Service::Files, true),
            9..12 => (Service::Upload, true),
            12 | 13 => (Service::Cgi, random.one_in(2)),
            14 => (Service::Waiter, false),
            _ => (Service::Upgrader, false),
        };
        Settings {
            service,
            is_guarded,
            verifies_later: random.one_in(2),
            overwrite: random.one_in(2),
            hidden: random.one_in(4),
            negotiates: random.one_in(2),
            precompressed: random.one_in(3),
            checks_host: random.one_in(5),
            adds_fields: random.one_in(4),
            delete: random.one_in(2),
            rights: random_rights(&mut random),
            resumable: random.one_in(2),
            compresses: random.one_in(3),
        }
    }

    pub(super) fn handler(self) -> Box<dyn Handler> {
        match self.checks_host {
            true => Box::new(Hosts::new(self.handler_for_any_host(), hosts::NAMES)),
            false => self.handler_for_any_host(),
        }
    }

    fn handler_for_any_host(self) -> Box<dyn Handler> {
        match self.service {
            Service::Files => self.guarded(self.files()),
            Service::Upload => self.guarded(self.upload()),
            Service::Cgi => {
                let mut cgi = Cgi::new("localhost", 8000);
                cgi.files = self.files();
                cgi.settings_mut().behind_guard = self.is_guarded;
                self.guarded(cgi)
            }
            Service::Waiter => Box::<Waiter>::default(),
            Service::Upgrader => Box::new(Upgrader),
        }
    }

    fn files(self) -> Files {
        let mut settings = FileSettings::default();
        settings.hidden = self.hidden;
        settings.precompressed = self.precompressed;
        settings.compress_files = self.compresses;
        settings.compress_listings = self.compresses;
        settings.archive = Arc::new(Download::parse);
        if self.adds_fields {
            settings.charset = Some("utf-8".into());
            settings.cache_control = Some("no-cache".into());
            settings.cors = Some("*".into());
            settings
                .extra_headers
                .push(("X-Served-By".into(), "model".into()));
        }
        if self.negotiates {
            settings.list_directory = Arc::new(listing::page);
        }
        settings.into()
    }

    fn upload(self) -> Upload {
        let mut upload = Upload::new();
        (upload.files, upload.overwrite) = (self.files(), self.overwrite);
        upload.delete = self.delete;
        upload.resumable = self.resumable.then(ResumableUploads::new);
        upload
    }

    fn guarded(self, handler: impl Handler + 'static) -> Box<dyn Handler> {
        if !self.is_guarded {
            return Box::new(handler);
        }
        let verifies_later = self.verifies_later;
        let known = move |credentials: &sanserve_core::Credentials| {
            (!verifies_later).then(|| credentials.as_str() == PASSWORD)
        };
        let mut guard = Guard::new(handler, known);
        if let Some((everybody, user)) = self.rights {
            guard.rights = Some(Arc::new(move |who| match who {
                Who::Everybody => everybody,
                _ => user,
            }));
        }
        Box::new(guard)
    }
}

/// Returns the rights of everybody and those of the user; `None` for those that a guard has by default.
fn random_rights(random: &mut Random) -> Option<(Rights, Rights)> {
    let mut one = || {
        let all = [Right::Read, Right::Write, Right::Delete].into_iter();
        let chosen = all.filter(|_| random.one_in(2));
        chosen.fold(Rights::NONE, Rights::with)
    };
    let (everybody, user) = (one(), one());
    random.one_in(2).then_some((everybody, user))
}

/// Reads the content, waits as often as the last digit of the target says, with a line after each wait, and replies
/// with the content last.
#[derive(Default)]
struct Waiter {
    content: Vec<u8>,
    waits_left: u32,
    stage: WaiterStage,
}

#[derive(Clone, Copy, Default)]
enum WaiterStage {
    #[default]
    Content,
    Waiting,
    Last,
}

impl Handler for Waiter {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        *self = Waiter {
            waits_left: waits(ex.path()),
            ..Waiter::default()
        };
        Next::Body
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match (self.stage, event) {
            (WaiterStage::Content, Event::Data(bytes)) => {
                self.content.extend_from_slice(bytes);
                return Next::Body;
            }
            (WaiterStage::Content, _) => {
                ex.send_response(200);
                ex.end_headers();
                self.stage = WaiterStage::Waiting;
            }
            (WaiterStage::Waiting, _) => {
                self.waits_left -= 1;
                ex.write(WAITED);
            }
            (WaiterStage::Last, _) => return Next::Done,
        }
        if self.waits_left > 0 {
            return Next::Wait(Duration::from_millis(700));
        }
        self.stage = WaiterStage::Last;
        Next::Write(std::mem::take(&mut self.content).into())
    }
}

/// Returns how often a waiter waits for a target.
pub(super) fn waits(target: &str) -> u32 {
    let digit = target.chars().last().and_then(|last| last.to_digit(10));
    digit.unwrap_or(0)
}

/// The line that a waiter writes after each wait.
pub(super) const WAITED: &[u8] = b"waited\n";

/// Reads the content, then upgrades connections that ask for the protocol `echo`, and replies 404 to all other
/// requests.
struct Upgrader;

impl Handler for Upgrader {
    fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
        Next::Body
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        if let Event::Data(_) = event {
            return Next::Body;
        }
        let is_modern = ex.request_version() == wire::Version::Http11;
        if !is_modern || ex.header("Upgrade") != Some("echo") {
            return ex.send_error(404, "Not Found");
        }
        ex.send_response(101);
        ex.send_header("Connection", "Upgrade");
        ex.send_header("Upgrade", "echo");
        ex.end_headers();
        Next::Upgrade
    }
}
