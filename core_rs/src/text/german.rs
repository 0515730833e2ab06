//! The stem of a German word, after Weissweiler and Fraser, "Developing a Stemmer for German Based on a Comparative Analysis of
//! Publicly Available Stemmers" (2017): CISTEM, whatever the case. Unlike Snowball's it takes `ge` off participles, and here
//! also behind what parts from its verb: `abgeholt` is of `abholen`.

/// An ending is taken off while more units than this are left, and one of two letters while more than [`LONG`] are.
const LEAST: usize = 3;
const LONG: usize = 5;
/// So many letters stand behind a `ge` that is none of the stem.
const BEHIND_GE: usize = 4;

const PARTING: [&str; 19] = [
    "ab", "an", "auf", "aus", "bei", "ein", "fest", "heim", "her", "hin", "los", "mit", "nach", "um", "vor", "weg",
    "weiter", "zu", "zuruck",
];

/// The stem of a word in lower case, without its umlauts.
pub(super) fn stem(word: &str) -> String {
    let plain: String = word.chars().map(plain).collect();
    let (before, rest) = parted(&plain).unwrap_or(("", &plain));
    let mut units = units(rest);
    if !before.is_empty() {
        units.insert(0, before);
    }
    while units.len() > LEAST {
        let ends_with = |endings: &[[&str; 2]]| endings.iter().any(|ending| units.ends_with(ending));
        if units.len() > LONG && ends_with(&[["e", "m"], ["e", "r"], ["n", "d"]]) {
            units.truncate(units.len() - 2);
        } else if units.last().is_some_and(|last| matches!(*last, "t" | "e" | "s" | "n")) {
            units.pop();
        } else {
            break;
        }
    }
    units.concat()
}

/// What stands before and behind the `ge` of a participle, or what looks like one.
fn parted(word: &str) -> Option<(&str, &str)> {
    let parting =
        PARTING.iter().find_map(|parting| word.strip_prefix(parting)?.strip_prefix("ge").map(|rest| (*parting, rest)));
    let (before, rest) = parting.or_else(|| Some(("", word.strip_prefix("ge")?)))?;
    (rest.chars().count() >= BEHIND_GE).then_some((before, rest))
}

fn plain(letter: char) -> char {
    match letter {
        'ä' => 'a',
        'ö' => 'o',
        'ü' => 'u',
        _ => letter,
    }
}

/// The letters of a word; what counts as one is one: `sch`, `ei`, `ie`, and a letter that stands twice.
fn units(word: &str) -> Vec<&str> {
    let mut units = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let (one, two) = (first.len_utf8(), 2 * first.len_utf8());
        let size = match rest {
            _ if rest.starts_with("sch") => 3,
            _ if rest.starts_with("ei") || rest.starts_with("ie") => 2,
            _ if rest.get(one..two) == Some(&rest[..one]) => two,
            _ => one,
        };
        let (unit, after) = rest.split_at(size);
        units.push(unit);
        rest = after;
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_have_one_stem() {
        for (one, other) in [
            ("katzen", "katze"),
            ("häuser", "haus"),
            ("gekauft", "kaufen"),
            ("kaufte", "kaufst"),
            ("wohnungen", "wohnung"),
            ("schönes", "schön"),
            ("spielte", "gespielt"),
            ("abgeholt", "abholen"),
            ("zurückgebracht", "zurückbracht"),
        ] {
            assert_eq!(stem(one), stem(other), "{one} {other}");
        }
    }

    #[test]
    fn a_short_word_is_kept() {
        assert_eq!(stem("see"), "see");
        assert_eq!(stem("ei"), "ei");
        assert_eq!(stem(""), "");
    }
}
