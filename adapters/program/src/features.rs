//! The features that a build can leave out, and their options. Such a build shows them nowhere, but it knows them: it
//! refuses each with the name of the feature. If it ignored `SANSERVE_AUTH`, it would serve without a password.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// A feature that a build can leave out.
struct Feature {
    name: &'static str,
    /// Its name in messages.
    title: &'static str,
    is_built_in: bool,
    /// The ids of its options, which are their long names with underscores.
    options: &'static [&'static str],
}

const FEATURES: [Feature; 2] = [
    Feature {
        name: "passwords",
        title: "passwords",
        is_built_in: cfg!(feature = "passwords"),
        options: &["auth", "auth_file", "upload_auth"],
    },
    Feature {
        name: "tls",
        title: "TLS",
        is_built_in: cfg!(feature = "tls"),
        options: &[
            "tls",
            "tls_save",
            "tls_cert",
            "tls_key",
            "tls_password_file",
        ],
    },
];

/// Returns the feature that an option needs and this build lacks.
fn missing(id: &str) -> Option<&'static Feature> {
    let mut missing = FEATURES.iter().filter(|feature| !feature.is_built_in);
    missing.find(|feature| feature.options.contains(&id))
}

fn lacks_none() -> bool {
    FEATURES.iter().all(|feature| feature.is_built_in)
}

/// Hides the options that this build lacks from the help and the manual page.
pub(super) fn hide_missing(command: Command) -> Command {
    if lacks_none() {
        return command;
    }
    command.mut_args(|arg| match missing(arg.get_id().as_str()) {
        Some(_) => arg.hide(true),
        None => arg,
    })
}

/// Removes the options that this build lacks, for completions, which list hidden options.
#[cfg(not(target_os = "wasi"))]
pub(super) fn without_missing(command: Command) -> Command {
    if lacks_none() {
        return command;
    }
    let args = command.get_arguments();
    let args = args.filter(|arg| missing(arg.get_id().as_str()).is_none());
    Command::new("sanserve")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(args.cloned())
}

/// Checks that neither the command line nor the environment has an option that this build lacks. `variable` returns the
/// variable that sets an option.
pub(super) fn check(matches: &ArgMatches, variable: impl Fn(&str) -> String) -> Result<(), String> {
    for id in matches.ids() {
        let Some(Feature { name, title, .. }) = missing(id.as_str()) else {
            continue;
        };
        let option = id.as_str().replace('_', "-");
        let given = match matches.value_source(id.as_str()) {
            Some(ValueSource::EnvVariable) => variable(&option),
            _ => format!("--{option}"),
        };
        return Err(format!(
            "this sanserve was built without {title}: leave {given} out, or build it with --features {name}"
        ));
    }
    Ok(())
}
