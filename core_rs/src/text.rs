//! From a text in any language to the terms it is found by.
//!
//! A text is folded (NFKC, case), cut into runs of one kind of script, and every run is cut as its script wants it:
//! words where spaces part them (Unicode annex 29), pairs of neighbours where they do not (Chinese, Japanese, Korean; Thai, Lao,
//! Khmer, Myanmar). Words then lose what grammar did to them: possessive endings, irregular forms, endings; and accents. Whose
//! grammar that is tell the function words of the text, or whoever made the tokenizer.
//! Any string is welcome; the length is the caller's to bound, as the work grows with it.

mod german;
mod languages;
mod script;

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::decompose_canonical;
use unicode_segmentation::UnicodeSegmentation;

pub(crate) use languages::Tongues;
use languages::{Entry, Form, Tongue, Votes, look_up, uncontracted};
pub use languages::{Known, Language};
use script::{Kind, is_han, runs};

/// A longer word is known by its first characters: base64 and the like shall not become terms of a megabyte.
pub(crate) const LONGEST_WORD: usize = 64;
/// Beyond Latin and Greek a mark is more than an accent.
const GREEK_ENDS: char = '\u{400}';

/// One thing a text can be found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// The folded word as it stood in the text.
    pub word: &'a str,
    /// The term the word is indexed under.
    pub term: &'a str,
}

/// Cuts texts of one language, or of any, into tokens.
pub struct Tokenizer {
    language: Language,
}

/// A text cut into its parts, of which it is to be told which language they are in.
pub(crate) struct Cut<'a> {
    parts: Vec<(Kind, &'a str, Option<&'static Entry>)>,
    votes: Votes,
}

impl Tokenizer {
    /// A tokenizer that frees words of the grammar of `language`.
    pub fn new(language: Language) -> Self {
        Self { language }
    }

    /// Hands every token of `text` to `take`, in the order of the text.
    pub fn each(&self, text: &str, take: impl FnMut(Token<'_>)) {
        let folded = fold(text);
        let cut = self.cut(&folded);
        self.tokens(&cut, self.tongue(&cut), take);
    }

    /// The terms of `text`, in its order.
    pub fn terms(&self, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        self.each(text, |token| terms.push(token.term.to_owned()));
        terms
    }

    /// A folded text in its parts.
    pub(crate) fn cut<'a>(&self, folded: &'a str) -> Cut<'a> {
        let mut cut = Cut { parts: Vec::with_capacity(folded.len() / 4), votes: Votes::default() };
        for (kind, run) in runs(folded) {
            match kind {
                Kind::Spaced => run.unicode_words().for_each(|word| self.word(word, &mut cut)),
                Kind::Dense | Kind::Clustered => cut.parts.push((kind, run, None)),
            }
        }
        cut
    }

    /// A word of annex 29 may still hold what parts it for a reader: `l'amie`, `snake_case`, `www.example.org`.
    fn word<'a>(&self, word: &'a str, cut: &mut Cut<'a>) {
        let mut word = word.strip_suffix("'s").unwrap_or(word);
        if matches!(self.language, Language::Each | Language::ENGLISH)
            && let Some(rest) = uncontracted(word)
        {
            cut.votes.english();
            word = rest;
        }
        for part in word.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
            let part = clipped(part);
            let entry = if self.language == Language::Unknown { None } else { look_up(part) };
            entry.iter().for_each(|entry| cut.votes.word(entry));
            cut.parts.push((Kind::Spaced, part, entry));
        }
    }

    /// Which language the words of a text are freed of.
    pub(crate) fn tongue(&self, cut: &Cut) -> Option<Tongue> {
        match self.language {
            Language::Unknown => None,
            Language::One(Known(tongue)) => Some(tongue),
            Language::Each => Some(cut.votes.won()),
        }
    }

    /// Hands every token of a text in this language to `take`, in the order of the text.
    pub(crate) fn tokens(&self, cut: &Cut, tongue: Option<Tongue>, mut take: impl FnMut(Token<'_>)) {
        for (kind, part, entry) in &cut.parts {
            match kind {
                Kind::Spaced => {
                    if let Some(term) = term(part, *entry, tongue) {
                        take(Token { word: part, term: &term });
                    }
                }
                Kind::Dense => pairs(part, part.char_indices().map(|(at, _)| at), &mut take),
                Kind::Clustered => pairs(part, part.grapheme_indices(true).map(|(at, _)| at), &mut take),
            }
        }
    }

    /// Hands every token of a query to `take`, in the order of the text, and whether it is of the query's own language; if not,
    /// it is what the word of the token before is known by in another of the languages `spoken`.
    pub(crate) fn asked(&self, text: &str, spoken: Tongues, mut take: impl FnMut(Token<'_>, bool)) {
        let folded = fold(text);
        let cut = self.cut(&folded);
        let own = self.tongue(&cut);
        self.tokens(&cut, own, |token| {
            take(token, true);
            let others = spoken.each().filter(|tongue| own.is_some_and(|own| own != *tongue));
            for tongue in others {
                if let Some(term) =
                    term(token.word, look_up(token.word), Some(tongue)).filter(|term| term != token.term)
                {
                    take(Token { word: token.word, term: &term }, false);
                }
            }
        });
    }
}

/// What a word is found by in a language; nothing for its function words.
fn term<'a>(word: &'a str, entry: Option<&Entry>, tongue: Option<Tongue>) -> Option<Cow<'a, str>> {
    if let Some(number) = number(word) {
        return Some(Cow::Borrowed(number));
    }
    let Some(tongue) = tongue else { return Some(Cow::Borrowed(word)) };
    if entry.is_some_and(|entry| entry.function.has(tongue)) {
        return None;
    }
    let base = match entry.and_then(|entry| entry.form(tongue)) {
        Some(Form::Term(term)) => return Some(Cow::Borrowed(term)),
        Some(Form::Of(base)) => base,
        None => word,
    };
    let stem = tongue.stem(base);
    // Some stemmers leave nothing of a word that looks like an ending.
    Some(if stem.is_empty() { plain(Cow::Borrowed(word)) } else { plain(stem) })
}

/// A term without its accents, which people leave out.
fn plain(term: Cow<'_, str>) -> Cow<'_, str> {
    if term.is_ascii() {
        return term;
    }
    let mut plain = String::with_capacity(term.len());
    let mut latin = false;
    for letter in term.chars() {
        decompose_canonical(letter, |part| match part {
            '\u{300}'..='\u{36f}' if latin => (),
            'ø' => plain.push('o'),
            'ł' => plain.push('l'),
            'đ' => plain.push('d'),
            'ı' => plain.push('i'),
            _ => {
                latin = part < GREEK_ENDS || letter == 'ё';
                plain.push(part);
            }
        });
    }
    plain.nfc().collect::<String>().into()
}

/// NFKC, one case, one kind of apostrophe, and nothing that does not show (soft hyphens, joiners, variation selectors).
pub(crate) fn fold(text: &str) -> String {
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
fn pairs(run: &str, starts: impl Iterator<Item = usize>, mut take: impl FnMut(Token<'_>)) {
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
        assert_eq!(terms("fr", "L’amie d'Hélène"), "ami helen");
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
        assert_eq!(terms("tr", "ILIK"), terms("tr", "ilik"));
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
    fn a_text_tells_its_language() {
        assert_eq!(terms("mul", "Ich habe drei Katzen gekauft"), "drei katz kauf");
        assert_eq!(terms("mul", "¿Cuándo llegaron mis hermanas?"), "lleg herman");
        assert_eq!(terms("mul", "Elle a acheté les maisons"), "achet maison");
        assert_eq!(terms("mul", "What they've been doing: running"), "run");
        assert_eq!(terms("mul", "Nothing but names, running"), "noth name run");
        assert_eq!(terms("mul", "Katzen"), "katzen");
        assert_eq!(terms("mul", "Где мои собаки?"), "собак");
    }

    #[test]
    fn months_and_days_are_found_in_any_language() {
        for (code, text) in
            [("de", "Januar Montag"), ("es", "enero, lunes"), ("fr", "lundi janvier"), ("sv", "MÅNDAG, januari")]
        {
            let mut found: Vec<String> = Tokenizer::new(Language::from_code(code).unwrap()).terms(text);
            found.sort();
            assert_eq!(found, ["january", "monday"], "{code}");
        }
        assert_eq!(terms("en", "January Mondays Monday"), "january monday monday");
    }

    #[test]
    fn accents_may_be_left_out() {
        for (code, with, without) in [
            ("es", "canción año", "cancion ano"),
            ("fr", "élève", "eleve"),
            ("en", "café", "cafe"),
            ("de", "Tür", "tur"),
        ] {
            let found = terms(code, without);
            assert_eq!(terms(code, with), found);
        }
        assert_eq!(terms("en", "й"), "й");
    }

    #[test]
    fn a_word_without_end_is_clipped() {
        assert_eq!(terms("", &"x".repeat(100_000)).len(), LONGEST_WORD);
    }

    #[test]
    fn what_an_ending_leaves_nothing_of_is_kept() {
        assert_eq!(terms("tr", "sünüz"), "sunuz");
    }
}
