//! Loading: file to text, text to tree, tree to document, document to `Plan`.
//!
//! Never changes anything that is running: what becomes of the plan is the caller's business.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use plan::Plan;
use serde::Deserialize;
use upstream::spec::Builtin;

use crate::{
    Problem, Severity, Surroundings,
    build::Build,
    document::{Document, Server},
    fit::{Fit, Spots},
    interpolate::Interpolation,
    problem::in_order,
    schema, tree,
};

/// The servers inside this program, by the names that the configuration uses.
pub type Builtins = BTreeMap<String, Builtin>;

/// The builtin server that runs when there is no configuration file.
const DEMO: &str = "demo";

/// Largest configuration file, in bytes.
const LARGEST_FILE: u64 = 4 << 20;

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it decides.
    pub plan: Plan,
    /// The file it came from; none when there is only the built-in default.
    pub file: Option<PathBuf>,
    /// What is odd about it.
    pub warnings: Vec<Problem>,
    /// Files that values were taken from by `${file:...}`.
    pub value_files: Vec<PathBuf>,
    /// Keys of values that look like secrets and stand in the file itself.
    pub literal_secrets: Vec<String>,
}

/// Loads a configuration file, or the default without one: the builtin server `demo` on loopback.
///
/// # Errors
/// All that is wrong with the file, in the order of the file, warnings among it.
pub fn load(file: Option<&Path>, builtins: &Builtins) -> Result<Loaded, Vec<Problem>> {
    load_in(&Surroundings::of_process(), file, builtins)
}

/// As [`load`], in given surroundings.
///
/// # Errors
/// As [`load`].
pub fn load_in(surroundings: &Surroundings, file: Option<&Path>, builtins: &Builtins) -> Result<Loaded, Vec<Problem>> {
    attempt(surroundings, file, builtins).0
}

/// Loads a configuration; says also after a failure which files values were to be taken from.
pub(crate) fn attempt(
    surroundings: &Surroundings,
    file: Option<&Path>,
    builtins: &Builtins,
) -> (Result<Loaded, Vec<Problem>>, Vec<PathBuf>) {
    let Some(file) = file else { return (default(surroundings, builtins), Vec::new()) };
    match read(&surroundings.working_directory().join(file)) {
        Ok(text) => attempt_text(surroundings, &text, Some(file), builtins),
        Err(what) => {
            let problem = Problem::error(Some(file.to_owned()), what).with_remedy("it must be a readable text file");
            (Err(vec![problem]), Vec::new())
        }
    }
}

/// Reads a file within the bound on its size.
pub(crate) fn read(file: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|open| open.take(LARGEST_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {}", error.kind()))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err("is larger than 4 MiB".into());
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text")?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Loads a configuration from its text.
fn attempt_text(
    surroundings: &Surroundings,
    text: &str,
    file: Option<&Path>,
    builtins: &Builtins,
) -> (Result<Loaded, Vec<Problem>>, Vec<PathBuf>) {
    let node = match tree::parse(text, file) {
        Ok(node) => node,
        Err(problem) => return (Err(vec![problem]), Vec::new()),
    };
    let base = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let mut fit = Fit::new(schema::of_types(), file, Interpolation::new(surroundings, base));
    let fitted = fit.document(&node);
    let Fit { mut problems, spots, bad, interpolation, .. } = fit;
    let value_files = interpolation.files;
    let Ok(document) = Document::deserialize(fitted) else {
        // The schema comes from these types, so what fits it is accepted by them.
        problems.push(Problem::error(file.map(Path::to_owned), "the file fits the schema but cannot be read"));
        return (Err(problems), value_files);
    };
    let mut build =
        Build { spots: &spots, bad: &bad, file, base, surroundings, builtins, problems, literal_secrets: Vec::new() };
    let plan = build.plan(document);
    let Build { problems, literal_secrets, .. } = build;
    (finish(plan, file, problems, value_files.clone(), literal_secrets), value_files)
}

fn finish(
    plan: Plan,
    file: Option<&Path>,
    problems: Vec<Problem>,
    value_files: Vec<PathBuf>,
    literal_secrets: Vec<String>,
) -> Result<Loaded, Vec<Problem>> {
    let problems = in_order(problems);
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(problems);
    }
    Ok(Loaded { plan, file: file.map(Path::to_owned), warnings: problems, value_files, literal_secrets })
}

/// What Hostler does without a file.
fn default(surroundings: &Surroundings, builtins: &Builtins) -> Result<Loaded, Vec<Problem>> {
    let mut document = Document::default();
    if builtins.contains_key(DEMO) {
        let demo = Server { builtin: Some(DEMO.into()), ..Server::default() };
        document.servers = Some([(DEMO.to_owned(), demo)].into());
    }
    let (spots, bad) = (Spots::new(), std::collections::HashSet::new());
    let base = Path::new("");
    let (problems, literal_secrets) = (Vec::new(), Vec::new());
    let mut build =
        Build { spots: &spots, bad: &bad, file: None, base, surroundings, builtins, problems, literal_secrets };
    let plan = build.plan(document);
    let problems = build.problems;
    finish(plan, None, problems, Vec::new(), Vec::new())
}

#[cfg(test)]
mod tests;
