//! The server that a case wants, by its [`Kind`].

use sanserve_core::{Config, Handler};

use crate::{Case, Kind, Suite};

impl Case {
    /// What kind of server it wants. What that says is left to it for ever.
    #[must_use]
    pub fn kind(&self) -> Kind {
        let leak = |text: &str| -> &'static str { String::leak(text.into()) };
        let options = self.options.iter();
        let options: Vec<_> = options
            .map(|(key, value)| (leak(key), leak(value)))
            .collect();
        Kind {
            handler: leak(&self.handler),
            options: options.leak(),
        }
    }

    /// [`Kind::config`].
    ///
    /// # Panics
    /// If an option is unknown or its value is none: the case is written wrong.
    #[must_use]
    pub fn config(&self) -> Config {
        self.kind().config()
    }

    /// [`Kind::portable_names`].
    #[must_use]
    pub fn portable_names(&self) -> bool {
        self.option("names") == Some("portable")
    }

    /// [`Kind::handler`], for one connection.
    ///
    /// # Panics
    /// If there is no handler of that name.
    #[must_use]
    pub fn handler(&self) -> Box<dyn Handler + Send> {
        self.kind().handler()
    }
}

impl Suite {
    /// The kinds of servers that its cases want, each once, in the order of the cases.
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        let mut kinds = Vec::new();
        for kind in self.cases().iter().map(Case::kind) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }
}
