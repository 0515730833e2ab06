//! What is known of languages: their function words, by which a text tells which it is in; the forms no stemmer can derive; and
//! their stemmers.
//!
//! A file of `words/` is a language. A line of it is `-` and function words, which say nothing about what a text is about; `=`,
//! a word, and what means the same in this language, found alike in all; or a word and forms of it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};

use super::{fold, german};
use crate::error::{Error, Result};

/// How languages are named: ISO 639-1, and what has no stemmer of its own behind its neighbour's.
const CODES: [(&str, &str, Stem); 18] = [
    ("en", include_str!("words/en.txt"), Stem::Snowball(Algorithm::English)),
    ("de", include_str!("words/de.txt"), Stem::German),
    ("es", include_str!("words/es.txt"), Stem::Snowball(Algorithm::Spanish)),
    ("fr", include_str!("words/fr.txt"), Stem::Snowball(Algorithm::French)),
    ("it", include_str!("words/it.txt"), Stem::Snowball(Algorithm::Italian)),
    ("pt", include_str!("words/pt.txt"), Stem::Snowball(Algorithm::Portuguese)),
    ("nl", include_str!("words/nl.txt"), Stem::Snowball(Algorithm::Dutch)),
    ("sv", include_str!("words/sv.txt"), Stem::Snowball(Algorithm::Swedish)),
    ("da", include_str!("words/da.txt"), Stem::Snowball(Algorithm::Danish)),
    ("no", include_str!("words/no.txt"), Stem::Snowball(Algorithm::Norwegian)),
    ("fi", include_str!("words/fi.txt"), Stem::Snowball(Algorithm::Finnish)),
    ("hu", include_str!("words/hu.txt"), Stem::Snowball(Algorithm::Hungarian)),
    ("ro", include_str!("words/ro.txt"), Stem::Snowball(Algorithm::Romanian)),
    ("tr", include_str!("words/tr.txt"), Stem::Snowball(Algorithm::Turkish)),
    ("ru", include_str!("words/ru.txt"), Stem::Snowball(Algorithm::Russian)),
    ("el", include_str!("words/el.txt"), Stem::Snowball(Algorithm::Greek)),
    ("ar", include_str!("words/ar.txt"), Stem::Snowball(Algorithm::Arabic)),
    ("ta", include_str!("words/ta.txt"), Stem::Snowball(Algorithm::Tamil)),
];
const KNOWN: &str = "ar, da, de, el, en, es, fi, fr, hu, it, nb, nl, no, pt, ro, ru, sv, ta, tr";
/// Of each text its own language: ISO 639-2 for several.
const EACH: &str = "mul";
/// What a function word says for each of the languages that have it is this, shared among them.
const VOTE: u32 = 2520;

#[derive(Clone, Copy)]
enum Stem {
    German,
    Snowball(Algorithm),
}

/// A language whose grammar is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tongue(u8);

impl Tongue {
    pub(super) const ENGLISH: Self = Self(0);

    /// What is left of a word without its endings.
    pub(super) fn stem(self, word: &str) -> Cow<'_, str> {
        let (_, _, stem) = CODES[usize::from(self.0)];
        match stem {
            Stem::German => german::stem(word).into(),
            Stem::Snowball(algorithm) => Stemmer::create(algorithm).stem(word),
        }
    }
}

/// Any number of languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tongues(u32);

impl Tongues {
    pub(crate) const ALL: u32 = (1 << CODES.len()) - 1;

    /// Those of bits up to [`Tongues::ALL`].
    pub(crate) fn new(bits: u32) -> Self {
        Self(bits & Self::ALL)
    }

    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    pub(crate) fn add(&mut self, tongue: Tongue) {
        self.0 |= 1 << tongue.0;
    }

    pub(super) fn has(self, tongue: Tongue) -> bool {
        self.0 >> tongue.0 & 1 > 0
    }

    pub(super) fn each(self) -> impl Iterator<Item = Tongue> {
        (0..CODES.len() as u8).map(Tongue).filter(move |tongue| self.has(*tongue))
    }
}

/// Whose grammar words are freed of. Script is told from the text itself, so one language never spoils another's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Nobody's: words are kept as they are.
    Unknown,
    /// That of the language each text is in, English where it does not tell.
    Each,
    /// That of one language, whatever a text is in; see [`Language::from_code`].
    One(Known),
}

/// A language there is a stemmer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known(pub(super) Tongue);

impl Language {
    /// English.
    pub const ENGLISH: Self = Self::One(Known(Tongue::ENGLISH));

    /// The language of an ISO 639-1 code; of a longer tag (`pt-BR`) the first part counts. `mul` is [`Language::Each`], "" is
    /// [`Language::Unknown`].
    ///
    /// # Errors
    /// [`Error::UnknownLanguage`] if there is no stemmer for it.
    pub fn from_code(code: &str) -> Result<Self> {
        let first = code.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        let wanted = if first == "nb" { "no" } else { &first };
        match CODES.iter().position(|(code, _, _)| *code == wanted) {
            Some(place) => Ok(Self::One(Known(Tongue(place as u8)))),
            None if code.is_empty() => Ok(Self::Unknown),
            None if first == EACH => Ok(Self::Each),
            None => Err(Error::UnknownLanguage { known: KNOWN }),
        }
    }
}

/// What the languages know of a word.
#[derive(Default)]
pub(super) struct Entry {
    /// Whose function word it is.
    pub(super) function: Tongues,
    /// What else it is, by language.
    forms: Vec<(Tongue, Form)>,
}

/// What a word stands for.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// It is a form of this word.
    Of(&'static str),
    /// It is found by this term.
    Term(&'static str),
}

impl Entry {
    /// What the word stands for in a language.
    pub(super) fn form(&self, tongue: Tongue) -> Option<Form> {
        self.forms.iter().find(|(other, _)| *other == tongue).map(|(_, form)| *form)
    }
}

/// Looks a folded word up.
pub(super) fn look_up(word: &str) -> Option<&'static Entry> {
    TABLE.get(word)
}

/// What is left of an English word after a contraction (`we'll` → `we`); "" where nothing with a meaning is (`won't`).
pub(super) fn uncontracted(word: &str) -> Option<&str> {
    const ENDINGS: [&str; 5] = ["'m", "'re", "'ve", "'ll", "'d"];
    if word.ends_with("n't") {
        return Some(""); // every word it joins (do, will, can, have, be ...) is a function word itself
    }
    ENDINGS.iter().find_map(|ending| word.strip_suffix(ending))
}

/// Counts which language the function words of a text speak for.
#[derive(Default)]
pub(super) struct Votes([u32; CODES.len()]);

impl Votes {
    pub(super) fn word(&mut self, entry: &Entry) {
        let many = entry.function.bits().count_ones();
        entry.function.each().for_each(|tongue| self.0[usize::from(tongue.0)] += VOTE / many);
    }

    pub(super) fn english(&mut self) {
        self.0[0] += VOTE;
    }

    /// The language of most votes; the first of equals, English without any.
    pub(super) fn won(&self) -> Tongue {
        let most = self.0.iter().max().copied().unwrap_or_default();
        Tongue(self.0.iter().position(|votes| *votes == most).unwrap_or_default() as u8)
    }
}

/// FNV-1a: the words looked up are short, and nobody gains by making them collide with a table that never grows.
#[derive(Default)]
struct Short(u64);

impl Hasher for Short {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0 ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }
}

static TABLE: LazyLock<HashMap<String, Entry, BuildHasherDefault<Short>>> = LazyLock::new(|| {
    let mut table: HashMap<String, Entry, BuildHasherDefault<Short>> = HashMap::default();
    for (place, (_, lines, _)) in CODES.iter().enumerate() {
        let tongue = Tongue(place as u8);
        for line in lines.lines() {
            let (functions, terms) = (line.strip_prefix('-'), line.strip_prefix('='));
            let mut words = functions.or(terms).unwrap_or(line).split_whitespace();
            if functions.is_some() {
                words.for_each(|word| table.entry(fold(word)).or_default().function.add(tongue));
            } else if let Some(base) = if terms.is_some() { words.clone().next() } else { words.next() } {
                let form = if terms.is_some() { Form::Term(base) } else { Form::Of(base) };
                words.for_each(|word| table.entry(fold(word)).or_default().forms.push((tongue, form)));
            }
        }
    }
    table
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_its_code() {
        assert_eq!(Language::from_code("pt-BR"), Language::from_code("PT"));
        assert_eq!(Language::from_code("nb"), Language::from_code("no"));
        assert_eq!(Language::from_code("en"), Ok(Language::ENGLISH));
        assert_eq!(Language::from_code(""), Ok(Language::Unknown));
        assert_eq!(Language::from_code("mul"), Ok(Language::Each));
        assert!(Language::from_code("tlh").is_err());
        assert!(Language::from_code("-").is_err());
        for code in KNOWN.split(", ") {
            assert!(Language::from_code(code).is_ok(), "{code}");
        }
    }

    #[test]
    fn the_base_of_a_form_is_as_it_is_folded() {
        for (code, lines, _) in CODES {
            let bases = lines.lines().filter(|line| !line.starts_with('-'));
            for base in bases.filter_map(|line| line.trim_start_matches("= ").split_whitespace().next()) {
                assert_eq!(fold(base), base, "{code}");
            }
        }
    }

    #[test]
    fn a_word_is_not_both_of_two_things() {
        for (code, lines, _) in CODES {
            let mut seen = HashMap::new();
            for line in lines.lines().filter(|line| !line.starts_with('-')) {
                for word in line.trim_start_matches("= ").split_whitespace() {
                    assert_eq!(*seen.entry(word).or_insert(line), line, "{code}: {word}");
                }
            }
        }
    }
}
