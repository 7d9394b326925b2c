//! What this process did lately: the chart, and the same as a table.

use super::super::super::moment::in_words;
use super::super::history::Change;
use super::super::snapshot::Snapshot;
use super::chart::Chart;
use super::markup::Html;
use super::{table, time};
use crate::reconcile::Outcome;

/// Changes that are shown without being asked for.
const OPEN_ROWS: usize = 8;

pub(super) fn section(snapshot: &Snapshot, html: &mut Html) {
    html.raw("<section class=\"card\" aria-labelledby=\"timeline\">\n<h2 id=\"timeline\">Recent changes</h2>\n");
    if snapshot.changes.is_empty() {
        html.raw("<p class=\"soft small\">None since this process started ")
            .text(&in_words(snapshot.process.uptime_seconds()))
            .raw(" ago.</p>\n</section>\n");
        return;
    }
    let chart = Chart::new(&snapshot.changes, snapshot.now);
    chart.draw(snapshot.now, html);
    html.raw("<div class=\"ends\"><span>");
    time(chart.from, snapshot, html);
    html.raw("</span><span>one bar: ")
        .text(&in_words(chart.slice_seconds))
        .raw(", tallest: ")
        .count(chart.tallest())
        .raw("</span><span>now</span></div>\n");
    legend(html);
    let (shown, rest) = snapshot
        .changes
        .split_at(snapshot.changes.len().min(OPEN_ROWS));
    table(shown, snapshot, html);
    if !rest.is_empty() {
        html.raw("<details><summary>")
            .count(rest.len())
            .raw(" earlier</summary>");
        table(rest, snapshot, html);
        html.raw("</details>\n");
    }
    html.raw("</section>\n");
}

fn legend(html: &mut Html) {
    html.raw("<ul class=\"legend\">");
    for (side, marks) in [
        (
            "above the line",
            &[("added", "added"), ("updated", "updated")][..],
        ),
        ("below", &[("removed", "removed or drained")]),
        ("marks", &[("heldmark", "held"), ("failedmark", "failed")]),
    ] {
        html.raw("<li>").text(side).raw(":");
        for (class, word) in marks {
            html.raw(" <span class=\"nowrap\"><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"")
                .text(class)
                .raw("\" width=\"10\" height=\"10\" rx=\"2\"/></svg>")
                .text(word)
                .raw("</span>");
        }
        html.raw("</li>");
    }
    html.raw("</ul>\n");
}

fn table(changes: &[Change], snapshot: &Snapshot, html: &mut Html) {
    table::open("", &["Time", "Upstream", "What", "Trigger"], html);
    for change in changes {
        table::row("plain nowrap", html);
        time(change.at, snapshot, html);
        table::first("", html).foreign(&change.key.name);
        table::next("all", html);
        what(change, snapshot, html);
        table::next("wide", html).text(change.trigger);
        table::end_row(html);
    }
    table::close(html);
}

fn what(change: &Change, snapshot: &Snapshot, html: &mut Html) {
    let counts = &change.counts;
    match change.outcome {
        Outcome::Failed => html.raw("<span class=\"state failed\">failed</span>"),
        Outcome::Held => html
            .raw("<span class=\"state held\">")
            .count(counts.held)
            .raw(" held</span>"),
        Outcome::Changed | Outcome::Unchanged => html,
    };
    let lasting = matches!(change.outcome, Outcome::Failed | Outcome::Held);
    let mut separator = if lasting { ", " } else { "" };
    for (count, what) in [
        (counts.added, " added"),
        (counts.removed, " removed"),
        (counts.updated, " updated"),
        (counts.draining, " draining"),
        (counts.failed.saturating_sub(1), " more failures"),
    ] {
        if count > 0 {
            html.text(separator).count(count).text(what);
            separator = ", ";
        }
    }
    if change.forced {
        html.text(separator).raw("released by an operator");
    }
    if change.passes > 1 {
        html.raw(" <span class=\"soft small\">in ")
            .number(change.passes)
            .raw(" passes, until ");
        time(change.last_at, snapshot, html);
        html.raw("</span>");
    }
}
