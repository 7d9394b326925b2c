//! A YAML document as a tree whose every access knows its path.
//!
//! Reading never stops at the first problem: each accessor notes what is wrong in the shared list
//! and returns `None`, so that one reading finds everything.

use std::cell::RefCell;

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};

use super::Problem;
use super::schema::Key;
use crate::telemetry::clean;

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    pub(super) fn add(&self, path: &str, message: impl Into<String>) {
        self.0.borrow_mut().push(Problem {
            path: path.to_owned(),
            message: message.into(),
        });
    }

    pub(super) fn into_vec(self) -> Vec<Problem> {
        self.0.into_inner()
    }
}

/// Parses the text into one document.
pub(super) fn load<'a>(text: &'a str, problems: &Problems) -> Option<Yaml<'a>> {
    if is_too_deep(text) {
        problems.add("", "not a configuration: it is nested too deeply");
        return None;
    }
    match Yaml::load_from_str(text) {
        Err(error) => {
            let error = clean(&error.to_string(), 300);
            problems.add("", format!("not a YAML document: {error}"));
            None
        }
        Ok(documents) => {
            let mut documents = documents.into_iter();
            match (documents.next(), documents.next()) {
                (Some(document), None) => Some(document),
                (None, _) => {
                    problems.add("", "the document is empty");
                    None
                }
                (Some(_), Some(_)) => {
                    problems.add("", "there is more than one document; keep one");
                    None
                }
            }
        }
    }
}

/// Whether the text nests deeper than any configuration: the YAML library recurses into it, and a
/// stack that is used up ends the process. Brackets in texts count too, which harms nobody.
fn is_too_deep(text: &str) -> bool {
    let mut open = 0_usize;
    let brackets = text.chars().any(|c| {
        match c {
            '[' | '{' => open += 1,
            ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        open > 64
    });
    let indent = |line: &str| line.chars().take_while(|c| " \t-?".contains(*c)).count();
    brackets || text.lines().any(|line| indent(line) > 128)
}

/// One mapping of the document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mapping<'a, 'y> {
    entries: &'a saphyr::Mapping<'y>,
    path: &'a str,
    problems: &'a Problems,
}

impl<'a, 'y> Mapping<'a, 'y> {
    /// Reads `node` as a mapping; notes duplicates of what YAML allows, and unknown keys.
    pub(super) fn new(
        node: &'a Yaml<'y>,
        path: &'a str,
        known: Option<&[Key]>,
        problems: &'a Problems,
    ) -> Option<Self> {
        let Yaml::Mapping(entries) = node else {
            problems.add(
                path,
                format!("must be a mapping (`key: value`), not {}", describe(node)),
            );
            return None;
        };
        let mapping = Self {
            entries,
            path,
            problems,
        };
        for key in entries.keys() {
            match (key.as_str(), known) {
                (None, _) => problems.add(path, format!("{} is not a key", describe(key))),
                (Some(name), Some(known)) if !known.iter().any(|key| key.name == name) => {
                    problems.add(&mapping.path_of(name), unknown(name, known));
                }
                _ => {}
            }
        }
        Some(mapping)
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        let key: String = key.escape_debug().take(80).collect();
        if self.path.is_empty() {
            key
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The value of a key; a `null` counts as absent, as in the Go agent.
    pub(super) fn get(&self, key: &str) -> Option<&'a Yaml<'y>> {
        let (_, value) = self
            .entries
            .iter()
            .find(|(name, _)| name.as_str() == Some(key))?;
        (!value.is_null()).then_some(value)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.entries.keys().filter_map(|key| key.as_str())
    }

    pub(super) fn problem(&self, key: &str, message: impl Into<String>) {
        self.problems.add(&self.path_of(key), message);
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        let node = self.get(key)?;
        match node.as_str() {
            Some(text) if !text.trim().is_empty() => Some(text.trim()),
            Some(_) => {
                self.problem(key, "is empty");
                None
            }
            None => {
                self.problem(key, format!("must be a text, not {}", describe(node)));
                None
            }
        }
    }

    /// A text that must be there.
    pub(super) fn required(&self, key: &str, example: &str) -> Option<&'a str> {
        if self.get(key).is_none() {
            self.problem(key, format!("is required, e.g. `{key}: {example}`"));
        }
        self.text(key)
    }

    /// A whole number within bounds.
    pub(super) fn number(&self, key: &str, least: u64, most: u64) -> Option<u64> {
        let node = self.get(key)?;
        match node.as_integer() {
            Some(number)
                if (i128::from(least)..=i128::from(most)).contains(&i128::from(number)) =>
            {
                u64::try_from(number).ok()
            }
            Some(number) => {
                self.problem(key, format!("{number} is out of range: {least} to {most}"));
                None
            }
            None => {
                self.problem(
                    key,
                    format!("must be a whole number, not {}", describe(node)),
                );
                None
            }
        }
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        let node = self.get(key)?;
        let found = node.as_bool();
        if found.is_none() {
            self.problem(
                key,
                format!("must be true or false, not {}", describe(node)),
            );
        }
        found
    }

    /// One of a few words; the case matters only where `any_case` is false.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = choices
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(text));
        if found.is_none() {
            let words: Vec<String> = choices
                .iter()
                .map(|(word, _)| format!("`{word}`"))
                .collect();
            self.problem(
                key,
                format!(
                    "`{}` is not one of {}",
                    text.escape_debug(),
                    words.join(", ")
                ),
            );
        }
        found.map(|(_, value)| *value)
    }

    /// A text or a bare number, for times.
    pub(super) fn scalar(&self, key: &str) -> Option<String> {
        match self.get(key)? {
            Yaml::Value(Scalar::Integer(number)) => Some(number.to_string()),
            _ => self.text(key).map(str::to_owned),
        }
    }
}

fn unknown(name: &str, known: &[Key]) -> String {
    let nearest = known
        .iter()
        .map(|key| {
            (
                strsim::jaro_winkler(&name.to_lowercase(), key.name),
                key.name,
            )
        })
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((likeness, nearest)) if likeness > 0.75 => {
            format!("unknown key; did you mean `{nearest}`?")
        }
        _ => {
            let names: Vec<&str> = known.iter().map(|key| key.name).collect();
            format!("unknown key; the keys here are {}", names.join(", "))
        }
    }
}

/// What a node is, without its value: a value may be a secret in the wrong place.
pub(super) fn describe(node: &Yaml<'_>) -> &'static str {
    match node {
        Yaml::Value(Scalar::Null) => "nothing",
        Yaml::Value(Scalar::Boolean(_)) => "true or false",
        Yaml::Value(Scalar::Integer(_)) => "a whole number",
        Yaml::Value(Scalar::FloatingPoint(_)) => "a number with a fraction",
        Yaml::Value(Scalar::String(_)) => "a text",
        Yaml::Sequence(_) => "a list",
        Yaml::Mapping(_) => "a mapping",
        _ => "something else",
    }
}
