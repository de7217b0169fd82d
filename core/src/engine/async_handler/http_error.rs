//! [`HttpError`]: the reply to a request that an asynchronous handler does not fulfil.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use core::any::Any;
use core::error::Error;

use crate::engine::reply_state::{Fault, Stage};
use crate::engine::{Exchange, Next};
use crate::fs::FsError;
use crate::text::status;

/// The error of an asynchronous handler: the status of the reply, with a message that the client sees.
///
/// `?` converts every error into one: an [`FsError`] into the status that fits it, such as 404 for a missing file, and
/// any other error into a 500. The text of that error is written to the log, and not disclosed to the client.
///
/// If part of the reply has been sent already, the connection is closed instead, so that the client notices.
///
/// ```
/// use sanserve_core::{AsyncExchange, HttpError};
///
/// async fn square(ex: AsyncExchange) -> Result<(), HttpError> {
///     let number: u64 = ex.path()[1..].parse().map_err(|_| HttpError::new(400, "Expected a number"))?;
///     let square = number.checked_mul(number).ok_or(HttpError::new(400, "The number is too large"))?;
///     ex.reply(200, "text/plain", format!("{square}\n")).await;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct HttpError {
    status: u16,
    message: Cow<'static, str>,
    /// The text of an error that is only logged.
    cause: Option<String>,
}

impl HttpError {
    /// Returns an error with this status, from 400 to 599, and this message, which replaces the standard phrase of the
    /// status.
    #[must_use]
    pub fn new(status: u16, message: impl Into<Cow<'static, str>>) -> HttpError {
        HttpError {
            status,
            message: message.into(),
            cause: None,
        }
    }

    /// Returns an error with the standard phrase of this status as its message.
    #[must_use]
    pub fn status(status: u16) -> HttpError {
        HttpError::new(status, status::phrase(status))
    }

    /// Replies with the error, or lets the engine abandon a reply that has begun.
    pub(super) fn reply(self, ex: &mut Exchange<'_>) -> Next {
        let HttpError {
            status,
            message,
            cause,
        } = self;
        if let Some(cause) = cause {
            ex.log_error(cause);
        }
        if ex.reply.stage != Stage::Start {
            ex.reply.fail(Fault::Failed(status, message));
            return Next::Done;
        }
        ex.error(status, &message, status::explanation(status), &mut |_| ())
    }
}

impl<E: Error + 'static> From<E> for HttpError {
    fn from(error: E) -> HttpError {
        let cause = Some(error.to_string());
        let status = match (&error as &dyn Any).downcast_ref() {
            Some(error) => status_of(*error),
            None => 500,
        };
        HttpError {
            cause,
            ..HttpError::status(status)
        }
    }
}

/// Returns the status for an error of the file system.
fn status_of(error: FsError) -> u16 {
    match error {
        FsError::NotFound | FsError::OutsideRoot | FsError::TooLong | FsError::InvalidName => 404,
        FsError::Forbidden => 403,
        FsError::NotRegularFile | FsError::Exists => 409,
        FsError::Unsupported => 501,
        FsError::NoResources | FsError::TooMany => 503,
        FsError::NoSpace => 507,
        FsError::Io => 500,
    }
}
