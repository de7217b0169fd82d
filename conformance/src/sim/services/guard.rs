//! Checks guards: without the right password, or without the right that a request needs, a reply is an error that
//! discloses nothing, and the file system is not asked for anything but the password.

use sanserve_core::Ask;

use super::exchange::{Exchange, Verdict};
use super::served::Served;
use crate::sim::conversation::Answer;

/// Compares the replies to requests for guarded services with their credentials and rights.
pub(super) fn check(served: &Served<'_>) -> Result<(), String> {
    served.each(|exchange| {
        if !exchange.settings.is_guarded {
            return Ok(());
        }
        check_verification(exchange)?;
        match exchange.verdict() {
            Verdict::Admitted => check_admitted(exchange),
            Verdict::UnreadPage => check_unread_page(exchange),
            Verdict::Status(status) => check_refused(exchange, status),
        }
    })
}

/// Whether the file system has failed to verify the password, or found it wrong.
fn has_failed(exchange: &Exchange<'_>) -> bool {
    exchange.calls.iter().any(|call| {
        matches!(
            (&call.ask, &call.answer),
            (Ask::Verify(_), Answer::Failed(_))
        )
    })
}

fn check_verification(exchange: &Exchange<'_>) -> Result<(), String> {
    match exchange.status() {
        status if has_failed(exchange) && !matches!(status, 0 | 401 | 408 | 503) => Err(format!(
            "the status is {status}, but the password was not verified"
        )),
        _ => Ok(()),
    }
}

/// A request with the password and the right for it is not refused, unless the file system has failed to verify the
/// password. The service may reply 403 for other reasons.
fn check_admitted(exchange: &Exchange<'_>) -> Result<(), String> {
    let head = exchange.reply.as_ref().map_or(&b""[..], |reply| reply.head);
    let lacks_right = b"The right to ";
    match exchange.status() {
        401 if !has_failed(exchange) => Err("the right password is refused".into()),
        403 if head
            .windows(lacks_right.len())
            .any(|text| text == lacks_right) =>
        {
            Err("the client is said to lack a right".into())
        }
        _ => Ok(()),
    }
}

/// A client that may only write gets the page of a directory without a look at the directory.
fn check_unread_page(exchange: &Exchange<'_>) -> Result<(), String> {
    check_calls(exchange)?;
    match exchange.status() {
        401 | 403 if !has_failed(exchange) => Err("the page for uploads is refused".into()),
        _ => Ok(()),
    }
}

/// Nothing but the password was asked for.
fn check_calls(exchange: &Exchange<'_>) -> Result<(), String> {
    let mut calls = exchange.calls.iter();
    match calls.find(|call| !matches!(call.ask, Ask::Verify(_))) {
        Some(call) => Err(format!(
            "the file system is asked to {:?} for a client that may not do that",
            call.ask
        )),
        None => Ok(()),
    }
}

fn check_refused(exchange: &Exchange<'_>, expected: u16) -> Result<(), String> {
    check_calls(exchange)?;
    let Some(reply) = &exchange.reply else {
        return Ok(());
    };
    match reply.status {
        200..=399 => {
            return Err(format!(
                "the status is {} in place of {expected}",
                reply.status
            ));
        }
        401 | 403 if reply.status != expected && !has_failed(exchange) => {
            return Err(format!(
                "the status is {} in place of {expected}",
                reply.status
            ));
        }
        _ => {}
    }
    if reply.status == 401 && reply.field("WWW-Authenticate").is_none() {
        return Err("there is no WWW-Authenticate".into());
    }
    let disclosing = [
        "ETag",
        "Last-Modified",
        "Content-Range",
        "Location",
        "Allow",
    ];
    match disclosing
        .into_iter()
        .find(|name| reply.field(name).is_some())
    {
        Some(name) => Err(format!("there is a field {name} in a refusal")),
        None => Ok(()),
    }
}
