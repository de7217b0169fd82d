//! [`Exchange`]: a request, its reply, and the calls of the file system for it, as the checks of the services see them.

use sanserve_core::Path;

use super::settings::Settings;
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
    pub(super) reply: Option<ParsedReply<'a>>,
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
            all.push(Exchange {
                settings,
                method: words.next().unwrap_or_default(),
                target: words.next().unwrap_or_default(),
                head: &bytes[..head_len.unwrap_or(bytes.len())],
                content,
                is_whole: end <= conversation.input.len(),
                reply: replies.next(),
                calls: calls.filter(|call| call.request == number).collect(),
            });
        }
        Ok(all)
    }

    /// Returns the path of the target.
    pub(super) fn path(&self) -> Option<Path> {
        Path::parse(self.target)
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

    /// Returns whether the server expects the right password and got it, or expects none.
    pub(super) fn is_admitted(&self) -> bool {
        !self.settings.is_guarded || self.has_password()
    }

    fn has_password(&self) -> bool {
        let right = super::requests::RIGHT
            .split_once(": ")
            .map(|(_, value)| value);
        matches!(self.fields("Authorization")[..], [value] if Some(value) == right)
    }
}
