//! The faces of all views, kept up to date as servers' lists change, and read by calls without a lock.

use std::sync::Arc;

use arc_swap::ArcSwap;
use foldhash::{HashMap, HashMapExt};
use parking_lot::Mutex;
use plan::{Plan, View};
use upstream::{Fleet, ListKind};

use crate::face::Face;

/// Faces kept for clients with capabilities of their own; beyond it the plain face serves.
const PROFILES: usize = 256;

/// The faces of each view, by the group of clients that sees them: all with the same capabilities.
type Faces = HashMap<String, HashMap<Option<u64>, Arc<Face>>>;

/// The faces.
#[derive(Default)]
pub struct Views {
    faces: ArcSwap<Faces>,
    writing: Mutex<()>,
}

/// A list that changed for one group of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The view.
    pub view: String,
    /// The group.
    pub profile: Option<u64>,
    /// The lists.
    pub lists: Vec<ListKind>,
}

impl Views {
    /// The face of a view for a group of clients.
    #[must_use]
    pub fn face(&self, view: &View, profile: Option<u64>, fleet: &Fleet) -> Arc<Face> {
        if let Some(face) = self.faces.load().get(view.name.as_str()).and_then(|groups| groups.get(&profile)) {
            return face.clone();
        }
        let _writing = self.writing.lock();
        let face = Arc::new(build(view, profile, fleet));
        let mut faces = (**self.faces.load()).clone();
        let groups = faces.entry(view.name.clone()).or_default();
        if groups.len() < PROFILES || profile.is_none() {
            groups.insert(profile, face.clone());
            self.faces.store(Arc::new(faces));
        }
        face
    }

    /// Builds all faces anew and tells what changed.
    pub fn refresh(&self, plan: &Plan, fleet: &Fleet) -> Vec<Change> {
        let _writing = self.writing.lock();
        let old = self.faces.load_full();
        let mut new = Faces::with_capacity(old.len());
        let mut changes = Vec::new();
        for (name, groups) in old.iter() {
            let Some(view) = plan.views.iter().find(|view| view.name == *name) else { continue };
            for (profile, before) in groups {
                let face = build(view, *profile, fleet);
                let lists = face.differs(before);
                if !lists.is_empty() {
                    changes.push(Change { view: name.clone(), profile: *profile, lists });
                }
                new.entry(name.clone()).or_default().insert(*profile, Arc::new(face));
            }
        }
        self.faces.store(Arc::new(new));
        changes
    }
}

fn build(view: &View, profile: Option<u64>, fleet: &Fleet) -> Face {
    let servers = fleet.all();
    Face::build(view, |name| servers.get(name).map(|server| server.catalog(profile)))
}
