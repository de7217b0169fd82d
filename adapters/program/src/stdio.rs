//! The option `--stdio`: serves one connection over standard input and output, without listening.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use sanserve_core::{Config, FileSystem, Files, Handler};
use sanserve_server::{Recorder, stdio};
use socket2::SockRef;

use super::failure::Failure;
use super::options::Options;
use super::settings::{config, disk, files, log_sink};
use super::{access, handlers, record, signals};

/// Serves one connection.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let (input, output) = stdio::take().map_err(Failure::service)?;
    let passwords = access::passwords(options)?;
    let disk = disk(options)?;
    let recorder = record::create(options)?;
    let clean_up = Arc::new({
        let (scripts, recorder) = (disk.scripts(), recorder.clone());
        move || {
            scripts.end_all();
            recorder.iter().for_each(record::close);
        }
    });
    let handled = if options.runs_scripts() || recorder.is_some() {
        let end = {
            let clean_up = Arc::clone(&clean_up);
            move |_| {
                clean_up();
                signals::exit();
            }
        };
        let clean_up = Arc::clone(&clean_up);
        signals::handle(end, move || clean_up(), None)
    } else {
        signals::exit_immediately()
    };
    handled.map_err(Failure::service)?;
    let disk = access::with_passwords(disk, passwords.clone());
    let (config, files) = (config(options), Files::from(files(options)));
    let info = handlers::ServerInfo {
        address: address(&input),
        https: false,
        loopback_only: false,
    };
    if let Some(recorder) = &recorder {
        let granted = access::granted(passwords.as_ref());
        record::note_options(recorder, options, &info, granted);
    }
    let connection = StandardConnection {
        input,
        output,
        log: log_sink(options),
        recorder,
    };
    let handlers = handlers::handlers(options, &files, &info, passwords.as_ref());
    let served = connection.serve(&disk, config, handlers());
    clean_up();
    ignore_disconnect(served)
}

/// The connection on standard input and output.
struct StandardConnection {
    input: OwnedFd,
    output: OwnedFd,
    log: fn(&str),
    recorder: Option<Recorder>,
}

impl StandardConnection {
    fn serve<H: Handler>(
        self,
        disk: &impl FileSystem,
        config: Config,
        handler: H,
    ) -> io::Result<()> {
        let StandardConnection { input, output, .. } = self;
        let log = &self.log;
        match &self.recorder {
            None => stdio::serve(input, output, disk, config, handler, log),
            Some(it) => stdio::serve_recorded(input, output, disk, config, handler, log, it),
        }
    }
}

/// Ignores the error of a client that has disconnected.
fn ignore_disconnect(served: io::Result<()>) -> Result<(), Failure> {
    served.or_else(|error| match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Ok(()),
        _ => Err(Failure::Service(format!(
            "cannot serve on standard input and output: {error}"
        ))),
    })
}

/// Returns the server address for scripts.
fn address(input: &OwnedFd) -> SocketAddr {
    let local = SockRef::from(input).local_addr().ok();
    let local = local.and_then(|local| local.as_socket());
    local.unwrap_or((Ipv4Addr::LOCALHOST, 80).into())
}
