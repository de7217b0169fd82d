//! Reads the command line and the environment. The result is [`Parsed`]: options, a text to print, or a usage error.
//!
//! A variable sets an option that is not on the command line: `SANSERVE_CACHE_CONTROL` sets `--cache-control`, and so
//! on for every long option except those in `WITHOUT_VARIABLE`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::slice;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, Error, FromArgMatches};

#[cfg(not(target_os = "wasi"))]
use super::options::Runtime;
use super::options::{self, Options};
use super::{arguments, features, positional, value_parsers};
#[cfg(not(target_os = "wasi"))]
use super::{manual, secrets};

/// The result of reading the command line.
pub(crate) enum Parsed {
    /// Serve with these options.
    Run(Box<Options>),
    /// Print this text to standard output.
    Print(String),
    /// The command line is wrong: one line for the user.
    UsageError(String),
}

/// Reads the command line of this process.
pub(crate) fn read() -> Parsed {
    let matches = command().try_get_matches_from(arguments::normalize(env::args_os()));
    let read = matches.and_then(|matches| Ok((Options::from_arg_matches(&matches)?, matches)));
    match read {
        Ok((options, matches)) => check(options, &matches).unwrap_or_else(Parsed::UsageError),
        Err(error) => answer(&error),
    }
}

/// The options as clap knows them, with their variables. An empty variable counts as not set.
fn command() -> Command {
    // Rebuilding the arguments would take a tenth of the start's instructions.
    if !env::vars_os().any(|(name, _)| is_variable(&name)) {
        return Options::command();
    }
    Options::command().mut_args(|arg| {
        let Some(name) = arg
            .get_long()
            .filter(|name| !WITHOUT_VARIABLE.contains(name))
        else {
            return arg;
        };
        let name = variable(name);
        if env::var_os(&name).is_none_or(|value| value.is_empty()) {
            return arg;
        }
        let arg = match arg.get_action() {
            ArgAction::SetTrue => arg.value_parser(value_parsers::yes_or_no),
            _ => arg,
        };
        arg.env(OsString::from(name)).hide_env(true)
    })
}

/// Whether a variable may set an option. Its name may be in lower case, which is the same on Windows.
fn is_variable(name: &OsStr) -> bool {
    let start = name.as_encoded_bytes().get(..PREFIX.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(PREFIX.as_bytes()))
}

/// The variable that sets an option.
fn variable(long: &str) -> String {
    format!("{PREFIX}{}", long.to_uppercase().replace('-', "_"))
}

/// Checks the combination of options, and resolves port, directory and certificate.
fn check(mut options: Options, matches: &ArgMatches) -> Result<Parsed, String> {
    let on_command_line = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    #[cfg(not(target_os = "wasi"))]
    if let Some(text) = text_to_print(&options) {
        return Ok(Parsed::Print(text));
    }
    features::check(matches, variable)?;
    #[cfg(unix)]
    if options.stdio {
        let other = LISTEN_ONLY.iter().find(|(id, _)| on_command_line(id));
        if let Some((_, name)) = other {
            let line = format!(
                "the argument '--stdio' cannot be used with '{name}': leave one of them out"
            );
            return Err(line);
        }
        (options.tls, options.tls_save) = (None, None);
        (options.tls_cert, options.tls_key, options.tls_password_file) = (None, None, None);
    }
    #[cfg(not(unix))]
    if options.upload {
        return Err("--upload works on Linux and macOS only: leave it out".into());
    }
    #[cfg(windows)]
    if options.runs_scripts() {
        return Err("--cgi and --cgi-dir work on Linux and macOS only: leave them out".into());
    }
    #[cfg(unix)]
    {
        options.upload |= options.upload_only;
        check_requirements(&options)?;
    }
    positional::resolve(&mut options, on_command_line)?;
    check_paths(&options)?;
    #[cfg(not(target_os = "wasi"))]
    {
        if options.runtime == Some(Runtime::Tokio) && !cfg!(feature = "tokio") {
            return Err("this sanserve was built without tokio: leave --runtime tokio out, or build it with --features tokio".into());
        }
        check_record(&options)?;
        check_proxy_protocol(&options)?;
        #[cfg(target_os = "linux")]
        check_sandbox(&options)?;
        if options.explain.is_none() && !options.explain_headers.is_empty() {
            return Err("--explain-header requires --explain: add it".into());
        }
        if options.explain.as_deref() == Some("-") && !options.explain_headers.is_empty() {
            return Err(
                "--explain-header cannot be used with --explain -: add the field to the request"
                    .into(),
            );
        }
        choose_certificate(&mut options, on_command_line)?;
        check_certificate(&options)?;
        if options.tls_save.is_some() && options.tls.is_none() {
            return Err("--tls-save requires --tls self-signed: add it".into());
        }
        secrets::refuse_served(&options)?;
    }
    Ok(Parsed::Run(Box::new(options)))
}

/// Checks that options that modify another one are not used without it.
#[cfg(unix)]
fn check_requirements(options: &Options) -> Result<(), &'static str> {
    let scripts = options.runs_scripts();
    if options.overwrite && !options.upload {
        return Err("--overwrite requires --upload: add it");
    }
    if !options.upload_auth.is_empty() && !options.upload && !options.delete {
        return Err("--upload-auth requires --upload or --delete: add one of them");
    }
    if options.upload_limit.is_some() && !options.upload && !scripts {
        return Err("--upload-limit requires --upload or --cgi: add one of them");
    }
    if options.cgi_limit.is_some() && !scripts {
        return Err("--cgi-limit requires --cgi or --cgi-dir: add one of them");
    }
    Ok(())
}

/// Checks that options which need a directory are not used with a file, nor scripts with a prefix.
fn check_paths(options: &Options) -> Result<(), String> {
    let scripts = runs_scripts(options);
    let need_directory = [
        ("--archive", options.archive),
        ("--precompressed", options.precompressed),
        ("--spa", options.spa.is_some()),
        ("--not-found", options.not_found.is_some()),
        ("--clean-urls", options.clean_urls),
        ("--upload", options.upload),
        #[cfg(unix)]
        ("--delete", options.delete),
        ("--cgi", scripts),
    ];
    let mut given = need_directory.iter().filter(|(_, is_given)| *is_given);
    if let (Some(file), Some((name, _))) = (&options.file, given.next()) {
        let file = file.display();
        return Err(format!(
            "{name} needs a directory, and '{file}' is a file: leave {name} out, or serve the directory"
        ));
    }
    #[cfg(not(target_os = "wasi"))]
    if options.is_zip {
        let need_disk = [
            ("--upload", options.upload),
            #[cfg(unix)]
            ("--delete", options.delete),
            ("--cgi", scripts),
        ];
        if let Some((name, _)) = need_disk.iter().find(|(_, is_given)| *is_given) {
            let archive = options.directory.display();
            return Err(format!(
                "{name} needs a directory, and '{archive}' is a zip archive: leave {name} out, or unpack the archive"
            ));
        }
    }
    if options.prefix.is_some() && scripts {
        return Err("--prefix cannot be used with --cgi: leave one of them out".into());
    }
    Ok(())
}

#[cfg(not(target_os = "wasi"))]
fn runs_scripts(options: &Options) -> bool {
    options.runs_scripts()
}

#[cfg(target_os = "wasi")]
fn runs_scripts(_: &Options) -> bool {
    false
}

/// Checks that the PROXY protocol has trusted proxies.
#[cfg(not(target_os = "wasi"))]
fn check_proxy_protocol(options: &Options) -> Result<(), &'static str> {
    match options.proxy_protocol && options.trust_proxy.is_empty() {
        true => Err("--proxy-protocol requires --trust-proxy: add it"),
        false => Ok(()),
    }
}

/// Checks that the runtime can be confined: tokio's threads start before anything can be given up. Also checks that no
/// link out of the directory is to be followed. The kernel would refuse its file, and the status of a PUT or DELETE would
/// still tell whether the file exists.
#[cfg(target_os = "linux")]
fn check_sandbox(options: &Options) -> Result<(), &'static str> {
    if options.sandbox && options.runtime() == Runtime::Tokio {
        return Err("--sandbox cannot be used with --runtime tokio: leave one of them out");
    }
    if options.sandbox && options.follow_symlinks {
        return Err(
            "--sandbox refuses the files that --follow-symlinks serves: leave one of them out",
        );
    }
    Ok(())
}

/// Checks that options of a recording are not used without one.
#[cfg(not(target_os = "wasi"))]
fn check_record(options: &Options) -> Result<(), String> {
    let dependent = [
        ("--record-content", options.record_content),
        ("--record-limit", options.record_limit.is_some()),
        ("--record-secret", !options.record_secrets.is_empty()),
    ];
    let mut given = dependent.iter().filter(|(_, is_given)| *is_given);
    match given.next() {
        Some((name, _)) if options.record.is_none() => {
            Err(format!("{name} requires --record: add it"))
        }
        _ => Ok(()),
    }
}

/// The text that the options ask for instead of serving: completions or the manual page.
#[cfg(not(target_os = "wasi"))]
fn text_to_print(options: &Options) -> Option<String> {
    let mut text = Vec::new();
    if let Some(shell) = options.completions {
        let mut command = features::without_missing(options::command());
        clap_complete::generate(shell, &mut command, "sanserve", &mut text);
    } else if options.manpage {
        return Some(manual::page(options::command()));
    } else {
        return None;
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Chooses between `--tls` and `--tls-cert`: the command line wins over the environment.
#[cfg(not(target_os = "wasi"))]
fn choose_certificate(
    options: &mut Options,
    on_command_line: impl Fn(&str) -> bool,
) -> Result<(), String> {
    if options.tls.is_some() && options.tls_cert.is_some() {
        match (on_command_line("tls"), on_command_line("tls_cert")) {
            (true, false) => {
                (options.tls_cert, options.tls_key) = (None, None);
                options.tls_password_file = None;
            }
            (false, true) => {
                options.tls = None;
                options.tls_save = options
                    .tls_save
                    .take()
                    .filter(|_| on_command_line("tls_save"));
            }
            _ => return Err("--tls cannot be used with --tls-cert: leave one of them out".into()),
        }
    }
    Ok(())
}

/// Checks that `--tls-key` and `--tls-password-file` are used only with `--tls-cert`. The messages are Python's.
#[cfg(not(target_os = "wasi"))]
fn check_certificate(options: &Options) -> Result<(), String> {
    let dependent = [
        ("--tls-key", &options.tls_key),
        ("--tls-password-file", &options.tls_password_file),
    ];
    let mut without = dependent.iter().filter(|_| options.tls_cert.is_none());
    match without.find(|(_, path)| path.is_some()) {
        Some((name, _)) => Err(format!("{name} requires --tls-cert to be set")),
        None => Ok(()),
    }
}

/// Converts a result of clap: help, version, or an error, which becomes one line.
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
        // The possible values follow on a line of their own.
        ErrorKind::InvalidValue => whole.and_then(|text| text.split_inclusive(']').next()),
        // The quoted value may have several lines.
        ErrorKind::ValueValidation => whole,
        _ => text.lines().next(),
    };
    let line = line.unwrap_or_default().replace("\n  [", " [");
    let line = line.replace(char::is_control, "?");
    let (source, suggestion) = (source(error), suggestion(error));
    Parsed::UsageError(format!(
        "{line}{source} ({suggestion}see 'sanserve --help')"
    ))
}

/// Asks whether a similar option was meant.
fn suggestion(error: &Error) -> String {
    match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(name)) => format!("did you mean {name}? "),
        Some(ContextValue::Strings(names)) if !names.is_empty() => {
            format!("did you mean {}? ", names.join(" or "))
        }
        _ => String::new(),
    }
}

/// Names the variable that a wrong value or a conflicting option comes from, if it is not on the command line.
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

/// Returns the long name of an option, which clap shows as `--cors[=<ORIGIN>]`.
fn long_name(shown: &str) -> String {
    let end = shown.find([' ', '=', '[', '<']).unwrap_or(shown.len());
    shown[..end].trim_start_matches('-').into()
}

/// Whether the command line has this option, by its long or its short name.
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

const PREFIX: &str = "SANSERVE_";

/// Options that the environment cannot set, since they change what the command does.
const WITHOUT_VARIABLE: [&str; 7] = [
    "stdio",
    "explain",
    "explain-header",
    "completions",
    "manpage",
    "version",
    "help",
];

/// Options that cannot be combined with `--stdio`: their ids, and their names in messages.
#[cfg(unix)]
const LISTEN_ONLY: [(&str, &str); 8] = [
    ("proxy_protocol", "--proxy-protocol"),
    ("first", "[PORT]"),
    ("second", "[PATH]"),
    ("port", "--port <PORT>"),
    ("bind", "--bind <ADDRESS>"),
    ("runtime", "--runtime <RUNTIME>"),
    ("tls", "--tls <self-signed>"),
    ("tls_cert", "--tls-cert <PATH>"),
];
