//! What holds for every text, whatever it is.

use alejo_core::text::{Language, Tokenizer};
use proptest::prelude::*;

const CODES: [&str; 21] = [
    "", "ar", "da", "de", "el", "en", "es", "fi", "fr", "hu", "it", "nb", "nl", "pt", "ro", "ru", "sv", "ta", "tr",
    "en-GB", "mul",
];

fn tokenizer(code: &str) -> Tokenizer {
    Tokenizer::new(Language::from_code(code).unwrap())
}

/// Letters, marks, digits and signs of the scripts that are treated differently, mixed as nobody would.
fn wild_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z'’sdmt .A-Z0-9]{0,40}",
        "[ab猫がカー々한แมำ\u{e49}က្ក\u{301}\u{200d}\u{fe0f}İſﬁﷺ𠀀😀 '._-]{0,24}",
        "\\p{Arabic}{0,12}",
        "\\p{Greek}{0,12}",
        "\\p{Tamil}{0,12}",
        "\\p{Cyrillic}{0,12}",
    ]
}

proptest! {
    #[test]
    fn any_text_in_any_language_gives_words_that_have_terms(text in wild_text(), code in prop::sample::select(&CODES)) {
        tokenizer(code).each(&text, |token| {
            assert!(!token.word.is_empty() && !token.term.is_empty());
            assert!(token.word.chars().count() <= 64 && !token.term.contains(char::is_whitespace));
        });
    }

    #[test]
    fn case_of_ascii_does_not_matter(text in "[ -~]{0,60}", code in prop::sample::select(&CODES)) {
        let tokenizer = tokenizer(code);
        prop_assert_eq!(tokenizer.terms(&text.to_ascii_uppercase()), tokenizer.terms(&text.to_ascii_lowercase()));
    }

    #[test]
    fn texts_a_space_apart_give_the_terms_of_each(one in wild_text(), other in wild_text()) {
        let tokenizer = tokenizer("en");
        let mut terms = tokenizer.terms(&one);
        terms.extend(tokenizer.terms(&other));
        prop_assert_eq!(tokenizer.terms(&format!("{one} \n {other}")), terms);
    }

    #[test]
    fn what_is_asked_of_a_chinese_text_by_a_part_of_it_is_found(text in "[一-鿿]{2,20}", from in 0..18_usize, len in 1..4_usize) {
        let part: String = text.chars().skip(from).take(len).collect();
        let terms = tokenizer("").terms(&text);
        prop_assert!(tokenizer("").terms(&part).iter().all(|term| terms.contains(term)));
    }
}
