//! How a picker stands on the screen: the query, what it found, and the beginning of the chosen file.

use ratatui::{buffer::Buffer, layout::Rect};

use super::super::commands::Candidate;
use super::super::overlay::{draw_candidates, draw_frame};
use super::super::role::Role;
use super::super::text::{Row, clean_code, clean_line, draw_rows, width, wrap};
use super::super::theme::Theme;
use super::rank::Hit;
use super::{Kind, Picker};

/// A frame narrower than this shows no beginning of a file.
const WIDE: u16 = 90;

impl Picker {
    /// Returns the rows that the list has in an area, for a page.
    pub(in super::super) fn page(&self, area: Rect) -> usize {
        usize::from(self.high(area)).saturating_sub(2).max(1)
    }

    fn high(&self, area: Rect) -> u16 {
        let lines = self.hits.len().max(1) as u16 + 1;
        let most = match self.kind {
            Kind::Commands => 18,
            Kind::Files | Kind::Symbols | Kind::Sessions | Kind::Models => 24,
        };
        // A list that shrinks with each key would jump.
        let least = if self.kind == Kind::Commands { 0 } else { 12 };
        lines.clamp(least, most).min(area.height.saturating_sub(2))
    }

    fn title(&self) -> &'static str {
        match self.kind {
            Kind::Commands => "Commands",
            Kind::Files => "Files",
            Kind::Symbols => "Symbols",
            Kind::Sessions => "Sessions",
            Kind::Models => "Models",
        }
    }

    /// Draws the picker, and returns where the cursor stands.
    pub(in super::super) fn draw(
        &self,
        buffer: &mut Buffer,
        area: Rect,
        theme: &Theme,
    ) -> Option<(u16, u16)> {
        let wide = match self.kind {
            Kind::Commands => 76,
            Kind::Files | Kind::Symbols | Kind::Sessions | Kind::Models => 132,
        };
        let inner = draw_frame(buffer, area, wide, self.high(area), self.title(), theme);
        if inner.is_empty() {
            return None;
        }
        let shown = clean_line(self.query.text());
        let prompt = Row::new("› ", Role::Accent);
        let prompt = if shown.is_empty() {
            prompt.with(self.teaching(), Role::Placeholder)
        } else {
            prompt.with(shown, Role::Text)
        };
        let line = Rect { height: 1, ..inner };
        prompt.cut(line.width.into()).draw(buffer, line, theme);
        self.draw_count(buffer, line, theme);
        let mut list = Rect {
            y: inner.y + 1,
            height: inner.height - 1,
            ..inner
        };
        if self.preview.is_some() && inner.width >= WIDE {
            let half = inner.width / 2;
            let beside = Rect {
                x: list.x + half + 1,
                width: list.width - half - 1,
                ..list
            };
            list.width = half - 1;
            self.draw_preview(buffer, beside, theme);
        }
        if self.hits.is_empty() {
            let text = match (self.waiting, self.kind) {
                (true, _) => "looking …",
                (false, Kind::Commands) => "no such command",
                (false, Kind::Files) => "no such file",
                (false, Kind::Symbols) => {
                    "no such symbol; functions, types and constants of code are listed"
                }
                (false, Kind::Sessions) if self.lines.is_empty() => {
                    "no session is kept yet; one is as soon as it has a message"
                }
                (false, Kind::Sessions) => "no such session",
                (false, Kind::Models) => "no such model; `walden model list` shows what there is",
            };
            let row = Row::new(text, Role::TextDim).cut(list.width.into());
            draw_rows([&row], buffer, list, theme);
        }
        self.draw_whole(buffer, &mut list, theme);
        let found = self.candidates(list.height.into());
        let first = self.first(list.height.into());
        draw_candidates(&found, self.selected - first, buffer, list, theme);
        let x = inner.x + 2 + self.query.position(usize::MAX).1.min(1_000) as u16;
        Some((x.min(inner.right().saturating_sub(1)), inner.y))
    }

    /// Shows what is chosen whole below the list, where the list has no room for it.
    fn draw_whole(&self, buffer: &mut Buffer, list: &mut Rect, theme: &Theme) {
        let Some(hit) = self.hits.get(self.selected) else {
            return;
        };
        let chosen = self.candidate(hit);
        let wide = usize::from(list.width);
        if width(&chosen.line) + width(&chosen.help) + 4 <= wide || list.height < 8 {
            return;
        }
        let row =
            Row::new(chosen.line, Role::TextDim).with(format!("  {}", chosen.help), Role::TextDim);
        let mut rows = wrap(&row, wide, &Row::default());
        rows.truncate(2);
        let high = rows.len() as u16;
        list.height -= high;
        let below = Rect {
            y: list.bottom(),
            height: high,
            ..*list
        };
        draw_rows(&rows, buffer, below, theme);
    }

    fn teaching(&self) -> &'static str {
        match self.kind {
            Kind::Commands => "a few letters of what you want",
            Kind::Files => "a few letters of the path; Enter puts it into the message",
            Kind::Symbols => "a few letters of a name; Enter puts it into the message",
            Kind::Sessions => "a few words; Enter goes on with it",
            Kind::Models => "a name; Enter goes on with that model",
        }
    }

    fn draw_count(&self, buffer: &mut Buffer, line: Rect, theme: &Theme) {
        if self.query.is_empty() && self.kind == Kind::Commands {
            return;
        }
        let text = format!(" {} of {}", self.total, self.lines.len());
        let wide = text.len() as u16;
        if wide * 3 < line.width && !self.waiting {
            let corner = Rect {
                x: line.right() - wide,
                width: wide,
                ..line
            };
            Row::new(text, Role::TextDim).draw(buffer, corner, theme);
        }
    }

    fn first(&self, height: usize) -> usize {
        (self.selected + 1).saturating_sub(height.max(1))
    }

    /// Returns what is in sight.
    fn candidates(&self, height: usize) -> Vec<Candidate> {
        let hits = self.hits.iter().skip(self.first(height)).take(height);
        hits.map(|hit| self.candidate(hit)).collect()
    }

    fn candidate(&self, hit: &Hit) -> Candidate {
        Candidate {
            line: clean_line(&self.lines[hit.at]),
            help: match self.symbols.get(hit.at) {
                Some(symbol) => clean_line(&symbol.told()),
                None => self
                    .helps
                    .get(hit.at)
                    .map(|help| clean_line(help))
                    .unwrap_or_default(),
            },
            matches: hit.matches.clone(),
        }
    }

    fn draw_preview(&self, buffer: &mut Buffer, area: Rect, theme: &Theme) {
        let Some((_, lines)) = &self.preview else {
            return;
        };
        let rows: Vec<Row> = lines
            .iter()
            .take(area.height.into())
            .map(|line| {
                Row::new("│ ", Role::Border)
                    .with(clean_code(line), Role::TextDim)
                    .cut(area.width.into())
            })
            .collect();
        draw_rows(&rows, buffer, area, theme);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::Depth;

    fn drawn(picker: &Picker, area: Rect) -> String {
        let theme = Theme::built_in_or_default("mono", Depth::Ansi16);
        let mut buffer = Buffer::empty(area);
        picker.draw(&mut buffer, area, &theme);
        let line = |y| -> String { (0..area.width).map(|x| buffer[(x, y)].symbol()).collect() };
        (0..area.height).map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_chosen_is_read_whole_where_the_list_cuts_it() {
        let path = "crates/engine/src/constraint/schema/projection/of_unevaluated_properties.rs";
        let files = [path.to_owned(), "build.rs".to_owned()];
        let mut picker = Picker::files(Some(files.into()));
        let narrow = Rect::new(0, 0, 60, 15);
        picker.selected = picker.hits.iter().position(|hit| hit.at == 0).unwrap();
        let shown = drawn(&picker, narrow);
        let joined: String = shown
            .lines()
            .map(|line| line.trim_matches(['│', ' ']))
            .collect();
        assert!(joined.contains(path), "{shown}");
        // Where there is room, or the chosen one is short, nothing is said twice.
        let wide = drawn(&picker, Rect::new(0, 0, 120, 15));
        assert_eq!(wide.matches("unevaluated").count(), 1, "{wide}");
        picker.selected = 1 - picker.selected;
        let shown = drawn(&picker, narrow);
        assert!(!shown.contains("properties.rs"), "{shown}");
    }
}
