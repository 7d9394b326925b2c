//! What this process did lately: the chart, and the same as a table.

use super::super::super::moment::in_words;
use super::super::history::Change;
use super::super::snapshot::Snapshot;
use super::chart::Chart;
use super::markup::Html;
use super::time;
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
    html.raw("</span><span>now</span></div>\n");
    legend(html);
    let (shown, rest) = snapshot
        .changes
        .split_at(snapshot.changes.len().min(OPEN_ROWS));
    table(shown, snapshot, html);
    if !rest.is_empty() {
        html.raw("<details><summary>").count(rest.len()).raw(" earlier</summary>");
        table(rest, snapshot, html);
        html.raw("</details>\n");
    }
    html.raw("</section>\n");
}

fn legend(html: &mut Html) {
    html.raw("<ul class=\"legend\">");
    for (class, word) in [
        ("added", "added (up)"),
        ("updated", "updated (up)"),
        ("removed", "removed or drained (down)"),
        ("heldmark", "held (upper mark)"),
        ("failedmark", "failed (lower mark)"),
    ] {
        html.raw("<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"")
            .raw(class)
            .raw("\" width=\"10\" height=\"10\" rx=\"2\"/></svg>")
            .raw(word)
            .raw("</li>");
    }
    html.raw("</ul>\n");
}

fn table(changes: &[Change], snapshot: &Snapshot, html: &mut Html) {
    html.raw("<table>\n<thead><tr><th scope=\"col\">Time</th><th scope=\"col\">Upstream</th>")
        .raw("<th scope=\"col\">What</th><th scope=\"col\" class=\"wide\">Trigger</th></tr></thead>\n<tbody>\n");
    for change in changes {
        html.raw("<tr><td class=\"num\">");
        time(change.at, snapshot, html);
        html.raw("</td><td>").foreign(&change.key.name).raw("</td><td>");
        what(change, snapshot, html);
        html.raw("</td><td class=\"wide\">").raw(change.trigger).raw("</td></tr>\n");
    }
    html.raw("</tbody></table>\n");
}

fn what(change: &Change, snapshot: &Snapshot, html: &mut Html) {
    match change.outcome {
        Outcome::Failed => html.raw("<span class=\"state failed\">failed</span> "),
        Outcome::Held => html.raw("<span class=\"state held\">held</span> "),
        Outcome::Changed | Outcome::Unchanged => html,
    };
    let counts = &change.counts;
    let mut words = Vec::new();
    for (count, what) in [
        (counts.added, "added"),
        (counts.removed, "removed"),
        (counts.updated, "updated"),
        (counts.draining, "draining"),
        (counts.held, "held"),
    ] {
        if count > 0 {
            words.push(format!("{count} {what}"));
        }
    }
    if counts.failed > 1 {
        words.push(format!("{} failures", counts.failed));
    }
    words.extend(change.forced.then(|| "released by an operator".to_owned()));
    html.text(&words.join(", "));
    if change.passes > 1 {
        html.raw(" <span class=\"soft small\">in ")
            .number(change.passes)
            .raw(" passes, until ");
        time(change.last_at, snapshot, html);
        html.raw("</span>");
    }
}
