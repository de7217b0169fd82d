//! [`Parsed`]: how the command line is read, and what it turned out to be.
//!
//! What the command line does not say may stand in the environment: `SANSERVE_CACHE_CONTROL` for
//! `--cache-control`, and so on for every option that has a long name.

use std::env;
use std::ffi::OsString;
use std::slice;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, Error, FromArgMatches};

#[cfg(not(target_os = "wasi"))]
use super::options::Runtime;
use super::options::{self, Options};
use super::{arguments, positional, value_parsers};
#[cfg(not(target_os = "wasi"))]
use super::{manual, secrets};

/// What a command line turned out to be.
pub(crate) enum Parsed {
    /// Something to do.
    Run(Box<Options>),
    /// Something to print.
    Print(String),
    /// A line that says what is wrong.
    UsageError(String),
}

/// Reads the command line of this process.
pub(crate) fn read() -> Parsed {
    let matches = command().try_get_matches_from(arguments::plain(env::args_os()));
    let read = matches.and_then(|matches| Ok((Options::from_arg_matches(&matches)?, matches)));
    match read {
        Ok((options, matches)) => complete(options, &matches).unwrap_or_else(Parsed::UsageError),
        Err(error) => answer(&error),
    }
}

/// The options as clap knows them, with what the environment says. A variable that is empty
/// counts as not set.
fn command() -> Command {
    options::command().mut_args(|arg| {
        let Some(name) = arg.get_long().filter(|name| !ALONE.contains(name)) else {
            return arg;
        };
        let name = variable(name);
        if env::var_os(&name).is_none_or(|value| value.is_empty()) {
            return arg;
        }
        let arg = match arg.get_action() {
            ArgAction::SetTrue => arg.value_parser(value_parsers::switch),
            _ => arg,
        };
        arg.env(OsString::from(name)).hide_env(true)
    })
}

/// The variable that stands for an option.
fn variable(long: &str) -> String {
    format!("SANSERVE_{}", long.to_uppercase().replace('-', "_"))
}

/// Looks at what the options say together.
fn complete(mut options: Options, matches: &ArgMatches) -> Result<Parsed, String> {
    let told = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    #[cfg(not(target_os = "wasi"))]
    if let Some(text) = printed(&options) {
        return Ok(Parsed::Print(text));
    }
    #[cfg(unix)]
    if options.stdio {
        let other = LISTENS.iter().find(|(id, _)| told(id));
        if let Some((_, name)) = other {
            let line = format!(
                "the argument '--stdio' cannot be used with '{name}': leave one of them out"
            );
            return Err(line);
        }
        options.tls = None;
        (options.tls_cert, options.tls_key, options.tls_password_file) = (None, None, None);
    }
    #[cfg(not(unix))]
    if options.upload {
        return Err("--upload works on Linux and macOS only: leave it out".into());
    }
    #[cfg(unix)]
    requirements(&options)?;
    positional::settle(&mut options, told)?;
    #[cfg(not(target_os = "wasi"))]
    {
        if options.runtime == Some(Runtime::Tokio) && !cfg!(feature = "tokio") {
            return Err("this sanserve was built without tokio: leave --runtime tokio out, or build it with --features tokio".into());
        }
        one_certificate(&mut options, told)?;
        has_certificate(&options)?;
        secrets::refuse_served(&options)?;
    }
    Ok(Parsed::Run(Box::new(options)))
}

/// Checks that no option stands without the one that it is for.
#[cfg(unix)]
fn requirements(options: &Options) -> Result<(), &'static str> {
    let scripts = options.runs_scripts();
    if options.overwrite && !options.upload {
        return Err("--overwrite requires --upload: add it");
    }
    if options.upload_limit.is_some() && !options.upload && !scripts {
        return Err("--upload-limit requires --upload or --cgi: add one of them");
    }
    if options.cgi_limit.is_some() && !scripts {
        return Err("--cgi-limit requires --cgi or --cgi-dir: add one of them");
    }
    Ok(())
}

/// What is to be printed in place of serving.
#[cfg(not(target_os = "wasi"))]
fn printed(options: &Options) -> Option<String> {
    let mut text = Vec::new();
    if let Some(shell) = options.completions {
        clap_complete::generate(shell, &mut options::command(), "sanserve", &mut text);
    } else if options.manpage {
        return Some(manual::page(options::command()));
    } else {
        return None;
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Of two certificates, takes the one that stands on the command line.
#[cfg(not(target_os = "wasi"))]
fn one_certificate(options: &mut Options, told: impl Fn(&str) -> bool) -> Result<(), String> {
    if options.tls.is_some() && options.tls_cert.is_some() {
        match (told("tls"), told("tls_cert")) {
            (true, false) => {
                (options.tls_cert, options.tls_key) = (None, None);
                options.tls_password_file = None;
            }
            (false, true) => options.tls = None,
            _ => return Err("--tls cannot be used with --tls-cert: leave one of them out".into()),
        }
    }
    Ok(())
}

/// Checks that there is a certificate for what belongs to one. The lines are Python's.
#[cfg(not(target_os = "wasi"))]
fn has_certificate(options: &Options) -> Result<(), String> {
    let belongs = [
        ("--tls-key", &options.tls_key),
        ("--tls-password-file", &options.tls_password_file),
    ];
    let mut alone = belongs.iter().filter(|_| options.tls_cert.is_none());
    match alone.find(|(_, path)| path.is_some()) {
        Some((name, _)) => Err(format!("{name} requires --tls-cert to be set")),
        None => Ok(()),
    }
}

/// What clap has to say, in one line if it is a mistake.
fn answer(error: &Error) -> Parsed {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp if env::args_os().any(|arg| arg == "--help") => {
            return Parsed::Print(options::help());
        }
        ErrorKind::DisplayHelp => return Parsed::Print(options::short_help()),
        ErrorKind::DisplayVersion => return Parsed::Print(text),
        _ => {}
    }
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let whole = text.split("\n\nFor more information").next();
    if let (ErrorKind::TooManyValues, Some(option), Some(value)) = (
        error.kind(),
        error.get(ContextKind::InvalidArg),
        error.get(ContextKind::InvalidValue),
    ) {
        let line = format!("'{option}' takes no value (got '{value}'): leave the value out");
        return Parsed::UsageError(line.replace(char::is_control, "?"));
    }
    let line = match error.kind() {
        // What else could be said follows on a line of its own.
        ErrorKind::InvalidValue => whole.and_then(|text| text.split_inclusive(']').next()),
        // The value that is shown may have lines itself.
        ErrorKind::ValueValidation => whole,
        _ => text.lines().next(),
    };
    let line = line.unwrap_or_default().replace("\n  [", " [");
    let line = line.replace(char::is_control, "?");
    let (from, meant) = (source(error), nearest(error));
    Parsed::UsageError(format!("{line}{from} ({meant}see 'sanserve --help')"))
}

/// The option that may have been meant.
fn nearest(error: &Error) -> String {
    match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(name)) => format!("did you mean {name}? "),
        Some(ContextValue::Strings(names)) if !names.is_empty() => {
            format!("did you mean {}? ", names.join(" or "))
        }
        _ => String::new(),
    }
}

/// Where a wrong value stands, or an option that others exclude, if that is not the command line.
fn source(error: &Error) -> String {
    let mut found = String::new();
    for context in [ContextKind::InvalidArg, ContextKind::PriorArg] {
        let options = match error.get(context) {
            Some(ContextValue::String(option)) => slice::from_ref(option),
            Some(ContextValue::Strings(options)) => options,
            _ => &[],
        };
        for option in options {
            let name = variable(&long_name(option));
            if env::var_os(&name).is_some_and(|value| !value.is_empty()) && !is_argument(option) {
                found += &format!(", from {name}");
            }
        }
    }
    found
}

/// The long name of an option that clap shows as `--cors[=<ORIGIN>]`.
fn long_name(shown: &str) -> String {
    let end = shown.find([' ', '=', '[', '<']).unwrap_or(shown.len());
    shown[..end].trim_start_matches('-').into()
}

/// Whether the command line has this option, by its long name or its letter.
fn is_argument(shown: &str) -> bool {
    let long = long_name(shown);
    let command = options::command();
    let letter = command
        .get_arguments()
        .find(|arg| arg.get_long() == Some(&long))
        .and_then(Arg::get_short);
    env::args_os().skip(1).any(|arg| {
        let arg = arg.to_string_lossy();
        match (arg.strip_prefix("--"), arg.strip_prefix('-')) {
            (Some(name), _) => name.split('=').next() == Some(&long),
            (None, Some(letters)) => letter.is_some_and(|letter| letters.contains(letter)),
            (None, None) => false,
        }
    })
}

/// Options that the environment cannot set: they make it another program.
const ALONE: [&str; 3] = ["stdio", "completions", "manpage"];

/// What belongs to a server that listens, by the names that clap has for it and that it shows.
#[cfg(unix)]
const LISTENS: [(&str, &str); 7] = [
    ("first", "[PORT]"),
    ("second", "[DIR]"),
    ("port", "--port <PORT>"),
    ("bind", "--bind <ADDRESS>"),
    ("runtime", "--runtime <RUNTIME>"),
    ("tls", "--tls <self-signed>"),
    ("tls_cert", "--tls-cert <PATH>"),
];
