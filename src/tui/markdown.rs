//! Markdown as rows. Safe while it streams: what is unfinished is shown as far as it is known.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::highlight::Highlighter;
use super::role::{Ink, Role};
use super::text::{Row, clean, fold, width, wrap};

/// Prose wider than this is hard to read; code and tables take what there is.
const MEASURE: usize = 100;

/// Returns where the text's last block begins: everything before it looks the same whatever is still to come.
///
/// `from` is an earlier answer for the same text, so that a long answer is not read from its start for each token.
pub(super) fn settled(text: &str, from: usize) -> usize {
    let mut fence: Option<(u8, usize)> = None;
    let mut boundary = from;
    let mut blank = false;
    let mut at = from;
    for line in text[from..].split_inclusive('\n') {
        let whole = line.ends_with('\n');
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let mark = trimmed.bytes().next().unwrap_or(0);
        let run = trimmed.bytes().take_while(|byte| *byte == mark).count();
        match fence {
            Some((open, length)) => {
                if indent < 4 && mark == open && run >= length && trimmed[run..].trim().is_empty() {
                    fence = None;
                }
            }
            None => {
                // A list, a quote or an indented block goes on over a blank line.
                let own = whole
                    && indent == 0
                    && !matches!(mark, b'-' | b'*' | b'+' | b'>' | b'|')
                    && !mark.is_ascii_digit();
                if blank && own && !trimmed.trim().is_empty() {
                    boundary = at;
                }
                if indent < 4 && matches!(mark, b'`' | b'~') && run >= 3 {
                    fence = Some((mark, run));
                }
            }
        }
        blank = fence.is_none() && trimmed.trim().is_empty();
        at += line.len();
    }
    boundary
}

/// Lays markdown out in rows of at most `limit` columns.
pub(super) fn render(
    text: &str,
    limit: usize,
    highlighter: &Highlighter,
    streaming: bool,
) -> Vec<Row> {
    let mut text = clean(text);
    if streaming {
        drop_unfinished_line(&mut text);
    }
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut writer = Writer {
        limit: limit.max(1),
        highlighter,
        rows: Vec::new(),
        row: Row::default(),
        inks: Vec::new(),
        prefixes: Vec::new(),
        lists: Vec::new(),
        link: None,
        code: None,
        table: None,
        gap: false,
    };
    for event in Parser::new_ext(&text, options) {
        writer.event(event);
    }
    writer.flush();
    writer.rows
}

/// A lone `-` below a paragraph makes it a heading until the list item's text comes: such a start is held back.
fn drop_unfinished_line(text: &mut String) {
    let start = text.rfind('\n').map_or(0, |at| at + 1);
    let last = text[start..].trim();
    if !last.is_empty() && last.bytes().all(|byte| b"-=*_+#`~>".contains(&byte)) {
        text.truncate(start);
    }
}

struct Prefix {
    first: Row,
    rest: Row,
    used: bool,
}

struct Table {
    rows: Vec<Vec<Row>>,
}

struct Writer<'a> {
    limit: usize,
    highlighter: &'a Highlighter,
    rows: Vec<Row>,
    row: Row,
    inks: Vec<Role>,
    prefixes: Vec<Prefix>,
    lists: Vec<Option<u64>>,
    link: Option<(String, usize)>,
    code: Option<(String, String)>,
    table: Option<Table>,
    /// A blank row is due before the next block.
    gap: bool,
}

impl Writer<'_> {
    fn ink(&self) -> Ink {
        let mut inks = self.inks.iter();
        let first = inks.next().copied().unwrap_or(Role::Text);
        inks.fold(first.into(), |ink: Ink, role| ink.over(*role))
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some((_, code)) => code.push_str(&text),
                None => {
                    let ink = self.ink();
                    self.row.push(text.as_ref(), ink);
                }
            },
            Event::Code(code) => {
                let ink = self.ink().over(Role::Code);
                self.row.push(code.as_ref(), ink);
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                // Shown as it is: a model's `<T>` is text to its reader.
                let ink = self.ink();
                for (at, line) in html.split('\n').enumerate() {
                    if at > 0 {
                        self.flush();
                    }
                    self.row.push(line, ink);
                }
            }
            Event::SoftBreak => {
                let ink = self.ink();
                self.row.push(" ", ink);
            }
            Event::HardBreak => self.flush(),
            Event::Rule => {
                self.block();
                let wide = self.inner().min(MEASURE);
                self.row.push("─".repeat(wide), Role::Border);
                self.flush();
                self.gap = true;
            }
            Event::TaskListMarker(done) => {
                let mark = if done { "[x] " } else { "[ ] " };
                self.row.push(mark, Role::ListMark);
            }
            Event::FootnoteReference(name) => self.row.push(format!("[{name}]"), Role::LinkTarget),
            Event::InlineMath(math) | Event::DisplayMath(math) => {
                self.row.push(math.as_ref(), Role::Code);
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.block(),
            Tag::Heading { level, .. } => {
                self.block();
                self.inks.push(Role::Heading);
                let mark = match level {
                    HeadingLevel::H1 => "# ",
                    HeadingLevel::H2 => "## ",
                    _ => "### ",
                };
                self.row.push(mark, Role::Border);
            }
            Tag::BlockQuote(_) => {
                self.block();
                let bar = Row::new("▎ ", Role::Border);
                self.prefixes.push(Prefix {
                    first: bar.clone(),
                    rest: bar,
                    used: false,
                });
                self.inks.push(Role::Quote);
            }
            Tag::CodeBlock(kind) => {
                self.block();
                let language = match kind {
                    CodeBlockKind::Fenced(info) => info.to_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((language, String::new()));
            }
            Tag::List(first) => {
                if self.lists.is_empty() {
                    self.block();
                } else {
                    self.flush();
                }
                self.lists.push(first);
            }
            Tag::Item => {
                self.flush();
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let mark = format!("{number}. ");
                        *number += 1;
                        mark
                    }
                    _ => "• ".to_owned(),
                };
                let rest = Row::new(" ".repeat(width(&mark)), Role::Text);
                self.prefixes.push(Prefix {
                    first: Row::new(mark, Role::ListMark),
                    rest,
                    used: false,
                });
                self.gap = false;
            }
            Tag::Emphasis => self.inks.push(Role::Emphasis),
            Tag::Strong => self.inks.push(Role::Strong),
            Tag::Strikethrough => self.inks.push(Role::Strike),
            Tag::Link { dest_url, .. } => {
                self.inks.push(Role::Link);
                self.link = Some((dest_url.to_string(), self.row.plain().len()));
            }
            Tag::Image { dest_url, .. } => {
                self.row.push("image: ", Role::LinkTarget);
                self.inks.push(Role::Link);
                self.link = Some((dest_url.to_string(), self.row.plain().len()));
            }
            Tag::Table(_) => {
                self.block();
                self.table = Some(Table { rows: Vec::new() });
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.rows.push(Vec::new());
                }
            }
            Tag::HtmlBlock => self.block(),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => {
                self.flush();
                self.gap = true;
            }
            TagEnd::Heading(_) => {
                self.flush();
                self.inks.pop();
                self.gap = true;
            }
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.prefixes.pop();
                self.inks.pop();
                self.gap = true;
            }
            TagEnd::CodeBlock => {
                if let Some((language, code)) = self.code.take() {
                    self.code_block(&language, &code);
                }
                self.gap = true;
            }
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
                self.gap = true;
            }
            TagEnd::Item => {
                self.flush();
                // An item with nothing in it still shows its mark.
                if self.prefixes.last().is_some_and(|prefix| !prefix.used) {
                    self.emit(Row::default());
                }
                self.prefixes.pop();
                self.gap = false;
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.inks.pop();
            }
            TagEnd::Link | TagEnd::Image => {
                self.inks.pop();
                if let Some((target, from)) = self.link.take() {
                    let shown = self.row.plain();
                    // What a link shows and where it leads may differ: both are shown then.
                    if shown.get(from..) != Some(target.as_str()) && !target.is_empty() {
                        self.row.push(format!(" ({target})"), Role::LinkTarget);
                    }
                }
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.row);
                if let Some(row) = self.table.as_mut().and_then(|table| table.rows.last_mut()) {
                    row.push(cell);
                }
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    self.table_rows(&table);
                }
                self.gap = true;
            }
            _ => {}
        }
    }

    /// Begins a block: the row before it ends, and a blank row is put between two blocks.
    fn block(&mut self) {
        self.flush();
        if std::mem::take(&mut self.gap) && !self.rows.is_empty() {
            let fresh = self.prefixes.iter().any(|prefix| !prefix.used);
            let mut row = Row::default();
            for prefix in self.prefixes.iter().filter(|prefix| prefix.used) {
                row.append(prefix.rest.clone());
            }
            if !fresh || self.lists.is_empty() {
                self.rows.push(row);
            }
        }
    }

    fn inner(&self) -> usize {
        self.limit.saturating_sub(self.containers()).max(1)
    }

    /// Returns the columns that quotes and lists take; none where they would take more than half of what there is.
    fn containers(&self) -> usize {
        let taken: usize = self.prefixes.iter().map(|prefix| prefix.rest.width()).sum();
        if taken * 2 <= self.limit { taken } else { 0 }
    }

    fn flush(&mut self) {
        if self.table.is_some() {
            return;
        }
        let row = std::mem::take(&mut self.row);
        if row.spans.is_empty() {
            return;
        }
        for row in wrap(&row, self.inner().min(MEASURE), &Row::default()) {
            self.emit(row);
        }
    }

    fn emit(&mut self, row: Row) {
        let mut out = Row::default();
        let shown = self.containers() > 0;
        for prefix in &mut self.prefixes {
            let part = if prefix.used {
                &prefix.rest
            } else {
                &prefix.first
            };
            prefix.used = true;
            if shown {
                out.append(part.clone());
            }
        }
        out.append(row);
        self.rows.push(out);
    }

    fn code_block(&mut self, language: &str, code: &str) {
        let code = code.strip_suffix('\n').unwrap_or(code);
        let lines: Vec<String> = code.split('\n').map(str::to_owned).collect();
        for row in code_rows(language, &lines, self.inner(), self.highlighter) {
            self.emit(row);
        }
    }

    fn table_rows(&mut self, table: &Table) {
        let columns = table.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![0; columns];
        for row in &table.rows {
            for (cell, widest) in row.iter().zip(&mut widths) {
                *widest = cell.width().max(*widest);
            }
        }
        let total = widths.iter().sum::<usize>() + columns.saturating_sub(1) * 3;
        if total > self.inner() {
            self.narrow_table(table);
            return;
        }
        for (at, cells) in table.rows.iter().enumerate() {
            let mut out = Row::default();
            for (column, widest) in widths.iter().enumerate() {
                if column > 0 {
                    out.push(" │ ", Role::Border);
                }
                let cell = cells.get(column).cloned().unwrap_or_default();
                let missing = widest - cell.width().min(*widest);
                for span in cell.spans {
                    let ink = if at == 0 {
                        Ink::from(Role::Strong)
                    } else {
                        span.ink
                    };
                    out.push(span.text, ink);
                }
                out.push(" ".repeat(missing), Role::Text);
            }
            self.emit(out);
            if at == 0 {
                let line: Vec<String> = widths.iter().map(|wide| "─".repeat(*wide)).collect();
                self.emit(Row::new(line.join("─┼─"), Role::Border));
            }
        }
    }

    /// A table that does not fit is shown as one `head: cell` a line.
    fn narrow_table(&mut self, table: &Table) {
        let Some((heads, rows)) = table.rows.split_first() else {
            return;
        };
        for (at, row) in rows.iter().enumerate() {
            if at > 0 {
                self.emit(Row::default());
            }
            for (column, cell) in row.iter().enumerate() {
                let mut out = Row::default();
                if let Some(head) = heads.get(column) {
                    out.push(format!("{}: ", head.plain()), Role::Strong);
                }
                out.append(cell.clone());
                for row in wrap(&out, self.inner(), &Row::new("  ", Role::Text)) {
                    self.emit(row);
                }
            }
        }
    }
}

/// Lays out lines of code behind a thin rule.
pub(super) fn code_rows(
    language: &str,
    lines: &[String],
    limit: usize,
    highlighter: &Highlighter,
) -> Vec<Row> {
    let bar = if limit >= 12 { "│ " } else { "" };
    let runs = highlighter.highlight(language, lines);
    let mut rows = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let mut row = Row::default();
        let mut from = 0;
        for (length, role) in runs
            .as_deref()
            .and_then(|runs| runs.get(at))
            .into_iter()
            .flatten()
        {
            // The runs were made for this very line; were they not, the rest of it is shown plain.
            let Some(piece) = line.get(from..from + length) else {
                break;
            };
            row.push(piece, *role);
            from += length;
        }
        row.push(&line[from..], Role::CodeBlock);
        for part in fold(&row, limit.saturating_sub(width(bar)), &Row::default()) {
            let mut out = Row::new(bar, Role::CodeGutter);
            out.append(part);
            rows.push(out);
        }
    }
    rows
}

#[cfg(test)]
mod tests;
