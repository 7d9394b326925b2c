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
