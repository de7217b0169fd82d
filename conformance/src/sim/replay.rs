//! Replays a transcript: passes the recorded answers to a new connection, which must want the same.

use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{
    Config, Connection, Entries, Entry, FileVersion, Got, Handler, Meta, Now, Opened, Step,
    UploadState, Want,
};

use super::fs_failure::read_fs_error;
use super::transcript::{accepted, config, describe, time};
use crate::text;

/// Replays all connections of a transcript, with handlers that are created from the recorded numbers as in
/// [`Sim`](super::Sim). Returns the number of steps.
///
/// # Errors
/// The first step with another want, or the first invalid line.
pub fn replay<H: Handler>(transcript: &str, handler: impl Fn(u64) -> H) -> Result<usize, String> {
    let (mut steps, mut replayed) = (0, None);
    for (at, line) in transcript.lines().enumerate() {
        let result = match line.split('\t').collect::<Vec<_>>()[..] {
            [
                "connection",
                _,
                "handler",
                number,
                "peer",
                peer,
                "date",
                date,
                "config",
                numbers,
            ] => begin(number, peer, date, numbers, &handler).map(|new| replayed = Some(new)),
            ["upgradable"] => match &mut replayed {
                Some(replayed) => {
                    replayed.conn.allow_upgrade();
                    Ok(())
                }
                None => Err("no connection yet".into()),
            },
            [_, "finish"] => match &mut replayed {
                Some(replayed) => {
                    replayed.conn.finish();
                    Ok(())
                }
                None => Err("no connection yet".into()),
            },
            [now, want, deadline, argument, got, bytes, _] => {
                steps += 1;
                let replayed = replayed.as_mut().ok_or("no connection yet".to_string());
                replayed
                    .and_then(|replayed| replayed.step(now, [want, deadline, argument], got, bytes))
            }
            _ if line.is_empty() || line.starts_with('#') => Ok(()),
            _ => Err("not a line of a transcript".into()),
        };
        result.map_err(|message| format!("line {}: {message}", at + 1))?;
    }
    Ok(steps)
}

struct ReplayedConnection<H> {
    conn: Connection<(), H>,
    unix: Option<i64>,
    got: Got<()>,
}

fn begin<H: Handler>(
    number: &str,
    peer: &str,
    date: &str,
    numbers: &str,
    handler: &impl Fn(u64) -> H,
) -> Result<ReplayedConnection<H>, String> {
    let number = number.parse().map_err(|_| "invalid number of a handler")?;
    let numbers: Result<Vec<u128>, _> = numbers.split(' ').map(str::parse).collect();
    let config: Option<Config> = numbers.ok().and_then(|numbers| config(&numbers));
    Ok(ReplayedConnection {
        conn: Connection::new(config.ok_or("invalid config")?, peer, handler(number)),
        unix: date.parse().ok(),
        got: Got::Nothing,
    })
}

impl<H: Handler> ReplayedConnection<H> {
    fn step(
        &mut self,
        now: &str,
        recorded: [&str; 3],
        got: &str,
        bytes: &str,
    ) -> Result<(), String> {
        let now = Now {
            tick: read_time(now).ok_or("invalid time")?,
            unix: self.unix,
        };
        let bytes = text::bytes(bytes)?;
        let next = read_got(got).ok_or("invalid answer")?;
        let Step { want, deadline, .. } =
            self.conn.step(now, std::mem::replace(&mut self.got, next));
        let (wants, argument) = describe(&want);
        let argument = argument.show(accepted(&self.got));
        let deadline = deadline.map_or("-".into(), time);
        if [wants.as_str(), &deadline, &argument] != recorded {
            return Err(format!(
                "{wants}	{deadline}	{argument}\nin place of {}",
                recorded.join("\t")
            ));
        }
        if let Want::Read(into) | Want::ReadFile { into, .. } = want
            && let Some(into) = into.get_mut(..bytes.len())
        {
            into.copy_from_slice(&bytes);
        }
        Ok(())
    }
}

/// Parses a time as in a transcript.
pub(crate) fn read_time(text: &str) -> Option<Duration> {
    let (seconds, nanos) = text.split_once('.')?;
    Some(Duration::new(seconds.parse().ok()?, nanos.parse().ok()?))
}

fn read_got(text: &str) -> Option<Got<()>> {
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    Some(match kind {
        "nothing" => Got::Nothing,
        "failed" => Got::Failed,
        "refused" => Got::Refused(read_fs_error(rest)?),
        "working" => Got::Working,
        "woken" => Got::Woken,
        "committed" => Got::Committed(Ok(())),
        "uncommitted" => Got::Committed(Err(read_fs_error(rest)?)),
        "note" => Got::Note(String::from_utf8(text::bytes(rest).ok()?).ok()?),
        "directory" => Got::Opened(Ok(Opened::Directory)),
        "process" => Got::Opened(Ok(Opened::Process(()))),
        "writer" => Got::Opened(Ok(Opened::Writer(()))),
        "upload" => {
            let [token, offset, len, is_complete, replaces, lifetime] =
                rest.split(' ').collect::<Vec<_>>().try_into().ok()?;
            let state = UploadState {
                token: token.parse().ok()?,
                offset: offset.parse().ok()?,
                len: len.parse().ok(),
                is_complete: is_complete == "true",
                replaces: replaces == "true",
                lifetime: Duration::from_secs(lifetime.parse().ok()?),
            };
            Got::Opened(Ok(Opened::Upload { file: (), state }))
        }
        "error" => Got::Opened(Err(read_fs_error(rest)?)),
        "unlisted" => Got::Listed(Err(read_fs_error(rest)?)),
        "verified" => Got::Verified(Ok(())),
        "unverified" => Got::Verified(Err(read_fs_error(rest)?)),
        "listed" => {
            let mut entries = Entries::new();
            for entry in rest.split(' ').filter(|entry| !entry.is_empty()) {
                let (kind, name) = entry.split_at_checked(1)?;
                entries.push(Entry {
                    name: &text::bytes(name).ok()?,
                    directory: matches!(kind, "d" | "k"),
                    link: matches!(kind, "l" | "k" | "m"),
                    unavailable: matches!(kind, "m" | "u"),
                    ..Entry::default()
                });
            }
            Got::Listed(Ok(Arc::new(entries)))
        }
        "file" => {
            let [len, modified, version, executable, sendable] =
                rest.split(' ').collect::<Vec<_>>().try_into().ok()?;
            Got::Opened(Ok(Opened::File {
                file: (),
                meta: Meta::new(len.parse().ok()?)
                    .with_modified(modified.parse().ok())
                    .with_version(version.parse().ok().map(FileVersion::new))
                    .with_executable(executable == "x"),
                sendable: sendable == "s",
            }))
        }
        n => Got::Bytes(n.parse().ok()?),
    })
}
