//! Each rule of tidy, broken on purpose. Never reads the real tree.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

const HEAD: &str = "//! A file. Never does anything.\n";

fn file(path: &str, text: &str) -> TextFile {
    TextFile { path: path.to_owned(), text: text.to_owned() }
}

/// What is found in one file, as `line: what`.
fn found(path: &str, text: &str) -> Vec<String> {
    let mut findings = rust::check(&file(path, text));
    findings.extend(text::check(&file(path, text)));
    findings.iter().map(|finding| format!("{}: {}", finding.line, finding.what)).collect()
}

fn found_below_head(body: &str) -> Vec<String> {
    found("wire/src/scan.rs", &format!("{HEAD}{body}"))
}

fn assert_one(body: &str, part: &str) {
    let found = found_below_head(body);
    assert!(matches!(found.as_slice(), [only] if only.contains(part)), "{body}: {found:?}");
}

fn assert_none(body: &str) {
    assert_eq!(found_below_head(body), Vec::<String>::new(), "{body}");
}

#[test]
fn a_file_opens_with_its_purpose() {
    for text in ["use std::fmt;\n", "// A file.\n", "//!\n//!\nfn a() {}\n", ""] {
        assert!(found("wire/src/scan.rs", text)[0].contains("opens with"), "{text}");
    }
    assert_none("");
}

#[test]
fn a_file_ends_before_its_line_401_and_its_tests_do_not_count() {
    let code = |lines: usize| "const A: u8 = 0;\n".repeat(lines);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", code(140));
    assert_none(&code(399));
    assert_one(&code(400), "401 lines without tests, 400 at most");
    assert_none(&format!("{}{tests}", code(399)));
    assert_one(&format!("{}{tests}", code(400)), "401 lines without tests");
    assert_eq!(found("wire/src/scan/tests.rs", &format!("{HEAD}{}", code(900))), Vec::<String>::new());
}

#[test]
fn a_function_has_sixty_lines_at_most_except_the_one_that_is_a_page() {
    let function =
        |name: &str, lines: usize| format!("{HEAD}fn {name}() {{\n{}}}\n", "    a('{');\n".repeat(lines - 2));
    assert_none(&function("parse", 60)[HEAD.len()..]);
    assert_one(&function("parse", 61)[HEAD.len()..], "`parse` has 61 lines, 60 at most");
    assert!(found("gateway/src/path.rs", &function("walk", 70)).is_empty());
    assert!(found("gateway/src/path.rs", &function("walk", 71))[0].contains("70 at most"));
    assert!(found("gateway/src/path.rs", &function("step", 61))[0].contains("60 at most"));
    assert!(found("gateway/tests/seam.rs", &function("long_story", 90)).is_empty());
}

#[test]
fn tests_of_more_than_150_lines_move_to_a_file_of_their_own() {
    let tests = |lines: usize| format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    // more\n".repeat(lines - 3));
    assert_none(&tests(150));
    assert_one(&tests(151), "151 lines of tests, 150 at most");
    assert_none("#[cfg(test)]\nmod tests;\n");
}

#[test]
fn a_name_that_says_nothing_is_refused() {
    for name in ["struct PoolManager;", "enum Utils {}", "trait HelperOf {}", "type Handler2 = u8;", "union UtilA {}"] {
        assert_one(name, "say what the thing is");
    }
    for name in ["struct Http2;", "struct Utility;", "enum Helpful {}", "struct Handler;", "use a::PoolManager;"] {
        assert_none(name);
    }
    assert!(found("wire/src/utils.rs", HEAD)[0].contains("says nothing"));
}

#[test]
fn unsafe_code_has_its_proof_and_a_file_of_its_own() {
    let block = "fn a() {\n    // SAFETY: fd is ours.\n    unsafe { close(fd) }\n}\n";
    assert_one(block, "file of its own");
    let home = "//! Calls into libc. Unsafe, for libc is. Never more.\n";
    assert_eq!(found("upstream/src/guard.rs", &format!("{home}{block}")), Vec::<String>::new());
    let bare = found("upstream/src/guard.rs", &format!("{home}fn a() {{\n    unsafe {{ close(fd) }}\n}}\n"));
    assert!(matches!(bare.as_slice(), [only] if only.contains("without its SAFETY comment")), "{bare:?}");
    assert_none("// unsafe\nconst A: &str = \"unsafe\";\n");
}

#[test]
fn a_panic_outside_tests_stands_beside_its_proof() {
    assert_one("fn a() { b().unwrap(); }\n", "`.unwrap` outside tests");
    assert_one("fn a() {\n    b()\n        .expect(\n            \"c\");\n}\n", "4: `.expect` outside tests");
    assert_none("fn a() { self.expect(b'{'); parser.expect(Token::Comma); unwrap(); }\n");
    assert_none("fn a() {\n #[expect(clippy::unwrap_used, reason = \"checked above\")]\n b().unwrap();\n}\n");
    assert_one("fn a() {\n #[expect(clippy::unwrap_used)]\n b().unwrap();\n}\n", "`.unwrap` outside tests");
    assert_none("#[cfg(test)]\nmod tests {\n fn a() { b().unwrap(); }\n}\n");
    assert!(found("e2e/src/lib.rs", &format!("{HEAD}fn a() {{ b().unwrap(); }}\n")).is_empty());
}

#[test]
fn a_queue_without_a_bound_is_refused() {
    assert_one("fn a() { let (tx, rx) = mpsc::unbounded_channel(); }\n", "every queue has a bound");
    assert_one("struct A { tx: UnboundedSender<u8> }\n", "every queue has a bound");
}

#[test]
fn unfinished_work_is_refused() {
    assert_one("fn a() { todo!() }\n", "`todo`");
    assert_one("fn a() { unimplemented!(\"b\") }\n", "`unimplemented`");
    assert_one("// FIXME: later\n", "`FIXME`");
    assert_one("/* XXX */\n", "`XXX`");
    assert_none("fn todo() {}\nconst A: &str = \"FIXME XXX\";\n");
}

#[test]
fn a_test_that_sleeps_is_refused_unless_time_is_paused() {
    let test = |attribute: &str, body: &str| {
        format!("#[cfg(test)]\nmod tests {{\n    #[tokio::test{attribute}]\n    async fn a_b_c() {{ {body} }}\n}}\n")
    };
    assert_one(&test("", "tokio::time::sleep(SHORT).await;"), "5: a test sleeps");
    assert_one(&test("", "std::thread::sleep(SHORT);"), "a test sleeps");
    assert_none(&test("(start_paused = true)", "sleep(SHORT).await;"));
    assert_none(&test("", "tokio::time::pause(); sleep(SHORT).await;"));
    assert_none("async fn backoff() { tokio::time::sleep(PAUSE).await; }\n");
    assert_none(&test("", "while !ready() { sleep(SHORT).await; }"));
    assert_none(&test("", "loop { if ready() { break; } sleep(SHORT).await; }"));
    assert_one(&test("", "while !ready() { look(); } sleep(SHORT).await;"), "a test sleeps");
    assert_one(&test("", "for _ in 0..3 { sleep(SHORT).await; }"), "a test sleeps");
    let helper = "async fn slow() { sleep(SHORT).await; }\n";
    let paused = "#[tokio::test(start_paused = true)]\nasync fn a_b_c() { slow().await; }\n";
    let real = "#[tokio::test]\nasync fn d_e_f() { sleep(SHORT).await; }\n";
    assert_eq!(found("gateway/tests/a.rs", &format!("{HEAD}{helper}")).len(), 1);
    assert_eq!(found("gateway/tests/a.rs", &format!("{HEAD}{helper}{paused}")), Vec::<String>::new());
    assert_eq!(found("gateway/tests/a.rs", &format!("{HEAD}{helper}{paused}{real}")).len(), 1);
}

#[test]
fn a_test_name_is_a_sentence() {
    let test = |name: &str| format!("#[cfg(test)]\nmod tests {{\n    #[test]\n    fn {name}() {{}}\n}}\n");
    assert_one(&test("works"), "5: `works`: a test's name is a sentence");
    assert_one(&test("round_trip"), "a sentence of what must hold");
    assert_none(&test("ids_come_back"));
    assert_none("#[cfg(test)]\nmod tests {\n    fn echo() {}\n}\n");
}

#[test]
fn a_file_that_knows_one_machine_is_refused() {
    for folder in ["wo", "rk/main", "ro", "ot/.cargo", "ho", "me/ada/x"].chunks(2) {
        let path = format!("/{}{}", folder[0], folder[1]);
        for text in [format!("cd {path}\n"), format!("path: \"{path}\"\n"), format!("{path}\n")] {
            assert_eq!(found_in_text(&text), 1, "{text}");
        }
        assert_eq!(found_in_text(&format!("target{path} ${{HOME}}{path}\n")), 0, "{path}");
    }
    assert_eq!(found_in_text("/home/<user>/.config and /home/$USER\n"), 0);
}

#[test]
fn a_file_that_names_a_registry_is_refused_except_cargos_own_lock_file() {
    let line = concat!("source = \"https://static.crates", ".io/a\"\n");
    assert_eq!(found_in_text(line), 1);
    assert!(text::check(&file("Cargo.lock", line)).is_empty());
    assert!(text::check(&file("fuzz/Cargo.lock", line)).is_empty());
    assert_eq!(text::check(&file("e2e/package-lock.json", concat!("https://registry.npmjs", ".org/a\n"))).len(), 1);
}

fn found_in_text(text: &str) -> usize {
    text::check(&file("docs/page.md", text)).len()
}

#[test]
fn a_crate_says_what_it_never_does_and_stands_on_the_map() {
    let manifest = "[package]\nname = \"wire\"\n\n[dependencies]\n";
    let check = |head: &str, map: &str| {
        let files = [
            file("Cargo.toml", "[workspace]\nmembers = []\n"),
            file("wire/Cargo.toml", manifest),
            file("wire/src/lib.rs", head),
            file("ARCHITECTURE.md", map),
        ];
        findings(&files).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(check("//! Messages.\n//!\n//! Never does I/O.\n", "| `wire` | messages |\n"), Vec::<String>::new());
    let silent = check("//! Messages, nevertheless.\n// never\n", "`wire`");
    assert!(matches!(silent.as_slice(), [only] if only.starts_with("wire/src/lib.rs:1: ")), "{silent:?}");
    let unmapped = check(HEAD, "`wires`");
    assert!(matches!(unmapped.as_slice(), [only] if only.contains("crate `wire` is not on the map")), "{unmapped:?}");
}
