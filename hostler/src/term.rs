//! What people and scripts see: text with colour only on a terminal, tables, and JSON.
//!
//! Never lets a server's text steer the terminal: on one, escape codes and control characters are taken out.

use std::{
    borrow::Cow,
    io::{self, IsTerminal as _, Write as _},
};

use serde::Serialize;

use crate::cli::Color;

/// Where output goes, and how it may look.
#[derive(Debug, Clone, Copy)]
pub struct Term {
    /// Machine-readable output was asked for.
    pub json: bool,
    /// Standard output is a terminal.
    terminal: bool,
    color: bool,
    color_errors: bool,
}

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// As it is.
    Plain,
    /// Something that is well.
    Good,
    /// Something to look at.
    Warn,
    /// Something wrong.
    Bad,
    /// Something that matters less.
    Dim,
    /// A heading or a name.
    Bold,
}

impl Paint {
    fn on(self, text: &str) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "31",
            Self::Dim => "2",
            Self::Bold => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    paint: Paint,
}

impl Cell {
    /// A cell with its look.
    pub fn new(text: impl ToString, paint: Paint) -> Self {
        // A cell is one line.
        let text = text.to_string().replace(['\n', '\r', '\t'], " ");
        Self { text: clean(&text).into_owned(), paint }
    }

    /// A cell without any look.
    pub fn plain(text: impl ToString) -> Self {
        Self::new(text, Paint::Plain)
    }
}

impl Term {
    /// The terminal, or the file or pipe in its place.
    pub fn new(json: bool, color: Color) -> Self {
        // https://no-color.org: any value but an empty one.
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let terminal = io::stdout().is_terminal();
        let allowed = |terminal: bool| match color {
            Color::Auto => terminal && wanted,
            Color::Always => true,
            Color::Never => false,
        };
        Self { json, terminal, color: allowed(terminal), color_errors: allowed(io::stderr().is_terminal()) }
    }

    /// Text in a look, if there may be any.
    pub fn paint(self, paint: Paint, text: &str) -> String {
        if self.color { paint.on(text) } else { text.to_owned() }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn line(self, text: &str) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{text}")
    }

    /// Text that a server made: as it is for a file or pipe, without what steers terminals for a terminal.
    pub fn tame(self, text: &str) -> Cow<'_, str> {
        if self.terminal { clean(text) } else { Cow::Borrowed(text) }
    }

    /// Writes text that a server made, and a line's end if it has none.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn foreign(self, text: &str) -> io::Result<()> {
        let text = self.tame(text);
        let end = if text.ends_with('\n') { "" } else { "\n" };
        write!(io::stdout().lock(), "{text}{end}")
    }

    /// Writes JSON, on several lines.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn json(self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
        self.line(&text)
    }

    /// Writes JSON on one line, for output that goes on.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn json_line(self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value).map_err(io::Error::other)?;
        self.line(&text)
    }

    /// Writes aligned columns under their headings.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn table(self, headings: &[&str], rows: &[Vec<Cell>]) -> io::Result<()> {
        let mut lines = vec![headings.iter().map(|heading| Cell::new(heading, Paint::Dim)).collect::<Vec<_>>()];
        lines.extend_from_slice(rows);
        let mut out = io::stdout().lock();
        for line in aligned(&lines, self.color) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    /// Says something beside the output.
    pub fn note(self, text: &str) {
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Says what went wrong.
    pub fn error(self, text: &str) {
        let label = if self.color_errors { Paint::Bad.on("error:") } else { "error:".to_owned() };
        self.note(&format!("{label} {}", clean(text)));
    }
}

/// Lines of columns as wide as their widest cell; the last one is not filled up.
fn aligned(lines: &[Vec<Cell>], color: bool) -> Vec<String> {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.text.chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |cells: &Vec<Cell>| {
        let mut text = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let room = widths[column] - cell.text.chars().count();
            text.push_str(&if color { cell.paint.on(&cell.text) } else { cell.text.clone() });
            if column + 1 < cells.len() {
                text.push_str(&" ".repeat(room + 2));
            }
        }
        text.trim_end().to_owned()
    };
    lines.iter().map(line).collect()
}

/// Text without escape codes and control characters; line ends and tabs stay.
pub fn clean(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let stripped = anstream::adapter::strip_str(text).to_string();
    Cow::Owned(stripped.chars().filter(|c| !steers(*c)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_colour_they_have() {
        let lines = vec![
            vec![Cell::plain("NAME"), Cell::plain("STATE"), Cell::plain("LAST")],
            vec![Cell::plain("é"), Cell::new("ready", Paint::Good), Cell::plain("-")],
            vec![Cell::plain("longer"), Cell::plain(""), Cell::plain("")],
        ];
        assert_eq!(aligned(&lines, false), ["NAME    STATE  LAST", "é       ready  -", "longer"]);
        assert_eq!(aligned(&lines, true)[1], "é       \x1b[32mready\x1b[0m  -");
    }

    #[test]
    fn a_server_cannot_steer_the_terminal() {
        assert_eq!(clean("plain\ttext\n"), "plain\ttext\n");
        assert_eq!(clean("\x1b[31mred\x1b[0m\x1b]0;title\x07 \u{9b}31mC1\rover\x08"), "red 31mC1over");
        assert_eq!(Cell::plain("two\nlines\x1b[2J").text, "two lines");
    }
}
