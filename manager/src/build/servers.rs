//! Servers: where each comes from and what bounds it.
//!
//! Never looks for the program: whether it is installed is for `doctor` to find out.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use ground::ServerName;
use http::{HeaderName, HeaderValue, Uri};
use upstream::spec::{Bounds, Isolation, Origin, ProcessSpec, RemoteSpec, RemoteTransport, Spec};

use crate::{
    build::Build,
    document::{self, Document, Kind, Server, Transport, Tuning},
    key::Key,
    near,
};

/// The servers of a document.
#[derive(Default)]
pub(crate) struct Fleet {
    /// Those to be served, sorted by name.
    pub enabled: Vec<Arc<Spec>>,
    /// The names of those that are switched on, in the order of the file.
    pub order: Vec<ServerName>,
    /// All names that stand in the file, whatever became of them.
    pub named: Vec<String>,
    /// The names of those that are switched off.
    pub off: Vec<String>,
}

/// Headers that Hostler sets itself, in lower case.
const OWN_HEADERS: [&str; 9] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-session-id",
    "te",
    "transfer-encoding",
];

const ONE_ORIGIN: &str = "write one of `command: <program>`, `url: <address>` or `builtin: <name>`";

impl Build<'_> {
    pub(super) fn fleet(&mut self, document: &mut Document) -> Fleet {
        let defaults = document.defaults.take().unwrap_or_default();
        let mut fleet = Fleet::default();
        for (block, servers) in [("servers", document.servers.take()), ("mcpServers", document.mcp_servers.take())] {
            let at = Key::root().name(block);
            let mut servers = servers.unwrap_or_default();
            for name in self.in_file_order(&at, servers.keys()) {
                let key = at.name(&name);
                if fleet.named.contains(&name) {
                    self.error_at_key(&key, "`servers` has a server of this name too", Some("rename one of them"));
                    continue;
                }
                fleet.named.push(name.clone());
                let Some(server) = servers.remove(&name) else { continue };
                self.enlist(&mut fleet, &key, name, server, &defaults);
            }
        }
        if fleet.named.is_empty() && self.bad.is_empty() {
            self.warn(&Key::root(), "there is no server in this file", Some("add one under `servers`"));
        }
        fleet.enabled.sort_by(|a, b| a.name.cmp(&b.name));
        fleet
    }

    fn enlist(&mut self, fleet: &mut Fleet, key: &Key, name: String, server: Server, defaults: &Tuning) {
        let enabled = server.enabled != Some(false);
        let named = ServerName::new(&name);
        if let Err(fault) = named {
            let remedy = format!("rename it, for example to `{}`", ServerName::nearest(&name));
            self.error_at_key(key, fault, Some(&remedy));
        }
        self.bounds(key, &server);
        self.note_literal_secrets(key, &server);
        let bounds = self.merged(key, &server.tuning, defaults);
        let isolation = match server.tuning.isolation.or(defaults.isolation) {
            None | Some(document::Isolation::Shared) => Isolation::Shared,
            Some(document::Isolation::Session) => Isolation::Session,
        };
        let origin = self.origin(key, server);
        let (Ok(name), Some(origin)) = (named, origin) else { return };
        if enabled {
            fleet.order.push(name.clone());
            fleet.enabled.push(Arc::new(Spec { name, origin, isolation, bounds }));
        } else {
            fleet.off.push(name.to_string());
        }
    }

    /// The server's own bounds, else the defaults of the file, else those of Hostler.
    fn merged(&mut self, key: &Key, own: &Tuning, all: &Tuning) -> Bounds {
        let default = Bounds::default();
        let call_timeout = own.call_timeout.or(all.call_timeout).map_or(default.call_timeout, |p| p.0);
        let deadline = own.call_deadline.or(all.call_deadline);
        if deadline.is_some_and(|deadline| deadline.0 < call_timeout) {
            let own_key =
                if own.call_deadline.is_some() { key.name("call_deadline") } else { key.name("call_timeout") };
            self.error(&own_key, "`call_deadline` is shorter than `call_timeout`", Some("raise it or lower the other"));
        }
        Bounds {
            start_timeout: own.start_timeout.or(all.start_timeout).map_or(default.start_timeout, |p| p.0),
            call_timeout,
            // A longer time-out stretches a deadline that nobody set.
            call_deadline: deadline.map_or(default.call_deadline.max(call_timeout), |p| p.0),
            stop_grace: own.stop_grace.or(all.stop_grace).map_or(default.stop_grace, |p| p.0),
            in_flight: own.in_flight.or(all.in_flight).unwrap_or(default.in_flight),
            instances: own.instances.or(all.instances).unwrap_or(default.instances),
            idle: own.idle.or(all.idle).map_or(default.idle, |p| p.0),
            message: own.message.or(all.message).map_or(default.message, |s| s.0),
        }
    }

    fn origin(&mut self, key: &Key, server: Server) -> Option<Origin> {
        let given = [server.command.is_some(), server.url.is_some(), server.builtin.is_some()];
        if given.iter().filter(|given| **given).count() > 1 {
            let message = "a server comes from one place, but more than one of `command`, `url` and `builtin` is given";
            self.error_at_key(key, message, Some("keep the one that is meant"));
            return None;
        }
        self.strays(key, &server);
        if let Some(command) = &server.command {
            let spec = self.process(key, command.clone(), server)?;
            return Some(Origin::Process(spec));
        }
        if let Some(url) = &server.url {
            let spec = self.remote(key, url.clone(), server)?;
            return Some(Origin::Remote(spec));
        }
        if let Some(name) = &server.builtin {
            let builtin = self.builtins.get(name).cloned();
            if builtin.is_none() {
                let remedy = near::remedy(name, self.builtins.keys().map(String::as_str));
                let key = key.name("builtin");
                self.error(&key, format!("there is no builtin server {}", self.shown(&key)), remedy.as_deref());
            }
            return builtin.map(Origin::Builtin);
        }
        if !self.mistyped(key) {
            self.error_at_key(key, "it is not said where this server comes from", Some(ONE_ORIGIN));
        }
        None
    }

    /// Whether something was told already that was meant to say where the server comes from.
    fn mistyped(&self, key: &Key) -> bool {
        let origin = |name: &str| {
            matches!(name, "serverUrl" | "httpUrl") || near::nearest(name, ["command", "url", "builtin"]).is_some()
        };
        self.bad.iter().any(|bad| key.encloses(bad) && bad.last_name().is_some_and(origin))
    }

    /// Reports keys that have no meaning for the origin that is given.
    fn strays(&mut self, key: &Key, server: &Server) {
        let process = [("args", server.args.is_some()), ("env", server.env.is_some()), ("cwd", server.cwd.is_some())];
        let remote = [("headers", server.headers.is_some()), ("transport", server.transport.is_some())];
        let stray =
            |given: &[(&'static str, bool)]| given.iter().filter(|(_, given)| *given).map(|(n, _)| *n).collect();
        let strays: Vec<&str> = match (&server.command, &server.url, &server.builtin) {
            (Some(_), ..) => stray(&remote),
            (None, Some(_), _) => stray(&process),
            (None, None, Some(_)) => stray(&[process.as_slice(), remote.as_slice()].concat()),
            (None, None, None) => return,
        };
        for name in strays {
            let belongs = if process.iter().any(|(own, _)| *own == name) { "command" } else { "url" };
            let message = format!("`{name}` has no meaning for this server: it belongs to servers with `{belongs}`");
            self.error_at_key(&key.name(name), message, Some("remove it"));
        }
    }

    fn process(&mut self, key: &Key, command: String, server: Server) -> Option<ProcessSpec> {
        let at = key.name("command");
        let args = server.args.unwrap_or_default();
        if matches!(server.kind, Some(kind) if kind != Kind::Stdio) {
            let remedy = Some("write `type: stdio`, or `url` instead of `command`");
            self.error(&key.name("type"), "a server with `command` speaks on its standard streams", remedy);
        }
        if command.trim().is_empty() || command.contains('\0') {
            self.error(
                &at,
                "this is not the name of a program",
                Some("write a path, or a name that is looked up in `PATH`"),
            );
            return None;
        }
        let cwd = server.cwd.map(|text| self.path(&text));
        let path = self.program(&command, cwd.as_deref());
        if args.is_empty() && command.contains(char::is_whitespace) && !Path::new(&path).exists() {
            let remedy = "write the program alone, and its arguments under `args`";
            self.error(&at, format!("{} is more than the name of a program", self.shown(&at)), Some(remedy));
        }
        for (index, _) in args.iter().enumerate().filter(|(_, text)| text.contains('\0')) {
            self.error(&key.name("args").index(index), "an argument cannot have a NUL character", None);
        }
        let env = server.env.unwrap_or_default();
        for (name, value) in &env {
            let key = key.name("env").name(name);
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                self.error_at_key(&key, "this cannot be a variable", Some("a name has no `=`, and neither has a NUL"));
            }
        }
        Some(ProcessSpec { command: path, args, env, cwd })
    }

    /// The program as it can be started from anywhere: names stay names, paths become whole.
    fn program(&self, command: &str, cwd: Option<&Path>) -> String {
        let path = match (command.contains('/'), cwd) {
            (false, _) => return command.to_owned(),
            (true, Some(cwd)) => self.surroundings.path(command, cwd),
            (true, None) => self.path(command),
        };
        path.to_str().map_or_else(|| command.to_owned(), str::to_owned)
    }

    fn remote(&mut self, key: &Key, url: String, server: Server) -> Option<RemoteSpec> {
        let headers = server.headers.unwrap_or_default();
        self.headers(&key.name("headers"), &headers);
        let transport = match (server.transport, server.kind) {
            (_, Some(Kind::Stdio)) => {
                let remedy = Some("write `type: http`, or `command` instead of `url`");
                self.error(&key.name("type"), "a server with `url` is reached over HTTP", remedy);
                return None;
            }
            (Some(_), Some(_)) => {
                self.error_at_key(&key.name("type"), "`transport` says this already", Some("keep one of the two"));
                return None;
            }
            (Some(Transport::Sse), _) | (None, Some(Kind::Sse)) => RemoteTransport::Sse,
            (Some(Transport::Http), _) | (None, Some(Kind::StreamableHttp)) => RemoteTransport::Streamable,
            // Clients write `http` for servers of either transport.
            (Some(Transport::Auto), _) | (None, Some(Kind::Http) | None) => RemoteTransport::Auto,
        };
        let at = key.name("url");
        match checked_url(&url) {
            Ok(url) => Some(RemoteSpec { url, headers, transport }),
            Err((message, remedy)) => {
                // A URL may carry a key in its query, so it is not shown.
                self.error(&at, message, Some(remedy));
                None
            }
        }
    }

    fn headers(&mut self, at: &Key, headers: &BTreeMap<String, String>) {
        for (name, value) in headers {
            let key = at.name(name);
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                self.error_at_key(&key, format!("`{name}` is not the name of a header"), None);
            } else if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                self.error_at_key(&key, format!("`{name}` is set by Hostler itself"), Some("remove it"));
            } else if HeaderValue::from_str(value).is_err() {
                let remedy =
                    "header values are visible characters on one line; does a file or variable end with a line break?";
                self.error(&key, "the value cannot be sent in a header", Some(remedy));
            }
        }
    }

    fn note_literal_secrets(&mut self, key: &Key, server: &Server) {
        for (block, values) in [("env", &server.env), ("headers", &server.headers)] {
            for name in values.iter().flat_map(BTreeMap::keys) {
                let key = key.name(block).name(name);
                if self.spot(&key).literal && sounds_secret(name) {
                    self.literal_secrets.push(key.to_string());
                }
            }
        }
    }
}

/// Whether the name of a variable or a header says that its value is a secret.
pub(crate) fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "secret", "password", "passwd", "credential", "auth", "cookie", "private"]
        .iter()
        .any(|w| name.contains(w))
        || name.split(['_', '-']).any(|word| matches!(word, "key" | "apikey" | "pass" | "pwd" | "pat" | "dsn"))
}

/// The URL of an MCP server, or what is wrong with it and how to mend it.
fn checked_url(text: &str) -> Result<Uri, (&'static str, &'static str)> {
    let remedy = "write the whole address: `https://example.com/mcp`";
    let url: Uri = text.parse().map_err(|_| ("this is not a URL", remedy))?;
    let authority = url.authority().ok_or(("this is not a whole URL", remedy))?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err(("the URL of a server begins with `http://` or `https://`", remedy));
    }
    if authority.as_str().contains('@') {
        let remedy = "send the name and the password in a header: `headers: {Authorization: \"Basic ${...}\"}`";
        return Err(("a URL with a name or a password in it is not accepted", remedy));
    }
    if text.contains('#') {
        return Err(("the URL of a server has no fragment", "remove `#` and what follows it"));
    }
    Ok(url)
}
