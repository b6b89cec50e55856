//! What a view shows at one moment: the lists under their exposed names, and whose each name is.
//!
//! Built by the control plane whenever a server's lists change; the path only looks names up.

use std::sync::Arc;

use bytes::Bytes;
use foldhash::{HashMap, HashMapExt};
use ground::ServerName;
use plan::{Filter, Selection, View};
use upstream::{Catalog, Entry, ListKind};
use wire::{Span, Splice, names};

/// One entry of a list, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The exposed name or URI.
    pub key: String,
    /// The whole object.
    pub raw: Bytes,
}

/// Whose a name is, and what its server calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The server.
    pub server: ServerName,
    /// Its own name or URI for it.
    pub name: Arc<str>,
}

/// A view at one moment.
#[derive(Debug, Default)]
pub struct Face {
    lists: [Vec<Shown>; 4],
    names: [HashMap<String, Arc<Origin>>; 4],
}

impl Face {
    /// Shows what the selections of a view take from their servers' catalogs.
    #[must_use]
    pub fn build(view: &View, catalog: impl Fn(&ServerName) -> Option<Arc<Catalog>>) -> Self {
        let mut face = Self { lists: Default::default(), names: std::array::from_fn(|_| HashMap::new()) };
        for selection in &view.selections {
            let Some(catalog) = catalog(&selection.server) else { continue };
            for kind in ListKind::ALL {
                for entry in catalog.list(kind) {
                    face.add(view, selection, kind, entry);
                }
            }
        }
        face
    }

    fn add(&mut self, view: &View, selection: &Selection, kind: ListKind, entry: &Entry) {
        if !filter(selection, kind).lets(&entry.key) {
            return;
        }
        let face = (kind == ListKind::Tools).then(|| selection.overrides.get(&entry.key)).flatten();
        let key = match face.and_then(|face| face.name.clone()) {
            Some(name) => name,
            None => exposed(view.prefix, &selection.server, kind, &entry.key),
        };
        let names = &mut self.names[slot(kind)];
        if names.contains_key(&key) {
            tracing::warn!(view = view.name, name = key, server = %selection.server, "the name is taken by an earlier server; this entry is left out");
            return;
        }
        let origin = Origin { server: selection.server.clone(), name: entry.key.as_str().into() };
        names.insert(key.clone(), Arc::new(origin));
        let raw = dressed(entry, kind, &key, face.and_then(|face| face.description.as_deref()));
        self.lists[slot(kind)].push(Shown { key, raw });
    }

    /// The entries of a list, in a stable order: that of the view's servers, then each server's own.
    #[must_use]
    pub fn list(&self, kind: ListKind) -> &[Shown] {
        &self.lists[slot(kind)]
    }

    /// Whose an exposed name is.
    #[must_use]
    pub fn origin(&self, kind: ListKind, name: &str) -> Option<Arc<Origin>> {
        self.names[slot(kind)].get(name).cloned()
    }

    /// The lists in which two faces differ.
    #[must_use]
    pub fn differs(&self, other: &Self) -> Vec<ListKind> {
        ListKind::ALL.into_iter().filter(|kind| self.list(*kind) != other.list(*kind)).collect()
    }
}

/// The filter of a selection for one kind of entry.
#[must_use]
pub fn filter(selection: &Selection, kind: ListKind) -> &Filter {
    match kind {
        ListKind::Tools => &selection.tools,
        ListKind::Prompts => &selection.prompts,
        ListKind::Resources | ListKind::Templates => &selection.resources,
    }
}

fn exposed(prefix: bool, server: &ServerName, kind: ListKind, key: &str) -> String {
    match kind {
        _ if !prefix => key.to_owned(),
        ListKind::Tools | ListKind::Prompts => names::federated(server, key),
        ListKind::Resources | ListKind::Templates => names::federated_uri(server, key),
    }
}

/// The entry under its exposed name and description; nothing else of it changes.
fn dressed(entry: &Entry, kind: ListKind, key: &str, description: Option<&str>) -> Bytes {
    let mut splice = Splice::new(entry.raw.clone());
    if key != entry.key
        && let Some(span) = wire::field(&entry.raw, kind.key()).and_then(|raw| Span::within(&entry.raw, raw))
    {
        splice.replace(span, wire::quote(key).into_bytes());
    }
    if let Some(description) = description {
        let described = wire::field(&entry.raw, "description").and_then(|raw| Span::within(&entry.raw, raw));
        match described {
            Some(span) => splice.replace(span, wire::quote(description).into_bytes()),
            // Right after the opening brace; every entry has at least its key, so a comma follows.
            None => {
                let inside = wire::Span { start: 1, end: 1 };
                splice.replace(inside, format!("\"description\":{},", wire::quote(description)).into_bytes());
            }
        }
    }
    splice.into_bytes()
}

const fn slot(kind: ListKind) -> usize {
    match kind {
        ListKind::Tools => 0,
        ListKind::Prompts => 1,
        ListKind::Resources => 2,
        ListKind::Templates => 3,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use plan::{Override, Pattern};

    use super::*;

    fn catalog(tools: &[&str]) -> Arc<Catalog> {
        let mut catalog = Catalog::default();
        let raws = tools.iter().map(|name| {
            Bytes::from(format!("{{\"name\":\"{name}\",\"big\":12345678901234567890,\"x\":{{\"name\":1}}}}"))
        });
        catalog.set(ListKind::Tools, raws);
        let uris = ["file:///a"].iter().map(|uri| Bytes::from(format!("{{\"uri\":\"{uri}\",\"name\":\"a\"}}")));
        catalog.set(ListKind::Resources, uris);
        Arc::new(catalog)
    }

    fn view(selections: Vec<Selection>) -> View {
        View { name: String::new(), prefix: true, instructions: None, selections }
    }

    #[test]
    fn names_are_prefixed_and_lead_back() {
        let (a, b) = (ServerName::new("a").unwrap(), ServerName::new("b_1").unwrap());
        let face = Face::build(&view(vec![Selection::all_of(a), Selection::all_of(b.clone())]), |_| {
            Some(catalog(&["read", "write"]))
        });
        let keys: Vec<_> = face.list(ListKind::Tools).iter().map(|s| s.key.as_str()).collect();
        assert_eq!(keys, ["a__read", "a__write", "b_1__read", "b_1__write"]);
        assert_eq!(
            face.list(ListKind::Tools)[0].raw,
            "{\"name\":\"a__read\",\"big\":12345678901234567890,\"x\":{\"name\":1}}"
        );
        assert_eq!(*face.origin(ListKind::Tools, "b_1__write").unwrap(), Origin { server: b, name: "write".into() });
        assert_eq!(face.list(ListKind::Resources)[1].key, "b.1+file:///a");
    }

    #[test]
    fn selections_choose_rename_and_describe() {
        let mut selection = Selection::all_of(ServerName::new("a").unwrap());
        selection.tools = Filter { allow: vec![Pattern::new("r*")], deny: vec![Pattern::new("*_raw")] };
        selection
            .overrides
            .insert("read".into(), Override { name: Some("get".into()), description: Some("Gets \"it\"".into()) });
        let face = Face::build(&view(vec![selection]), |_| Some(catalog(&["read", "read_raw", "write"])));
        let shown = face.list(ListKind::Tools);
        assert_eq!(shown.len(), 1);
        assert!(shown[0].raw.starts_with(b"{\"description\":\"Gets \\\"it\\\"\",\"name\":\"get\","));
        assert_eq!(face.origin(ListKind::Tools, "get").unwrap().name.as_ref(), "read");
        assert!(face.origin(ListKind::Tools, "a__read").is_none());
    }
}
