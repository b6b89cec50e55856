//! One entry of a client's file, in Hostler's spelling.
//!
//! Never guesses: what has no counterpart is named in a note and left out.

use std::{net::SocketAddr, path::Path};

use ground::ServerName;
use http::Uri;
use serde_json::{Map, Value};

use crate::{
    Client,
    build::sounds_secret,
    import::{Imported, Server, Source},
    interpolate::is_variable_name,
};

/// The reading of one entry.
pub(super) struct Reading<'a> {
    pub source: &'a Source,
    /// The project that the entry belongs to.
    pub project: Option<&'a Path>,
    /// Where Hostler listens.
    pub own: SocketAddr,
    pub imported: &'a mut Imported,
}

/// Keys that say where a server is, in the spellings of all clients.
const URLS: [&str; 3] = ["url", "serverUrl", "httpUrl"];

/// Keys that are understood.
const KNOWN: [&str; 11] =
    ["command", "args", "env", "cwd", "type", "transport", "headers", "disabled", "url", "serverUrl", "httpUrl"];

impl Reading<'_> {
    pub(super) fn entry(mut self, name: &str, value: &Value) {
        let Some(fields) = value.as_object() else {
            return self.note(name, "left out, because it is not an object");
        };
        if self.is_own(name, fields) {
            return self.note(name, "left out, because it is Hostler's own entry");
        }
        let mut out = Map::new();
        let url = URLS.iter().find_map(|key| fields.get(*key)?.as_str());
        match (fields.get("command").and_then(Value::as_str), url) {
            (Some(command), _) => self.process(name, fields, command, &mut out),
            (None, Some(url)) => {
                if !self.remote(name, fields, url, &mut out) {
                    return;
                }
            }
            (None, None) => return self.note(name, "left out, because it has neither a command nor a URL"),
        }
        if fields.get("disabled") == Some(&Value::Bool(true)) {
            out.insert("enabled".into(), false.into());
        }
        let strange: Vec<_> =
            fields.keys().filter(|key| !KNOWN.contains(&key.as_str())).map(|k| format!("`{k}`")).collect();
        if !strange.is_empty() {
            self.note(name, &format!("not taken over, because Hostler has no such setting: {}", strange.join(", ")));
        }
        let server = ServerName::new(name).unwrap_or_else(|_| ServerName::nearest(name));
        if server.as_str() != name {
            self.note(name, &format!("called `{server}` here, because names have only letters, digits, `-` and `_`"));
        }
        self.imported.servers.push(Server { name: server, definition: out, file: self.source.file.clone() });
    }

    fn process(&mut self, name: &str, fields: &Map<String, Value>, command: &str, out: &mut Map<String, Value>) {
        out.insert("command".into(), self.text(name, command).into());
        let args = fields.get("args").and_then(Value::as_array).into_iter().flatten();
        let args: Vec<Value> = args.filter_map(scalar).map(|text| self.text(name, &text).into()).collect();
        if !args.is_empty() {
            out.insert("args".into(), args.into());
        }
        self.values(name, "env", fields, out);
        if let Some(cwd) = fields.get("cwd").and_then(Value::as_str) {
            out.insert("cwd".into(), self.text(name, cwd).into());
        } else if let Some(project) =
            self.project.and_then(Path::to_str).filter(|_| self.source.client != Client::Plain)
        {
            // The client starts it in the project's folder, and its arguments may count on that.
            out.insert("cwd".into(), project.replace("${", "$${").into());
        }
    }

    /// False when the server cannot be taken.
    fn remote(&mut self, name: &str, fields: &Map<String, Value>, url: &str, out: &mut Map<String, Value>) -> bool {
        let kind = ["type", "transport"].iter().find_map(|key| fields.get(*key)?.as_str());
        if url.starts_with("ws:") || url.starts_with("wss:") {
            self.note(name, "left out, because servers are not reached over WebSocket");
            return false;
        }
        out.insert("url".into(), self.text(name, url).into());
        self.values(name, "headers", fields, out);
        if kind == Some("sse") {
            out.insert("transport".into(), "sse".into());
        }
        true
    }

    /// A mapping of names to values that may be secrets.
    fn values(&mut self, name: &str, block: &str, fields: &Map<String, Value>, out: &mut Map<String, Value>) {
        let mut values = Map::new();
        for (key, value) in fields.get(block).and_then(Value::as_object).into_iter().flatten() {
            let Some(text) = scalar(value) else {
                self.note(name, &format!("`{block}.{key}` is left out, because it has no value"));
                continue;
            };
            let text = self.text(name, &text);
            if sounds_secret(key) && !text.is_empty() && !text.contains("${") {
                let variable = key.to_ascii_uppercase().replace('-', "_");
                self.note(
                    name,
                    &format!(
                        "`{block}.{key}` holds a secret as it stands; better: `${{{variable}}}` or `${{file:...}}`"
                    ),
                );
            }
            values.insert(key.clone(), text.into());
        }
        if !values.is_empty() {
            out.insert(block.into(), values.into());
        }
    }

    /// A text with the client's references in Hostler's spelling.
    fn text(&mut self, name: &str, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("${") {
            out.push_str(before);
            let Some((inner, after)) = from.split_once('}') else {
                out.push_str("$${");
                rest = from;
                continue;
            };
            out.push_str(&self.reference(name, inner));
            rest = after;
        }
        out + rest
    }

    fn reference(&mut self, name: &str, inner: &str) -> String {
        let variable = inner.strip_prefix("env:").unwrap_or(inner);
        if is_variable_name(variable.split(":-").next().unwrap_or_default()) {
            return self.predefined(variable).unwrap_or_else(|| format!("${{{variable}}}"));
        }
        if let Some(id) = inner.strip_prefix("input:") {
            let variable = variable_for(id);
            self.note(
                name,
                &format!("`${{{inner}}}` was asked for by the client; set the variable `{variable}` instead"),
            );
            return format!("${{{variable}}}");
        }
        match inner {
            "pathSeparator" | "/" => "/".into(),
            _ => {
                self.note(name, &format!("`${{{inner}}}` means nothing here and stays as it is"));
                format!("$${{{inner}}}")
            }
        }
    }

    /// What clients themselves put in place of some names.
    fn predefined(&self, name: &str) -> Option<String> {
        let project = || self.project.and_then(Path::to_str).map(|path| path.replace("${", "$${"));
        match name {
            "userHome" => Some("${HOME}".into()),
            "workspaceFolder" => project(),
            "workspaceFolderBasename" => self.project?.file_name()?.to_str().map(str::to_owned),
            "pathSeparator" => Some("/".into()),
            _ => None,
        }
    }

    /// Whether an entry leads to Hostler itself, which would then wait for itself.
    fn is_own(&self, name: &str, fields: &Map<String, Value>) -> bool {
        let command = fields.get("command").and_then(Value::as_str).map(Path::new).and_then(Path::file_name);
        let args = || fields.get("args").and_then(Value::as_array).into_iter().flatten();
        if command.is_some_and(|program| program == ground::PRODUCT) && args().any(|arg| arg == "connect") {
            return true;
        }
        let url = URLS.iter().find_map(|key| fields.get(*key)?.as_str()?.parse::<Uri>().ok());
        let Some(host) = url.as_ref().and_then(Uri::host) else { return false };
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        let here = host == "localhost" || address.is_ok_and(|ip| ip.is_loopback() || ip == self.own.ip());
        let port = url.as_ref().and_then(Uri::port_u16).unwrap_or(80);
        here && (port == self.own.port() || name == ground::PRODUCT)
    }

    fn note(&mut self, name: &str, text: &str) {
        self.imported.note(self.source, Some(name), text);
    }
}

/// Tells what the variables stand for that take the place of inputs.
pub(super) fn describe_inputs(inputs: &[Value], source: &Source, imported: &mut Imported) {
    for input in inputs {
        let (Some(id), Some(description)) = (input["id"].as_str(), input["description"].as_str()) else { continue };
        let variable = variable_for(id);
        if imported.notes.iter().any(|note| note.text.contains(&format!("`{variable}`"))) {
            imported.note(source, None, format!("`{variable}` stands for: {description}"));
        }
    }
}

/// The variable that takes the place of an input.
fn variable_for(id: &str) -> String {
    let name: String =
        id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if is_variable_name(&name) { name } else { format!("INPUT_{name}") }
}

/// A text, a number or a truth value, as text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}
