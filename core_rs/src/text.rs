//! From a text in any language to the terms it is found by.
//!
//! A text is folded (NFKC, case), cut into runs of one kind of script, and every run is cut as its script wants it:
//! words where spaces part them (Unicode annex 29), pairs of neighbours where they do not (Chinese, Japanese, Korean; Thai, Lao,
//! Khmer, Myanmar). Words then lose what grammar did to them: possessive endings, irregular forms (English), endings (Snowball).
//! Any string is welcome; the length is the caller's to bound, as the work grows with it.

mod english;
mod script;

use std::borrow::Cow;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use crate::error::{Error, Result};
use script::{Kind, is_han, runs};

/// A longer word is known by its first characters: base64 and the like shall not become terms of a megabyte.
const LONGEST_WORD: usize = 64;

/// One thing a text can be found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// The folded word as it stood in the text.
    pub word: &'a str,
    /// The term the word is indexed under.
    pub term: &'a str,
}

/// Whose grammar words are freed of. Script is told from the text itself, so one language never spoils another's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Nobody's: words are kept as they are.
    Unknown,
    /// Stopwords, irregular forms and the Snowball stemmer of English.
    #[default]
    English,
    /// A Snowball stemmer alone.
    Stemmed(Algorithm),
}

impl Language {
    const KNOWN: &'static str = "ar, da, de, el, en, es, fi, fr, hu, it, nb, nl, no, pt, ro, ru, sv, ta, tr";

    /// The language of an ISO 639-1 code; of a longer tag (`pt-BR`) the first part counts, and "" is [`Language::Unknown`].
    ///
    /// # Errors
    /// [`Error::UnknownLanguage`] if there is no stemmer for it.
    pub fn from_code(code: &str) -> Result<Self> {
        let first = code.split(['-', '_']).next().unwrap_or_default();
        Ok(Self::Stemmed(match first.to_ascii_lowercase().as_str() {
            "" if code.is_empty() => return Ok(Self::Unknown),
            "en" => return Ok(Self::English),
            "ar" => Algorithm::Arabic,
            "da" => Algorithm::Danish,
            "de" => Algorithm::German,
            "el" => Algorithm::Greek,
            "es" => Algorithm::Spanish,
            "fi" => Algorithm::Finnish,
            "fr" => Algorithm::French,
            "hu" => Algorithm::Hungarian,
            "it" => Algorithm::Italian,
            "nb" | "no" => Algorithm::Norwegian,
            "nl" => Algorithm::Dutch,
            "pt" => Algorithm::Portuguese,
            "ro" => Algorithm::Romanian,
            "ru" => Algorithm::Russian,
            "sv" => Algorithm::Swedish,
            "ta" => Algorithm::Tamil,
            "tr" => Algorithm::Turkish,
            _ => return Err(Error::UnknownLanguage { known: Self::KNOWN }),
        }))
    }

    fn stemmer(self) -> Option<Stemmer> {
        match self {
            Self::Unknown => None,
            Self::English => Some(Stemmer::create(Algorithm::English)),
            Self::Stemmed(algorithm) => Some(Stemmer::create(algorithm)),
        }
    }
}

/// Cuts texts of one user's language, and of every other, into tokens.
pub struct Tokenizer {
    language: Language,
    stemmer: Option<Stemmer>,
}

impl Tokenizer {
    /// A tokenizer that frees words of the grammar of `language`.
    pub fn new(language: Language) -> Self {
        Self { language, stemmer: language.stemmer() }
    }

    /// Hands every token of `text` to `take`, in the order of the text.
    pub fn each(&self, text: &str, mut take: impl FnMut(Token<'_>)) {
        let folded = fold(text);
        for (kind, run) in runs(&folded) {
            match kind {
                Kind::Spaced => run.unicode_words().for_each(|word| self.word(word, &mut take)),
                Kind::Dense => pairs(run, run.char_indices().map(|(at, _)| at), &mut take),
                Kind::Clustered => pairs(run, run.grapheme_indices(true).map(|(at, _)| at), &mut take),
            }
        }
    }

    /// The terms of `text`, in its order.
    pub fn terms(&self, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        self.each(text, |token| terms.push(token.term.to_owned()));
        terms
    }

    /// A word of annex 29 may still hold what parts it for a reader: `l'amie`, `snake_case`, `www.example.org`.
    fn word(&self, word: &str, take: &mut impl FnMut(Token<'_>)) {
        let word = word.strip_suffix("'s").unwrap_or(word);
        let word = if self.language == Language::English { english::uncontracted(word) } else { word };
        for part in word.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric()) {
            let part = clipped(part);
            if let Some(term) = self.term(part) {
                take(Token { word: part, term: &term });
            }
        }
    }

    fn term<'a>(&self, word: &'a str) -> Option<Cow<'a, str>> {
        if word.is_empty() {
            return None;
        }
        if let Some(number) = number(word) {
            return Some(Cow::Borrowed(number));
        }
        let known = if self.language == Language::English { english::look_up(word) } else { None };
        let base = match known {
            Some(english::Entry::Stopword) => return None,
            Some(english::Entry::FormOf(base)) => base,
            None => word,
        };
        let stem = self.stemmer.as_ref().map_or(Cow::Borrowed(base), |stemmer| stemmer.stem(base));
        // Some stemmers leave nothing of a word that looks like an ending.
        Some(if stem.is_empty() { Cow::Borrowed(word) } else { stem })
    }
}

/// NFKC, one case, one kind of apostrophe, and nothing that does not show (soft hyphens, joiners, variation selectors).
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let seen = text.chars().filter(|c| !is_invisible(*c)).nfkc();
    let mut folded = String::with_capacity(text.len());
    seen.for_each(|c| match c {
        '\u{2019}' => folded.push('\''),
        // Upper case would make it an i.
        'ı' => folded.push(c),
        // By way of the upper case, so that what is one there is one here: ß and SS, ς and Σ, ᾳ and ΑΙ.
        _ => folded.extend(c.to_uppercase().flat_map(char::to_lowercase)),
    });
    // The lower case of İ is an i with a second dot, which nobody types.
    if folded.contains("i\u{307}") { folded.replace("i\u{307}", "i") } else { folded }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200c}' | '\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}')
}

/// The digits of a number or an English ordinal without leading zeros, so that `May 8th` finds `08 May`.
fn number(word: &str) -> Option<&str> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let ending = &word[digits.len()..];
    let plain = matches!(ending, "" | "st" | "nd" | "rd" | "th") && digits.bytes().all(|byte| byte.is_ascii_digit());
    let first = digits.bytes().position(|byte| byte != b'0').unwrap_or(digits.len().saturating_sub(1));
    if plain && !digits.is_empty() { Some(&digits[first..]) } else { None }
}

fn clipped(word: &str) -> &str {
    match word.char_indices().nth(LONGEST_WORD) {
        Some((end, _)) => &word[..end],
        None => word,
    }
}

/// Every two neighbours of a run whose units begin at `starts`; beside them each Han character, a word of its own as often as not.
fn pairs(run: &str, starts: impl Iterator<Item = usize>, take: &mut impl FnMut(Token<'_>)) {
    let mut give = |word| take(Token { word, term: word });
    let mut starts = starts.skip(1).chain([run.len()]);
    let mut first = 0;
    let mut second = starts.next().unwrap_or(run.len());
    let single = second == run.len();
    loop {
        let unit = &run[first..second];
        if single || unit.chars().next().is_some_and(is_han) {
            give(unit);
        }
        let Some(end) = starts.next() else { break };
        give(&run[first..end]);
        (first, second) = (second, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(code: &str, text: &str) -> String {
        Tokenizer::new(Language::from_code(code).unwrap()).terms(text).join(" ")
    }

    #[test]
    fn english_words_lose_their_grammar() {
        assert_eq!(terms("en", "The children's dogs WENT running"), "child dog go run");
        assert_eq!(terms("en", "What is my dog called? I've called it Luna."), "dog call call luna");
        assert_eq!(terms("en", "Don’t forget: she'll be 37 in May!"), "forget 37 may");
    }

    #[test]
    fn joined_words_are_found_by_their_parts() {
        assert_eq!(terms("", "snake_case www.example.org 3.14"), "snake case www example org 3 14");
        assert_eq!(terms("fr", "L’amie d'Hélène"), "l ami d hélen");
    }

    #[test]
    fn the_form_of_the_characters_does_not_matter() {
        assert_eq!(terms("", "ﬁsh Ｌｕｎａ cafe\u{301} Lu\u{ad}na İzmir"), "fish luna café luna izmir");
    }

    #[test]
    fn the_case_does_not_matter_in_any_script() {
        for (upper, lower) in [("STRASSE", "straße"), ("ΟΔΟΣ", "οδος"), ("ЁЖ", "ёж"), ("ԵՒ", "և"), ("ÇA", "ça")]
        {
            assert_eq!(terms("", upper), terms("", lower));
        }
        assert_eq!(terms("de", "Straßen"), terms("de", "STRASSEN"));
        assert_eq!(terms("el", "ΔΡΟΜΟΣ"), terms("el", "δρόμος".replace('ό', "ο").as_str()));
        assert_eq!(terms("", "ılık"), "ılık");
    }

    #[test]
    fn texts_without_spaces_become_pairs() {
        assert_eq!(terms("", "我的猫"), "我 我的 的 的猫 猫");
        assert_eq!(terms("", "カメラ"), "カメ メラ");
        assert_eq!(terms("", "강아지 집"), "강아 아지 집");
        assert_eq!(terms("", "แมวดำ"), "แม มว วดํ ดํา");
        assert_eq!(terms("en", "iPhone15を買う"), "iphone15 を買 買 買う");
    }

    #[test]
    fn other_scripts_are_kept_whole_whatever_the_language() {
        assert_eq!(terms("en", "привет שלום नमस्ते"), "привет שלום नमस्ते");
        assert_eq!(terms("ru", "собаками"), "собак");
    }

    #[test]
    fn a_number_is_one_however_it_is_written() {
        assert_eq!(terms("en", "08 May, the 8th of 007 and 00"), "8 may 8 7 0");
        assert_eq!(terms("", "th 8x 0x1f 21st"), "th 8x 0x1f 21");
    }

    #[test]
    fn a_word_without_end_is_clipped() {
        assert_eq!(terms("", &"x".repeat(100_000)).len(), LONGEST_WORD);
    }

    #[test]
    fn what_an_ending_leaves_nothing_of_is_kept() {
        assert_eq!(terms("tr", "sünüz"), "sünüz");
    }

    #[test]
    fn a_language_is_known_by_its_code() {
        assert_eq!(Language::from_code("pt-BR"), Language::from_code("PT"));
        assert_eq!(Language::from_code(""), Ok(Language::Unknown));
        assert!(Language::from_code("tlh").is_err());
        assert!(Language::from_code("-").is_err());
        for code in Language::KNOWN.split(", ") {
            assert!(Language::from_code(code).is_ok(), "{code}");
        }
    }
}
