//! What a configuration file becomes, and every way in which it can be wrong, word for word.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use plan::{Filter, Pattern};
use upstream::spec::{Isolation, Origin, RemoteTransport, Spec};

use super::*;

fn load_text(
    surroundings: &Surroundings,
    text: &str,
    file: Option<&Path>,
    builtins: &Builtins,
) -> Result<Loaded, Vec<Problem>> {
    attempt_text(surroundings, text, file, builtins).0
}

fn builtins() -> Builtins {
    let start = std::sync::Arc::new(|| tokio::io::duplex(1).0);
    [("demo".to_owned(), Builtin { name: "demo", start })].into()
}

fn surroundings() -> Surroundings {
    let variables = [("HOME", "/h"), ("TOKEN", "hunter2"), ("EMPTY", ""), ("COUNT", "3"), ("BAD", "hunter3")];
    Surroundings::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), "/w".into())
}

fn loaded(text: &str) -> Loaded {
    load_text(&surroundings(), text, Some(Path::new("conf/hostler.yaml")), &builtins())
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// The problems of a file, as they are told.
fn told(text: &str) -> Vec<String> {
    let problems = match load_text(&surroundings(), text, Some(Path::new("f")), &builtins()) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    problems.iter().map(Problem::to_string).collect()
}

fn server(loaded: &Loaded, name: &str) -> Spec {
    loaded.plan.servers.iter().find(|spec| spec.name.as_str() == name).unwrap().as_ref().clone()
}

#[test]
fn without_a_file_the_demo_server_runs_on_loopback() {
    let loaded = load_in(&surroundings(), None, &builtins()).unwrap();
    let plan = &loaded.plan;
    assert_eq!(plan.listen.address.to_string(), "127.0.0.1:7400");
    assert_eq!(plan.state_dir, Path::new("/h/.local/state/hostler"));
    assert_eq!(plan.limits, plan::Limits::default());
    assert!(matches!(&plan.servers[..], [spec] if matches!(spec.origin, Origin::Builtin(_))));
    assert_eq!(plan.views.len(), 1);
    assert_eq!(plan.views[0].selections[0].server.as_str(), "demo");
    assert!(plan.views[0].prefix && !plan.guards.any_host && !plan.log.json);
    assert_eq!((loaded.file, loaded.warnings), (None, vec![]));
}

#[test]
fn the_largest_body_always_fits_into_what_may_be_held() {
    assert_eq!(loaded("limits: {body: 1GiB}").plan.limits.held, 1 << 30);
    assert_eq!(loaded("limits: {body: 1MiB}").plan.limits.held, 512 << 20);
    let expected = "f:1:28: limits.held: `held` is smaller than `body`, so the largest body would never fit; \
                    raise it or lower the other";
    let told = told("limits: {body: 2MiB, held: 1MiB}");
    assert!(told.iter().any(|problem| problem == expected), "{told:#?}");
}

#[test]
fn every_setting_arrives_in_the_plan() {
    let loaded = loaded(
        "listen: '[::1]:9000'\nthreads: ${COUNT}\nstate_dir: ~/s\nlog: {level: 'info,upstream=debug', format: json}\n\
         http: {hosts: [Gate.Example.com], origins: ['https://app.example.com']}\n\
         limits: {body: 1MiB, held: 2MiB, depth: 64, headers: 16KiB, connections: 10, sessions: 11, session_idle: 1h,\n  \
           session_calls: 12, batch: 13, page: 14, header_timeout: 1s, body_timeout: 2s, compress: 0}\n\
         defaults: {call_timeout: 5s, isolation: session}\n\
         servers:\n\
         \x20 z: {command: ./run, args: [-y, 1.10, true], env: {KEY: '${TOKEN}', PORT: 8080}, cwd: sub, type: stdio}\n\
         \x20 a:\n    url: https://example.com/mcp?x=1\n    headers: {Authorization: 'Bearer ${TOKEN}'}\n    transport: sse\n    \
               isolation: shared\n    call_timeout: 1h\n    start_timeout: 2s\n    stop_grace: 0s\n    in_flight: 1\n    \
               instances: 2\n    idle: 3s\n    message: 1MiB\n\
         \x20 m: {builtin: demo}\n\
         \x20 off: {command: x, enabled: false, env: {A: '${UNSET}'}}\n",
    );
    let plan = &loaded.plan;
    assert_eq!((plan.listen.address.to_string().as_str(), plan.listen.threads), ("[::1]:9000", Some(3)));
    assert_eq!(plan.state_dir, Path::new("/h/s"));
    assert!(plan.log.json && plan.log.level == "info,upstream=debug");
    assert_eq!(plan.guards.hosts, ["gate.example.com"]);
    assert_eq!(plan.guards.origins, ["https://app.example.com"]);
    let limits = &plan.limits;
    assert_eq!((limits.body, limits.held), (1 << 20, 2 << 20));
    assert_eq!((limits.depth, limits.headers, limits.compress), (64, 16 << 10, 0));
    assert_eq!((limits.connections, limits.sessions, limits.session_calls), (10, 11, 12));
    assert_eq!((limits.batch, limits.page, limits.session_idle), (13, 14, Duration::from_secs(3600)));
    assert_eq!((limits.header_timeout, limits.body_timeout), (Duration::from_secs(1), Duration::from_secs(2)));

    let names: Vec<_> = plan.servers.iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(names, ["a", "m", "z"], "sorted by name, without the one that is off");
    let order: Vec<_> = plan.views[0].selections.iter().map(|selection| selection.server.as_str()).collect();
    assert_eq!(order, ["z", "a", "m"], "in the order of the file");

    let z = server(&loaded, "z");
    let Origin::Process(process) = &z.origin else { panic!("not a process") };
    assert_eq!(process.command, "/w/conf/sub/./run", "a path begins at the working directory of the server");
    assert_eq!(process.args, ["-y", "1.10", "true"], "numbers and truth values keep their spelling");
    assert_eq!((process.env["KEY"].as_str(), process.env["PORT"].as_str()), ("hunter2", "8080"));
    assert_eq!(process.cwd.as_deref(), Some(Path::new("/w/conf/sub")));
    assert_eq!((z.isolation, z.bounds.call_timeout), (Isolation::Session, Duration::from_secs(5)));

    let a = server(&loaded, "a");
    let Origin::Remote(remote) = &a.origin else { panic!("not remote") };
    assert_eq!(remote.url, "https://example.com/mcp?x=1");
    assert_eq!((remote.headers["Authorization"].as_str(), remote.transport), ("Bearer hunter2", RemoteTransport::Sse));
    assert_eq!((a.isolation, a.bounds.in_flight, a.bounds.instances), (Isolation::Shared, 1, 2));
    assert_eq!((a.bounds.idle, a.bounds.message), (Duration::from_secs(3), 1 << 20));
    assert_eq!((a.bounds.start_timeout, a.bounds.stop_grace), (Duration::from_secs(2), Duration::ZERO));
    assert_eq!(a.bounds.call_deadline, Duration::from_secs(3600), "a longer time-out stretches the unset deadline");
    assert_eq!(
        loaded.warnings.iter().map(Problem::to_string).collect::<Vec<_>>(),
        ["conf/hostler.yaml:24:46: warning: servers.off.env.A: the variable `UNSET` is not set; \
          set it before Hostler starts, or give a default: `${UNSET:-...}`"]
    );
    assert!(!format!("{loaded:?}").contains("hunter"), "no secret in Debug");
}

#[test]
fn views_take_what_they_are_told_in_the_order_of_the_file() {
    let loaded = loaded(
        "servers: {fetch: {command: a}, git: {command: b}}\n\
         federated: {instructions: Hello}\n\
         virtual:\n\
         \x20 research:\n    prefix: false\n    instructions: Read.\n    servers:\n      git:\n      fetch:\n        \
               tools: {allow: ['fetch*'], deny: ['*_raw']}\n        prompts: {deny: ['*']}\n        \
               resources: {allow: ['file:*']}\n        rename: {fetch: get_page}\n        describe: {fetch: Fetches, fetch_2: Two}\n\
         \x20 alone: {servers: {git: {}}}\n",
    );
    let views = &loaded.plan.views;
    let names: Vec<_> = views.iter().map(|view| view.name.as_str()).collect();
    assert_eq!(names, ["", "research", "alone"]);
    assert_eq!((views[0].selections.len(), views[0].instructions.as_deref()), (2, Some("Hello")));
    assert!(!views[1].prefix && views[2].prefix);
    let [git, fetch] = &views[1].selections[..] else { panic!("two selections") };
    assert_eq!((git.server.as_str(), fetch.server.as_str()), ("git", "fetch"));
    assert_eq!(git.tools, Filter::default());
    assert_eq!(fetch.tools, Filter { allow: vec![Pattern::new("fetch*")], deny: vec![Pattern::new("*_raw")] });
    assert_eq!(fetch.prompts.deny, [Pattern::new("*")]);
    assert_eq!(fetch.resources.allow, [Pattern::new("file:*")]);
    assert_eq!(fetch.overrides["fetch"].name.as_deref(), Some("get_page"));
    assert_eq!(fetch.overrides["fetch"].description.as_deref(), Some("Fetches"));
    assert_eq!(fetch.overrides["fetch_2"].name, None);
    assert_eq!(loaded.warnings.len(), 1, "names may collide without prefixes");
}

#[test]
fn the_clients_spelling_is_understood() {
    let loaded = loaded(
        r#"{"mcpServers": {"a": {"type": "http", "url": "https://e.com/mcp"}, "b": {"type": "sse", "url": "https://e.com/sse"},
            "c": {"type": "stdio", "command": "npx", "args": ["-y", "pkg"]}, "d": {"type": "streamable-http", "url": "http://e.com"}}}"#,
    );
    let transport = |name: &str| match server(&loaded, name).origin {
        Origin::Remote(remote) => Some(remote.transport),
        _ => None,
    };
    assert_eq!(transport("a"), Some(RemoteTransport::Auto));
    assert_eq!(transport("b"), Some(RemoteTransport::Sse));
    assert_eq!(transport("c"), None);
    assert_eq!(transport("d"), Some(RemoteTransport::Streamable));
}

#[test]
fn listening_beyond_loopback_must_be_accepted_in_so_many_words() {
    assert_eq!(
        told("listen: 0.0.0.0:7400\nservers: {d: {builtin: demo}}\n"),
        [
            "f:1:9: listen: `0.0.0.0:7400` can be reached from other machines, and nobody who connects is asked who they are; \
          listen on `127.0.0.1`, or accept it in so many words: `http: {allow_unauthenticated_remote: true}`"
        ]
    );
    let open = "servers: {d: {builtin: demo}}\nhttp: {allow_unauthenticated_remote: true";
    assert!(loaded(&format!("listen: '[::]:1'\n{open}}}")).plan.guards.any_host);
    assert!(!loaded(&format!("listen: '[::]:1'\n{open}, hosts: [a]}}")).plan.guards.any_host);
    assert!(!loaded(&format!("listen: localhost:1\n{open}}}")).plan.guards.any_host);
}

#[test]
fn a_file_is_told_all_that_is_wrong_with_it_at_once() {
    let text = "\
listen: nowhere
threads: many
lgo: {level: info}
log: {level: 'inof', format: xml}
http: {hosts: ['http://a'], origins: [app.example.com]}
limits: {body: 64, depth: 2, page: -1, header_timeout: 30}
servers:
  git: {comand: uvx, args: mcp-server-git}
  9lives: {command: x}
  both: {command: x, url: https://e.com}
  none: {}
  web: {url: example.com, args: [], headers: {Host-: x, Content-Length: '1', 'a b': c}}
  demo: {builtin: dmeo, isolation: shard, enabled: yes}
  cmd: {command: npx -y pkg, disabled: true, stop_grace: 1h, call_timeout: 2h, call_deadline: 1h}
  env: {command: x, env: {KEY: '${TOKNE}', LIST: [hunter2], N: }}
federated: {servers: {gti: {}}}
virtual:
  a__b: {servers: {cmd: {rename: {x: 'not good'}, tools: {alow: []}}}}
";
    let expected = [
        "f:1:9: listen: `nowhere` is not a listening address; write an address and a port, such as `127.0.0.1:7400` or `[::1]:7400`",
        "f:2:10: threads: `many` is not a whole number; write digits alone",
        "f:3:1: lgo: unknown key `lgo`; did you mean `log`?",
        "f:4:14: log.level: `inof` has a part that is not a level; did you mean `info`?",
        "f:4:30: log.format: `xml` is not known here; known here: `text`, `json`",
        "f:5:16: http.hosts[0]: `http://a` does not fit here; write a host name alone, without scheme, port and path: `gateway.example.com`",
        "f:5:39: http.origins[0]: `app.example.com` does not fit here; write scheme, host and port if it is not the usual one: `https://app.example.com`",
        "f:6:16: limits.body: `64` must be between 1KiB and 1GiB",
        "f:6:27: limits.depth: `2` is lower than 8",
        "f:6:36: limits.page: `-1` is not a whole number; write digits alone",
        "f:6:56: limits.header_timeout: `30` is not a duration; write a number and a unit: `500ms`, `30s`, `5m`, `24h` or `7d`",
        "f:8:9: servers.git.comand: unknown key `comand`; did you mean `command`?",
        "f:8:28: servers.git.args: expected a list, found a single value; put it in brackets: `[...]`",
        "f:9:3: servers.9lives: a server name begins with a letter; rename it, for example to `lives`",
        "f:10:3: servers.both: a server comes from one place, but more than one of `command`, `url` and `builtin` is given; keep the one that is meant",
        "f:11:3: servers.none: it is not said where this server comes from; write one of `command: <program>`, `url: <address>` or `builtin: <name>`",
        "f:12:14: servers.web.url: the URL of a server begins with `http://` or `https://`; write the whole address: `https://example.com/mcp`",
        "f:12:27: servers.web.args: `args` has no meaning for this server: it belongs to servers with `command`; remove it",
        "f:12:57: servers.web.headers.Content-Length: `Content-Length` is set by Hostler itself; remove it",
        "f:12:78: servers.web.headers[\"a b\"]: `a b` is not the name of a header",
        "f:13:19: servers.demo.builtin: there is no builtin server `dmeo`; did you mean `demo`?",
        "f:13:36: servers.demo.isolation: `shard` is not known here; did you mean `shared`?",
        "f:13:52: servers.demo.enabled: `yes` is not a truth value; write `true` or `false`",
        "f:14:18: servers.cmd.command: `npx -y pkg` is more than the name of a program; write the program alone, and its arguments under `args`",
        "f:14:30: servers.cmd.disabled: unknown key `disabled`; write `enabled: false`",
        "f:14:58: servers.cmd.stop_grace: `1h` must be between 0s and 5m",
        "f:14:95: servers.cmd.call_deadline: `call_deadline` is shorter than `call_timeout`; raise it or lower the other",
        "f:15:32: servers.env.env.KEY: the variable `TOKNE` is not set (`TOKEN` is set; was that meant?); set it before Hostler starts, or give a default: `${TOKNE:-...}`",
        "f:15:50: servers.env.env.LIST: expected text, found a list",
        "f:15:62: servers.env.env.N: expected text, found nothing; write `\"\"` where an empty text is meant",
        "f:16:23: federated.servers.gti: there is no server `gti`; did you mean `git`?",
        "f:18:3: virtual.a__b: a virtual server's name has no `__` and does not end with `_` (they separate it from a tool's name); rename it, for example to `a_b`",
        "f:18:38: virtual.a__b.servers.cmd.rename.x: `not good` cannot be a tool's name; a tool's name has 1 to 128 letters, digits, `_`, `-` and `.`",
        "f:18:59: virtual.a__b.servers.cmd.tools.alow: unknown key `alow`; did you mean `allow`?",
    ];
    assert_eq!(told(text), expected);
}

#[test]
fn no_error_shows_a_secret() {
    let text = "\
threads: ${TOKEN}
listen: ${BAD}
log: {format: '${TOKEN}', level: '${BAD}'}
limits: {body: '${TOKEN}'}
servers:
  a: {command: x, env: {A: [hunter4], B: {c: hunter4}}, headers: {X: hunter4}}
  b: {url: 'https://u:hunter4@e.com', headers: {X: \"hunter4\\n\"}, env: hunter4}
  c: {url: 'hunter4 ${TOKEN}', headers: hunter4}
  d: {builtin: '${TOKEN}', envv: {A: hunter4}, tokne: hunter4}
virtual: {v: {servers: {a: {rename: {x: '${BAD}!'}}}}}
";
    let told = told(text);
    assert!(told.len() >= 12, "{told:#?}");
    assert!(!told.join("\n").contains("hunter"), "{told:#?}");
}

#[test]
fn oddities_are_warnings_and_the_file_is_used() {
    let text = "\
servers:
  a: {command: x}
  b: {command: y, enabled: false}
virtual:
  v:
    servers:
      a: {tools: {deny: ['x*']}, rename: {xx: yy}}
      b: {}
  w: {}
http: {hosts: ['a${EMPTY}']}
";
    assert_eq!(
        told(text),
        [
            "f:7:47: warning: virtual.v.servers.a.rename.xx: `xx` is not let through by `tools`, so this changes nothing",
            "f:8:7: warning: virtual.v.servers.b: this server is switched off, so nothing is taken from it",
            "f:9:6: warning: virtual.w: this offers nothing, because it takes from no server; name servers under `servers`",
            "f:10:16: warning: http.hosts[0]: the variable `EMPTY` is set but empty; set it, or write `${EMPTY:-}` if that is meant",
        ]
    );
    assert_eq!(told(""), ["f:1:1: warning: there is no server in this file; add one under `servers`"]);
}

#[test]
fn the_same_name_is_refused_wherever_it_stands() {
    assert_eq!(
        told("servers: {a: {command: x}}\nmcpServers: {a: {command: y}}\n"),
        ["f:2:14: mcpServers.a: `servers` has a server of this name too; rename one of them"]
    );
    assert_eq!(
        told(
            "servers: {a: {command: x}, b: {command: y}}\n\
              virtual: {v: {servers: {a: {rename: {p: n}}, b: {rename: {q: n}}}}}\n"
        ),
        ["f:2:62: virtual.v.servers.b.rename.q: `n` is already the new name of a tool of `a`; \
          every tool of a view needs a name of its own"]
    );
}

#[test]
fn secrets_that_stand_in_the_file_are_noted_by_key_alone() {
    let loaded = loaded(
        "servers:\n  a: {command: x, env: {API_KEY: s, B_TOKEN: '${TOKEN}', MODE: fast, MONKEY: no}}\n  \
         b: {url: https://e.com, headers: {Authorization: s, X-Api-Key: s, X-Mode: s}}\n",
    );
    assert_eq!(
        loaded.literal_secrets,
        ["servers.a.env.API_KEY", "servers.b.headers.Authorization", "servers.b.headers.X-Api-Key"]
    );
}

#[test]
fn files_are_read_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let surroundings = Surroundings::new(BTreeMap::new(), folder.path().to_owned());
    let load = |name: &str| load_in(&surroundings, Some(Path::new(name)), &builtins());
    std::fs::write(folder.path().join("big"), vec![b'#'; 5 << 20]).unwrap();
    std::fs::write(folder.path().join("latin"), [0xe9]).unwrap();
    std::fs::write(folder.path().join("token"), "abc\n").unwrap();
    std::fs::write(
        folder.path().join("good"),
        "\u{feff}state_dir: s\nservers: {a: {command: x, env: {T: '${file:token}'}}}",
    )
    .unwrap();
    let told = |name: &str| load(name).unwrap_err()[0].to_string();
    assert_eq!(told("none"), "none: cannot be read: entity not found; it must be a readable text file");
    assert_eq!(told("big"), "big: is larger than 4 MiB; it must be a readable text file");
    assert_eq!(told("latin"), "latin: is not UTF-8 text; it must be a readable text file");
    let good = load("good").unwrap();
    assert_eq!(good.value_files, [folder.path().join("token")]);
    let Origin::Process(process) = &good.plan.servers[0].origin else { panic!("not a process") };
    assert_eq!(process.env["T"], "abc");
}

#[test]
fn anything_that_is_yaml_is_answered_without_a_panic_and_without_an_inner_fault() {
    for text in [
        "[]",
        "text",
        "1",
        "a",
        "servers: []",
        "servers: {a: 1}",
        "servers: {a: [1]}",
        "servers: {a: {command: {}}}",
        "limits: 5",
        "http: {hosts: {a: b}}",
        "virtual: {v: {servers: [a]}}",
        "? {a: b}\n: c",
        "servers: {'': {command: x}}",
        "servers: {a: {args: [[x]], command: [x]}}",
        "threads: 99999999999999999999",
        "threads: 1e3",
        "limits: {body: 1.5}",
        "federated: null",
        "federated: {servers: null}",
        "defaults: {idle: {}}",
        "servers: {a: {command: ''}}",
    ] {
        for problem in told(text) {
            assert!(!problem.contains("cannot be read"), "{text}: {problem}");
        }
    }
}
