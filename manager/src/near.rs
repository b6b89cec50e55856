//! Suggestions for words that were probably mistyped.
//!
//! Never guesses across a large distance: a wrong suggestion is worse than none.

/// The known word that a mistyped one was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = folded(word);
    let most = (wanted.len() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &folded(candidate)), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A remedy for a word that is not one of the known ones: the nearest, or all of them when they are few.
pub(crate) fn remedy<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(near) = nearest(word, known.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let all = || known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    match known.len() {
        0 => None,
        1..=24 => Some(format!("known here: {}", all())),
        _ => None,
    }
}

/// Case, hyphens and underscores aside, because those are what people mix up.
fn folded(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_slips_are_recognised_and_strange_words_are_not() {
        let known = ["command", "args", "call_timeout", "url"];
        assert_eq!(nearest("comand", known), Some("command"));
        assert_eq!(nearest("callTimeout", known), Some("call_timeout"));
        assert_eq!(nearest("ulr", known), Some("url"));
        assert_eq!(nearest("banana", known), None);
        assert_eq!(remedy("banana", ["a", "b"]).as_deref(), Some("known here: `a`, `b`"));
        assert_eq!(remedy("banana", []), None);
    }
}
