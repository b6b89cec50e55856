//! The programs whose files servers are taken from and whose files get Hostler's entry.
//!
//! Never opens a file: knows only names, places and spellings.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::Serialize;

use crate::{Surroundings, near};

/// A program that starts or reaches MCP servers by a file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// Claude Desktop. It only starts programs.
    ClaudeDesktop,
    /// Claude Code.
    ClaudeCode,
    /// Cursor.
    Cursor,
    /// Visual Studio Code.
    #[serde(rename = "vscode")]
    VsCode,
    /// Windsurf.
    Windsurf,
    /// Any program with a JSON file of `mcpServers`.
    Plain,
}

impl Client {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::ClaudeDesktop, Self::ClaudeCode, Self::Cursor, Self::VsCode, Self::Windsurf, Self::Plain];

    /// Its name on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ClaudeDesktop => "claude-desktop",
            Self::ClaudeCode => "claude-code",
            Self::Cursor => "cursor",
            Self::VsCode => "vscode",
            Self::Windsurf => "windsurf",
            Self::Plain => "plain",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::ClaudeDesktop => "Claude Desktop",
            Self::ClaudeCode => "Claude Code",
            Self::Cursor => "Cursor",
            Self::VsCode => "VS Code",
            Self::Windsurf => "Windsurf",
            Self::Plain => "a plain mcpServers file",
        }
    }

    /// The key that its servers stand under.
    #[must_use]
    pub const fn servers_key(self) -> &'static str {
        match self {
            Self::VsCode => "servers",
            _ => "mcpServers",
        }
    }

    /// Whether it can reach a server by its URL, or only start a program.
    #[must_use]
    pub const fn speaks_http(self) -> bool {
        !matches!(self, Self::ClaudeDesktop)
    }

    /// Where its own file lies for the user, the likeliest place first. None for plain files and without a home folder.
    #[must_use]
    pub fn user_files(self, surroundings: &Surroundings) -> Vec<PathBuf> {
        let Some(home) = surroundings.home() else { return Vec::new() };
        // Programs with windows keep to the system's custom.
        let application = |file: &str| {
            let linux = surroundings.config_home().map(|folder| folder.join(file));
            let mac = Some(home.join("Library/Application Support").join(file));
            let order = if cfg!(target_os = "macos") { [mac, linux] } else { [linux, mac] };
            order.into_iter().flatten().collect()
        };
        match self {
            Self::ClaudeDesktop => application("Claude/claude_desktop_config.json"),
            Self::VsCode => application("Code/User/mcp.json"),
            Self::ClaudeCode => vec![home.join(".claude.json")],
            Self::Cursor => vec![home.join(".cursor/mcp.json")],
            Self::Windsurf => vec![home.join(".codeium/windsurf/mcp_config.json")],
            Self::Plain => Vec::new(),
        }
    }

    /// Where its file lies in a project's folder, for those that have one.
    #[must_use]
    pub fn project_file(self, folder: &Path) -> Option<PathBuf> {
        match self {
            Self::ClaudeCode => Some(folder.join(".mcp.json")),
            Self::Cursor => Some(folder.join(".cursor/mcp.json")),
            Self::VsCode => Some(folder.join(".vscode/mcp.json")),
            Self::ClaudeDesktop | Self::Windsurf | Self::Plain => None,
        }
    }

    /// The user's file: the one that exists, else the likeliest place for it.
    #[must_use]
    pub fn user_file(self, surroundings: &Surroundings) -> Option<PathBuf> {
        let files = self.user_files(surroundings);
        files.iter().find(|file| file.exists()).or(files.first()).cloned()
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Client {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|client| client.word() == text).ok_or_else(|| {
            let remedy = near::remedy(text, Self::ALL.map(Self::word)).unwrap_or_default();
            format!("`{text}` is no client that is known here; {remedy}")
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn clients_are_known_by_their_words() {
        for client in Client::ALL {
            assert_eq!(client.word().parse(), Ok(client));
            assert_eq!(serde_json::to_value(client).unwrap(), client.word());
        }
        let told = "cursr".parse::<Client>().unwrap_err();
        assert_eq!(told, "`cursr` is no client that is known here; did you mean `cursor`?");
    }
}
