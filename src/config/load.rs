//! Where the configuration comes from. The only place that reads the environment for it.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::{Config, ConfigError, Problem, parse};

/// The file that is read when nothing else is said.
pub const DEFAULT_PATH: &str = "config.yaml";

/// What the environment says, read once.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `VMSS_SYNC_CONFIG`: the text itself.
    pub config: Option<String>,
    /// `VMSS_SYNC_CONFIG_PATH`: a file.
    pub config_path: Option<PathBuf>,
    /// `NGINXAAS_DATAPLANE_API_KEY`: the raw key.
    pub api_key: Option<SecretString>,
    /// Whether blanks or line breaks stood around the raw key; they are cut off.
    pub api_key_padded: bool,
}

impl Environment {
    /// Reads the process's environment. An empty value counts as unset, as in the portal.
    #[must_use]
    pub fn from_process() -> Self {
        let read = |name: &str| {
            std::env::var(name)
                .ok()
                .filter(|value| !value.trim().is_empty())
        };
        let key = read("NGINXAAS_DATAPLANE_API_KEY").map(SecretString::from);
        let trimmed = key.as_ref().map(|key| key.expose_secret().trim());
        Self {
            config: read("VMSS_SYNC_CONFIG"),
            config_path: read("VMSS_SYNC_CONFIG_PATH").map(PathBuf::from),
            api_key: trimmed.map(SecretString::from),
            api_key_padded: trimmed.map(str::len)
                != key.as_ref().map(|key| key.expose_secret().len()),
        }
    }
}

/// Where one configuration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// A file.
    File(PathBuf),
    /// The app setting `VMSS_SYNC_CONFIG`.
    Setting(String),
}

impl ConfigSource {
    /// Decides: `--config`, else `VMSS_SYNC_CONFIG`, else `VMSS_SYNC_CONFIG_PATH`, else
    /// [`DEFAULT_PATH`] in the working directory.
    #[must_use]
    pub fn choose(option: Option<&Path>, environment: &Environment) -> Self {
        match (option, &environment.config, &environment.config_path) {
            (Some(path), _, _) => Self::File(path.to_owned()),
            (None, Some(text), _) => Self::Setting(text.clone()),
            (None, None, Some(path)) => Self::File(path.clone()),
            (None, None, None) => Self::File(PathBuf::from(DEFAULT_PATH)),
        }
    }
}

/// Loads the configuration.
///
/// # Errors
///
/// The file cannot be read, or the document has problems: all of them.
pub fn load(option: Option<&Path>, environment: &Environment) -> Result<Config, ConfigError> {
    match ConfigSource::choose(option, environment) {
        ConfigSource::Setting(text) => parse(&text, "VMSS_SYNC_CONFIG", environment),
        ConfigSource::File(path) => {
            let origin = path.display().to_string();
            match std::fs::read_to_string(&path) {
                Ok(text) => parse(&text, &origin, environment),
                Err(error) => Err(ConfigError {
                    origin,
                    problems: vec![Problem {
                        path: String::new(),
                        message: format!(
                            "the file cannot be read ({error}); name it with `--config PATH` or `VMSS_SYNC_CONFIG_PATH`, \
                             or put its text into `VMSS_SYNC_CONFIG`"
                        ),
                    }],
                }),
            }
        }
    }
}
