//! Edits to one object of a body: members out, members in, the commas right. Never looks deeper than the object, and
//! never touches a byte of what stays.

use std::borrow::Cow;

use bytes::Bytes;

use crate::{Span, Splice, members, write_quoted};

/// One member, and what becomes of it.
struct Member<'a> {
    key: Cow<'a, str>,
    value: Span,
    /// From the key's opening quote to the value's end.
    whole: Span,
    fate: Fate,
}

enum Fate {
    Stays,
    Goes,
    Becomes(Bytes),
}

/// An object of a body, and what is to be changed in it. Nothing happens before `write`.
pub(super) struct Object<'a> {
    /// The position after the opening brace.
    inside: u32,
    members: Vec<Member<'a>>,
    /// New members, as written: `"key":value`.
    added: Vec<u8>,
}

impl<'a> Object<'a> {
    /// The object at a range of a validated body; `None` for any other value.
    pub(super) fn at(body: &'a [u8], span: Span) -> Option<Self> {
        let raw = span.of(body);
        let open = raw.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))?;
        if raw[open] != b'{' {
            return None;
        }
        let moved = |part: Span| Span { start: part.start + span.start, end: part.end + span.start };
        let members = members(raw)
            .map(|(key, value, whole)| Member { key, value: moved(value), whole: moved(whole), fate: Fate::Stays })
            .collect();
        Some(Self { inside: span.start + u32::try_from(open).ok()? + 1, members, added: Vec::new() })
    }

    /// The object that a whole body is.
    pub(super) fn whole(body: &'a [u8]) -> Option<Self> {
        Self::at(body, Span { start: 0, end: u32::try_from(body.len()).ok()? })
    }

    /// Where the value of a key is.
    pub(super) fn value(&self, key: &str) -> Option<Span> {
        self.members.iter().find(|member| member.key == key).map(|member| member.value)
    }

    /// The object that the value of a key is.
    pub(super) fn object(&self, body: &'a [u8], key: &str) -> Option<Self> {
        Self::at(body, self.value(key)?)
    }

    /// Takes a member out, should it be there.
    pub(super) fn take(&mut self, key: &str) {
        for member in self.members.iter_mut().filter(|member| member.key == key) {
            member.fate = Fate::Goes;
        }
    }

    /// Gives a key a value (raw JSON), whether or not it had one.
    pub(super) fn put(&mut self, key: &str, json: impl Into<Bytes>) {
        let json = json.into();
        let at = self.members.iter().position(|member| member.key == key);
        self.take(key);
        match at {
            Some(at) => self.members[at].fate = Fate::Becomes(json),
            None => {
                if !self.added.is_empty() {
                    self.added.push(b',');
                }
                write_quoted(key, &mut self.added);
                self.added.push(b':');
                self.added.extend_from_slice(&json);
            }
        }
    }

    /// Gives a key a value unless it has one.
    pub(super) fn put_new(&mut self, key: &str, json: impl Into<Bytes>) {
        if self.value(key).is_none() {
            self.put(key, json);
        }
    }

    /// Whether members went and none is left.
    fn is_emptied(&self) -> bool {
        self.added.is_empty() && !self.members.is_empty() && self.first_kept().is_none()
    }

    fn first_kept(&self) -> Option<usize> {
        self.members.iter().position(|member| !matches!(member.fate, Fate::Goes))
    }

    /// Makes the edits.
    pub(super) fn write(self, splice: &mut Splice) {
        let kept = self.first_kept();
        let mut added = self.added;
        if !added.is_empty() {
            if kept.is_some() {
                added.push(b',');
            }
            splice.replace(Span { start: self.inside, end: self.inside }, added);
        }
        for (index, member) in self.members.iter().enumerate() {
            match &member.fate {
                Fate::Stays => {}
                Fate::Becomes(json) => splice.replace(member.value, json.clone()),
                // Before the first that stays a member goes with the comma behind it, after it with the one before it.
                Fate::Goes if kept.is_some_and(|kept| index > kept) => {
                    let start = self.members[index - 1].whole.end;
                    splice.replace(Span { start, end: member.whole.end }, Bytes::new());
                }
                Fate::Goes => {
                    let end = self.members.get(index + 1).map_or(member.whole.end, |next| next.whole.start);
                    splice.replace(Span { start: member.whole.start, end }, Bytes::new());
                }
            }
        }
    }

    /// Makes the edits to an object within another; an object that they empty goes as a whole.
    pub(super) fn write_within(self, outer: &mut Object<'_>, key: &str, splice: &mut Splice) {
        if self.is_emptied() {
            outer.take(key);
        } else {
            self.write(splice);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    fn edited(body: &str, edit: impl FnOnce(&mut Object<'_>)) -> String {
        let body = Bytes::from(body.to_owned());
        let mut splice = Splice::new(body.clone());
        let mut object = Object::whole(&body).unwrap();
        edit(&mut object);
        object.write(&mut splice);
        String::from_utf8(splice.into_bytes().to_vec()).unwrap()
    }

    #[test]
    fn members_go_with_the_right_comma() {
        let all = r#"{ "a" : 1 , "b":[2] ,"c": {} }"#;
        for (keys, left) in [
            ("a", r#"{ "b":[2] ,"c": {} }"#),
            ("b", r#"{ "a" : 1 ,"c": {} }"#),
            ("c", r#"{ "a" : 1 , "b":[2] }"#),
            ("ab", r#"{ "c": {} }"#),
            ("ac", r#"{ "b":[2] }"#),
            ("bc", r#"{ "a" : 1 }"#),
            ("abc", "{  }"),
            ("", all),
        ] {
            let out =
                edited(all, |object| keys.split("").filter(|key| !key.is_empty()).for_each(|key| object.take(key)));
            assert_eq!(out, left, "without {keys:?}");
        }
    }

    #[test]
    fn members_come_in_front_and_values_change_in_place() {
        assert_eq!(edited("{}", |object| object.put("x", "1")), r#"{"x":1}"#);
        assert_eq!(edited(" { }", |object| object.put("x", "1")), r#" {"x":1 }"#);
        assert_eq!(edited(r#"{ "a":1}"#, |object| object.put("x", "1")), r#"{"x":1, "a":1}"#);
        assert_eq!(edited(r#"{"a":1,"\u0062":2}"#, |object| object.put("b", "3")), r#"{"a":1,"\u0062":3}"#);
        assert_eq!(edited(r#"{"a":1}"#, |object| object.put_new("a", "3")), r#"{"a":1}"#);
        let replaced = edited(r#"{"a":1}"#, |object| {
            object.take("a");
            object.put("x", "1");
            object.put("y", "2");
        });
        assert_eq!(replaced, r#"{"x":1,"y":2}"#);
        assert_eq!(edited(r#"{"a":1,"b":2,"a":3}"#, |object| object.put("a", "4")), r#"{"a":4,"b":2}"#);
    }

    #[test]
    fn what_is_no_object_has_no_members() {
        for body in [&b"[1]"[..], b"", b"  ", b"\"{}\"", b"null"] {
            assert!(Object::whole(body).is_none());
        }
    }

    proptest! {
        #[test]
        fn edits_agree_with_the_reference(
            value in crate::envelope::tests::json(),
            changes in prop::collection::vec(("[a-c\"é]{0,2}", prop::option::of(0..9u8)), 0..6),
            pretty in any::<bool>(),
        ) {
            let mut map = match value {
                Value::Object(map) => map,
                other => Map::from_iter([("a".to_owned(), other)]),
            };
            let body = if pretty { serde_json::to_vec_pretty(&map) } else { serde_json::to_vec(&map) };
            let body = Bytes::from(body.unwrap());
            let mut splice = Splice::new(body.clone());
            let mut object = Object::whole(&body).unwrap();
            let mut touched = std::collections::HashSet::new();
            for (key, new) in changes {
                // One change a key: what was added is not taken again.
                if touched.insert(key.clone()) {
                    match new {
                        Some(new) => {
                            object.put(&key, new.to_string());
                            map.insert(key, new.into());
                        }
                        None => {
                            object.take(&key);
                            map.remove(&key);
                        }
                    }
                }
            }
            object.write(&mut splice);
            let out: Map<String, Value> = serde_json::from_slice(&splice.into_bytes()).unwrap();
            prop_assert_eq!(out, map);
        }
    }
}
