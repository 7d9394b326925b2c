//! How an event becomes one line: text for people, JSON for programs.
//!
//! Both put the trigger and the invocations of the running task behind the event's own fields, and
//! neither lets a value end its line.

use std::fmt;

use serde::ser::{SerializeMap as _, Serializer as _};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::origin::Origin;
use super::text::write_on_one_line;

/// RFC 3339 in UTC. The host stamps a line when it reads it, which is later, and a file has no
/// other stamp.
const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// What `LOG_FORMAT` chooses between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum LogFormat {
    /// One line of text, fields behind it as `name=value`.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

impl<S, N> FormatEvent<S, N> for LogFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut told = Told::default();
        event.record(&mut told);
        told.add_origin();
        let now = OffsetDateTime::now_utc().format(TIMESTAMP);
        let line = Line {
            timestamp: &now.unwrap_or_default(),
            level: event.metadata().level().as_str(),
            target: event.metadata().target(),
            told: &told,
        };
        match self {
            Self::Text => line.text(writer),
            Self::Json => line.json(writer),
        }
    }
}

/// The message and the fields of an event.
#[derive(Debug, Default)]
struct Told {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Told {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => self.fields.push((name, value)),
        }
    }

    /// Adds what began this and who waits for it, where the event does not say so itself: a line
    /// about a shared pass names everyone who shares it.
    fn add_origin(&mut self) {
        let missing = |name: &str| self.fields.iter().all(|(known, _)| *known != name);
        let (trigger, invocation) = (missing("trigger"), missing("invocation"));
        let Some((name, ids)) = Origin::with_current(|origin| {
            let ids = origin.invocations().map(|ids| ids.to_string());
            (origin.trigger.name(), ids)
        }) else {
            return;
        };
        if trigger {
            self.fields.push(("trigger", name.into()));
        }
        if let Some(ids) = ids.filter(|_| invocation) {
            self.fields.push(("invocation", ids.into()));
        }
    }
}

impl Visit for Told {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }
}

struct Line<'a> {
    timestamp: &'a str,
    level: &'a str,
    target: &'a str,
    told: &'a Told,
}

impl Line<'_> {
    fn text(&self, mut out: Writer<'_>) -> fmt::Result {
        write!(out, "{} {:>5} ", self.timestamp, self.level)?;
        // Whose line it is matters only where it is not this program's own.
        if !self.target.starts_with(env!("CARGO_CRATE_NAME")) {
            write!(out, "{}: ", self.target)?;
        }
        write_on_one_line(&mut out, &self.told.message)?;
        for (name, value) in &self.told.fields {
            write!(out, " {name}=")?;
            match value {
                Value::String(text) if is_plain(text) => out.write_str(text)?,
                Value::String(text) => write_quoted(&mut out, text)?,
                other => write!(out, "{other}")?,
            }
        }
        writeln!(out)
    }

    fn json(&self, mut out: Writer<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(512);
        self.serialize(&mut bytes).map_err(|_| fmt::Error)?;
        writeln!(out, "{}", String::from_utf8_lossy(&bytes))
    }

    fn serialize(&self, bytes: &mut Vec<u8>) -> serde_json::Result<()> {
        let mut serializer = serde_json::Serializer::new(bytes);
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("timestamp", self.timestamp)?;
        object.serialize_entry("level", self.level)?;
        object.serialize_entry("message", &self.told.message)?;
        for (name, value) in &self.told.fields {
            object.serialize_entry(name, value)?;
        }
        object.serialize_entry("target", self.target)?;
        object.end()
    }
}

/// Whether a value needs no quotes: it ends at the next blank.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| !c.is_whitespace() && !c.is_control() && !"\"=".contains(c))
}

fn write_quoted(out: &mut Writer<'_>, text: &str) -> fmt::Result {
    out.write_char('"')?;
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    write_on_one_line(out, &escaped)?;
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::Context;
    use tracing_subscriber::fmt::MakeWriter;

    use super::super::names::Trigger;
    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// What `work` logs in a format, line by line, without the timestamps.
    fn logged(format: LogFormat, work: impl FnOnce()) -> Vec<String> {
        let kept = Kept::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(kept.clone())
            .event_format(format)
            .finish();
        tracing::subscriber::with_default(subscriber, work);
        let bytes = kept.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn for_invocations(ids: &[&str], work: impl FnOnce()) {
        let origin = Origin {
            trigger: Trigger::Timer,
            invocations: ids.iter().map(|id| (*id).to_owned()).collect(),
        };
        let _guard = Context::current_with_value(origin).attach();
        work();
    }

    #[test]
    fn a_line_of_text_is_readable_and_its_fields_can_be_parsed() {
        let lines = logged(LogFormat::Text, || {
            for_invocations(&["7d5a", "9c"], || {
                tracing::warn!(
                    added = 2_u64,
                    upstream = "web",
                    why = "a \"b\"",
                    "Held: [{}]",
                    1
                );
            });
            tracing::info!(target: "other::crate", path = %"/x=y", empty = "", "told");
        });
        assert_eq!(
            lines[0][24..],
            *r#"  WARN Held: [1] added=2 upstream=web why="a \"b\"" trigger=timer invocation=7d5a,9c"#
        );
        assert_eq!(
            lines[1][24..],
            *r#"  INFO other::crate: told path="/x=y" empty="""#
        );
        assert!(
            lines[0].starts_with("20") && lines[0][..24].ends_with('Z'),
            "{lines:?}"
        );
    }

    #[test]
    fn a_line_of_json_is_one_object_with_the_same_fields() {
        let lines = logged(LogFormat::Json, || {
            for_invocations(&["7d5a"], || {
                tracing::error!(added = 2_u64, ok = true, "no\nway");
            });
        });
        assert_eq!(lines.len(), 1);
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line["message"], "no\nway");
        assert_eq!(line["added"], 2);
        assert_eq!(line["ok"], true);
        assert_eq!(line["trigger"], "timer");
        assert_eq!(line["invocation"], "7d5a");
        assert!(lines[0].starts_with("{\"timestamp\":\"20"), "{lines:?}");
    }

    #[test]
    fn an_event_that_names_its_invocations_itself_is_taken_at_its_word() {
        let lines = logged(LogFormat::Text, || {
            for_invocations(&["mine"], || {
                tracing::info!(trigger = "event", invocation = "all,of,us", "shared");
            });
        });
        assert_eq!(
            lines[0][24..],
            *"  INFO shared trigger=event invocation=all,of,us"
        );
    }

    #[test]
    fn nothing_that_is_logged_can_forge_a_second_line() {
        let forged = "x\n2026-01-01T00:00:00.000Z  INFO forged\r\u{1b}[2K\u{2028}\u{202e}";
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = logged(format, || {
                for_invocations(&[forged], || {
                    tracing::info!(upstream = forged, why = %forged, "{forged}");
                });
            });
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(
                !lines[0].contains('\u{1b}') && !lines[0].contains('\r'),
                "{lines:?}"
            );
        }
    }
}
