//! `${VAR}`, `${VAR:-default}` and `${file:path}` in values.
//!
//! `$${` stands for `${` itself. Never shows what a variable or a file holds, and replaces nothing in keys.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use crate::{Surroundings, near};

/// Largest file that a value may be taken from, in bytes.
const LARGEST_SECRET: u64 = 64 << 10;

/// Replaces references, and remembers which files were read so that they can be watched.
pub(crate) struct Interpolation<'a> {
    surroundings: &'a Surroundings,
    /// Where relative paths in `${file:path}` begin.
    base: &'a Path,
    /// Every file that was read or should have been.
    pub files: Vec<PathBuf>,
    /// The variables of the last text that are set to nothing and have no default.
    pub empty: Vec<String>,
}

/// A reference that cannot be replaced.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub message: String,
    pub remedy: String,
    /// A variable that is merely not set: forgivable where the value is not used.
    pub unset: bool,
}

impl Fault {
    fn malformed(message: String, remedy: &str) -> Self {
        Self { message, remedy: remedy.into(), unset: false }
    }
}

impl<'a> Interpolation<'a> {
    pub(crate) fn new(surroundings: &'a Surroundings, base: &'a Path) -> Self {
        Self { surroundings, base, files: Vec::new(), empty: Vec::new() }
    }

    /// The text with its references replaced; `None` when it has none.
    ///
    /// # Errors
    /// Every reference that cannot be replaced.
    pub(crate) fn replace(&mut self, text: &str) -> Result<Option<String>, Vec<Fault>> {
        let mut out = String::with_capacity(text.len());
        let mut faults = Vec::new();
        self.empty.clear();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = &from[2..];
                continue;
            }
            out.push_str(before);
            let Some(end) = from.find('}') else {
                faults.push(Fault::malformed(
                    "`${` without its `}`".into(),
                    "close it, or write `$${` for the characters themselves",
                ));
                rest = "";
                break;
            };
            match self.reference(&from[2..end]) {
                Ok(value) => out.push_str(&value),
                Err(fault) => faults.push(fault),
            }
            rest = &from[end + 1..];
        }
        out.push_str(rest);
        match (faults.is_empty(), text.contains("${")) {
            (false, _) => Err(faults),
            (true, true) => Ok(Some(out)),
            (true, false) => Ok(None),
        }
    }

    /// What stands between the braces, replaced.
    fn reference(&mut self, inner: &str) -> Result<String, Fault> {
        if let Some(path) = inner.strip_prefix("file:") {
            return self.file(path);
        }
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        if !is_variable_name(name) || default.is_some_and(|text| text.contains("${")) {
            let remedy =
                "write `${NAME}`, `${NAME:-default}` or `${file:path}`, or `$${` for the characters themselves";
            return Err(Fault::malformed(format!("`${{{inner}}}` is not a reference"), remedy));
        }
        match (self.surroundings.variable(name), default) {
            (Some(""), Some(default)) | (None, Some(default)) => Ok(default.to_owned()),
            (Some(value), _) => {
                if value.is_empty() {
                    self.empty.push(name.to_owned());
                }
                Ok(value.to_owned())
            }
            (None, None) => Err(self.unset(name)),
        }
    }

    fn unset(&self, name: &str) -> Fault {
        let near = near::nearest(name, self.surroundings.names());
        let hint = near.map(|near| format!(" (`{near}` is set; was that meant?)")).unwrap_or_default();
        Fault {
            message: format!("the variable `{name}` is not set{hint}"),
            remedy: format!("set it before Hostler starts, or give a default: `${{{name}:-...}}`"),
            unset: true,
        }
    }

    /// The text of a file without the line end that editors put at its end.
    fn file(&mut self, path: &str) -> Result<String, Fault> {
        let path = self.surroundings.path(path, self.base);
        self.files.push(path.clone());
        let fault = |what: &str| {
            Fault::malformed(
                format!("the file `{}` {what}", path.display()),
                "it should hold the value alone and be readable for the user that Hostler runs as",
            )
        };
        // Anything else might never end, or be empty the next time.
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(fault("is not a regular file"));
        }
        let mut text = String::new();
        let opened = File::open(&path).map_err(|error| fault(&format!("cannot be opened: {}", error.kind())))?;
        opened.take(LARGEST_SECRET + 1).read_to_string(&mut text).map_err(|_| fault("is not readable text"))?;
        if text.len() as u64 > LARGEST_SECRET {
            return Err(fault("is larger than 64 KiB"));
        }
        let cut = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text));
        Ok(cut.unwrap_or(&text).to_owned())
    }
}

/// Whether a shell would accept the name.
pub(crate) fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn surroundings() -> Surroundings {
        let variables = [("KEY", "s3cret"), ("EMPTY", ""), ("HOME", "/h")];
        Surroundings::new(variables.map(|(a, b)| (a.to_owned(), b.to_owned())).into(), "/w".into())
    }

    fn replace(text: &str) -> Result<Option<String>, Vec<Fault>> {
        Interpolation::new(&surroundings(), Path::new("/w")).replace(text)
    }

    #[test]
    fn references_are_replaced_and_all_else_stays() {
        for (text, replaced) in [
            ("${KEY}", "s3cret"),
            ("Bearer ${KEY}!", "Bearer s3cret!"),
            ("${EMPTY}", ""),
            ("${EMPTY:-x}${NONE:-y z}${NONE:-}", "xy z"),
            ("$${KEY} ${KEY}", "${KEY} s3cret"),
            ("$${", "${"),
        ] {
            assert_eq!(replace(text).unwrap().as_deref(), Some(replaced), "{text}");
        }
        for text in ["", "plain", "$KEY", "a$b{c}", "100$"] {
            assert_eq!(replace(text).unwrap(), None, "{text}");
        }
    }

    #[test]
    fn every_bad_reference_is_told_without_a_value() {
        let faults = replace("${KEY} ${KYE} ${NO-PE} ${env:KEY} ${").unwrap_err();
        let told: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
        assert_eq!(
            told,
            [
                "the variable `KYE` is not set (`KEY` is set; was that meant?)",
                "`${NO-PE}` is not a reference",
                "`${env:KEY}` is not a reference",
                "`${` without its `}`",
            ]
        );
        assert!(!format!("{faults:?}").contains("s3cret"));
    }

    #[test]
    fn a_file_gives_its_text_without_the_last_line_end() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "abc\r\n").unwrap();
        std::fs::write(folder.path().join("two"), "a\nb\n\n").unwrap();
        std::fs::write(folder.path().join("long"), "x".repeat(65 << 10)).unwrap();
        let surroundings = surroundings();
        let mut interpolation = Interpolation::new(&surroundings, folder.path());
        assert_eq!(interpolation.replace("${file:token}").unwrap().as_deref(), Some("abc"));
        assert_eq!(interpolation.replace("${file:two}").unwrap().as_deref(), Some("a\nb\n"));
        let fault = interpolation.replace("${file:none}").unwrap_err().remove(0);
        assert!(fault.message.ends_with("none` cannot be opened: entity not found"), "{}", fault.message);
        for (path, told) in [("long", "is larger than 64 KiB"), (".", "is not a regular file")] {
            let fault = interpolation.replace(&format!("${{file:{path}}}")).unwrap_err().remove(0);
            assert!(fault.message.ends_with(told), "{}", fault.message);
        }
        assert_eq!(interpolation.files.len(), 5);
    }
}
