//! Rust source, told apart into code, text and comments, as far as the tidy rules need it.
//!
//! Never parses: it knows tokens, braces and attributes, not grammar. Never allocates a tree.

use std::ops::Range;

/// A source in two views of the same length, so that an offset means the same in both.
pub struct Scan {
    /// The source with the insides of comments, strings and characters blanked out.
    pub code: String,
    /// The comments alone.
    pub notes: String,
}

/// What begins at an offset.
enum Token {
    Comment(usize),
    /// A string or character: blanked from its opening quote to its closing one.
    Quoted {
        inside: Range<usize>,
        end: usize,
    },
    Code(usize),
}

/// Splits a source into code and comments.
pub fn scan(text: &str) -> Scan {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut notes: Vec<u8> = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match token(bytes, at) {
            Token::Comment(end) => {
                blank(&mut code[at..end]);
                end
            }
            Token::Quoted { inside, end } => {
                blank(&mut code[inside]);
                blank(&mut notes[at..end]);
                end
            }
            Token::Code(end) => {
                blank(&mut notes[at..end]);
                end
            }
        };
        at = end;
    }
    Scan { code: text_of(code), notes: text_of(notes) }
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// Only whole tokens are blanked, so what is left is UTF-8; were it not, the rules see replacements.
fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned())
}

fn token(bytes: &[u8], at: usize) -> Token {
    match (bytes[at], bytes.get(at + 1)) {
        (b'/', Some(b'/')) => Token::Comment(find(bytes, at, b'\n')),
        (b'/', Some(b'*')) => Token::Comment(block_comment(bytes, at)),
        (b'"', _) => quoted(bytes, at),
        (b'\'', _) => character(bytes, at),
        (first, _) if is_word(first) => word(bytes, at),
        _ => Token::Code(at + 1),
    }
}

fn find(bytes: &[u8], from: usize, wanted: u8) -> usize {
    bytes[from..].iter().position(|byte| *byte == wanted).map_or(bytes.len(), |distance| from + distance)
}

/// Block comments nest.
fn block_comment(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0_usize);
    while at < bytes.len() {
        match &bytes[at..bytes.len().min(at + 2)] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(bytes: &[u8], open: usize) -> Token {
    let mut at = open + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    let close = at.min(bytes.len());
    Token::Quoted { inside: open + 1..close, end: (close + 1).min(bytes.len()) }
}

/// A character such as `'{'` or `'\''`; a lifetime such as `'a` is code.
fn character(bytes: &[u8], open: usize) -> Token {
    let close = match bytes.get(open + 1) {
        Some(b'\\') => find(bytes, (open + 3).min(bytes.len()), b'\''),
        Some(first) => {
            let width = match first {
                0xF0.. => 4,
                0xE0.. => 3,
                0xC0.. => 2,
                _ => 1,
            };
            open + 1 + width
        }
        None => bytes.len(),
    };
    if bytes.get(close) == Some(&b'\'') {
        Token::Quoted { inside: open + 1..close, end: close + 1 }
    } else {
        Token::Code(open + 1)
    }
}

/// An identifier, a number, or the raw string that `r`, `br` or `cr` begins.
fn word(bytes: &[u8], from: usize) -> Token {
    let length = bytes[from..].iter().position(|byte| !is_word(*byte)).unwrap_or(bytes.len() - from);
    let end = from + length;
    if !matches!(&bytes[from..end], b"r" | b"br" | b"cr") {
        return Token::Code(end);
    }
    let hashes = bytes[end..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(end + hashes) != Some(&b'"') {
        return Token::Code(end);
    }
    let open = end + hashes + 1;
    let closing: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let close = bytes[open..].windows(closing.len()).position(|window| window == closing);
    let close = close.map_or(bytes.len(), |distance| open + distance);
    Token::Quoted { inside: open..close, end: (close + closing.len()).min(bytes.len()) }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The identifiers of blanked code, each with its offset.
pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let bytes = code.as_bytes();
        let start = at + bytes[at..].iter().position(|byte| is_word(*byte))?;
        let length = bytes[start..].iter().position(|byte| !is_word(*byte)).unwrap_or(bytes.len() - start);
        at = start + length;
        Some((start, &code[start..at]))
    })
}

/// The line of an offset, counted from 1.
pub fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Where the item that begins at `from` ends: behind its body, or behind its semicolon.
pub fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'{' if depth == 0 => return block_end(code, offset),
            b';' if depth == 0 => return offset + 1,
            b'}' if depth == 0 => return offset, // the last field of a struct
            _ => {}
        }
    }
    code.len()
}

fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return offset + 1;
        }
    }
    code.len()
}

/// True when an offset stands right in the body of a `while` or a `loop`.
pub fn is_looking_again(code: &str, offset: usize) -> bool {
    let mut depth = 0_usize;
    for (at, byte) in code[..offset].bytes().enumerate().rev() {
        match byte {
            b'}' => depth += 1,
            b'{' if depth == 0 => {
                let before = code[..at].rfind(['{', '}', ';']).map_or(0, |end| end + 1);
                return words(&code[before..at]).any(|(_, word)| ["while", "loop"].contains(&word));
            }
            b'{' => depth -= 1,
            _ => {}
        }
    }
    false
}

/// A function with a body.
pub struct Function {
    pub name: String,
    /// From `fn` to behind the closing brace.
    pub span: Range<usize>,
}

/// All functions that have a body, nested ones too.
pub fn functions(code: &str) -> Vec<Function> {
    let all: Vec<(usize, &str)> = words(code).collect();
    let mut found = Vec::new();
    for pair in all.windows(2) {
        let [(start, "fn"), (named, name)] = *pair else { continue };
        let between = &code[start + 2..named];
        if between.is_empty() || !between.trim().is_empty() {
            continue; // `fn(u8) -> u8` is a type
        }
        let end = item_end(code, named);
        if code.as_bytes()[end - 1] == b'}' {
            found.push(Function { name: name.to_owned(), span: start..end });
        }
    }
    found
}

/// What is compiled for tests alone, in order, none within another.
pub fn test_regions(code: &str) -> Vec<Range<usize>> {
    if code.contains("#![cfg(test)]") {
        return std::iter::once(0..code.len()).collect();
    }
    let mut regions: Vec<Range<usize>> = Vec::new();
    for marker in ["#[cfg(test)]", "#[cfg(all(test,"] {
        for (start, _) in code.match_indices(marker) {
            regions.push(start..item_end(code, attribute_end(code, start)));
        }
    }
    regions.sort_by_key(|region| region.start);
    let mut end = 0;
    regions.retain(|region| {
        let outermost = region.start >= end;
        end = end.max(region.end);
        outermost
    });
    regions
}

fn attribute_end(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(start + 1) {
        match byte {
            b'[' => depth += 1,
            b']' if depth == 1 => return offset + 1,
            b']' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn lengths(source: &str) -> Vec<(String, usize)> {
        let code = scan(source).code;
        let lines = |span: &Range<usize>| line_of(&code, span.end - 1) - line_of(&code, span.start) + 1;
        functions(&code).iter().map(|function| (function.name.clone(), lines(&function.span))).collect()
    }

    #[test]
    fn braces_in_text_characters_and_comments_do_not_count() {
        let source = "fn one() {\n let a = \"}\\\"}\";\n let b = '}';\n let c = b'\\'';\n // }\n /* } /* } */ */\n}\nfn two() {}\n";
        assert_eq!(lengths(source), [("one".into(), 7), ("two".into(), 1)]);
    }

    #[test]
    fn raw_strings_end_only_at_their_own_hashes() {
        let source = "fn one() {\n r#\"}\" { \\\"#;\n br\"\\\";\n cr##\"\"#}\"##;\n}\nfn two() {}\n";
        assert_eq!(lengths(source), [("one".into(), 5), ("two".into(), 1)]);
    }

    #[test]
    fn lifetimes_are_not_characters() {
        let source =
            "fn one<'a, 'b: 'a>(x: &'a str, y: &'b str) -> Cow<'a, str> {\n ('x', 'é', '\\u{7d}')\n}\nfn two() {}\n";
        assert_eq!(lengths(source), [("one".into(), 3), ("two".into(), 1)]);
    }

    #[test]
    fn types_of_functions_and_declarations_without_a_body_are_no_functions() {
        let source = "trait T { fn declared(&self, a: [u8; 3]); }\ntype F = fn(u8) -> u8;\n";
        assert_eq!(lengths(source), []);
        let source = "fn outer(f: fn(u8), a: [u8; { 2 }]) where [(); 2]: Sized {\n fn inner() {\n }\n}";
        assert_eq!(lengths(source), [("outer".into(), 4), ("inner".into(), 2)]);
    }

    #[test]
    fn test_regions_end_where_their_item_ends() {
        let source = "#[cfg(test)]\nmod tests;\nfn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod more {\n fn b() {}\n}\nfn c() {}\n#[cfg(all(test, unix))]\nuse d::e;\nfn f() {}";
        let code = scan(source).code;
        let mut outside = code.clone();
        for region in test_regions(&code).into_iter().rev() {
            outside.replace_range(region, "");
        }
        assert_eq!(outside, "\nfn a() {}\n\nfn c() {}\n\nfn f() {}");
    }

    #[test]
    fn comments_and_code_keep_their_offsets() {
        let source = "let a = \"// é\"; // naïve\nlet b = 'ö'; /* ü */";
        let scan = scan(source);
        assert_eq!((scan.code.len(), scan.notes.len()), (source.len(), source.len()));
        assert_eq!(scan.notes.split_whitespace().collect::<Vec<_>>(), ["//", "naïve", "/*", "ü", "*/"]);
        assert!(!scan.code.contains('é') && !scan.code.contains("naïve") && scan.code.contains("let b"));
    }

    #[test]
    fn unfinished_source_ends_the_scan_without_a_panic() {
        for source in ["\"", "'", "'\\", "r#\"", "/*", "/* /*", "fn", "fn a", "fn a() {", "#[cfg(test)]", "\"\\", "b'"]
        {
            let scan = scan(source);
            functions(&scan.code);
            test_regions(&scan.code);
        }
    }
}
