//! Words and phrases of a list, found in texts as whole tokens, each with what stands before it.
//!
//! So lexicons are read, of feelings as of findings, whose words are turned or scaled by those before them (L. Polanyi and A.
//! Zaenen, "Contextual valence shifters", 2006; W. Chapman et al., "A simple algorithm for identifying negated findings and
//! diseases in discharge summaries", 2001). What is there is said here; what it means is for others to say.

use std::borrow::Cow;

use hashbrown::HashTable;

use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::numbers::Numbered;

/// The number of what is in no list.
const NONE: u32 = u32::MAX;

/// A phrase in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Find {
    /// Its place in the list.
    pub phrase: u32,
    /// The token it begins with, and how many it has.
    pub at: usize,
    pub size: usize,
    /// Whether its first token stands out by its capitals: it has no other letters, the text has words without any.
    pub shouted: bool,
    /// What ends before it: the place in the other list, and how many tokens before, the nearest first.
    pub before: Vec<(u32, u32)>,
}

/// Finds the phrases of a list.
pub struct Finder {
    words: Words,
    phrases: Trie,
    /// Of what may stand before them, from its last word to its first.
    before: Trie,
    reach: usize,
}

impl Finder {
    /// A finder of `phrases`, which looks for those of `before` that end up to `reach` tokens before one.
    ///
    /// # Errors
    /// [`Error::Phrase`] for one that is not all tokens, or that comes twice in its list.
    pub fn new<T: AsRef<str>>(phrases: &[T], before: &[T], reach: usize) -> Result<Self> {
        let mut made = Self { words: Words::default(), phrases: Trie::default(), before: Trie::default(), reach };
        for (number, phrase) in (0..).zip(phrases) {
            let words = made.words.of(phrase.as_ref(), number)?;
            made.phrases.add(words.into_iter(), number)?;
        }
        for (number, phrase) in (0..).zip(before) {
            let words = made.words.of(phrase.as_ref(), number)?;
            made.before.add(words.into_iter().rev(), number)?;
        }
        Ok(made)
    }

    /// The phrases in `text` in their order, the longest where several begin with a token; none begins inside another.
    pub fn found(&self, text: &str) -> Vec<Find> {
        let text = plain(text);
        let (mut calm, mut lower) = (false, String::new());
        let seen: Vec<_> = tokens(&text)
            .map(|token| {
                let (small, capital) = (token.contains(char::is_lowercase), token.contains(char::is_uppercase));
                calm |= small && !capital;
                let loud = capital && !small && token.chars().nth(1).is_some();
                Seen { word: self.words.number(lowered(token, &mut lower)), mark: is_mark(token), loud }
            })
            .collect();
        let (mut found, mut at) = (Vec::new(), 0);
        while at < seen.len() {
            let longest = self.phrases.longest(seen[at..].iter().map(|one| one.word));
            if let Some((size, phrase)) = longest {
                let shouted = calm && seen[at].loud;
                found.push(Find { phrase, at, size, shouted, before: self.before(&seen[..at]) });
            }
            at += longest.map_or(1, |(size, _)| size);
        }
        found
    }

    /// What ends at most `reach` tokens before the end of `seen`, with no mark between.
    fn before(&self, seen: &[Seen]) -> Vec<(u32, u32)> {
        let near = seen.iter().rev().take(self.reach).take_while(|one| !one.mark).count();
        let ending = |back: usize| {
            let longest = self.before.longest(seen[..=seen.len() - back].iter().rev().map(|one| one.word));
            longest.map(|(_, number)| (number, back as u32))
        };
        (1..=near).filter_map(ending).collect()
    }
}

/// A token of a text, by the number of its word.
struct Seen {
    word: u32,
    mark: bool,
    loud: bool,
}

/// A text's tokens: words with the apostrophes and hyphens inside them, emoticons, emojis, runs of "!", and the marks that part
/// sentences. The rest is passed over.
pub fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let first = rest.chars().next()?;
            let length = length(rest, first);
            let (token, behind) = rest.split_at(length.max(first.len_utf8()));
            rest = behind;
            if length > 0 {
                return Some(token);
            }
        }
    })
}

/// With one kind of apostrophe.
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.contains('\u{2019}') { text.replace('\u{2019}', "'").into() } else { text.into() }
}

/// How many bytes the token has that a text begins with; 0 if it begins with none.
fn length(text: &str, first: char) -> usize {
    match first {
        _ if first.is_alphanumeric() => word(text),
        '!' => text.len() - text.trim_start_matches('!').len(),
        _ => [face(text), picture(text), usize::from(is_mark(&text[..first.len_utf8()])) * first.len_utf8()]
            .into_iter()
            .find(|&length| length > 0)
            .unwrap_or(0),
    }
}

fn word(text: &str) -> usize {
    let mut end = 0;
    let mut letters = text.char_indices().peekable();
    while let Some((at, c)) = letters.next() {
        if c.is_alphanumeric() {
            end = at + c.len_utf8();
        } else if !matches!(c, '\'' | '-') || !letters.peek().is_some_and(|&(_, next)| next.is_alphanumeric()) {
            break;
        }
    }
    end
}

/// An emoticon: eyes, perhaps with brows before and a nose below them, and a mouth, with nothing of a word or address behind.
fn face(text: &str) -> usize {
    if let Some(whole) = ["<3", "\\o/"].into_iter().find(|whole| text.starts_with(whole)) {
        return whole.len();
    }
    let behind_brows = text.strip_prefix('>').unwrap_or(text);
    let Some(behind_eyes) = behind_brows.strip_prefix([':', ';', '=']) else { return 0 };
    for below in [behind_eyes.strip_prefix(['-', '\'']), Some(behind_eyes)].into_iter().flatten() {
        let mouth = below.strip_prefix(['(', ')', '[', ']', 'd', 'D', 'p', 'P', 'o', 'O', '/', '\\']);
        if let Some(rest) = mouth
            && !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '/'))
        {
            return text.len() - rest.len();
        }
    }
    0
}

/// An emoji, with those it is joined to.
fn picture(text: &str) -> usize {
    let emoji = |c: char| matches!(c, '\u{2600}'..='\u{27bf}' | '\u{2b50}' | '\u{1f300}'..='\u{1faff}');
    let Some(mut rest) = text.strip_prefix(emoji) else { return 0 };
    while let Some(joined) = rest.strip_prefix('\u{200d}').and_then(|joined| joined.strip_prefix(emoji)) {
        rest = joined;
    }
    text.len() - rest.len()
}

fn is_mark(token: &str) -> bool {
    token.starts_with('!') || matches!(token, "." | "," | ";" | ":" | "?" | "\u{2026}" | "\n")
}

/// In small letters; `room` is to work in.
fn lowered<'a>(token: &'a str, room: &'a mut String) -> &'a str {
    if token.is_ascii() {
        room.clear();
        room.push_str(token);
        room.make_ascii_lowercase();
    } else {
        *room = token.to_lowercase();
    }
    room
}

/// The words that phrases are made of, by numbers.
#[derive(Default)]
struct Words {
    numbers: HashTable<(Box<str>, u32)>,
}

impl Words {
    fn number(&self, word: &str) -> u32 {
        self.numbers.find(Self::hash(word), |(known, _)| **known == *word).map_or(NONE, |&(_, number)| number)
    }

    /// The numbers of a phrase's words, the new ones from now on.
    fn of(&mut self, phrase: &str, number: usize) -> Result<Vec<u32>> {
        let (plain, mut room) = (plain(phrase), String::new());
        let spelt: usize = tokens(&plain).map(str::len).sum();
        if spelt == 0 || spelt != plain.split(' ').map(str::len).sum::<usize>() {
            return Err(Error::Phrase { number, why: "is not made of tokens of a text" });
        }
        Ok(tokens(&plain).map(|token| self.kept(lowered(token, &mut room))).collect())
    }

    fn kept(&mut self, word: &str) -> u32 {
        let next = self.numbers.len() as u32;
        let entry = self.numbers.entry(Self::hash(word), |(known, _)| **known == *word, |(known, _)| Self::hash(known));
        entry.or_insert_with(|| (word.into(), next)).get().1
    }

    fn hash(word: &str) -> u64 {
        let tag = u64::from(Hash::of(word).tag());
        tag << 32 | tag
    }
}

/// Phrases by their words' numbers.
#[derive(Default)]
struct Trie {
    /// The node after a word, by the node before it and the word; 0 is where all begin.
    next: Numbered<u32>,
    /// The phrase that ends at each node behind the first.
    ends: Vec<u32>,
}

impl Trie {
    fn add(&mut self, words: impl Iterator<Item = u32>, number: usize) -> Result<()> {
        let mut node = 0;
        for word in words {
            node = *self.next.entry(edge(node, word)).or_insert_with(|| {
                self.ends.push(NONE);
                self.ends.len() as u32
            });
        }
        let end = &mut self.ends[node as usize - 1];
        if *end != NONE {
            return Err(Error::Phrase { number, why: "is one that came before" });
        }
        *end = number as u32;
        Ok(())
    }

    /// How many words the longest phrase has that these begin with, and its number.
    fn longest(&self, words: impl Iterator<Item = u32>) -> Option<(usize, u32)> {
        let (mut node, mut found) = (0, None);
        for (size, word) in (1..).zip(words) {
            match self.next.get(&edge(node, word)) {
                Some(&below) => node = below,
                None => break,
            }
            let number = self.ends[node as usize - 1];
            found = if number == NONE { found } else { Some((size, number)) };
        }
        found
    }
}

fn edge(node: u32, word: u32) -> u64 {
    u64::from(node) << 32 | u64::from(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<&str> {
        tokens(text).collect()
    }

    /// The phrases found, and what stands before each.
    fn found(finder: &Finder, text: &str) -> Vec<(u32, Vec<(u32, u32)>)> {
        finder.found(text).into_iter().map(|one| (one.phrase, one.before)).collect()
    }

    #[test]
    fn words_marks_and_faces_are_tokens() {
        assert_eq!(of("can't, well-being!!! 'no' a_b -"), ["can't", ",", "well-being", "!!!", "no", "a", "b"]);
        assert_eq!(of(":) :-( >:D =/ ;'p <3 \\o/"), [":)", ":-(", ">:D", "=/", ";'p", "<3", "\\o/"]);
        assert_eq!(of("http://x :Day :d_ >x"), ["http", ":", "x", ":", "Day", ":", "d", "x"]);
        assert_eq!(
            of("\u{1f600}\u{1f600} \u{2764}\u{fe0f} \u{1f468}\u{200d}\u{1f467}"),
            ["\u{1f600}", "\u{1f600}", "\u{2764}", "\u{1f468}\u{200d}\u{1f467}"]
        );
        assert_eq!(of("é\u{2026}\n%"), ["é", "\u{2026}", "\n"]);
    }

    #[test]
    fn the_longest_phrase_counts_and_none_inside_it() {
        let finder = Finder::new(&["wait", "can't wait", "wait and see", "and"], &[], 3).unwrap();
        assert_eq!(
            finder.found("I CAN\u{2019}T wait and"),
            [
                Find { phrase: 1, at: 1, size: 2, shouted: true, before: vec![] },
                Find { phrase: 3, at: 3, size: 1, shouted: false, before: vec![] },
            ]
        );
        assert_eq!(found(&finder, "can't-wait wait and see"), [(2, vec![])]);
    }

    #[test]
    fn what_stands_before_is_told_up_to_a_mark() {
        let finder = Finder::new(&["glad"], &["not", "kind of", "of"], 3).unwrap();
        assert_eq!(found(&finder, "not so very glad"), [(0, vec![(0, 3)])]);
        assert_eq!(found(&finder, "not so very, glad"), [(0, vec![])]);
        assert_eq!(found(&finder, "not a b c glad"), [(0, vec![])]);
        assert_eq!(found(&finder, "not kind of glad"), [(0, vec![(1, 1), (0, 3)])]);
        assert_eq!(found(&finder, "of :) glad"), [(0, vec![(2, 2)])]);
        assert_eq!(found(&Finder::new(&["glad"], &["not"], 0).unwrap(), "not glad"), [(0, vec![])]);
    }

    #[test]
    fn capitals_stand_out_beside_words_without_any() {
        let shouted = |text| Finder::new(&["glad", "i"], &[], 0).unwrap().found(text)[0].shouted;
        assert!(shouted("so GLAD"));
        assert!(!shouted("SO GLAD") && !shouted("so Glad") && !shouted("I am"));
    }

    #[test]
    fn a_phrase_that_no_text_holds_is_refused() {
        let refused = |phrases: &[&str]| Finder::new(phrases, &[], 3).err();
        for wrong in ["", " ", "a_b", "a\tb", "100%"] {
            assert!(matches!(refused(&["a", wrong]), Some(Error::Phrase { number: 1, .. })), "{wrong}");
        }
        assert!(matches!(refused(&["can't", "CAN\u{2019}T"]), Some(Error::Phrase { number: 1, .. })));
    }
}
