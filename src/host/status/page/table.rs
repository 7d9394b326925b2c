//! Tables that become stacks of short lines on a phone.
//!
//! A table whose rows are laid out as grids is no table to an assistive program any more, so the
//! roles are spelled out.

use super::markup::Html;

/// Opens a table with these columns, and its body.
pub(super) fn open(caption: &str, columns: &[&str], html: &mut Html) {
    html.raw("<table role=\"table\" class=\"stack\">");
    if !caption.is_empty() {
        html.raw("<caption>").text(caption).raw("</caption>");
    }
    html.raw("\n<thead role=\"rowgroup\"><tr role=\"row\">");
    for column in columns {
        html.raw("<th role=\"columnheader\" scope=\"col\">")
            .text(column)
            .raw("</th>");
    }
    html.raw("</tr></thead>\n<tbody role=\"rowgroup\">\n");
}

/// Opens a row and its first cell, which names the row.
pub(super) fn row<'a>(class: &str, html: &'a mut Html) -> &'a mut Html {
    html.raw("<tr role=\"row\"><th role=\"rowheader\" scope=\"row\" class=\"")
        .text(class)
        .raw("\">")
}

/// Ends a row's first cell and opens its second.
pub(super) fn first<'a>(class: &str, html: &'a mut Html) -> &'a mut Html {
    html.raw("</th><td role=\"cell\" class=\"")
        .text(class)
        .raw("\">")
}

/// Ends a cell and opens the next.
pub(super) fn next<'a>(class: &str, html: &'a mut Html) -> &'a mut Html {
    html.raw("</td><td role=\"cell\" class=\"")
        .text(class)
        .raw("\">")
}

pub(super) fn end_row(html: &mut Html) {
    html.raw("</td></tr>\n");
}

pub(super) fn close(html: &mut Html) {
    html.raw("</tbody>\n</table>\n");
}
