//! What the doctor found: a list for programs, lines for people.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::super::Format;
use super::super::output::print;
use super::super::style::{Ink, Style};

/// The form of the JSON. A change that breaks readers gets a new number.
const SCHEMA: &str = "nginx-vmss-sync/check/1";

/// A command that need not be given twice.
const ONCE: &str = "az role definition create ";

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grade {
    /// As it should be.
    Ok,
    /// It works; somebody should look.
    Warning,
    /// A pass fails of it, or soon will.
    Failed,
    /// It could not be checked.
    Skipped,
}

impl Grade {
    const ALL: [Self; 4] = [Self::Ok, Self::Warning, Self::Failed, Self::Skipped];

    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    const fn ink(self) -> Ink {
        match self {
            Self::Ok => Ink::Green,
            Self::Warning => Ink::Yellow,
            Self::Failed => Ink::Red,
            Self::Skipped => Ink::Faint,
        }
    }
}

/// What is checked. The names are for programs and stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    Configuration,
    Schedule,
    StartUp,
    Identity,
    AzureReachable,
    AzureClock,
    AzurePermission,
    AzureScaleSet,
    SecretReadable,
    SecretExpiry,
    KeyForm,
    NginxReachable,
    NginxCertificate,
    NginxClock,
    NginxEndpoint,
    NginxKey,
    NginxVersion,
    NginxWrite,
    UpstreamExists,
    UpstreamServers,
    UpstreamZone,
    UpstreamHealthChecks,
}

#[cfg(test)]
const CHECKS: [Check; 22] = [
    Check::Configuration,
    Check::Schedule,
    Check::StartUp,
    Check::Identity,
    Check::AzureReachable,
    Check::AzureClock,
    Check::AzurePermission,
    Check::AzureScaleSet,
    Check::SecretReadable,
    Check::SecretExpiry,
    Check::KeyForm,
    Check::NginxReachable,
    Check::NginxCertificate,
    Check::NginxClock,
    Check::NginxEndpoint,
    Check::NginxKey,
    Check::NginxVersion,
    Check::NginxWrite,
    Check::UpstreamExists,
    Check::UpstreamServers,
    Check::UpstreamZone,
    Check::UpstreamHealthChecks,
];

impl Check {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Schedule => "schedule",
            Self::StartUp => "start_up",
            Self::Identity => "identity",
            Self::AzureReachable => "azure.reachable",
            Self::AzureClock => "azure.clock",
            Self::AzurePermission => "azure.permission",
            Self::AzureScaleSet => "azure.scale_set",
            Self::SecretReadable => "secret.readable",
            Self::SecretExpiry => "secret.expiry",
            Self::KeyForm => "key.form",
            Self::NginxReachable => "nginx.reachable",
            Self::NginxCertificate => "nginx.certificate",
            Self::NginxClock => "nginx.clock",
            Self::NginxEndpoint => "nginx.endpoint",
            Self::NginxKey => "nginx.key",
            Self::NginxVersion => "nginx.version",
            Self::NginxWrite => "nginx.write",
            Self::UpstreamExists => "upstream.exists",
            Self::UpstreamServers => "upstream.servers",
            Self::UpstreamZone => "upstream.zone",
            Self::UpstreamHealthChecks => "upstream.health_checks",
        }
    }
}

/// What to do: a sentence, and lines to be pasted into a shell or a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Remedy {
    pub(super) text: String,
    pub(super) paste: Vec<String>,
}

impl Remedy {
    /// A sentence alone.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            paste: Vec::new(),
        }
    }

    /// The same with more lines to be pasted.
    pub(super) fn paste<S: Into<String>>(mut self, lines: impl IntoIterator<Item = S>) -> Self {
        self.paste.extend(lines.into_iter().map(Into::into));
        self
    }
}

#[derive(Debug)]
struct Finding {
    check: Check,
    grade: Grade,
    subject: String,
    text: String,
    remedy: Option<Remedy>,
}

/// All findings. As text each is printed as soon as it is made, because some take their time.
#[derive(Debug)]
pub(super) struct Findings {
    list: Vec<Finding>,
    format: Format,
    style: Style,
}

impl Findings {
    pub(super) fn new(format: Format) -> Self {
        Self {
            list: Vec::new(),
            format,
            style: Style::of_stdout(),
        }
    }

    pub(super) fn ok(&mut self, check: Check, subject: &str, text: impl Into<String>) {
        self.add(check, Grade::Ok, subject, text.into(), None);
    }

    pub(super) fn skipped(&mut self, check: Check, subject: &str, text: impl Into<String>) {
        self.add(check, Grade::Skipped, subject, text.into(), None);
    }

    pub(super) fn warning(
        &mut self,
        check: Check,
        subject: &str,
        text: impl Into<String>,
        remedy: Remedy,
    ) {
        self.add(check, Grade::Warning, subject, text.into(), Some(remedy));
    }

    pub(super) fn failed(
        &mut self,
        check: Check,
        subject: &str,
        text: impl Into<String>,
        remedy: Remedy,
    ) {
        self.add(check, Grade::Failed, subject, text.into(), Some(remedy));
    }

    pub(super) fn add(
        &mut self,
        check: Check,
        grade: Grade,
        subject: &str,
        text: String,
        remedy: Option<Remedy>,
    ) {
        let subject = subject.to_owned();
        let remedy = remedy.filter(|remedy| *remedy != Remedy::default());
        let finding = Finding {
            check,
            grade,
            subject,
            text,
            remedy,
        };
        if self.format == Format::Text {
            print(&lines(&finding, &self.list, self.style));
        }
        self.list.push(finding);
    }

    /// Prints what is left to print. Exit 1 where anything failed.
    pub(super) fn finish(self) -> ExitCode {
        let count = |grade: Grade| {
            let of = self.list.iter().filter(|finding| finding.grade == grade);
            of.count()
        };
        let failed = count(Grade::Failed) > 0;
        match self.format {
            Format::Text => {
                let [ok, warnings, failures, skipped] = Grade::ALL.map(count);
                let plural = if warnings == 1 { "" } else { "s" };
                print(&format!(
                    "\n{failures} failed, {warnings} warning{plural}, {ok} ok, {skipped} skipped\n"
                ));
            }
            Format::Json => {
                let counts: serde_json::Map<String, Value> = Grade::ALL
                    .into_iter()
                    .map(|grade| (grade.name().to_owned(), json!(count(grade))))
                    .collect();
                let findings: Vec<Value> = self.list.iter().map(as_json).collect();
                let report = json!({
                    "schema": SCHEMA,
                    "version": env!("CARGO_PKG_VERSION"),
                    "ok": !failed,
                    "counts": counts,
                    "findings": findings,
                });
                print(&format!("{report:#}\n"));
            }
        }
        if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

fn as_json(finding: &Finding) -> Value {
    json!({
        "check": finding.check.name(),
        "grade": finding.grade.name(),
        "subject": finding.subject.replace('`', ""),
        "text": finding.text,
        "remedy": finding.remedy.as_ref().map(|remedy| &remedy.text),
        "paste": finding.remedy.as_ref().map(|remedy| &remedy.paste),
    })
}

/// A finding for people: one line, and below it the remedy. A remedy that stands above already is
/// not repeated.
fn lines(finding: &Finding, before: &[Finding], style: Style) -> String {
    const MARGIN: &str = "         ";
    let grade = style.paint(finding.grade.ink(), &format!("{:<8}", finding.grade.name()));
    let mut text = format!("{grade} {}: {}\n", finding.subject, finding.text);
    let Some(remedy) = &finding.remedy else {
        return text;
    };
    let mut above = before.iter().filter_map(|other| other.remedy.as_ref());
    if above.any(|other| other == remedy) {
        text.push_str(&format!("{MARGIN}remedy: the same as above\n"));
        return text;
    }
    text.push_str(&format!("{MARGIN}remedy: {}\n", remedy.text));
    let above = before.iter().filter_map(|other| other.remedy.as_ref());
    let above: Vec<&String> = above.flat_map(|other| &other.paste).collect();
    for line in &remedy.paste {
        if line.starts_with(ONCE) && above.contains(&line) {
            continue;
        }
        text.push_str(&format!("{MARGIN}  {}\n", style.paint(Ink::Cyan, line)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(grade: Grade, remedy: Option<Remedy>) -> Finding {
        Finding {
            check: Check::NginxKey,
            grade,
            subject: "API key".to_owned(),
            text: "not accepted".to_owned(),
            remedy,
        }
    }

    #[test]
    fn the_document_has_exactly_these_checks_grades_and_this_schema() {
        let document = include_str!("../../../docs/check.md");
        let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
        let named: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        let table = named.iter().position(|name| *name == "configuration");
        let checks = CHECKS.map(Check::name);
        let start = table.unwrap();
        assert_eq!(named[start..start + checks.len()], checks);
        for grade in Grade::ALL {
            assert!(named.contains(&grade.name()), "{grade:?}");
        }
        assert!(document.contains(&format!("\"schema\": \"{SCHEMA}\"")));
    }

    #[test]
    fn a_remedy_stands_below_its_finding_and_only_once() {
        let remedy = Remedy::new("store a new one:").paste(["az a", "az b"]);
        let first = finding(Grade::Failed, Some(remedy.clone()));
        assert_eq!(
            lines(&first, &[], Style::plain()),
            "failed   API key: not accepted\n         remedy: store a new one:\n           az a\n           az b\n"
        );
        let second = finding(Grade::Warning, Some(remedy));
        assert_eq!(
            lines(&second, &[first], Style::plain()),
            "warning  API key: not accepted\n         remedy: the same as above\n"
        );
        assert_eq!(
            lines(&finding(Grade::Ok, None), &[], Style::plain()),
            "ok       API key: not accepted\n"
        );
    }
}
