//! Durations and sizes as people write them: `30s`, `64MiB`.
//!
//! Never guesses a unit: a duration without one is an error, a size without one is in bytes.

use std::{borrow::Cow, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

/// A duration such as `500ms`, `30s`, `5m`, `24h` or `7d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Period(pub(crate) Duration);

/// A number of bytes such as `1KiB`, `64MiB`, `10MB` or `4096`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) usize);

const PERIODS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

const SIZES: [(&str, usize); 7] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// What to write instead of a duration that cannot be read.
pub(crate) const PERIOD_REMEDY: &str = "write a number and a unit: `500ms`, `30s`, `5m`, `24h` or `7d`";
/// What to write instead of a size that cannot be read.
pub(crate) const SIZE_REMEDY: &str = "write a number of bytes or one with a unit: `4096`, `64KiB`, `64MiB`, `10MB`";

impl Period {
    /// Reads a duration; nothing else may stand around it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split(text)?;
        let (_, factor) = PERIODS.iter().find(|(name, _)| *name == unit)?;
        number.parse::<u64>().ok()?.checked_mul(*factor).map(|ms| Self(Duration::from_millis(ms)))
    }
}

impl Size {
    /// Reads a size; nothing else may stand around it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split(text)?;
        let unit = if unit.is_empty() { "B" } else { unit };
        let (_, factor) = SIZES.iter().find(|(name, _)| *name == unit)?;
        number.parse::<usize>().ok()?.checked_mul(*factor).map(Self)
    }
}

/// The digits that a text begins with, and what follows them.
fn split(text: &str) -> Option<(&str, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    (digits > 0).then(|| (number, unit.trim_start_matches(' ')))
}

impl fmt::Display for Period {
    /// In the largest unit that leaves a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (unit, factor) =
            PERIODS.iter().rev().find(|(_, factor)| ms > 0 && ms.is_multiple_of(*factor)).unwrap_or(&("s", 1000));
        write!(f, "{}{unit}", ms / factor)
    }
}

impl fmt::Display for Size {
    /// In the largest binary unit that leaves a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, factor): &&(&str, usize)| self.0 > 0 && self.0.is_multiple_of(*factor);
        match SIZES[1..4].iter().rev().find(whole) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A number or a text, as text. Names no value in its errors.
fn text_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(de::Error::custom("expected text or a number")),
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&text_of(deserializer)?).ok_or_else(|| de::Error::custom(PERIOD_REMEDY))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&text_of(deserializer)?).ok_or_else(|| de::Error::custom(SIZE_REMEDY))
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration: a whole number and a unit (ms, s, m, h or d).",
            "type": "string",
            "pattern": r"^([0-9]+ *(ms|s|m|h|d)|.*\$\{.*\}.*)$",
            "examples": ["500ms", "30s", "5m", "24h"],
        })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of bytes, plain or with a unit (B, KiB, MiB, GiB, KB, MB or GB).",
            "type": ["string", "integer"],
            "pattern": r"^([0-9]+ *(B|KiB|MiB|GiB|KB|MB|GB)?|.*\$\{.*\}.*)$",
            "minimum": 0,
            "examples": ["1KiB", "64MiB", "10MB", 4096],
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit_only() {
        for (text, ms) in [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("24h", 86_400_000), ("1 d", 86_400_000)] {
            assert_eq!(Period::parse(text).unwrap().0, Duration::from_millis(ms), "{text}");
        }
        for text in ["", "30", "s", "-1s", "1.5h", "30 sec", "99999999999999999999s", "18446744073709551615h"] {
            assert!(Period::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn sizes_are_bytes_unless_a_unit_says_otherwise() {
        for (text, bytes) in [("0", 0), ("4096", 4096), ("1KiB", 1024), ("10MB", 10_000_000), ("2 GiB", 2 << 30)] {
            assert_eq!(Size::parse(text).unwrap().0, bytes, "{text}");
        }
        for text in ["", "MiB", "1mib", "1.5MiB", "-1", "99999999999999999999", "18446744073709551615KiB"] {
            assert!(Size::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn both_are_shown_as_people_write_them() {
        for text in ["500ms", "30s", "90s", "5m", "36h", "7d", "0s"] {
            assert_eq!(Period::parse(text).unwrap().to_string(), text);
        }
        for text in ["0", "1000", "1KiB", "64MiB", "3GiB"] {
            assert_eq!(Size::parse(text).unwrap().to_string(), text);
        }
    }
}
