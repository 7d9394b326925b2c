//! The timeline as a small SVG: bars up for what came, down for what went, marks below for what was
//! held or failed.
//!
//! The drawing is stretched to the width of the page, so it holds rectangles and lines only; words
//! stand beside it.

use super::super::super::moment::{Moment, in_words};
use super::super::history::Change;
use super::markup::Html;
use crate::reconcile::Outcome;

/// Slices of time.
const SLICES: usize = 60;
const SLICE_WIDTH: usize = 10;
const BAR_WIDTH: usize = 7;
/// The height of the bars on either side of the line.
const HALF: usize = 40;
const MARK_HEIGHT: usize = 7;
/// The shortest time that is shown.
const SHORTEST_SECONDS: u64 = 5 * 60;

/// What happened in one slice of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Slice {
    added: usize,
    updated: usize,
    /// Deleted, or told to drain.
    removed: usize,
    held: bool,
    failed: bool,
}

/// The changes by slices of time.
#[derive(Debug)]
pub(super) struct Chart {
    slices: Vec<Slice>,
    /// When the first slice begins.
    pub(super) from: Moment,
    pub(super) slice_seconds: u64,
}

impl Chart {
    pub(super) fn new(changes: &[Change], now: Moment) -> Self {
        let first = changes.iter().map(|change| change.at).min().unwrap_or(now);
        let span = first.seconds_until(now).max(SHORTEST_SECONDS);
        let slice_seconds = span / SLICES as u64 + 1;
        let from = now.before(slice_seconds * SLICES as u64 - 1);
        let mut slices = vec![Slice::default(); SLICES];
        let place = |at: Moment| {
            let place = from.seconds_until(at) / slice_seconds;
            usize::try_from(place).unwrap_or(SLICES).min(SLICES - 1)
        };
        for change in changes {
            let slice = &mut slices[place(change.at)];
            slice.added += change.counts.added;
            slice.updated += change.counts.updated;
            slice.removed += change.counts.removed + change.counts.draining;
            for slice in &mut slices[place(change.at)..=place(change.last_at.max(change.at))] {
                slice.held |= change.outcome == Outcome::Held;
                slice.failed |= change.outcome == Outcome::Failed;
            }
        }
        Self {
            slices,
            from,
            slice_seconds,
        }
    }

    /// Draws it. `title` and `desc` say it to those who cannot see it.
    pub(super) fn draw(&self, now: Moment, html: &mut Html) {
        html.raw("<svg class=\"chart\" viewBox=\"0 0 600 104\" preserveAspectRatio=\"none\" role=\"img\" aria-labelledby=\"ct cd\">")
            .raw("<title id=\"ct\">Changes over time</title><desc id=\"cd\">")
            .text(&self.in_words(now))
            .raw("</desc><line class=\"axis\" x1=\"0\" x2=\"600\" y1=\"40\" y2=\"40\"/>");
        // Few servers must not look like many.
        let scale = self.tallest().max(5);
        let height = |count: usize| (count * (HALF - 2)).div_ceil(scale);
        for (place, slice) in self.slices.iter().enumerate() {
            if *slice == Slice::default() {
                continue;
            }
            let x = place * SLICE_WIDTH + 1;
            html.raw("<g><title>")
                .text(&self.slice_in_words(place, now))
                .raw("</title>");
            let added = height(slice.added);
            let updated = height(slice.updated).min(HALF - added);
            bar("added", x, HALF - added, added, html);
            bar("updated", x, HALF - added - updated, updated, html);
            bar("removed", x, HALF, height(slice.removed), html);
            bar(
                "heldmark",
                x,
                84,
                if slice.held { MARK_HEIGHT } else { 0 },
                html,
            );
            bar(
                "failedmark",
                x,
                95,
                if slice.failed { MARK_HEIGHT } else { 0 },
                html,
            );
            html.raw("</g>");
        }
        html.raw("</svg>\n");
    }

    /// The servers of the tallest bar.
    pub(super) fn tallest(&self) -> usize {
        let slices = self.slices.iter();
        let heights = slices.map(|slice| (slice.added + slice.updated).max(slice.removed));
        heights.max().unwrap_or_default()
    }

    fn in_words(&self, now: Moment) -> String {
        let sum = |count: fn(&Slice) -> usize| self.slices.iter().map(count).sum::<usize>();
        let held = sum(|slice| usize::from(slice.held));
        let failed = sum(|slice| usize::from(slice.failed));
        let of = in_words(self.slice_seconds);
        format!(
            "In the last {}: {} servers added, {} updated, {} removed or drained; changes held in {held} and failures in {failed} of {SLICES} slices of {of}.",
            in_words(self.from.seconds_until(now)),
            sum(|slice| slice.added),
            sum(|slice| slice.updated),
            sum(|slice| slice.removed),
        )
    }

    fn slice_in_words(&self, place: usize, now: Moment) -> String {
        let slice = self.slices[place];
        let begin = self.slice_seconds * (SLICES - place) as u64;
        let at = now.before(begin.saturating_sub(1)).clock(now);
        let mut words = Vec::new();
        for (count, what) in [
            (slice.added, "added"),
            (slice.updated, "updated"),
            (slice.removed, "removed or drained"),
        ] {
            if count > 0 {
                words.push(format!("{count} {what}"));
            }
        }
        words.extend(slice.held.then(|| "changes held".to_owned()));
        words.extend(slice.failed.then(|| "failures".to_owned()));
        format!("from {at}: {}", words.join(", "))
    }
}

fn bar(class: &str, x: usize, y: usize, height: usize, html: &mut Html) {
    if height == 0 {
        return;
    }
    html.raw("<rect class=\"")
        .text(class)
        .raw("\" x=\"")
        .count(x)
        .raw("\" y=\"")
        .count(y)
        .raw("\" width=\"")
        .count(BAR_WIDTH)
        .raw("\" height=\"")
        .count(height)
        .raw("\"/>");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::history::History;
    use super::*;
    use crate::model::{Kind, ServerAddress, UpstreamKey};
    use crate::reconcile::{Calls, PassReport, UpstreamReport};

    fn at(seconds: u64) -> Moment {
        Moment::from(Duration::from_secs(seconds))
    }

    /// A pass: when, and what it did.
    type Pass<'a> = (u64, &'a dyn Fn(&mut UpstreamReport));

    /// What a process remembers of passes.
    fn changes(passes: &[Pass<'_>]) -> Vec<Change> {
        let mut history = History::default();
        for (seconds, change) in passes {
            let key = UpstreamKey {
                kind: Kind::Http,
                name: "web".to_owned(),
            };
            let mut report = UpstreamReport::new(key, "set".to_owned());
            change(&mut report);
            let pass = PassReport {
                started: Duration::from_secs(*seconds),
                took: Duration::ZERO,
                upstreams: vec![report],
                calls: Calls::default(),
                origin: None,
            };
            history.note(&pass, "timer");
        }
        history.changes().cloned().collect()
    }

    fn address() -> ServerAddress {
        ServerAddress::parse("10.0.0.4:80")
    }

    #[test]
    fn the_oldest_change_is_in_the_first_slice_and_what_happens_now_in_the_last() {
        let (begun, now) = (1_000_000, 1_036_000);
        let changes = changes(&[
            (begun, &|report| report.added = vec![address(); 3]),
            (now, &|report| report.removed = vec![address(); 2]),
        ]);
        let chart = Chart::new(&changes, at(now));
        assert_eq!(chart.slices.len(), SLICES);
        assert_eq!(chart.slices[0].added, 3);
        assert_eq!(chart.slices[SLICES - 1].removed, 2);
        assert_eq!((chart.tallest(), chart.slice_seconds), (3, 601));
        assert!(chart.from <= at(begun));
        let mut html = Html::default();
        chart.draw(at(now), &mut html);
        let html = html.finish();
        assert_eq!(html.matches("<rect").count(), 2, "{html}");
        let words = "In the last 10 h: 3 servers added, 0 updated, 2 removed or drained;";
        assert!(html.contains(words), "{html}");
    }

    #[test]
    fn what_lasts_is_marked_from_its_first_pass_to_its_last() {
        let failing: &dyn Fn(&mut UpstreamReport) = &|report| report.fail("timeout", "no answer");
        let ticks: Vec<Pass<'_>> = (0..30)
            .map(|minute| (1_000_000 + minute * 60, failing))
            .collect();
        let now = at(1_000_000 + 3_599);
        let chart = Chart::new(&changes(&ticks), now);
        let marked: Vec<usize> = (0..SLICES)
            .filter(|place| chart.slices[*place].failed)
            .collect();
        // Half of the hour, without a gap.
        assert!((29..=31).contains(&marked.len()), "{marked:?}");
        assert!(
            marked.windows(2).all(|pair| pair[1] == pair[0] + 1),
            "{marked:?}"
        );
        assert_eq!(marked[0], 0);
    }

    #[test]
    fn a_clock_that_was_set_back_draws_nothing_outside() {
        let changes = changes(&[
            (2_000_000, &|report| report.added = vec![address()]),
            (1_000_000, &|report| report.updated = vec![address()]),
        ]);
        let chart = Chart::new(&changes, at(1_500_000));
        let sum: usize = chart
            .slices
            .iter()
            .map(|slice| slice.added + slice.updated)
            .sum();
        assert_eq!(sum, 2);
    }
}
