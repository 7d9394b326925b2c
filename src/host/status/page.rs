//! The status for people: one page without script, without anything from outside, readable on a
//! phone, by day and by night.

mod chart;
mod markup;
mod servers;
mod table;
mod timeline;
mod upstream;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::super::moment::{Moment, in_words};
use super::snapshot::{Condition, Read, Snapshot, UpstreamStatus};
use markup::{Html, plural};

const STYLE: &str = include_str!("page/style.css");

/// Nothing is loaded and nothing runs; the one style sheet is named by its hash.
pub(crate) static CONTENT_SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

pub(super) fn page(snapshot: &Snapshot) -> String {
    let mut html = Html::default();
    html.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
        .raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
        .raw("<meta name=\"robots\" content=\"noindex\">\n<title>")
        .text(&headline(snapshot))
        .raw(" · nginx-vmss-sync</title>\n<style>")
        .raw(STYLE)
        .raw("</style>\n</head>\n<body>\n");
    head(snapshot, &mut html);
    html.raw("<main>\n");
    // The worst first.
    let mut upstreams: Vec<&UpstreamStatus> = snapshot.upstreams.iter().collect();
    upstreams.sort_by_key(|upstream| std::cmp::Reverse(upstream.condition));
    overview(&upstreams, snapshot, &mut html);
    for (number, status) in upstreams.into_iter().enumerate() {
        upstream::section(number, status, snapshot, &mut html);
    }
    timeline::section(snapshot, &mut html);
    html.raw("</main>\n");
    foot(snapshot, &mut html);
    html.raw("</body>\n</html>\n");
    html.finish()
}

/// The whole status in a few words.
fn headline(snapshot: &Snapshot) -> String {
    let worst = snapshot.condition();
    let all = snapshot.upstreams.len();
    let concerned = snapshot
        .upstreams
        .iter()
        .filter(|upstream| upstream.condition == worst)
        .count();
    match (worst, all) {
        (Condition::InStep, 1) => "In step".to_owned(),
        (Condition::InStep, _) => format!("{all} upstreams in step"),
        (_, 1) => capitalized(label(worst)),
        _ => format!("{concerned} of {all} upstreams: {}", label(worst)),
    }
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// A condition in words.
pub(super) const fn label(condition: Condition) -> &'static str {
    match condition {
        Condition::InStep => "in step",
        Condition::HeldByPolicy => "held by policy",
        Condition::Pending => "changes due",
        Condition::Held => "changes held",
        Condition::Unknown => "not read",
        Condition::Failed => "failed",
    }
}

fn tag(condition: Condition, text: &str, html: &mut Html) {
    html.raw("<span class=\"tag ")
        .text(condition.name())
        .raw("\">")
        .text(text)
        .raw("</span>");
}

/// A point in time, with its length of time before now where there is one to tell.
fn time(at: Moment, snapshot: &Snapshot, html: &mut Html) {
    html.raw("<time datetime=\"")
        .text(&at.to_string())
        .raw("\">")
        .text(&at.clock(snapshot.now))
        .raw("</time>");
}

fn ago(at: Moment, snapshot: &Snapshot) -> String {
    format!("{} ago", in_words(at.seconds_until(snapshot.now)))
}

fn head(snapshot: &Snapshot, html: &mut Html) {
    html.raw("<header>\n<div class=\"top\"><h1>nginx-vmss-sync</h1> ");
    tag(snapshot.condition(), &headline(snapshot), html);
    html.raw("<span class=\"grow\"></span><a class=\"small\" href=\"\">Read again</a></div>\n");
    html.raw("<p class=\"soft small\">");
    match &snapshot.read {
        Read::Done { at, took_ms, calls } => {
            html.raw("Read live at ");
            time(*at, snapshot, html);
            let age = at.seconds_until(snapshot.now);
            html.raw(" UTC");
            if age > 2 {
                html.raw(" (").text(&in_words(age)).raw(" ago)");
            }
            html.raw(" in ")
                .number(*took_ms)
                .raw(" ms, with ")
                .number(calls.azure)
                .raw(" Azure and ")
                .number(calls.nginx)
                .raw(" NGINX calls. All times are UTC.");
        }
        Read::Missing { why } => {
            html.raw(
                "<strong class=\"state bad\">NGINX and Azure could not be read now</strong> (",
            )
            .text(why)
            .raw("): what follows is what this process saw last. All times are UTC.");
        }
    }
    html.raw("</p>\n</header>\n");
}

fn overview(upstreams: &[&UpstreamStatus], snapshot: &Snapshot, html: &mut Html) {
    if upstreams.len() < 2 {
        return;
    }
    html.raw("<section class=\"card\" aria-labelledby=\"overview\">\n<h2 id=\"overview\">Upstreams</h2>\n");
    let columns = ["Upstream", "State", "Servers", "Last success", "Last pass"];
    table::open("", &columns, html);
    for (number, status) in upstreams.iter().enumerate() {
        table::row("", html)
            .raw("<a href=\"#u")
            .count(number)
            .raw("\">")
            .foreign(&status.report.key.name)
            .raw("</a> <span class=\"soft small\">")
            .text(status.report.key.kind.path())
            .raw("</span>");
        table::first("", html);
        tag(status.condition, label(status.condition), html);
        table::next("servers", html);
        upstream::server_count(status, html);
        table::next("nowrap success", html);
        last_success(status, snapshot, html);
        table::next("wide", html);
        last_pass(status, snapshot, html);
        table::end_row(html);
    }
    table::close(html);
    html.raw("</section>\n");
}

fn last_success(status: &UpstreamStatus, snapshot: &Snapshot, html: &mut Html) {
    match status.past.as_ref().and_then(|past| past.last_success) {
        Some(at) => html.text(&ago(at, snapshot)),
        None => html.raw("<span class=\"soft\">none yet</span>"),
    };
}

fn last_pass(status: &UpstreamStatus, snapshot: &Snapshot, html: &mut Html) {
    let Some(past) = &status.past else {
        html.raw("<span class=\"soft\">none yet</span>");
        return;
    };
    html.text(past.report.outcome().name())
        .raw(" (")
        .text(past.trigger)
        .raw(", ");
    time(past.at, snapshot, html);
    html.raw(")");
}

/// Whose view this is.
fn foot(snapshot: &Snapshot, html: &mut Html) {
    let process = &snapshot.process;
    html.raw("<footer>\n<p>Servers and instances are read live. Passes and the timeline are the memory of one handler process");
    html.raw(" (process ").number(process.pid);
    if let Some(instance) = &process.instance {
        html.raw(" on instance ").text(instance);
    }
    html.raw(", up ")
        .text(&in_words(process.uptime_seconds()))
        .raw(", started ");
    time(process.started, snapshot, html);
    html.raw("); instances share no memory. ");
    html.number(snapshot.passes)
        .text(if snapshot.passes == 1 {
            " pass"
        } else {
            " passes"
        })
        .raw(" so far");
    if let Some(pass) = &snapshot.last_pass {
        html.raw(", the last at ");
        time(pass.at, snapshot, html);
        html.raw(" (")
            .text(pass.trigger)
            .raw("): ")
            .text(pass.outcome.name())
            .raw(" in ")
            .number(pass.took_ms)
            .raw(" ms, ")
            .count(pass.upstreams)
            .text(plural(pass.upstreams, " upstream, ", " upstreams, "))
            .number(pass.calls.azure)
            .raw(" Azure and ")
            .number(pass.calls.nginx)
            .raw(" NGINX calls");
    }
    html.raw(".</p>\n");
    if let Some(one) = &snapshot.unfinished {
        html.raw("<p>A pass was asked for at ");
        time(one.at, snapshot, html);
        html.raw(" (")
            .text(one.trigger)
            .raw(") and gave no report: ");
        html.foreign(&one.reason).raw(".</p>\n");
    }
    html.raw("<p>nginx-vmss-sync ")
        .raw(env!("CARGO_PKG_VERSION"))
        .raw(
            ". The same as JSON: ask with <code>Accept: application/json</code>.</p>\n</footer>\n",
        );
}

#[cfg(test)]
mod tests;
