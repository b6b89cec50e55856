//! From the document, whose values fit, to a `Plan`, whose parts fit each other.
//!
//! Tells all that is wrong at once. Never reads the file again and never starts or connects to anything.

mod front;
mod servers;
mod views;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use garde::Validate;
use plan::Plan;
pub(crate) use servers::sounds_secret;

use crate::{
    Builtins, Problem, Severity, Surroundings,
    document::Document,
    fit::{Spot, Spots},
    key::Key,
};

/// What building needs to know besides the document, and what it finds.
pub(crate) struct Build<'a> {
    /// Where values stand.
    pub spots: &'a Spots,
    /// Values that were left out, and already told.
    pub bad: &'a HashSet<Key>,
    /// The file, for messages.
    pub file: Option<&'a Path>,
    /// Where relative paths begin.
    pub base: &'a Path,
    pub surroundings: &'a Surroundings,
    pub builtins: &'a Builtins,
    pub problems: Vec<Problem>,
    /// Keys of values that look like secrets and stand in the file itself.
    pub literal_secrets: Vec<String>,
}

impl Build<'_> {
    /// The plan; only to be used when no problem is an error.
    pub(crate) fn plan(&mut self, mut document: Document) -> Plan {
        self.bounds(&Key::root(), &document);
        let listen = self.listen(&document);
        let guards = self.guards(document.http.take().unwrap_or_default(), &listen);
        let log = self.log(document.log.take().unwrap_or_default());
        let state_dir = self.state_dir(document.state_dir.as_deref());
        let cluster = self.cluster(document.cluster.take().unwrap_or_default());
        let limits = self.limits(&document.limits.take().unwrap_or_default());
        let fleet = self.fleet(&mut document);
        let views = self.views(document.federated.take(), document.virtual_servers.take().unwrap_or_default(), &fleet);
        Plan { listen, guards, cluster, limits, servers: fleet.enabled, views, log, state_dir }
    }

    /// Reports values outside of their bounds.
    fn bounds<T: Validate<Context = ()>>(&mut self, at: &Key, part: &T) {
        let Err(report) = part.validate() else { return };
        for (path, error) in report.iter() {
            // Tuning stands flat in a server.
            let key = at.below(path.to_string().trim_start_matches("tuning."));
            let verb = if error.message().starts_with("must") { "" } else { "is " };
            self.error(&key, format!("{} {verb}{}", self.shown(&key), error.message()), None);
        }
    }

    fn error(&mut self, key: &Key, message: impl Into<String>, remedy: Option<&str>) {
        self.report(Severity::Error, key, self.spot(key).value, message.into(), remedy);
    }

    /// Reports something about a key rather than about its value.
    fn error_at_key(&mut self, key: &Key, message: impl Into<String>, remedy: Option<&str>) {
        self.report(Severity::Error, key, self.spot(key).key, message.into(), remedy);
    }

    fn warn(&mut self, key: &Key, message: impl Into<String>, remedy: Option<&str>) {
        self.report(Severity::Warning, key, self.spot(key).value, message.into(), remedy);
    }

    fn report(
        &mut self,
        severity: Severity,
        key: &Key,
        place: crate::tree::Place,
        message: String,
        remedy: Option<&str>,
    ) {
        self.problems.push(Problem {
            line: place.line,
            column: place.column,
            key: key.to_string(),
            remedy: remedy.map(str::to_owned),
            severity,
            ..Problem::error(self.file.map(Path::to_owned), message)
        });
    }

    fn spot(&self, key: &Key) -> Spot {
        self.spots.get(key).cloned().unwrap_or_default()
    }

    /// A value as messages may show it.
    fn shown(&self, key: &Key) -> String {
        self.spot(key).shown.map_or_else(|| "the value".to_owned(), |text| format!("`{text}`"))
    }

    /// Whether something at the key or below it was left out, so that its absence proves nothing.
    fn is_bad(&self, key: &Key) -> bool {
        self.bad.iter().any(|bad| key.encloses(bad))
    }

    /// The names of a mapping in the order of the file.
    fn in_file_order<'n>(&self, at: &Key, names: impl Iterator<Item = &'n String>) -> Vec<String> {
        let mut names: Vec<String> = names.cloned().collect();
        names.sort_by_key(|name| {
            let place = self.spot(&at.name(name)).key;
            (place.line, place.column)
        });
        names
    }

    /// A path as the file spells it.
    fn path(&self, text: &str) -> PathBuf {
        self.surroundings.path(text, self.base)
    }
}
