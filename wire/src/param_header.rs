//! `Mcp-Param-*`: arguments of a tool that its `inputSchema` wants to see in HTTP headers, marked `x-mcp-header`.
//!
//! "Custom Headers from Tool Parameters" (Streamable HTTP) of revision 2026-07-28. Never validates arguments against the
//! schema, and never follows a reference in it.

use std::borrow::Cow;

use memchr::memmem;

use crate::{elements, field, header, members, text};

/// Headers that one tool may ask for.
pub const MOST: usize = 64;

/// Levels of a schema that are looked through.
const LEVELS: usize = 64;

const MARK: &str = "x-mcp-header";

/// The safe range of integers in JavaScript, to which header values are bound.
const SAFE: f64 = 9_007_199_254_740_991.0;

/// Why a tool's definition is invalid: it is to be left out of lists, with a warning that names it and this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The name is empty or has characters that no header name has.
    #[error("an `x-mcp-header` is no token of RFC 9110")]
    Name,
    /// Two parameters want the same header; case does not count.
    #[error("two parameters have the same `x-mcp-header`")]
    Twice,
    /// The parameter is not a string, an integer or a boolean.
    #[error("an `x-mcp-header` stands at a parameter that is not of type string, integer or boolean")]
    Type,
    /// The mark stands where no argument can be found by following `properties` alone.
    #[error("an `x-mcp-header` stands at a place that is not reached from the root by `properties` alone")]
    Place,
    /// More marks than are taken, or a schema too deep to be looked through.
    #[error("too many `x-mcp-header`, or in a schema too deep")]
    TooMuch,
}

/// A parameter that goes into a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamHeader {
    /// `Mcp-Param-` and the name that the tool gave.
    pub name: String,
    /// The properties that lead to the argument.
    pub path: Vec<String>,
}

/// The headers that a tool asks for, by its raw `inputSchema`. To be found out once for a tool, not once for a call.
///
/// # Errors
/// What makes the definition invalid, should there be more than one thing the first.
pub fn param_headers(input_schema: &[u8]) -> Result<Vec<ParamHeader>, Invalid> {
    // Nearly no schema has one. An escape could hide it.
    if memmem::find(input_schema, MARK.as_bytes()).is_none() && memmem::find(input_schema, b"\\u").is_none() {
        return Ok(Vec::new());
    }
    let mut search = Search { found: Vec::new(), path: Vec::new() };
    search.schema(input_schema, Place::Root, LEVELS)?;
    Ok(search.found)
}

impl ParamHeader {
    /// The header's value for a call with these raw `arguments`: text in the header's own encoding. `None` when the header
    /// is to be left out: no such argument, `null`, or a value that no header can tell (which the server will refuse).
    #[must_use]
    pub fn value(&self, arguments: &[u8]) -> Option<String> {
        let plain = self.plain(arguments)?;
        Some(header::encode_header(&plain).into_owned())
    }

    /// Whether a header as received (`None`: not there) says what the raw `arguments` say. Integers are compared as
    /// numbers ("Server Validation").
    #[must_use]
    pub fn agrees(&self, received: Option<&str>, arguments: &[u8]) -> bool {
        match (received.map(header::decode_header), self.plain(arguments)) {
            (None, None) => true,
            (Some(Some(received)), Some(plain)) => {
                let numbers = received.parse::<f64>().ok().zip(plain.parse::<f64>().ok());
                let is_number = !matches!(self.raw(arguments), Some([b'"', ..]));
                received == plain || is_number && numbers.is_some_and(|(one, other)| one == other)
            }
            _ => false,
        }
    }

    fn raw<'a>(&self, arguments: &'a [u8]) -> Option<&'a [u8]> {
        self.path.iter().try_fold(arguments, |object, key| field(object, key))
    }

    /// The value before it is encoded.
    fn plain<'a>(&self, arguments: &'a [u8]) -> Option<Cow<'a, str>> {
        let raw = self.raw(arguments)?;
        match raw.first()? {
            b'"' => text(raw),
            b't' | b'f' => Some(Cow::Borrowed(std::str::from_utf8(raw).ok()?)),
            b'-' | b'0'..=b'9' => {
                let digits = std::str::from_utf8(raw).ok()?;
                if !digits.contains(['.', 'e', 'E']) {
                    return Some(Cow::Borrowed(digits));
                }
                // An integer by its value, though not as written.
                let number: f64 = digits.parse().ok()?;
                (number.fract() == 0.0 && number.abs() <= SAFE).then(|| Cow::Owned(format!("{number:.0}")))
            }
            _ => None,
        }
    }
}

/// Where in a schema a subschema stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    /// Reached by `properties` alone.
    Property,
    Elsewhere,
}

struct Search {
    found: Vec<ParamHeader>,
    path: Vec<String>,
}

impl Search {
    /// Looks through one schema, or an array of them.
    fn schema(&mut self, schema: &[u8], place: Place, levels: usize) -> Result<(), Invalid> {
        if levels == 0 {
            return Err(Invalid::TooMuch);
        }
        for element in elements(schema) {
            self.schema(element, Place::Elsewhere, levels - 1)?;
        }
        for (key, value, _) in members(schema) {
            let value = value.of(schema);
            match &*key {
                MARK => self.mark(schema, value, place)?,
                // Names of a schema's parts, which are no keywords.
                "properties" if place != Place::Elsewhere => self.parts(value, Place::Property, levels - 1)?,
                "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => {
                    self.parts(value, Place::Elsewhere, levels - 1)?;
                }
                // Plain values, in which nothing is a keyword.
                "const" | "enum" | "default" | "examples" => {}
                _ => self.schema(value, Place::Elsewhere, levels - 1)?,
            }
        }
        Ok(())
    }

    fn parts(&mut self, parts: &[u8], place: Place, levels: usize) -> Result<(), Invalid> {
        for (name, schema, _) in members(parts) {
            self.path.push(name.into_owned());
            self.schema(schema.of(parts), place, levels)?;
            self.path.pop();
        }
        Ok(())
    }

    fn mark(&mut self, schema: &[u8], value: &[u8], place: Place) -> Result<(), Invalid> {
        if place != Place::Property {
            return Err(Invalid::Place);
        }
        let name = text(value).filter(|name| !name.is_empty() && name.bytes().all(is_token)).ok_or(Invalid::Name)?;
        if !field(schema, "type").is_some_and(is_plain_type) {
            return Err(Invalid::Type);
        }
        let name = format!("Mcp-Param-{name}");
        if self.found.iter().any(|other| other.name.eq_ignore_ascii_case(&name)) {
            return Err(Invalid::Twice);
        }
        if self.found.len() == MOST {
            return Err(Invalid::TooMuch);
        }
        self.found.push(ParamHeader { name, path: self.path.clone() });
        Ok(())
    }
}

/// Whether a raw `type` is one that a header can tell; it may be nullable, for a `null` leaves the header out.
fn is_plain_type(raw: &[u8]) -> bool {
    let plain = |raw: &[u8]| matches!(text(raw).as_deref(), Some("string" | "integer" | "boolean"));
    let mut types = elements(raw).filter(|raw| text(raw).as_deref() != Some("null"));
    plain(raw) || types.next().is_some_and(plain) && types.next().is_none()
}

/// `tchar` of RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
