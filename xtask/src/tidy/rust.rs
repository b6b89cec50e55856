//! The rules for one Rust file: its head, its size, its names, and what may not stand in it.
//!
//! Never looks at other files, and never repeats what clippy or rustfmt already refuse without gaps.

use std::ops::Range;
use std::path::Path;

use super::Finding;
use super::scan::{self, Function, Scan};
use crate::tree::TextFile;

/// Lines of a file, its tests not counted.
const FILE_LINES: usize = 400;
/// Lines of a function, from `fn` to its closing brace.
const FUNCTION_LINES: usize = 60;
/// The request path is one page: file, function, lines.
const PAGE: (&str, &str, usize) = ("gateway/src/path.rs", "walk", 70);
/// Lines of tests that may stand in the file that they test.
const INLINE_TEST_LINES: usize = 150;
/// How far above a line its proof or its SAFETY comment may begin.
const BESIDE_LINES: usize = 6;
/// Words of a test's name, which is a sentence.
const SENTENCE_WORDS: usize = 3;
/// Words that say that a name was not found.
const EMPTY_WORDS: [&str; 6] = ["Manager", "Managers", "Helper", "Helpers", "Util", "Utils"];
/// Crates that exist for tests and measurements.
const FOR_TESTS: [&str; 3] = ["testkit/", "e2e/", "benches/"];

/// One file, told apart once for all rules.
struct Source<'a> {
    path: &'a str,
    text: &'a str,
    scan: Scan,
    tests: Vec<Range<usize>>,
    functions: Vec<Function>,
}

/// What a rule reports: the offset of the place, and what to do.
type Reports = Vec<(usize, String)>;

const RULES: [fn(&Source<'_>) -> Reports; 11] = [
    opens_with_its_purpose,
    file_size,
    function_size,
    inline_tests,
    names,
    unsafe_code,
    panics,
    bounds,
    unfinished,
    sleeping_tests,
    test_names,
];

/// Every finding in a Rust file.
pub fn check(file: &TextFile) -> Vec<Finding> {
    let scan = scan::scan(&file.text);
    let tests = if is_test_file(&file.path) {
        std::iter::once(0..file.text.len()).collect()
    } else {
        scan::test_regions(&scan.code)
    };
    let functions = scan::functions(&scan.code);
    let source = Source { path: &file.path, text: &file.text, scan, tests, functions };
    let reports = RULES.iter().flat_map(|rule| rule(&source));
    reports.map(|(at, what)| Finding { path: file.path.clone(), line: scan::line_of(&file.text, at), what }).collect()
}

/// `tests.rs`, and everything in a folder `tests`.
fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

impl Source<'_> {
    fn in_tests(&self, offset: usize) -> bool {
        self.tests.iter().any(|region| region.contains(&offset))
    }

    fn for_tests(&self) -> bool {
        FOR_TESTS.iter().any(|start| self.path.starts_with(start))
    }

    /// The `//!` lines that open the file.
    fn head(&self) -> &str {
        let end: usize = self.text.split_inclusive('\n').take_while(|line| line.starts_with("//!")).map(str::len).sum();
        &self.text[..end]
    }

    /// The line of an offset and those just above it.
    fn beside(&self, offset: usize) -> &str {
        let line_end = self.text[offset..].find('\n').map_or(self.text.len(), |distance| offset + distance);
        let start = self.text[..offset].rmatch_indices('\n').nth(BESIDE_LINES).map_or(0, |(at, _)| at + 1);
        &self.text[start..line_end]
    }

    fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        scan::words(&self.scan.code)
    }

    /// The code behind an identifier, without the spaces before it.
    fn behind(&self, at: usize, word: &str) -> &str {
        self.scan.code[at + word.len()..].trim_start()
    }
}

fn lines_in(text: &str, span: &Range<usize>) -> usize {
    text[span.clone()].trim_end().bytes().filter(|byte| *byte == b'\n').count() + 1
}

fn opens_with_its_purpose(source: &Source<'_>) -> Reports {
    let head = source.head();
    if head.lines().all(|line| line.trim_start_matches("//!").trim().is_empty()) {
        return vec![(0, "opens with `//!`: what the file is for, and what it never does".into())];
    }
    Vec::new()
}

fn file_size(source: &Source<'_>) -> Reports {
    let tests: usize = source.tests.iter().map(|region| lines_in(source.text, region)).sum();
    let lines = source.text.lines().count().saturating_sub(tests);
    if lines > FILE_LINES {
        return vec![(0, format!("{lines} lines without tests, {FILE_LINES} at most: split it by purpose"))];
    }
    Vec::new()
}

fn function_size(source: &Source<'_>) -> Reports {
    let too_long = |function: &Function| {
        let (file, name, page) = PAGE;
        let limit = if source.path == file && function.name == name { page } else { FUNCTION_LINES };
        let lines = lines_in(source.text, &function.span);
        let told = || (function.span.start, format!("`{}` has {lines} lines, {limit} at most", function.name));
        (lines > limit && !source.in_tests(function.span.start)).then(told)
    };
    source.functions.iter().filter_map(too_long).collect()
}

fn inline_tests(source: &Source<'_>) -> Reports {
    if is_test_file(source.path) {
        return Vec::new();
    }
    let lines: usize = source.tests.iter().map(|region| lines_in(source.text, region)).sum();
    match source.tests.first() {
        Some(first) if lines > INLINE_TEST_LINES => {
            vec![(
                first.start,
                format!("{lines} lines of tests, {INLINE_TEST_LINES} at most here: move them to tests.rs"),
            )]
        }
        _ => Vec::new(),
    }
}

fn names(source: &Source<'_>) -> Reports {
    let mut reports = Vec::new();
    let file = Path::new(source.path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if ["util", "utils", "helper", "helpers"].contains(&file) {
        reports.push((0, format!("`{file}.rs` says nothing: name the file after what it is for")));
    }
    let all: Vec<(usize, &str)> = source.words().collect();
    for pair in all.windows(2) {
        let [(_, keyword), (at, name)] = *pair else { continue };
        let is_type = ["struct", "enum", "trait", "type", "union"].contains(&keyword);
        if is_type && (camel_words(name).any(|word| EMPTY_WORDS.contains(&word)) || is_numbered_handler(name)) {
            reports.push((at, format!("`{name}`: say what the thing is (no Manager, Helper, Util, Handler2)")));
        }
    }
    reports
}

/// `PoolManager` is `Pool`, `Manager`.
fn camel_words(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let mut starts = rest.char_indices().skip(1).filter(|(_, letter)| letter.is_ascii_uppercase());
        let end = starts.next().map_or(rest.len(), |(at, _)| at);
        let (word, tail) = rest.split_at(end);
        rest = tail;
        (!word.is_empty()).then_some(word)
    })
}

fn is_numbered_handler(name: &str) -> bool {
    let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    stem.len() < name.len() && stem.ends_with("Handler")
}

fn unsafe_code(source: &Source<'_>) -> Reports {
    let home = source.head().to_lowercase().contains("unsafe");
    let mut reports = Vec::new();
    for (at, _) in source.words().filter(|(_, word)| *word == "unsafe") {
        if !home {
            reports
                .push((at, "`unsafe` stands in a file of its own, whose `//!` says that it is unsafe and why".into()));
        }
        let beside = source.beside(at);
        if !beside.contains("SAFETY:") && !beside.contains("# Safety") {
            reports.push((at, "`unsafe` without its SAFETY comment".into()));
        }
    }
    reports
}

/// Clippy sees every unwrap; here it is asked for the proof, which stands as the reason of its exception.
fn panics(source: &Source<'_>) -> Reports {
    let mut reports = Vec::new();
    for (at, word) in source.words() {
        let behind = source.behind(at, word);
        let is_call = source.scan.code[..at].ends_with('.')
            && match word {
                "unwrap" => behind.starts_with("()"),
                "expect" => behind.strip_prefix('(').is_some_and(|a| a.trim_start().starts_with(['"', '&'])),
                _ => false,
            };
        if !is_call || source.in_tests(at) || source.for_tests() {
            continue;
        }
        let beside = source.beside(at);
        if !(beside.contains(&format!("clippy::{word}_used")) && beside.contains("reason")) {
            reports.push((at, format!("`.{word}` outside tests: return a failure, or stand the proof beside it")));
        }
    }
    reports
}

fn bounds(source: &Source<'_>) -> Reports {
    let unbounded = ["unbounded_channel", "UnboundedSender", "UnboundedReceiver"];
    let found = source.words().filter(|(_, word)| unbounded.contains(word));
    found.map(|(at, word)| (at, format!("`{word}`: every queue has a bound"))).collect()
}

fn unfinished(source: &Source<'_>) -> Reports {
    let macros = source.words().filter(|(at, word)| {
        ["todo", "unimplemented"].contains(word) && source.scan.code[at + word.len()..].starts_with('!')
    });
    let notes = scan::words(&source.scan.notes).filter(|(_, word)| ["FIXME", "XXX"].contains(word));
    macros.chain(notes).map(|(at, word)| (at, format!("`{word}`: finish it, or leave it out"))).collect()
}

/// A test awaits a condition: it may look again after a short sleep in a loop, and it may sleep under
/// paused time, where that costs nothing and proves something.
fn sleeping_tests(source: &Source<'_>) -> Reports {
    let asleep = source.words().filter(|(at, word)| {
        ["sleep", "sleep_until", "sleep_ms"].contains(word)
            && source.behind(*at, word).starts_with('(')
            && source.in_tests(*at)
            && !scan::is_looking_again(&source.scan.code, *at)
            && !under_paused_time(source, *at)
    });
    let what = "a test sleeps: await the condition, or pause the time (`start_paused`)";
    asleep.map(|(at, _)| (at, what.to_owned())).collect()
}

/// True where the test around an offset pauses the time. A function that is no test itself serves
/// the tests of its file, so there any paused test of the file counts.
fn under_paused_time(source: &Source<'_>, offset: usize) -> bool {
    let pauses = |code: &str| code.contains("start_paused") || code.contains("time::pause");
    let code = &source.scan.code;
    let around = source.functions.iter().filter(|function| function.span.contains(&offset));
    let Some(outermost) = around.min_by_key(|function| function.span.start) else { return false };
    if is_test(code, outermost) {
        pauses(attributes_of(code, outermost)) || pauses(&code[outermost.span.clone()])
    } else {
        pauses(code)
    }
}

fn test_names(source: &Source<'_>) -> Reports {
    let short = |function: &&Function| {
        is_test(&source.scan.code, function) && function.name.split('_').count() < SENTENCE_WORDS
    };
    let told = |function: &Function| {
        (function.span.start, format!("`{}`: a test's name is a sentence of what must hold", function.name))
    };
    source.functions.iter().filter(short).map(told).collect()
}

fn is_test(code: &str, function: &Function) -> bool {
    scan::words(attributes_of(code, function)).any(|(_, word)| word == "test")
}

/// The attributes of a function: what stands between it and the item before it.
fn attributes_of<'a>(code: &'a str, function: &Function) -> &'a str {
    let start = function.span.start;
    let before = code[..start].rfind(['}', ';', '{']).map_or(0, |at| at + 1);
    &code[before..start]
}
