//! How a change that is gone through stands on the screen.

use ratatui::{buffer::Buffer, layout::Rect};

use super::super::diff::{self, Laid, Source};
use super::super::role::Role;
use super::super::text::Row;
use super::super::theme::Theme;
use super::{Place, Review};

impl Review {
    /// Draws what is in sight.
    pub(in super::super) fn draw(
        &self,
        place: Place<'_>,
        buffer: &mut Buffer,
        area: Rect,
        theme: &Theme,
    ) {
        let (index, shown, ends) = self.found(place.change);
        let change = shown.as_deref().unwrap_or(place.change);
        self.with_source(change, &index, place, |source| {
            let total = index.total(source.layout);
            let (mut at, mut skip) = self.visible_top(source, &ends, place.high);
            let mut y = area.y;
            let here = self.at.into(&index, source.layout);
            let chosen = here.chosen();
            while at < total && y < area.bottom() {
                let rows = self.rows(source, at);
                for (number, laid) in rows.iter().enumerate().skip(skip) {
                    if y >= area.bottom() {
                        break;
                    }
                    let line = Rect {
                        y,
                        height: 1,
                        ..area
                    };
                    draw_row(laid, source, buffer, line, theme);
                    let sign = match number {
                        _ if at == here.cursor && number == skip => Some(("▸", Role::Accent)),
                        _ if chosen.contains(&at) => Some(("┃", Role::Accent)),
                        _ => None,
                    };
                    if let (Some((sign, role)), true) = (sign, source.margin > 0) {
                        Row::new(sign, role).draw(buffer, Rect { width: 1, ..line }, theme);
                    }
                    y += 1;
                }
                skip = 0;
                at += 1;
            }
            for row in ends.iter() {
                if y >= area.bottom() {
                    break;
                }
                let line = Rect {
                    y,
                    height: 1,
                    ..area
                };
                row.draw(buffer, line, theme);
                y += 1;
            }
        });
    }

    /// Finds what stands at the top: the cursor is in sight, with the rest of the change that it is in as far as there
    /// is room, and no room is left empty below the end.
    pub(super) fn visible_top(
        &self,
        source: Source<'_>,
        ends: &[Row],
        high: usize,
    ) -> (usize, usize) {
        let total = source.index.total(source.layout);
        let here = self.at.into(source.index, source.layout);
        let cursor = here.cursor.min(total.saturating_sub(1));
        let high = high.max(1);
        let height = |at: usize| self.rows(source, at).len();
        let back = |from: usize, mut left: usize| {
            let mut at = from;
            while at > 0 && left > 0 {
                let rows = height(at - 1);
                if rows >= left {
                    return (at - 1, rows - left);
                }
                left -= rows;
                at -= 1;
            }
            (at, 0)
        };
        let mut top = here.top;
        if top.0 > cursor {
            top = (cursor, 0);
        }
        // At another width a line has another number of rows.
        top.1 = top.1.min(height(top.0).saturating_sub(1));
        let own = height(cursor);
        if top.0 == cursor && own > high {
            // A line that is taller than the pane is scrolled by rows.
            return (cursor, top.1.min(own - high));
        }
        // What was there is read together with what comes in its place.
        let (mut end, mut wanted) = (cursor, own);
        while end < source.index.change_end(source.layout, cursor) {
            wanted += height(end + 1);
            if wanted > high {
                wanted -= height(end + 1);
                break;
            }
            end += 1;
        }
        // Down to there, as far as a screen reaches.
        let (mut at, mut rows) = (top.0, 0_usize);
        while at <= end && rows < high + top.1 {
            rows += height(at);
            at += 1;
        }
        if at <= end || rows.saturating_sub(top.1) > high {
            top = back(cursor, high - wanted.min(high));
        }
        let last = match high.saturating_sub(ends.len()) {
            0 => (total.saturating_sub(1), 0),
            left => back(total, left),
        };
        top.min(last)
    }
}

fn draw_row(laid: &Laid, source: Source<'_>, buffer: &mut Buffer, line: Rect, theme: &Theme) {
    let Some(right) = &laid.right else {
        return laid.left.draw(buffer, line, theme);
    };
    let (near, far) = diff::halves(source.limit, source.margin);
    let near = (near as u16).min(line.width);
    laid.left.draw(
        buffer,
        Rect {
            width: near,
            ..line
        },
        theme,
    );
    let middle = Rect {
        x: line.x + near,
        width: line.width.saturating_sub(near).min(1),
        ..line
    };
    Row::new("│", Role::Border).draw(buffer, middle, theme);
    let rest = Rect {
        x: middle.right(),
        width: (far as u16).min(line.right().saturating_sub(middle.right())),
        ..line
    };
    right.draw(buffer, rest, theme);
}
