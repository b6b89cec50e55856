//! Names there and back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn server(name: &str) -> ServerName {
    ServerName::new(name).unwrap()
}

#[test]
fn a_name_within_the_rule_is_joined_and_split_as_it_is() {
    for name in ["echo", "get_weather", "a__b", "_x", "admin.tools.list", "-", &"x".repeat(114)] {
        let joined = federated(&server("my-server_2"), name);
        assert_eq!(joined, format!("my-server_2__{name}"));
        let expected = if joined.len() <= 128 { Some(("my-server_2", name)) } else { None };
        assert_eq!(split(&joined), expected);
    }
}

#[test]
fn mapped_names_are_the_same_for_ever() {
    // Clients remember names and policies name them: these must never change.
    for (name, mapped) in [("", "s___4fd0bfc1"), ("a b", "s__a_b_e2bca18b"), ("größe", "s__gr__e_42c44ec4")] {
        assert_eq!(federated(&server("s"), name), mapped);
    }
}

#[test]
fn the_hash_is_the_published_one() {
    assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
}

#[test]
fn a_name_too_long_by_one_is_cut_to_fit() {
    let name = "x".repeat(126);
    assert_eq!(federated(&server("s"), &name[..125]).len(), 128);
    let mapped = federated(&server("s"), &name);
    assert_eq!(mapped.len(), 128);
    assert_eq!(mapped[..120], format!("s__{}_", "x".repeat(116)));
}

#[test]
fn names_that_differ_in_bad_characters_only_stay_different() {
    let names = ["a b", "a_b", "a/b", "a:b", "a\tb", "aéb", "a  b"];
    let mapped: HashSet<_> = names.iter().map(|name| federated(&server("s"), name)).collect();
    assert_eq!(mapped.len(), names.len());
}

#[test]
fn names_without_a_server_are_not_split() {
    for name in ["", "echo", "a_b", "__x", "a__", "__"] {
        assert_eq!(split(name), None, "{name}");
    }
    assert_eq!(split("a__b__c"), Some(("a", "b__c")));
}

#[test]
fn uris_go_there_and_back() {
    let uri = federated_uri(&server("my-server_2"), "demo://resource/{id}?a=b+c");
    assert_eq!(uri, "my-server.2+demo://resource/{id}?a=b+c");
    assert_eq!(split_uri(&uri), Some(("my-server_2".into(), "demo://resource/{id}?a=b+c")));
    assert_eq!(split_uri("git+ssh://host"), Some(("git".into(), "ssh://host")));
    for uri in ["", "+", "+a:b", "file:///a+b", "demo://x", "a_b+c:d", "9a+b:c", "a..b+c:d", "a.+b:c", "a b+c:d"] {
        assert_eq!(split_uri(uri), None, "{uri}");
    }
}

proptest! {
    #[test]
    fn every_federated_name_obeys_the_rule_and_tells_its_server(
        server in "[a-zA-Z]([-_]?[a-zA-Z0-9]){0,23}", name in "\\PC{0,140}|[a-z_]{0,140}",
    ) {
        let server = ServerName::new(&server).unwrap();
        let joined = federated(&server, &name);
        prop_assert!(joined.len() <= 128 && joined.bytes().all(is_allowed), "{}", joined);
        let (first, rest) = split(&joined).unwrap();
        prop_assert_eq!(first, server.as_str());
        if name.bytes().all(is_allowed) && !name.is_empty() && server.as_str().len() + 2 + name.len() <= 128 {
            prop_assert_eq!(rest, name);
        }
    }

    #[test]
    fn every_federated_uri_is_split_again(server in "[a-zA-Z]([-_]?[a-zA-Z0-9]){0,23}", uri in "\\PC{0,60}") {
        let server = ServerName::new(&server).unwrap();
        let joined = federated_uri(&server, &uri);
        prop_assert_eq!(split_uri(&joined), Some((server.as_str().to_owned(), &*uri)));
    }
}
