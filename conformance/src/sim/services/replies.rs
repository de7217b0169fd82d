//! Checks the services whose replies do not depend on the tree: CGI scripts, waits and upgrades.

use super::exchange::Verdict;
use super::served::Served;
use super::settings::{Service, WAITED, waits};

/// Every complete reply of a CGI script has what the script prints for the content of the request.
pub(super) fn check_scripts(served: &Served<'_>) -> Result<(), String> {
    served.each(|exchange| {
        let runs =
            exchange.settings.service == Service::Cgi && exchange.verdict() == Verdict::Admitted;
        let name = exchange.target.strip_prefix("/cgi-bin/");
        let Some(name) = name.filter(|_| runs) else {
            return Ok(());
        };
        let output = match name {
            "hello" | "deaf" => b"hello\n".to_vec(),
            "cat" => exchange.content.to_vec(),
            "length" => b"hello".to_vec(),
            "long" => b"0123456789abcdef\n".repeat(200),
            _ if exchange.status() == 200 => return Err("the status is 200".into()),
            _ => return Ok(()),
        };
        match exchange.whole_content() {
            Some(content) if content != output => {
                Err("its reply is not what the script prints".into())
            }
            _ => Ok(()),
        }
    })
}

/// Every complete reply of a handler that waits has a line for each wait, and the content of the request.
pub(super) fn check_waits(served: &Served<'_>) -> Result<(), String> {
    served.each(|exchange| {
        if exchange.settings.service != Service::Waiter {
            return Ok(());
        }
        let mut expected = WAITED.repeat(waits(exchange.target) as usize);
        expected.extend_from_slice(exchange.content);
        match exchange.whole_content() {
            Some(content) if content != expected => Err("its reply is wrong".into()),
            _ => Ok(()),
        }
    })
}

/// Every 101 is the last reply, and was asked for. Only with a broken transport is it not followed by an upgrade.
pub(super) fn check_upgrades(served: &Served<'_>) -> Result<(), String> {
    for (conversation, exchanges) in &served.connections {
        let Some(at) = exchanges
            .iter()
            .position(|exchange| exchange.status() == 101)
        else {
            continue;
        };
        let is_last = exchanges[at + 1..]
            .iter()
            .all(|exchange| exchange.reply.is_none());
        let is_asked = exchanges[at].fields("Upgrade").contains(&"echo");
        let disruptions = conversation.disruptions;
        let follows = conversation.upgraded.is_some() || disruptions.reset || disruptions.late;
        if !(is_last && is_asked && follows && conversation.upgradable) {
            return Err(format!(
                "the 101 on connection {} is wrong",
                conversation.number
            ));
        }
    }
    Ok(())
}
