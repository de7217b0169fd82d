//! [`Exchange`]: a request, its reply, and the calls of the file system for it, as the checks of the services see them.

use sanserve_core::{Ask, Path, Right, Rights, UploadToken};

use super::settings::{Service, Settings};
use crate::gzip::{decode_beginning, decode_gzip};
use crate::sim::conversation::{Answer, Conversation, FsCall};
use crate::sim::reader::{ParsedReply, ReplyEnd};

/// A request that was sent, and its reply, if there is one.
pub(super) struct Exchange<'a> {
    pub(super) settings: Settings,
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    /// The request line and the fields.
    head: &'a [u8],
    pub(super) content: &'a [u8],
    /// Whether all of it was sent.
    pub(super) is_whole: bool,
    /// The reply. Content that was compressed while it was sent is decoded.
    pub(super) reply: Option<ParsedReply<'a>>,
    pub(super) is_compressed: bool,
    pub(super) calls: Vec<&'a FsCall>,
}

impl<'a> Exchange<'a> {
    /// Returns the requests of a conversation in order. There are none if they were damaged.
    pub(super) fn all(conversation: &'a Conversation) -> Result<Vec<Exchange<'a>>, String> {
        let settings = Settings::of(conversation.handler);
        let mut replies = conversation.replies()?.into_iter();
        let (mut start, mut all) = (0, Vec::new());
        let lines = conversation.sent_lines.iter().flatten();
        let sent = lines.zip(&conversation.sent_contents);
        for (number, ((line, content), &end)) in sent.zip(&conversation.request_ends).enumerate() {
            let bytes = &conversation.input[start.min(conversation.input.len())..];
            start = end;
            let head_len = bytes.windows(4).position(|four| four == b"\r\n\r\n");
            let mut words = str::from_utf8(line).unwrap_or_default().split(' ');
            let calls = conversation.fs_calls.iter();
            let mut exchange = Exchange {
                settings,
                method: words.next().unwrap_or_default(),
                target: words.next().unwrap_or_default(),
                head: &bytes[..head_len.unwrap_or(bytes.len())],
                content,
                is_whole: end <= conversation.input.len(),
                reply: replies.next(),
                is_compressed: false,
                calls: calls.filter(|call| call.request == number).collect(),
            };
            exchange.decode()?;
            all.push(exchange);
        }
        Ok(all)
    }

    /// Decodes the content of the reply, if it was compressed while it was sent.
    fn decode(&mut self) -> Result<(), String> {
        let is_variant = self.source().is_some_and(|call| match &call.ask {
            Ask::Open(path) => path.as_bytes().ends_with(b".gz"),
            _ => false,
        });
        let accepts = self.fields("Accept-Encoding").contains(&"gzip");
        let has_head = |reply: &&mut ParsedReply<'_>| reply.status != 0;
        let reply = self.reply.as_mut().filter(has_head);
        let Some(reply) = reply.filter(|_| !is_variant) else {
            return Ok(());
        };
        match reply.field("Content-Encoding") {
            None => return Ok(()),
            Some(b"gzip") if accepts => self.is_compressed = true,
            Some(other) => {
                return Err(format!(
                    "{:?} is not accepted",
                    other.escape_ascii().to_string()
                ));
            }
        }
        if self.method == "HEAD" {
            return Ok(());
        }
        reply.body = match reply.end {
            ReplyEnd::Complete => decode_gzip(&reply.body)?.into(),
            _ => decode_beginning(&reply.body).into(),
        };
        Ok(())
    }

    /// Returns the path of the target.
    pub(super) fn path(&self) -> Option<Path> {
        Path::parse(self.target)
    }

    /// Returns the token of the upload that the target names, if uploads can be resumed here.
    pub(super) fn upload(&self) -> Option<UploadToken> {
        let is_resumable = self.settings.service == Service::Upload && self.settings.resumable;
        let (_, digits) = self
            .target
            .split_once("?upload=")
            .filter(|_| is_resumable)?;
        (digits.len() == 32).then(|| UploadToken::from_str_radix(digits, 16).ok())?
    }

    /// Returns whether the request creates an upload that can be resumed, or would if the client knew its target.
    pub(super) fn creates_upload(&self) -> bool {
        let is_resumable = self.settings.service == Service::Upload && self.settings.resumable;
        let is_creation = matches!(self.method, "PUT" | "POST") && !self.target.ends_with('/');
        is_resumable && is_creation && self.upload().is_none() && self.completes_upload().is_some()
    }

    /// Returns whether the content is the end of an upload, if the request says that.
    pub(super) fn completes_upload(&self) -> Option<bool> {
        match self.fields("Upload-Complete")[..] {
            ["?0"] => Some(false),
            ["?1"] => Some(true),
            _ => None,
        }
    }

    /// Returns the values of the request's fields of this name.
    pub(super) fn fields(&self, name: &str) -> Vec<&'a str> {
        let lines = self.head.split(|&byte| byte == b'\n').skip(1);
        let value = |line: &'a [u8]| {
            let (is, value) = str::from_utf8(line).ok()?.split_once(':')?;
            is.eq_ignore_ascii_case(name).then(|| value.trim())
        };
        lines.filter_map(value).collect()
    }

    /// Returns the status of the reply; 0 if there is none, or no whole head.
    pub(super) fn status(&self) -> u16 {
        self.reply.as_ref().map_or(0, |reply| reply.status)
    }

    /// Returns the content of the reply to a GET if it is complete and its status is 200.
    pub(super) fn whole_content(&self) -> Option<&[u8]> {
        let reply = self.reply.as_ref()?;
        let is_whole = reply.status == 200 && reply.end == ReplyEnd::Complete;
        (is_whole && self.method != "HEAD").then_some(&*reply.body)
    }

    /// Returns the last call of the file system that had a result, from which the reply was made.
    pub(super) fn source(&self) -> Option<&'a FsCall> {
        let found = |call: &&&FsCall| !matches!(call.answer, Answer::Failed(_) | Answer::Directory);
        self.calls.iter().rev().find(found).copied()
    }

    /// Returns what a guard must decide, if there is one. It is derived from the request and the settings alone.
    pub(super) fn verdict(&self) -> Verdict {
        if !self.settings.is_guarded {
            return Verdict::Admitted;
        }
        let right = super::requests::RIGHT
            .split_once(": ")
            .map(|(_, value)| value);
        let has_password = match self.fields("Authorization")[..] {
            [] => false,
            [value] if Some(value) == right => true,
            _ => return Verdict::Status(401),
        };
        let default = (Rights::NONE, Rights::ALL);
        let (everybody, user) = self.settings.rights.unwrap_or(default);
        let all = everybody | user;
        let rights = if has_password { all } else { everybody };
        let needed = self.needed_right();
        match rights.contains(needed) {
            true => Verdict::Admitted,
            false
                if self.is_directory()
                    && needed == Right::Read
                    && rights.contains(Right::Write) =>
            {
                Verdict::UnreadPage
            }
            false if !has_password && user.contains(needed) => Verdict::Status(401),
            false => Verdict::Status(403),
        }
    }

    fn needed_right(&self) -> Right {
        match (self.settings.service, self.method) {
            _ if self.upload().is_some() => Right::Write,
            (Service::Cgi, _) => Right::Read,
            (_, "PUT" | "POST") => Right::Write,
            (_, "DELETE") => Right::Delete,
            _ => Right::Read,
        }
    }

    /// Returns whether it is for the page of a directory in which files can be stored.
    fn is_directory(&self) -> bool {
        let is_read = matches!(self.method, "GET" | "HEAD");
        is_read && self.settings.service == Service::Upload && self.target.ends_with('/')
    }
}

/// The decision of a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The service answers.
    Admitted,
    /// The client may store files and not read: it gets a page that does not depend on the directory.
    UnreadPage,
    /// The request is refused with this status.
    Status(u16),
}
