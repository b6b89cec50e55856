//! What clients meet first: the listening address, guards, limits, the log.
//!
//! Never opens the address: whether it is free is for `doctor` to find out.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use plan::{Cluster, Guards, Listen, Log, Secret};

use crate::{
    build::Build,
    document::{self, Document, Format, Http},
    key::Key,
    near,
};

/// Where Hostler listens unless it is told otherwise.
pub(crate) const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7400);

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

const LISTEN_REMEDY: &str = "write an address and a port, such as `127.0.0.1:7400` or `[::1]:7400`";

impl Build<'_> {
    pub(super) fn listen(&mut self, document: &Document) -> Listen {
        let key = Key::root().name("listen");
        let text = document.listen.as_deref();
        let address = match text.map(|text| text.replace("localhost:", "127.0.0.1:").parse()) {
            None => DEFAULT_LISTEN,
            Some(Ok(address)) => address,
            Some(Err(_)) => {
                self.error(&key, format!("{} is not a listening address", self.shown(&key)), Some(LISTEN_REMEDY));
                DEFAULT_LISTEN
            }
        };
        Listen { address, threads: document.threads }
    }

    pub(super) fn guards(&mut self, http: Http, listen: &Listen) -> Guards {
        let at = Key::root().name("http");
        let remote = !listen.address.ip().to_canonical().is_loopback();
        let allowed = http.allow_unauthenticated_remote == Some(true);
        let hosts = self.checked(&at.name("hosts"), http.hosts, host, HOST_REMEDY);
        let origins = self.checked(&at.name("origins"), http.origins, origin, ORIGIN_REMEDY);
        if remote && !allowed && !self.is_bad(&at.name("allow_unauthenticated_remote")) {
            let address = listen.address;
            self.error(
                &Key::root().name("listen"),
                format!("`{address}` can be reached from other machines, and nobody who connects is asked who they are"),
                Some("listen on `127.0.0.1`, or accept it in so many words: `http: {allow_unauthenticated_remote: true}`"),
            );
        }
        Guards { any_host: remote && allowed && hosts.is_empty(), hosts, origins }
    }

    pub(super) fn cluster(&mut self, cluster: document::Cluster) -> Cluster {
        let at = Key::root().name("cluster").name("advertise");
        let advertise = cluster.advertise.and_then(|text| {
            let url = text.parse::<http::Uri>().ok().filter(is_plain_url);
            if url.is_none() {
                let remedy = "write a URL with scheme, host and port: `http://10.0.0.5:7400`";
                self.error(&at, format!("{} is not the URL of a node", self.shown(&at)), Some(remedy));
            }
            url.map(|_| text.trim_end_matches('/').to_owned())
        });
        Cluster { key: cluster.key.map(Secret::new), advertise }
    }

    /// The entries of a list that a check accepts, in the form it gives them; others are told.
    fn checked(
        &mut self,
        at: &Key,
        entries: Option<Vec<String>>,
        check: fn(&str) -> Option<String>,
        remedy: &str,
    ) -> Vec<String> {
        let mut out = Vec::new();
        for (index, entry) in entries.unwrap_or_default().iter().enumerate() {
            match check(entry) {
                Some(entry) => out.push(entry),
                None => {
                    let key = at.index(index);
                    self.error(&key, format!("{} does not fit here", self.shown(&key)), Some(remedy));
                }
            }
        }
        out
    }

    pub(super) fn log(&mut self, log: document::Log) -> Log {
        let key = Key::root().name("log").name("level");
        let level = log.level.unwrap_or_else(|| "info".into());
        for part in level.split(',').map(str::trim) {
            let word = part.rsplit_once('=').map_or(part, |(_, level)| level);
            if !LEVELS.contains(&word.to_ascii_lowercase().as_str()) {
                let remedy = near::remedy(word, LEVELS);
                self.error(&key, format!("{} has a part that is not a level", self.shown(&key)), remedy.as_deref());
            }
        }
        Log { level, json: log.format == Some(Format::Json) }
    }

    /// The limits, with the defaults of those that are not set.
    pub(super) fn limits(&mut self, set: &document::Limits) -> plan::Limits {
        let default = plan::Limits::default();
        let body = set.body.map_or(default.body, |size| size.0);
        let held = set.held.map_or(default.held.max(body), |size| size.0);
        if held < body {
            let key = Key::root().name("limits").name("held");
            self.error(
                &key,
                "`held` is smaller than `body`, so the largest body would never fit",
                Some("raise it or lower the other"),
            );
        }
        plan::Limits {
            body,
            held,
            depth: set.depth.unwrap_or(default.depth),
            headers: set.headers.map_or(default.headers, |size| size.0),
            connections: set.connections.unwrap_or(default.connections),
            sessions: set.sessions.unwrap_or(default.sessions),
            session_idle: set.session_idle.map_or(default.session_idle, |period| period.0),
            session_calls: set.session_calls.unwrap_or(default.session_calls),
            suspended: set.suspended.unwrap_or(default.suspended),
            suspend: set.suspend.map_or(default.suspend, |period| period.0),
            batch: set.batch.unwrap_or(default.batch),
            page: set.page.unwrap_or(default.page),
            header_timeout: set.header_timeout.map_or(default.header_timeout, |period| period.0),
            body_timeout: set.body_timeout.map_or(default.body_timeout, |period| period.0),
            compress: set.compress.map_or(default.compress, |size| size.0),
        }
    }

    pub(super) fn state_dir(&mut self, text: Option<&str>) -> PathBuf {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            return self.path(text);
        }
        if let Some(state) = self.surroundings.state_home() {
            return state.join(ground::PRODUCT);
        }
        self.warn(
            &Key::root(),
            "neither `XDG_STATE_HOME` nor `HOME` is set, so state is kept in `.hostler` here",
            Some("set `state_dir`"),
        );
        self.surroundings.working_directory().join(".hostler")
    }
}

const HOST_REMEDY: &str = "write a host name alone, without scheme, port and path: `gateway.example.com`";
const ORIGIN_REMEDY: &str = "write scheme, host and port if it is not the usual one: `https://app.example.com`";

/// A URL of scheme, host and port alone.
fn is_plain_url(url: &http::Uri) -> bool {
    matches!(url.scheme_str(), Some("http" | "https"))
        && url.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        && url.path_and_query().is_none_or(|path| path == "/")
}

/// A host name or an address without port, in lower case.
fn host(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let fits = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')),
    };
    fits.then(|| text.to_ascii_lowercase())
}

/// An origin as browsers send it: scheme, host, port; in lower case.
fn origin(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority: http::uri::Authority = rest.parse().ok()?;
    let named =
        !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    (named && !authority.host().is_empty() && !rest.contains(['@', '*'])).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_origins_are_taken_in_one_form_only() {
        for (text, taken) in
            [("Gate.Example.com", Some("gate.example.com")), ("[::1]", Some("[::1]")), ("10.0.0.1", Some("10.0.0.1"))]
        {
            assert_eq!(host(text).as_deref(), taken);
        }
        for text in ["", "a:80", "http://a", "a/b", "*", "*.a.com", "[x]", "a b"] {
            assert_eq!(host(text), None, "{text}");
        }
        for text in ["https://app.example.com", "http://localhost:3000", "vscode-webview://abc"] {
            assert_eq!(origin(text).as_deref(), Some(text));
        }
        for text in ["", "app.example.com", "https://", "https://a/", "https://a/b", "https://*", "https://u@a", "null"]
        {
            assert_eq!(origin(text), None, "{text}");
        }
    }
}
