//! What one server needs.
//!
//! Never opens a connection: a URL is judged by its looks.

use std::path::Path;

use upstream::spec::{Origin, ProcessSpec, RemoteSpec, Spec};

use crate::{
    Finding, Surroundings,
    doctor::programs::{self, Runtimes},
};

/// Runtimes below these versions are too old for most servers.
const OLDEST: [(&str, (u32, u32)); 3] = [("node", (18, 0)), ("python3", (3, 10)), ("python", (3, 10))];

/// What there is to say of a server.
pub(super) fn server(surroundings: &Surroundings, spec: &Spec, runtimes: &Runtimes) -> Vec<Finding> {
    let subject = format!("server {}", spec.name);
    match &spec.origin {
        Origin::Process(process) => self::process(surroundings, subject, process, runtimes),
        Origin::Remote(remote) => vec![self::remote(subject, remote)],
        Origin::Builtin(builtin) => vec![Finding::ok(subject, format!("`{}` is built in", builtin.name))],
    }
}

fn process(surroundings: &Surroundings, subject: String, process: &ProcessSpec, runtimes: &Runtimes) -> Vec<Finding> {
    let command = &process.command;
    let path =
        process.env.get("PATH").map(String::as_str).or_else(|| surroundings.variable("PATH")).unwrap_or_default();
    let (program, remedy) = if command.contains('/') {
        let file = Path::new(command);
        (
            programs::is_executable(file).then(|| file.to_owned()),
            "check the path, and that the file may be executed".into(),
        )
    } else {
        (programs::find(command, path), programs::install(command))
    };
    let mut findings = vec![match program {
        Some(program) => Finding::ok(&subject, format!("starts {}", program.display())),
        None if Path::new(command).is_file() => {
            Finding::error(&subject, format!("`{command}` may not be executed"), format!("chmod +x {command}"))
        }
        None => Finding::error(&subject, format!("the program `{command}` is not found"), remedy),
    }];
    if let Some(cwd) = process.cwd.as_ref().filter(|cwd| !cwd.is_dir()) {
        let what = format!("the working directory {} does not exist", cwd.display());
        findings.push(Finding::error(&subject, what, "make it, or mend `cwd`"));
    }
    findings.extend(too_old(&subject, command, runtimes));
    findings
}

/// A runtime that most servers are too new for.
fn too_old(subject: &str, command: &str, runtimes: &Runtimes) -> Option<Finding> {
    let runtime = programs::runtime_of(command)?;
    let runtime = if matches!(runtime.as_str(), "npx" | "npm") { "node" } else { &runtime };
    let (_, oldest) = OLDEST.iter().find(|(name, _)| *name == runtime)?;
    let version = runtimes.get(runtime)?.version.as_ref()?;
    (programs::numbers(version)? < *oldest).then(|| {
        let what = format!("{runtime} {version} is too old for most servers");
        Finding::warning(subject, what, format!("install {runtime} {}.{} or later", oldest.0, oldest.1))
    })
}

fn remote(subject: String, remote: &RemoteSpec) -> Finding {
    let host = remote.url.host().unwrap_or_default();
    let bare = host.trim_matches(['[', ']']);
    let here = bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if remote.url.scheme_str() == Some("http") && !here {
        let what = format!("is reached at {host} without encryption, headers with secrets included");
        return Finding::warning(subject, what, "write `https://` if the server offers it");
    }
    Finding::ok(subject, format!("is reached at {host}"))
}
