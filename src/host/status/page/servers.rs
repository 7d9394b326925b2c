//! The servers of one upstream, and the instances that are not among them.

use super::super::json;
use super::markup::Html;
use super::table;
use crate::model::{PeerState, Phase};
use crate::reconcile::{Absent, Member, Next, Origin, Survey};

/// Servers, and instances, that the page shows of one upstream at most; the JSON has all.
const ROWS: usize = 500;
/// Ordinary servers that are shown without being asked for.
const OPEN_ROWS: usize = 12;
/// Squares of the strip at most.
const SQUARES: usize = 1_000;
/// More squares than these are drawn smaller.
const WIDE_SQUARES: usize = 150;

pub(super) fn write(survey: &Survey, html: &mut Html) {
    strip(survey, html);
    members(survey, html);
    absent(survey, html);
}

/// One square per server, for the eye; the words stand beside it.
fn strip(survey: &Survey, html: &mut Html) {
    if survey.members.len() < 2 {
        return;
    }
    html.raw("<div class=\"strip");
    if survey.members.len() > WIDE_SQUARES {
        html.raw(" dense");
    }
    html.raw("\" aria-hidden=\"true\">");
    for member in survey.members.iter().take(SQUARES) {
        html.raw("<i class=\"").text(class(member)).raw("\"></i>");
    }
    html.raw("</div>\n");
}

/// Up is a full mark, everything else an outline: colour is never the only sign.
const fn class(member: &Member) -> &'static str {
    match member.state {
        Some(PeerState::Up) => match &member.origin {
            Origin::Instance {
                phase: Phase::Leaving(_),
                ..
            } => "leaving",
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
    let origin = match &member.origin {
        Origin::Instance { phase, .. } => *phase == Phase::Serving,
        // Said once for the upstream.
        Origin::Unread => true,
        Origin::NoInstance | Origin::Configured | Origin::NotOurs => false,
    };
    origin
        && matches!(member.state, Some(PeerState::Up) | None)
        && member.next.is_empty()
        && member.remarks.is_empty()
}

fn members(survey: &Survey, html: &mut Html) {
    let (ordinary, special): (Vec<&Member>, Vec<&Member>) = survey
        .members
        .iter()
        .partition(|member| is_ordinary(member));
    let room = ROWS.saturating_sub(special.len());
    if ordinary.len() <= OPEN_ROWS {
        let all: Vec<&Member> = special.iter().chain(&ordinary).copied().collect();
        member_table("Servers", &all, html);
    } else {
        member_table("Servers that deserve a look", &special, html);
        html.raw("<details><summary>")
            .count(ordinary.len())
            .raw(" servers with nothing to report</summary>\n");
        member_table("Servers", &ordinary[..ordinary.len().min(room)], html);
        html.raw("</details>\n");
    }
    let shown = special.len().min(ROWS) + ordinary.len().min(room);
    left_out(survey.members.len() - shown, html);
}

fn left_out(count: usize, html: &mut Html) {
    if count > 0 {
        html.raw("<p class=\"small soft\">")
            .count(count)
            .raw(" more are in the JSON only.</p>\n");
    }
}

fn member_table(caption: &str, members: &[&Member], html: &mut Html) {
    if members.is_empty() {
        return;
    }
    let columns = ["Address", "NGINX", "Instance", "Phase", "Remarks"];
    let remarks = members.iter().any(|member| !remarks(member).is_empty());
    table::open(caption, &columns[..if remarks { 5 } else { 4 }], html);
    for member in members.iter().take(ROWS) {
        table::row("mono plain", html).foreign(&member.address.to_string());
        if member.backup {
            html.raw(" <span class=\"soft\">backup</span>");
        }
        table::first("nowrap", html);
        state(member, html);
        table::next("", html);
        match &member.origin {
            Origin::Instance { name, .. } => html.foreign(name),
            Origin::NoInstance => html.raw("none"),
            Origin::Unread => html.raw("<span class=\"soft\">not read</span>"),
            Origin::Configured => html.raw("static"),
            Origin::NotOurs => html.raw("not ours"),
        };
        table::next("nowrap", html);
        if let Origin::Instance { phase, .. } = &member.origin {
            phase_word(phase, html);
        }
        if remarks {
            table::next("why", html).text(&self::remarks(member));
        }
        table::end_row(html);
    }
    table::close(html);
}

fn state(member: &Member, html: &mut Html) {
    html.raw("<span class=\"state ")
        .text(class(member))
        .raw("\">")
        .text(member.state.map_or("not told", PeerState::name))
        .raw("</span>");
    if let Some(active) = member.active.filter(|active| *active > 0) {
        html.raw(" <span class=\"soft small\">")
            .number(active)
            .raw(" active</span>");
    }
}

fn remarks(member: &Member) -> String {
    let reason = match member.origin {
        Origin::Unread => None,
        _ => json::reason(&member.origin),
    };
    let next = member.next.iter().map(next_words);
    let all: Vec<String> = reason
        .into_iter()
        .chain(member.remarks.iter().cloned())
        .chain(next)
        .collect();
    all.join("; ")
}

fn next_words(next: &Next) -> String {
    let verb = next.step.verb();
    match next.held {
        None => format!("next pass: {verb}"),
        Some(_) => format!("held: {verb}"),
    }
}

fn phase_word(phase: &Phase, html: &mut Html) {
    html.raw("<span class=\"state ")
        .text(json::phase_name(phase));
    if *phase != Phase::Serving {
        html.raw(" out");
    }
    html.raw("\">").text(json::phase_name(phase)).raw("</span>");
}

/// The instances that are not in the upstream.
fn absent(survey: &Survey, html: &mut Html) {
    if survey.absent.is_empty() {
        return;
    }
    let caption = "Instances that are not in the upstream";
    table::open(caption, &["Instance", "Phase", "Why"], html);
    for Absent {
        name, phase, why, ..
    } in survey.absent.iter().take(ROWS)
    {
        table::row("plain", html).foreign(name);
        table::first("nowrap", html);
        phase_word(phase, html);
        table::next("why", html).text(&json::absence(why));
        table::end_row(html);
    }
    table::close(html);
    left_out(survey.absent.len().saturating_sub(ROWS), html);
}
