//! What `/mcp` and the virtual servers offer.
//!
//! Never asks a server what it has: whether a pattern or a new name meets a tool shows only when the server runs.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use ground::ServerName;
use plan::{Filter, Override, Pattern, Selection, View};

use crate::{
    build::{Build, servers::Fleet},
    document::{self, Choice},
    key::Key,
    near,
};

/// Longest name of a tool, in characters, as the specification recommends it.
const LONGEST_TOOL_NAME: usize = 128;

impl Build<'_> {
    /// The federated view first, then the virtual servers in the order of the file.
    pub(super) fn views(
        &mut self,
        federated: Option<document::View>,
        mut named: BTreeMap<String, document::View>,
        fleet: &Fleet,
    ) -> Vec<Arc<View>> {
        let mut views = vec![self.federated(federated.unwrap_or_default(), fleet)];
        let at = Key::root().name("virtual");
        for name in self.in_file_order(&at, named.keys()) {
            let Some(view) = named.remove(&name) else { continue };
            let key = at.name(&name);
            if let Err(fault) = ServerName::new(&name) {
                let remedy = format!("rename it, for example to `{}`", ServerName::nearest(&name));
                self.error_at_key(&key, fault.replace("server name", "virtual server's name"), Some(&remedy));
            }
            views.push(self.view(&key, name, view, fleet));
        }
        views.into_iter().map(Arc::new).collect()
    }

    fn federated(&mut self, view: document::View, fleet: &Fleet) -> View {
        let key = Key::root().name("federated");
        if view.servers.is_some() || self.is_bad(&key.name("servers")) {
            return self.view(&key, String::new(), view, fleet);
        }
        let selections = fleet.order.iter().cloned().map(Selection::all_of).collect();
        let prefix = view.prefix.unwrap_or(true);
        self.warn_of_collisions(&key, prefix, fleet.order.len());
        View { name: String::new(), prefix, instructions: view.instructions, selections }
    }

    fn view(&mut self, key: &Key, name: String, view: document::View, fleet: &Fleet) -> View {
        let mut servers = view.servers.unwrap_or_default();
        let at = key.name("servers");
        if servers.is_empty() && !self.is_bad(&at) {
            self.warn(
                key,
                "this offers nothing, because it takes from no server",
                Some("name servers under `servers`"),
            );
        }
        let mut selections = Vec::new();
        let mut taken = HashMap::new();
        for server in self.in_file_order(&at, servers.keys()) {
            let Some(selection) = servers.remove(&server) else { continue };
            let selected = self.selection(&at.name(&server), &server, selection, &mut taken);
            let Some(known) = fleet.order.iter().find(|known| known.as_str() == server) else {
                self.absent(&at.name(&server), &server, fleet);
                continue;
            };
            selections.push(Selection { server: known.clone(), ..selected });
        }
        let prefix = view.prefix.unwrap_or(true);
        self.warn_of_collisions(key, prefix, selections.len());
        View { name, prefix, instructions: view.instructions, selections }
    }

    /// Reports a server that a view names but that is not served.
    fn absent(&mut self, key: &Key, name: &str, fleet: &Fleet) {
        if fleet.off.iter().any(|off| off == name) {
            self.report_at_key_as_warning(key, "this server is switched off, so nothing is taken from it");
        } else if !fleet.named.iter().any(|named| named == name) {
            let remedy = near::remedy(name, fleet.named.iter().map(String::as_str));
            self.error_at_key(key, format!("there is no server `{name}`"), remedy.as_deref());
        }
    }

    fn report_at_key_as_warning(&mut self, key: &Key, message: &str) {
        let place = self.spot(key).key;
        self.report(crate::Severity::Warning, key, place, message.into(), None);
    }

    fn warn_of_collisions(&mut self, key: &Key, prefix: bool, servers: usize) {
        if !prefix && servers > 1 {
            self.warn(
                &key.name("prefix"),
                "without prefixes, only the first of several tools, prompts or resources of one name can be reached",
                Some("rename what collides, or remove `prefix: false`"),
            );
        }
    }

    fn selection(
        &mut self,
        key: &Key,
        server: &str,
        selection: document::Selection,
        taken: &mut HashMap<String, String>,
    ) -> Selection {
        let tools = self.filter(&key.name("tools"), selection.tools);
        let prompts = self.filter(&key.name("prompts"), selection.prompts);
        let resources = self.filter(&key.name("resources"), selection.resources);
        let mut overrides: BTreeMap<String, Override> = BTreeMap::new();
        for (tool, name) in selection.rename.unwrap_or_default() {
            let key = key.name("rename").name(&tool);
            self.new_name(&key, server, &name, taken);
            self.warn_if_hidden(&key, &tool, &tools);
            overrides.entry(tool).or_default().name = Some(name);
        }
        for (tool, description) in selection.describe.unwrap_or_default() {
            self.warn_if_hidden(&key.name("describe").name(&tool), &tool, &tools);
            overrides.entry(tool).or_default().description = Some(description);
        }
        // The name is put in by the caller, once it is known to exist.
        Selection { tools, prompts, resources, overrides, ..Selection::all_of(ServerName::nearest(server)) }
    }

    fn filter(&mut self, key: &Key, choice: Option<Choice>) -> Filter {
        let choice = choice.unwrap_or_default();
        let mut patterns = |side: &str, texts: Option<Vec<String>>| {
            let texts = texts.unwrap_or_default();
            for (index, _) in texts.iter().enumerate().filter(|(_, text)| text.is_empty()) {
                self.error(&key.name(side).index(index), "an empty pattern matches nothing", Some("remove it"));
            }
            texts.into_iter().map(Pattern::new).collect()
        };
        Filter { allow: patterns("allow", choice.allow), deny: patterns("deny", choice.deny) }
    }

    /// Checks a new name by the specification's rule for tool names, and that no other tool of the view has it.
    fn new_name(&mut self, key: &Key, server: &str, name: &str, taken: &mut HashMap<String, String>) {
        let fits = (1..=LONGEST_TOOL_NAME).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        if !fits {
            let remedy = "a tool's name has 1 to 128 letters, digits, `_`, `-` and `.`";
            self.error(key, format!("{} cannot be a tool's name", self.shown(key)), Some(remedy));
        }
        if let Some(other) = taken.insert(name.to_owned(), server.to_owned()) {
            let message = format!("{} is already the new name of a tool of `{other}`", self.shown(key));
            self.error(key, message, Some("every tool of a view needs a name of its own"));
        }
    }

    fn warn_if_hidden(&mut self, key: &Key, tool: &str, tools: &Filter) {
        if !tools.lets(tool) {
            self.warn(key, format!("`{tool}` is not let through by `tools`, so this changes nothing"), None);
        }
    }
}
