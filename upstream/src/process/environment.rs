//! The environment of a server: a short list of Hostler's own variables, then what its configuration sets.
//!
//! Never hands on a variable that is not on the list, so that Hostler's own secrets stay its own.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use crate::spec::ProcessSpec;

/// The variable by which the processes of a tree are found again when their keeper was killed. Its value is different
/// for every start. Servers may ignore it.
pub const TREE_MARK: &str = "HOSTLER_TREE";

/// Variables handed on by their whole name.
const NAMES: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "TERM",
    // Proxies, which programs read in either case.
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    // Certificates of a company's own authority, as OpenSSL, Python's requests and curl name them.
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    // Where a `docker run` or `podman run` finds its service.
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "CONTAINER_HOST",
    "VIRTUAL_ENV",
    // The user's desktop, for servers that open a browser or a window.
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "DBUS_SESSION_BUS_ADDRESS",
];

/// Variables handed on by the beginning of their name.
const PREFIXES: &[&str] = &["LC_", "XDG_", "SSL_CERT_", "NODE_", "NPM_", "npm_config_", "PYTHON", "UV_", "PIP_"];

/// Whether a server inherits the variable of this name from Hostler's own environment.
#[must_use]
pub fn inherited(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| NAMES.contains(&name) || PREFIXES.iter().any(|p| name.starts_with(p)))
}

/// The whole environment of a server. What the configuration sets wins over what is inherited.
pub(super) fn of(spec: &ProcessSpec, mark: &str) -> BTreeMap<OsString, OsString> {
    let mut env: BTreeMap<_, _> = std::env::vars_os().filter(|(name, _)| inherited(name)).collect();
    env.extend(spec.env.iter().map(|(name, value)| (name.into(), value.into())));
    env.insert(TREE_MARK.into(), mark.into());
    env
}

/// A value for [`TREE_MARK`] that no other start has, in this or in another Hostler on the machine.
pub(super) fn fresh_mark() -> String {
    static BEGUN: OnceLock<u128> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let begun = BEGUN.get_or_init(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos()));
    format!("{}-{begun:x}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_variables_are_inherited() {
        for yes in
            ["PATH", "LC_ALL", "XDG_RUNTIME_DIR", "SSL_CERT_FILE", "NODE_OPTIONS", "npm_config_cache", "no_proxy"]
        {
            assert!(inherited(OsStr::new(yes)), "{yes}");
        }
        for no in ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "LD_PRELOAD", "DATABASE_URL", "PATHX", "SSH_AUTH_SOCK", ""]
        {
            assert!(!inherited(OsStr::new(no)), "{no}");
        }
    }

    #[test]
    fn the_configuration_wins_and_every_mark_is_fresh() {
        let spec = ProcessSpec {
            command: "x".into(),
            args: vec![],
            env: [("HOME".to_owned(), "/nowhere".to_owned())].into(),
            cwd: None,
        };
        let env = of(&spec, "mark");
        assert_eq!(env.get(OsStr::new("HOME")), Some(&"/nowhere".into()));
        assert_eq!(env.get(OsStr::new(TREE_MARK)), Some(&"mark".into()));
        assert_ne!(fresh_mark(), fresh_mark());
    }
}
