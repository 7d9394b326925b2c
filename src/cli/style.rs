//! Colours on a terminal, plain text elsewhere.

use std::io::IsTerminal;

/// What a piece of text means; the colour follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// All is well, or something comes.
    Green,
    /// Somebody should look, or something is on its way out.
    Yellow,
    /// Something is wrong, or goes.
    Red,
    /// Something changes.
    Cyan,
    /// Something is held.
    Magenta,
    /// An aside.
    Faint,
    /// A heading.
    Bold,
}

impl Ink {
    const fn code(self) -> &'static str {
        match self {
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Red => "31",
            Self::Cyan => "36",
            Self::Magenta => "35",
            Self::Faint => "2",
            Self::Bold => "1",
        }
    }
}

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    colour: bool,
}

impl Style {
    /// For standard output: colour on a terminal, unless `NO_COLOR` is set or the terminal is
    /// dumb; colour everywhere with `CLICOLOR_FORCE`.
    pub(super) fn of_stdout() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let forced = set("CLICOLOR_FORCE").is_some_and(|value| value != "0");
        let dumb = set("TERM").is_some_and(|value| value == "dumb");
        let terminal = std::io::stdout().is_terminal() && !dumb;
        Self {
            colour: set("NO_COLOR").is_none() && (forced || terminal),
        }
    }

    /// Without colour.
    #[cfg(test)]
    pub(super) const fn plain() -> Self {
        Self { colour: false }
    }

    /// The text in its colour.
    pub(super) fn paint(self, ink: Ink, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{}m{text}\u{1b}[0m", ink.code())
        } else {
            text.to_owned()
        }
    }
}
