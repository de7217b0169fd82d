//! Checks guards: without the right password, a reply is a 401 that discloses nothing, and the file system is not asked for
//! anything but the password.

use sanserve_core::Ask;

use super::exchange::Exchange;
use crate::sim::conversation::{Answer, Conversation};
use crate::sim::model_tree::ModelTree;

/// Compares the replies to requests for guarded services with their credentials.
pub(super) fn check(_: &ModelTree, conversations: &[Conversation]) -> Result<(), String> {
    for conversation in conversations {
        for exchange in Exchange::all(conversation)? {
            if !exchange.settings.is_guarded {
                continue;
            }
            let result = match exchange.is_admitted() {
                true => check_admitted(&exchange),
                false => check_refused(&exchange),
            };
            result.map_err(|message| {
                format!(
                    "{} {} on connection {}: {message}",
                    exchange.method, exchange.target, conversation.number
                )
            })?;
        }
    }
    Ok(())
}

/// A request with the right password gets no 401, unless the file system has failed to verify it.
fn check_admitted(exchange: &Exchange<'_>) -> Result<(), String> {
    let mut verified = exchange.calls.iter();
    let has_failed = verified.any(|call| {
        matches!(
            (&call.ask, &call.answer),
            (Ask::Verify(_), Answer::Failed(_))
        )
    });
    match exchange.status() {
        401 if !has_failed => Err("the right password is refused".into()),
        status if has_failed && !matches!(status, 0 | 401 | 408 | 503) => Err(format!(
            "the status is {status}, but the password was not verified"
        )),
        _ => Ok(()),
    }
}

fn check_refused(exchange: &Exchange<'_>) -> Result<(), String> {
    let is_verification = |ask: &Ask| matches!(ask, Ask::Verify(_));
    if let Some(call) = exchange
        .calls
        .iter()
        .find(|call| !is_verification(&call.ask))
    {
        return Err(format!(
            "the file system is asked to {:?} without the password",
            call.ask
        ));
    }
    let Some(reply) = &exchange.reply else {
        return Ok(());
    };
    if let 200..400 = reply.status {
        return Err(format!(
            "the status is {} without the password",
            reply.status
        ));
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
        Some(name) => Err(format!("there is a field {name} without the password")),
        None => Ok(()),
    }
}
