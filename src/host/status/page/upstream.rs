//! One upstream of the page: what is wrong, what it holds, what is missing from it.

use super::super::history::Past;
use super::super::json;
use super::super::snapshot::{Condition, Seen, Snapshot, UpstreamStatus};
use super::markup::{Html, plural};
use super::{label, last_pass, last_success, tag};
use crate::model::{PeerState, Phase};
use crate::plan::Held;
use crate::reconcile::{Absent, Failure, Member, Next, Origin, Survey};

/// Servers and instances that the page shows of one upstream at most; the JSON has all.
const ROWS: usize = 500;
/// Ordinary servers that are shown without being asked for.
const OPEN_ROWS: usize = 12;
/// Squares of the strip at most.
const SQUARES: usize = 600;
/// Lines of one list at most.
const LINES: usize = 20;

pub(super) fn section(
    number: usize,
    status: &UpstreamStatus,
    snapshot: &Snapshot,
    html: &mut Html,
) {
    let report = &status.report;
    html.raw("<section class=\"card ")
        .raw(status.condition.name())
        .raw("\" id=\"u")
        .count(number)
        .raw("\" aria-labelledby=\"n")
        .count(number)
        .raw("\">\n<div class=\"top\"><h2 id=\"n")
        .count(number)
        .raw("\">")
        .foreign(&report.key.name)
        .raw("</h2><span class=\"soft small\">")
        .raw(report.key.kind.path())
        .raw("</span>");
    tag(status.condition, label(status.condition), html);
    html.raw("</div>\n");
    facts(status, snapshot, html);
    issues(status, html);
    match &report.survey {
        Some(survey) => {
            strip(survey, html);
            servers(survey, html);
            missing(survey, html);
        }
        None => unread(status, html),
    }
    html.raw("</section>\n");
}

fn facts(status: &UpstreamStatus, snapshot: &Snapshot, html: &mut Html) {
    html.raw("<p class=\"facts\"><span>");
    server_words(status, html);
    html.raw("</span>");
    for source in status.report.survey.iter().flat_map(|survey| &survey.sources) {
        html.raw("<span>").foreign(&source.set.name).raw(": <b>").count(source.instances).raw("</b>");
        if !source.complete {
            html.raw(plural(source.instances, " instance seen", " instances seen"))
                .raw(", not all could be read");
        } else if let Some(capacity) = source.capacity {
            html.raw(plural(source.instances, " instance", " instances"))
                .raw(", capacity <b>")
                .number(capacity)
                .raw("</b>");
        } else {
            html.raw(plural(source.instances, " instance", " instances"))
                .raw(", capacity not told");
        }
        html.raw(", port ").number(source.port).raw("</span>");
    }
    if status.report.survey.is_none() {
        html.raw("<span>").foreign(&status.report.groups).raw("</span>");
    }
    html.raw("<span>last success <b>");
    last_success(status, snapshot, html);
    html.raw("</b></span><span>last pass ");
    last_pass(status, snapshot, html);
    html.raw("</span></p>\n");
}

/// The number of servers, and of those that are up where that is known.
pub(super) fn server_count(status: &UpstreamStatus, html: &mut Html) {
    let report = &status.report;
    if !report.servers_read {
        html.raw("<span class=\"soft\">?</span>");
        return;
    }
    let up = report.survey.as_ref().and_then(up);
    match up {
        Some(up) if up != report.servers.len() => {
            html.count(up).raw(" of ").count(report.servers.len()).raw(" up");
        }
        _ => {
            html.count(report.servers.len());
        }
    }
}

/// How many servers are up; `None` where NGINX tells no states.
fn up(survey: &Survey) -> Option<usize> {
    let told = survey.members.iter().any(|member| member.state.is_some());
    let up = survey.members.iter();
    told.then(|| up.filter(|member| member.state == Some(PeerState::Up)).count())
}

fn server_words(status: &UpstreamStatus, html: &mut Html) {
    let report = &status.report;
    if !report.servers_read {
        html.raw("servers not read");
        return;
    }
    let all = report.servers.len();
    html.raw("<b>").count(all).raw("</b>").raw(plural(all, " server", " servers"));
    let Some(survey) = &report.survey else {
        html.raw(" after the last pass");
        return;
    };
    let states = [
        PeerState::Up,
        PeerState::Draining,
        PeerState::Down,
        PeerState::Unavailable,
        PeerState::Checking,
        PeerState::Unhealthy,
        PeerState::NotUp,
    ];
    let mut separator = ": ";
    for state in states {
        let members = survey.members.iter();
        let count = members.filter(|member| member.state == Some(state)).count();
        if count > 0 {
            html.raw(separator).count(count).raw(" ").raw(state.name());
            separator = ", ";
        }
    }
}

fn issues(status: &UpstreamStatus, html: &mut Html) {
    let report = &status.report;
    if !report.failures.is_empty() {
        let title = match status.seen {
            Seen::Live => "Could not be read now",
            Seen::LastPass | Seen::Never => "Failed in the last pass",
        };
        failures(title, &report.failures, html);
    }
    let past = status.past.as_ref().filter(|_| status.seen == Seen::Live);
    if let Some(Past { report, .. }) = past
        && status.condition == Condition::Failed
        && report.failures != status.report.failures
        && !report.failures.is_empty()
    {
        failures("Failed in the last pass", &report.failures, html);
    }
    held(status, html);
}

fn failures(title: &'static str, failures: &[Failure], html: &mut Html) {
    html.raw("<div class=\"issue\"><h3 class=\"state failed\">").raw(title).raw("</h3><ul>");
    for failure in failures.iter().take(LINES) {
        html.raw("<li><code>")
            .raw(failure.kind)
            .raw("</code> ")
            .foreign(&failure.message)
            .raw("</li>");
    }
    more(failures.len(), html);
    html.raw("</ul></div>\n");
}

fn more(all: usize, html: &mut Html) {
    if all > LINES {
        html.raw("<li class=\"soft\">and ").count(all - LINES).raw(" more; the JSON has all</li>");
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
        let same: Vec<&Held> =
            report.held.iter().filter(|other| other.reason == held.reason).collect();
        html.raw("<div class=\"issue\"><h3 class=\"state held\">Held: ")
            .count(same.len())
            .raw(plural(same.len(), " change", " changes"))
            .raw("</h3><p>")
            .text(&held.reason.to_string())
            .raw(".</p><ul class=\"mono\">");
        for held in same.iter().take(LINES) {
            html.raw("<li>")
                .raw(held.step.verb())
                .raw(" ")
                .foreign(&held.step.address().to_string())
                .raw("</li>");
        }
        more(same.len(), html);
        html.raw("</ul><p class=\"small soft\">").raw(held.reason.release()).raw("</p>");
        if held.reason.is_releasable()
            && let Some(digest) = &report.digest
        {
            html.raw("<p class=\"small\">To release exactly these, POST this to <code>/api/Reconcile</code>:</p><pre><code>")
                .text(&json::release_body(digest))
                .raw("</code></pre>");
        }
        html.raw("</div>\n");
    }
}

/// What is known where NGINX could not be read.
fn unread(status: &UpstreamStatus, html: &mut Html) {
    let Some(past) = &status.past else { return };
    if past.servers.is_empty() {
        return;
    }
    html.raw("<h3>Servers when NGINX was last read</h3><p class=\"mono\">");
    for (place, address) in past.servers.iter().take(ROWS).enumerate() {
        html.raw(if place == 0 { "" } else { ", " }).foreign(&address.to_string());
    }
    html.raw("</p>\n");
}

/// One square per server, for the eye; the words stand beside it.
fn strip(survey: &Survey, html: &mut Html) {
    if survey.members.len() < 2 {
        return;
    }
    html.raw("<div class=\"strip\" aria-hidden=\"true\">");
    for member in survey.members.iter().take(SQUARES) {
        html.raw("<i class=\"").raw(state_class(member)).raw("\"></i>");
    }
    html.raw("</div>\n");
}

/// Up is a full mark, everything else an outline: colour is never the only sign.
const fn state_class(member: &Member) -> &'static str {
    match member.state {
        Some(PeerState::Up) => match &member.origin {
            Origin::Instance { phase: Phase::Leaving(_), .. } => "leaving",
            Origin::NoInstance => "warn",
            _ => "up",
        },
        Some(PeerState::Draining) => "draining out",
        Some(PeerState::Checking) => "checking out",
        Some(PeerState::Unavailable) => "unavail out",
        Some(PeerState::Unhealthy) => "unhealthy out",
        Some(PeerState::Down | PeerState::NotUp) => "bad out",
        None => "untold",
    }
}

/// Whether there is nothing to say about a server.
fn is_ordinary(member: &Member) -> bool {
    matches!(&member.origin, Origin::Instance { phase: Phase::Serving, .. })
        && matches!(member.state, Some(PeerState::Up) | None)
        && member.next.is_empty()
        && member.remarks.is_empty()
}

fn servers(survey: &Survey, html: &mut Html) {
    let (ordinary, special): (Vec<&Member>, Vec<&Member>) =
        survey.members.iter().partition(|member| is_ordinary(member));
    let room = ROWS.saturating_sub(special.len());
    if ordinary.len() <= OPEN_ROWS {
        let all: Vec<&Member> = special.iter().chain(&ordinary).copied().collect();
        table("Servers", &all, html);
    } else {
        table("Servers that are not simply up and serving", &special, html);
        html.raw("<details><summary>")
            .count(ordinary.len())
            .raw(" servers, each with a serving instance</summary>");
        table("Servers", &ordinary[..ordinary.len().min(room)], html);
        html.raw("</details>\n");
    }
    let shown = special.len().min(ROWS) + ordinary.len().min(room);
    if shown < survey.members.len() {
        html.raw("<p class=\"small soft\">")
            .count(survey.members.len() - shown)
            .raw(" more servers are in the JSON only.</p>\n");
    }
}

fn table(caption: &'static str, members: &[&Member], html: &mut Html) {
    if members.is_empty() {
        return;
    }
    html.raw("<table><caption>").raw(caption).raw("</caption>\n")
        .raw("<thead><tr><th scope=\"col\">Address</th><th scope=\"col\">NGINX</th>")
        .raw("<th scope=\"col\">Instance</th><th scope=\"col\">Phase</th></tr></thead>\n<tbody>\n");
    for member in members.iter().take(ROWS) {
        row(member, html);
    }
    html.raw("</tbody></table>\n");
}

fn row(member: &Member, html: &mut Html) {
    html.raw("<tr><td class=\"mono\">").foreign(&member.address.to_string());
    if member.backup {
        html.raw(" <span class=\"soft\">backup</span>");
    }
    html.raw("</td><td><span class=\"state nowrap ")
        .raw(state_class(member))
        .raw("\">")
        .raw(member.state.map_or("not told", PeerState::name))
        .raw("</span>");
    if let Some(active) = member.active.filter(|active| *active > 0) {
        html.raw(" <span class=\"soft small nowrap\">").number(active).raw(" active</span>");
    }
    html.raw("</td><td>");
    match &member.origin {
        Origin::Instance { name, .. } => html.foreign(name),
        Origin::NoInstance => html.raw("none"),
        Origin::Unread => html.raw("unknown"),
        Origin::Configured => html.raw("static"),
        Origin::NotOurs => html.raw("not ours"),
    };
    html.raw("</td><td>");
    match &member.origin {
        Origin::Instance { phase, .. } => phase_word(phase, html),
        _ => {
            html.raw("–");
        }
    }
    html.raw("</td></tr>\n");
    let mut said = Vec::new();
    said.extend(json::reason(&member.origin));
    said.extend(member.remarks.iter().cloned());
    said.extend(member.next.iter().map(next_words));
    if !said.is_empty() {
        html.raw("<tr class=\"more\"><td colspan=\"4\">").foreign(&said.join("; ")).raw("</td></tr>\n");
    }
}

fn phase_word(phase: &Phase, html: &mut Html) {
    html.raw("<span class=\"state nowrap ").raw(json::phase_name(phase));
    html.raw(if matches!(phase, Phase::Serving) { "\">" } else { " out\">" });
    html.raw(json::phase_name(phase)).raw("</span>");
}

fn next_words(next: &Next) -> String {
    let verb = next.step.verb();
    match next.held {
        None => format!("next pass: {verb}"),
        Some(_) => format!("{verb} is held"),
    }
}

/// The instances that are not in the upstream.
fn missing(survey: &Survey, html: &mut Html) {
    if survey.absent.is_empty() {
        return;
    }
    html.raw("<table><caption>Instances that are not in the upstream</caption>\n")
        .raw("<thead><tr><th scope=\"col\">Instance</th><th scope=\"col\">Phase</th>")
        .raw("<th scope=\"col\">Why</th></tr></thead>\n<tbody>\n");
    for Absent { name, phase, why, .. } in survey.absent.iter().take(ROWS) {
        html.raw("<tr><td>").foreign(name).raw("</td><td>");
        phase_word(phase, html);
        html.raw("</td><td>").foreign(&json::absence(why)).raw("</td></tr>\n");
    }
    html.raw("</tbody></table>\n");
    if survey.absent.len() > ROWS {
        html.raw("<p class=\"small soft\">")
            .count(survey.absent.len() - ROWS)
            .raw(" more are in the JSON only.</p>\n");
    }
}
