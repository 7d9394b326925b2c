//! A message that a page quotes is one that the program has.

use std::collections::BTreeSet;

use nginx_vmss_sync::plan::HoldReason;

use super::markdown::Page;
use super::source::{ANYTHING, literals};
use super::{page, root};

/// The pages whose blocks marked `log` are held against the source.
const PAGES: [&str; 5] = [
    "docs/compared-with-nginx-asg-sync.md",
    "docs/configuration.md",
    "docs/faq.md",
    "docs/how-a-pass-decides.md",
    "docs/troubleshooting.md",
];

/// Stands in a quoted message for a part that varies.
const VARIES: char = '…';

/// The messages that a page quotes, with their lines.
fn quoted(page: &Page) -> Vec<(usize, String)> {
    let mut quoted = Vec::new();
    for block in page.blocks() {
        if block.info == "log" {
            let lines = (block.line + 1..).zip(block.text.lines());
            quoted.extend(lines.map(|(line, text)| (line, text.to_owned())));
        }
    }
    quoted
}

/// Whether `quoted` is `literal` from end to end, with [`VARIES`] for every placeholder and for
/// whatever else is left out.
fn is(quoted: &str, literal: &str) -> bool {
    let fixed: Vec<&str> = quoted.split(VARIES).collect();
    let [first, middle @ .., last] = &fixed[..] else {
        return quoted == literal;
    };
    let Some(mut rest) = literal.strip_prefix(first) else {
        return false;
    };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Why a quoted message is none of the program's.
fn problem(quoted: &str, literals: &[String]) -> Option<String> {
    let longest = quoted.split(VARIES).map(|part| part.trim().len()).max();
    if longest.unwrap_or_default() < 12 {
        return Some("it leaves out too much to be checked".to_owned());
    }
    if literals.iter().any(|literal| is(quoted, literal)) {
        return None;
    }
    let shown = |literal: &String| literal.replace(ANYTHING, &VARIES.to_string());
    let likeness = |literal: &String| strsim::normalized_levenshtein(&shown(literal), quoted);
    let nearest = literals
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    Some(format!(
        "the source has no such text; the nearest is: {:?}",
        nearest.map(shown)
    ))
}

#[test]
fn every_message_that_is_quoted_is_one_that_the_program_has() {
    let literals = literals();
    let mut checked = 0;
    let mut problems = Vec::new();
    for path in PAGES {
        let page = page(path);
        for (line, text) in quoted(&page) {
            checked += 1;
            if let Some(why) = problem(&text, &literals) {
                problems.push(format!("{}: {text}\n  {why}", page.at(line)));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(checked > 50, "only {checked} messages were found");
}

#[test]
fn a_message_that_the_program_does_not_have_is_found_out() {
    let literals = literals();
    let known = |text: &str| problem(text, &literals).is_none();
    for good in [
        "no pass finished in time; what it did not reach is done by the next one",
        "scale set … was not found in resource group …",
        "…forbidden; grant the identity `…` at …(…)",
    ] {
        assert!(known(good), "{good}");
    }
    for bad in [
        // Invented.
        "the upstream is on fire: …",
        // One word is another.
        "no pass finished in time; what it did not reach is lost by the next one",
        // The end is missing, and nothing says so.
        "no pass finished in time",
        // A value stands where the program puts one in.
        "…forbidden; grant the identity `Microsoft.Compute/virtualMachines/read` at …(…)",
        // Two messages as one.
        "no pass finished in time … the list of network interfaces lacks …",
        // Nearly nothing is left.
        "… the …",
    ] {
        assert!(!known(bad), "{bad}");
    }
}

/// Every reason for which a change is held. A new one does not compile until it stands here.
fn reasons() -> Vec<HoldReason> {
    let reasons = vec![
        HoldReason::WouldEmpty,
        HoldReason::MassRemoval {
            going: 3,
            of: 4,
            max_percent: 50,
        },
        HoldReason::AddressUntold { instances: 1 },
        HoldReason::AddressUntold { instances: 2 },
        HoldReason::UpsertOnly,
        HoldReason::Paused,
        HoldReason::LastInService,
    ];
    for reason in &reasons {
        match reason {
            HoldReason::WouldEmpty
            | HoldReason::MassRemoval { .. }
            | HoldReason::AddressUntold { .. }
            | HoldReason::UpsertOnly
            | HoldReason::Paused
            | HoldReason::LastInService => {}
        }
    }
    reasons
}

#[test]
fn every_reason_for_which_a_change_is_held_is_explained_with_what_releases_it() {
    let quoted: Vec<String> = quoted(&page("docs/troubleshooting.md"))
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    for reason in reasons() {
        for text in [reason.to_string(), reason.release().to_owned()] {
            assert!(quoted.iter().any(|quoted| is(quoted, &text)), "{text}");
        }
    }
}

/// The stable names of what can fail: those of the two error kinds, and those that a report gives.
fn failure_kinds() -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    for path in ["src/reconcile.rs", "src/model/instance.rs"] {
        let text = std::fs::read_to_string(root().join(path)).unwrap();
        let after = text
            .split("pub const fn name(self) -> &'static str {")
            .nth(1);
        let names = after.unwrap().split("\n    }\n").next().unwrap();
        kinds.extend(names.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    for path in super::files(&root().join("src/reconcile"), "rs") {
        let text = std::fs::read_to_string(path).unwrap();
        let calls = text.split("report.fail(").skip(1);
        let names = calls.filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next());
        kinds.extend(names.map(str::to_owned));
    }
    kinds
}

#[test]
fn every_kind_of_failure_is_in_the_table() {
    let kinds = failure_kinds();
    for known in ["throttled", "upstream_static", "adds_failed", "stopped"] {
        assert!(
            kinds.contains(known),
            "{known} was not read from the source"
        );
    }
    let page = page("docs/troubleshooting.md");
    let rows = page.rows("failures");
    let told: BTreeSet<String> = rows
        .iter()
        .flat_map(|(_, cells)| super::markdown::codes(&cells[0]))
        .map(str::to_owned)
        .collect();
    assert_eq!(told, kinds);
}
