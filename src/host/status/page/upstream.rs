//! One upstream of the page: its numbers, what is wrong with it, what is held.

use super::super::history::Past;
use super::super::json;
use super::super::snapshot::{Condition, Seen, Snapshot, UpstreamStatus};
use super::markup::{Html, plural};
use super::{label, last_pass, last_success, servers, tag};
use crate::model::PeerState;
use crate::plan::Held;
use crate::reconcile::{Failure, SourceView, Survey};

/// Entries of one list at most; the JSON has all.
const ENTRIES: usize = 40;

const STATES: [PeerState; 7] = [
    PeerState::Up,
    PeerState::Draining,
    PeerState::Down,
    PeerState::Unavailable,
    PeerState::Checking,
    PeerState::Unhealthy,
    PeerState::NotUp,
];

pub(super) fn section(
    number: usize,
    status: &UpstreamStatus,
    snapshot: &Snapshot,
    html: &mut Html,
) {
    let report = &status.report;
    html.raw("<section class=\"card ")
        .text(status.condition.name())
        .raw("\" id=\"u")
        .count(number)
        .raw("\" aria-labelledby=\"n")
        .count(number)
        .raw("\">\n<div class=\"top\"><h2 id=\"n")
        .count(number)
        .raw("\">")
        .foreign(&report.key.name)
        .raw("</h2><span class=\"soft small\">")
        .text(report.key.kind.path())
        .raw("</span>");
    tag(status.condition, label(status.condition), html);
    html.raw("</div>\n");
    facts(status, snapshot, html);
    issues(status, html);
    match &report.survey {
        Some(survey) => servers::write(survey, html),
        None => unread(status, html),
    }
    html.raw("</section>\n");
}

fn facts(status: &UpstreamStatus, snapshot: &Snapshot, html: &mut Html) {
    html.raw("<p class=\"facts\"><span>");
    servers_in_words(status, html);
    html.raw("</span>");
    match &status.report.survey {
        Some(survey) => {
            for source in &survey.sources {
                source_in_words(source, html);
            }
        }
        None => {
            html.raw("<span>")
                .foreign(&status.report.groups)
                .raw("</span>");
        }
    }
    html.raw("<span>last success <b>");
    last_success(status, snapshot, html);
    html.raw("</b></span><span>last pass ");
    last_pass(status, snapshot, html);
    html.raw("</span></p>\n");
}

fn source_in_words(source: &SourceView, html: &mut Html) {
    html.raw("<span>")
        .foreign(&source.set.name)
        .raw(": <b>")
        .count(source.instances)
        .raw("</b>")
        .text(plural(source.instances, " instance", " instances"));
    match source.capacity {
        _ if !source.complete => html.raw(" seen, not all could be read"),
        Some(capacity) => html.raw(", capacity <b>").number(capacity).raw("</b>"),
        None => html.raw(", capacity not told"),
    };
    html.raw(", port ").number(source.port).raw("</span>");
}

/// The number of servers, and of those that are up where that is known.
pub(super) fn server_count(status: &UpstreamStatus, html: &mut Html) {
    let report = &status.report;
    if !report.servers_read {
        html.raw("<span class=\"soft\">not read</span>");
        return;
    }
    let all = report.servers.len();
    match report.survey.as_ref().and_then(up) {
        Some(up) if up != all => html.count(up).raw(" of ").count(all).raw(" up"),
        _ => html.count(all),
    };
}

/// How many servers are up; `None` where NGINX tells no states.
fn up(survey: &Survey) -> Option<usize> {
    let told = survey.members.iter().any(|member| member.state.is_some());
    told.then(|| count(survey, PeerState::Up))
}

fn count(survey: &Survey, state: PeerState) -> usize {
    let members = survey.members.iter();
    members.filter(|member| member.state == Some(state)).count()
}

fn servers_in_words(status: &UpstreamStatus, html: &mut Html) {
    let report = &status.report;
    if !report.servers_read {
        html.raw("servers not read");
        return;
    }
    let all = report.servers.len();
    html.raw("<b>")
        .count(all)
        .raw("</b>")
        .text(plural(all, " server", " servers"));
    let Some(survey) = &report.survey else {
        html.raw(" after the last pass");
        return;
    };
    let mut separator = ": ";
    for state in STATES {
        let count = count(survey, state);
        if count > 0 {
            html.text(separator)
                .count(count)
                .raw(" ")
                .text(state.name());
            separator = ", ";
        }
    }
}

fn issues(status: &UpstreamStatus, html: &mut Html) {
    let report = &status.report;
    if !report.failures.is_empty() {
        let title = match status.seen {
            Seen::Live => "Cannot be read now",
            Seen::LastPass | Seen::Never => "Failed in the last pass",
        };
        failures(title, &report.failures, html);
    }
    let past = status.past.as_ref().filter(|_| status.seen == Seen::Live);
    if let Some(Past { report: last, .. }) = past
        && status.condition == Condition::Failed
        && last.failures != report.failures
        && !last.failures.is_empty()
    {
        failures("Failed in the last pass", &last.failures, html);
    }
    held(status, html);
}

fn failures(title: &str, failures: &[Failure], html: &mut Html) {
    html.raw("<div class=\"issue\"><h3 class=\"state failed\">")
        .text(title)
        .raw("</h3><ul>");
    for failure in failures.iter().take(ENTRIES) {
        html.raw("<li><code>")
            .text(failure.kind)
            .raw("</code> ")
            .foreign(&failure.message)
            .raw("</li>");
    }
    html.raw("</ul>");
    more(failures.len(), html);
    html.raw("</div>\n");
}

fn more(all: usize, html: &mut Html) {
    if all > ENTRIES {
        html.raw("<p class=\"soft small\">and ")
            .count(all - ENTRIES)
            .raw(" more; the JSON has all</p>");
    }
}

/// What is held, by reason, and how to release it.
fn held(status: &UpstreamStatus, html: &mut Html) {
    let report = &status.report;
    let mut told = Vec::new();
    for held in &report.held {
        if told.contains(&held.reason) {
            continue;
        }
        told.push(held.reason);
        let same = report
            .held
            .iter()
            .filter(|other| other.reason == held.reason);
        let same: Vec<&Held> = same.collect();
        html.raw("<div class=\"issue\"><h3 class=\"state held\">")
            .count(same.len())
            .text(plural(same.len(), " change held", " changes held"))
            .raw("</h3><p>")
            .text(&held.reason.to_string())
            .raw("</p><ul class=\"inline mono\">");
        for held in same.iter().take(ENTRIES) {
            html.raw("<li>")
                .text(held.step.verb())
                .raw(" ")
                .foreign(&held.step.address().to_string())
                .raw("</li>");
        }
        html.raw("</ul>");
        more(same.len(), html);
        html.raw("<p class=\"small soft\">")
            .text(held.reason.release())
            .raw("</p>");
        if held.reason.is_releasable()
            && let Some(digest) = &report.digest
        {
            html.raw("<p class=\"small\">To release exactly these changes, send this body to <code>POST /api/Reconcile</code>:</p><pre><code>")
                .text(&json::release_body(digest))
                .raw("</code></pre>");
        }
        html.raw("</div>\n");
    }
}

/// What is known where NGINX could not be read.
fn unread(status: &UpstreamStatus, html: &mut Html) {
    let servers = status.past.as_ref().map(|past| &past.servers);
    let Some(servers) = servers.filter(|servers| !servers.is_empty()) else {
        return;
    };
    html.raw("<h3>Servers when NGINX was last read</h3><ul class=\"inline mono\">");
    for address in servers.iter().take(ENTRIES) {
        html.raw("<li>").foreign(&address.to_string()).raw("</li>");
    }
    html.raw("</ul>");
    more(servers.len(), html);
}
