//! Methods of [`Case`] and [`Suite`] that return the server setups of cases, with their handlers and settings.

use sanserve_core::{Config, Handler};

use crate::{Case, Setup, Suite};

impl Case {
    /// Returns the setup of the server for this case. Its strings are leaked, so that they are `'static`.
    #[must_use]
    pub fn setup(&self) -> Setup {
        let leak = |text: &str| -> &'static str { String::leak(text.into()) };
        let options = self.options.iter();
        let options: Vec<_> = options
            .map(|(key, value)| (leak(key), leak(value)))
            .collect();
        Setup {
            handler: leak(&self.handler),
            options: options.leak(),
        }
    }

    /// Returns [`Setup::config`].
    ///
    /// # Panics
    /// If an option is unknown or its value is invalid.
    #[must_use]
    pub fn config(&self) -> Config {
        self.setup().config()
    }

    /// Returns [`Setup::portable_names`].
    #[must_use]
    pub fn portable_names(&self) -> bool {
        self.option("names") == Some("portable")
    }

    /// Returns [`Setup::handler`], for one connection.
    ///
    /// # Panics
    /// If there is no handler of that name.
    #[must_use]
    pub fn handler(&self) -> Box<dyn Handler + Send> {
        self.setup().handler()
    }

    /// Returns [`Setup::async_handler`], for one connection.
    #[must_use]
    pub fn async_handler(&self) -> Box<dyn Handler + Send> {
        self.setup().async_handler()
    }

    /// Returns [`Setup::alternating_handler`], for the connection with this number.
    ///
    /// # Panics
    /// If there is no handler of that name.
    #[must_use]
    pub fn alternating_handler(&self, connection: usize) -> Box<dyn Handler + Send> {
        self.setup().alternating_handler(connection)
    }
}

impl Suite {
    /// Returns the server setups of all cases that are not [timed](Case::is_timed), each once, in the order of the
    /// cases: for a server on another machine, which has to have them beforehand.
    #[must_use]
    pub fn setups(&self) -> Vec<Setup> {
        let mut setups = Vec::new();
        for setup in self
            .cases()
            .iter()
            .filter(|case| !case.is_timed())
            .map(Case::setup)
        {
            if !setups.contains(&setup) {
                setups.push(setup);
            }
        }
        setups
    }
}
