//! What a server offers: its lists, fetched page by page and kept as the bytes it sent.

use std::sync::Arc;

use bytes::Bytes;
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use ground::{Failure, Kind, Retry};
use wire::{
    Shape,
    era::{Era, MODERN},
    param_header::{ParamHeader, param_headers},
};

use crate::{
    hello::{Features, own_info},
    http::pool::Pool,
    link::Link,
    message::{Message, Outgoing},
};

/// Pages fetched of one list; a server that never ends its list is cut off here.
const PAGES: usize = 1000;
/// Entries kept of one list.
const ENTRIES: usize = 20_000;
/// Bytes kept of one list.
const BYTES: usize = 64 << 20;

/// The four lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// `tools/list`
    Tools,
    /// `prompts/list`
    Prompts,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
}

impl ListKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tools, Self::Prompts, Self::Resources, Self::Templates];

    /// The method that lists them.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
        }
    }

    /// The kind that a method lists.
    #[must_use]
    pub fn of_method(method: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.method() == method)
    }

    /// The member of the result that holds the entries.
    #[must_use]
    pub const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }

    /// The member of an entry that identifies it.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
        }
    }

    /// The notification that says the list changed. Templates change with resources.
    #[must_use]
    pub const fn changed(self) -> &'static str {
        match self {
            Self::Tools => "notifications/tools/list_changed",
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources | Self::Templates => "notifications/resources/list_changed",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Tools => 0,
            Self::Prompts => 1,
            Self::Resources => 2,
            Self::Templates => 3,
        }
    }

    fn offered(self, features: Features) -> bool {
        match self {
            Self::Tools => features.tools,
            Self::Prompts => features.prompts,
            Self::Resources | Self::Templates => features.resources,
        }
    }
}

/// One tool, prompt, resource or template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What identifies it at its server.
    pub key: String,
    /// The whole object, as the server sent it.
    pub raw: Bytes,
}

/// All that a server offers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalog {
    lists: [Vec<Entry>; 4],
    keys: [HashSet<String>; 4],
    /// Of tools that ask for some of their arguments in headers: which.
    headers: HashMap<String, Vec<ParamHeader>>,
}

impl Catalog {
    /// The entries of one list, in the server's order.
    #[must_use]
    pub fn list(&self, kind: ListKind) -> &[Entry] {
        &self.lists[kind.index()]
    }

    /// Whether a list has an entry of this key.
    #[must_use]
    pub fn has(&self, kind: ListKind, key: &str) -> bool {
        self.keys[kind.index()].contains(key)
    }

    /// The entry of this key.
    #[must_use]
    pub fn entry(&self, kind: ListKind, key: &str) -> Option<&Entry> {
        self.list(kind).iter().find(|entry| entry.key == key)
    }

    /// The headers that a call of a tool must carry beside its arguments; none for nearly every tool.
    #[must_use]
    pub fn headers(&self, tool: &str) -> &[ParamHeader] {
        if self.headers.is_empty() {
            return &[];
        }
        self.headers.get(tool).map_or(&[], Vec::as_slice)
    }

    /// Puts a list in place. Entries without a key are left out, and so are tools whose `x-mcp-header` break the rules;
    /// of entries with the same key the first is kept.
    pub fn set(&mut self, kind: ListKind, raws: impl Iterator<Item = Bytes>) {
        let mut seen = HashSet::new();
        let mut headers = HashMap::new();
        let entries = raws.filter_map(|raw| {
            let key = wire::text(wire::field(&raw, kind.key())?)?.into_owned();
            if kind == ListKind::Tools {
                match param_headers(wire::field(&raw, "inputSchema").unwrap_or_default()) {
                    Ok(wanted) if wanted.is_empty() => {}
                    Ok(wanted) => _ = headers.insert(key.clone(), wanted),
                    Err(invalid) => {
                        tracing::warn!(tool = key, %invalid, "a tool is left out: its definition breaks the rules");
                        return None;
                    }
                }
            }
            seen.insert(key.clone()).then_some(Entry { key, raw })
        });
        self.lists[kind.index()] = entries.take(ENTRIES).collect();
        self.keys[kind.index()] = seen;
        if kind == ListKind::Tools {
            self.headers = headers;
        }
    }
}

/// Fetches all lists that the server says it has. A list that fails is told apart, so that one broken list does not
/// hide the others.
///
/// # Errors
/// The first failure, when no list at all could be fetched.
pub async fn fetch(link: &Arc<Link>, pool: &Arc<Pool>, known: &Catalog) -> Result<Catalog, Failure> {
    let features = link.hello().map(|hello| hello.features).unwrap_or_default();
    let mut catalog = Catalog::default();
    let mut first_failure = None;
    let mut fetched = 0;
    for kind in ListKind::ALL.into_iter().filter(|kind| kind.offered(features)) {
        match fetch_list(link, pool, kind).await {
            Ok(raws) => {
                catalog.set(kind, raws.into_iter());
                fetched += 1;
            }
            Err(failure) if failure.kind() == Kind::MethodNotFound => fetched += 1,
            Err(failure) => {
                tracing::warn!(server = %link.server(), list = kind.method(), %failure, "a list could not be fetched; the remembered one stays");
                catalog.set(kind, known.list(kind).iter().map(|entry| entry.raw.clone()));
                first_failure.get_or_insert(failure);
            }
        }
    }
    match first_failure {
        Some(failure) if fetched == 0 => Err(failure),
        _ => Ok(catalog),
    }
}

async fn fetch_list(link: &Arc<Link>, pool: &Arc<Pool>, kind: ListKind) -> Result<Vec<Bytes>, Failure> {
    let mut entries = Vec::new();
    let mut bytes = 0;
    let mut cursor: Option<Bytes> = None;
    for page in 0..PAGES {
        let answer = link.ask(pool, page_request(link, kind, page, cursor.as_deref())?).await?;
        let result = page_result(link, kind, &answer)?;
        if let Some(array) = wire::field(&result, kind.member()).filter(|v| v.first() == Some(&b'[')) {
            entries.extend(wire::elements(array).map(|raw| result.slice_ref(raw)));
        }
        bytes += result.len();
        if entries.len() > ENTRIES || bytes > BYTES {
            tracing::warn!(server = %link.server(), list = kind.method(), "the list is cut off at its bound");
            break;
        }
        let next = wire::field(&result, "nextCursor").filter(|raw| raw.first() == Some(&b'"'));
        let next = next.map(|raw| result.slice_ref(raw));
        if next.is_none() || next == cursor {
            break;
        }
        cursor = next;
    }
    Ok(entries)
}

fn page_request(link: &Link, kind: ListKind, page: usize, cursor: Option<&[u8]>) -> Result<Box<Outgoing>, Failure> {
    let mut params = b"{".to_vec();
    if let Some(cursor) = cursor {
        params.extend_from_slice(b"\"cursor\":");
        params.extend_from_slice(cursor);
    }
    if link.era() == Era::Modern {
        if cursor.is_some() {
            params.push(b',');
        }
        params.extend_from_slice(b"\"_meta\":");
        params.extend_from_slice(&wire::build::modern_meta(MODERN, own_info().as_bytes(), b"{}", None));
    }
    params.push(b'}');
    let id = format!("\"hostler-{}-{page}\"", kind.member());
    Outgoing::own(wire::build::request(id.as_bytes(), kind.method(), Some(&params)), link.era())
        .map_err(|fault| Failure::gateway(Kind::Internal, "a list request is malformed").with_detail(fault))
}

fn page_result(link: &Link, kind: ListKind, answer: &Message) -> Result<Bytes, Failure> {
    if let (Shape::Response, Some(result)) = (answer.envelope.kind, answer.envelope.result) {
        return Ok(answer.share(result));
    }
    let missing = answer.envelope.error_code == Some(wire::era::code::METHOD_NOT_FOUND);
    let failure_kind = if missing { Kind::MethodNotFound } else { Kind::Protocol };
    let text = format!("server `{}` answered {} with an error", link.server(), kind.method());
    let failure = Failure::server(failure_kind, link.server(), Retry::MaybeSent, text);
    Err(failure.with_detail(String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)])))
}
