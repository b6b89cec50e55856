//! JSON with comments and trailing commas, as editors keep their settings, and where its parts stand in the text.
//!
//! Never writes a text anew: whoever changes one splices it, so that comments and formatting stay.

use std::ops::Range;

use serde_json::Value;

/// A text that is not even JSON with comments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub line: usize,
    pub column: usize,
}

/// A document: its value, and its text with comments and trailing commas turned into spaces. Offsets in it are offsets
/// in the text it came from.
pub(crate) struct Document {
    pub value: Value,
    clean: String,
}

/// An object in the text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Object {
    /// From its `{` to behind its `}`.
    pub span: Range<usize>,
    pub members: Vec<Member>,
}

/// A member of an object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub name: String,
    /// The offset of the name's opening quote.
    pub start: usize,
    pub value: Range<usize>,
}

impl Document {
    /// Reads a text.
    ///
    /// # Errors
    /// The place at which it is not JSON.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let clean = clean(text);
        let value = serde_json::from_str(&clean)
            .map_err(|error: serde_json::Error| Fault { line: error.line(), column: error.column() })?;
        Ok(Self { value, clean })
    }

    /// The object that names lead to from the root.
    pub(crate) fn object(&self, path: &[&str]) -> Option<Object> {
        let mut at = skip_space(self.clean.as_bytes(), 0);
        for name in path {
            let members = object_at(&self.clean, at)?.members;
            at = members.into_iter().rfind(|member| member.name == *name)?.value.start;
        }
        object_at(&self.clean, at)
    }
}

/// Turns comments, trailing commas and a byte order mark into spaces, byte for byte.
fn clean(text: &str) -> String {
    let mut out = text.as_bytes().to_vec();
    if text.starts_with('\u{feff}') {
        out[..3].fill(b' ');
    }
    let mut at = 0;
    // The last comma, while only spaces and comments have followed it.
    let mut comma: Option<usize> = None;
    while at < out.len() {
        let end = match (out[at], out.get(at + 1)) {
            (b'"', _) => skip_string(&out, at),
            (b'/', Some(b'/')) => blank(&mut out, at, |rest| rest.iter().position(|b| *b == b'\n')),
            (b'/', Some(b'*')) => {
                blank(&mut out, at, |rest| rest[2..].windows(2).position(|pair| pair == b"*/").map(|end| end + 4))
            }
            _ => at + 1,
        };
        match out[at] {
            b',' => comma = Some(at),
            b'}' | b']' => {
                if let Some(comma) = comma.take() {
                    out[comma] = b' ';
                }
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => comma = None,
        }
        at = end;
    }
    // Only whole comments and single ASCII characters were replaced, by ASCII.
    String::from_utf8(out).unwrap_or_default()
}

/// Fills a comment with spaces but keeps its line ends. Returns where it ends.
fn blank(out: &mut [u8], at: usize, end: impl FnOnce(&[u8]) -> Option<usize>) -> usize {
    let end = end(&out[at..]).map_or(out.len(), |length| at + length);
    for byte in &mut out[at..end] {
        if !matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    end
}

fn skip_space(text: &[u8], at: usize) -> usize {
    at + text[at.min(text.len())..].iter().take_while(|b| b.is_ascii_whitespace()).count()
}

/// Behind the string that begins here.
fn skip_string(text: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while at < text.len() {
        match text[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Behind the value that begins here. The text is known to be JSON.
fn skip_value(text: &[u8], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = at;
    while at < text.len() {
        match text[at] {
            b'"' => at = skip_string(text, at),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            _ => {
                at +=
                    text[at..].iter().take_while(|b| !b.is_ascii_whitespace() && !b",]}\"[{".contains(b)).count().max(1)
            }
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The object that begins here, if it is one. The text is known to be JSON.
fn object_at(text: &str, start: usize) -> Option<Object> {
    let bytes = text.as_bytes();
    if bytes.get(start) != Some(&b'{') {
        return None;
    }
    let mut members = Vec::new();
    let mut at = skip_space(bytes, start + 1);
    while bytes.get(at) == Some(&b'"') {
        let name_end = skip_string(bytes, at);
        let name = serde_json::from_str(text.get(at..name_end)?).ok()?;
        let colon = skip_space(bytes, name_end);
        let value = skip_space(bytes, colon + 1);
        let value = value..skip_value(bytes, value);
        let next = skip_space(bytes, value.end);
        members.push(Member { name, start: at, value });
        at = if bytes.get(next) == Some(&b',') { skip_space(bytes, next + 1) } else { next };
    }
    Some(Object { span: start..at + 1, members })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn comments_and_trailing_commas_are_overlooked() {
        let text = "\u{feff}// é\n{ /* {\"x\": 1} */ \"a\": \"// no \\\" comment /*\", // yes\n \"b\": [1, 2, /* , */ ], \"c\": {},\n}\n// end";
        let document = Document::parse(text).unwrap();
        assert_eq!(document.value, json!({"a": "// no \" comment /*", "b": [1, 2], "c": {}}));
        assert_eq!(document.clean.len(), text.len());
        for bad in ["{\"a\": 1,, }", "{", "/* {}", "{\"a\": \"x}", "{} /", "[1 2]"] {
            assert!(Document::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Document::parse("{\n  \"a\": x}").err(), Some(Fault { line: 2, column: 8 }));
    }

    #[test]
    fn objects_are_found_where_they_stand() {
        let text = r#"{ "s\u0031": 1, "m" : {"a": {"b": ["}", {"c": 2}]}, "é": -1.5e3 , "t":true}, "m": { } }"#;
        let document = Document::parse(text).unwrap();
        let root = document.object(&[]).unwrap();
        assert_eq!(root.span, 0..text.len());
        let shown: Vec<_> = root.members.iter().map(|m| (m.name.as_str(), &text[m.value.clone()])).collect();
        assert_eq!(shown[0], ("s1", "1"));
        assert_eq!(shown[2], ("m", "{ }"));
        assert_eq!(document.object(&["m"]).unwrap().members, [], "the last one of a name counts, as for the value");
        let nested = Document::parse(shown[1].1).unwrap();
        let members = nested.object(&[]).unwrap().members;
        let values: Vec<_> = members.iter().map(|m| &shown[1].1[m.value.clone()]).collect();
        assert_eq!(values, [r#"{"b": ["}", {"c": 2}]}"#, "-1.5e3", "true"]);
        assert!(nested.object(&["a", "b"]).is_none());
        assert!(nested.object(&["x"]).is_none());
    }
}
