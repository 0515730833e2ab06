use alejo_core::estimate;
use alejo_core::ngram::{Grams, Hasher};
use alejo_core::phrases::{Finder, plain, tokens};
use alejo_core::text::{Language, Tokenizer};

use super::feed::Feed;

const CODES: [&str; 20] = [
    "", "ar", "da", "de", "el", "en", "es", "fi", "fr", "hu", "it", "nb", "nl", "pt", "ro", "ru", "sv", "ta", "tr",
    "mul",
];

/// A text in any language gives words that have terms, the same each time, and a count of tokens in keeping with its length.
pub(super) fn run(data: &[u8]) {
    let mut feed = Feed(data);
    let language = Language::from_code(CODES[usize::from(feed.below(20))]).expect("it has a stemmer");
    let text = String::from_utf8_lossy(feed.0);
    let tokenizer = Tokenizer::new(language);
    let mut count = 0;
    tokenizer.each(&text, |token| {
        assert!(!token.word.is_empty() && !token.term.is_empty());
        assert!(token.word.chars().count() <= 64 && !token.term.contains(char::is_whitespace));
        count += 1;
    });
    assert_eq!(tokenizer.terms(&text).len(), count);
    assert!(estimate::tokens(&text) <= 3 * text.chars().count());
}

/// The n-grams of two texts are vectors of length 1, or none, whose product does not depend on the order.
pub(super) fn run_ngram(data: &[u8]) {
    let mut feed = Feed(data);
    let (bits, words) = (u32::from(feed.below(26)), usize::from(feed.below(10)));
    let chars = (usize::from(feed.below(18)), usize::from(feed.below(18)));
    let Ok(grams) = Grams::new(bits, words, chars) else { return };
    let hasher = Hasher::new(grams);
    let (one, other) = (hasher.features(&feed.text()), hasher.features(&feed.text()));
    for vector in [&one, &other] {
        vector.validate().expect("its invariants hold");
        let square = vector.dot(vector).expect("both are of one size");
        assert!(vector.indices().is_empty() || (square - 1.0).abs() < 1e-3);
        let weights = [0.0, 1.0].repeat(vector.size());
        let sums = vector.scores(&weights, |&weight| weight).expect("those are two columns");
        assert!(sums[0] == 0.0 && (sums[1] - vector.values().iter().sum::<f32>()).abs() < 1e-3);
    }
    let product = one.dot(&other).expect("both are of one size");
    assert!(product.abs() < 1.001 && product == other.dot(&one).expect("both are of one size"));
}

/// Phrases lie where their tokens are, one behind the other, and what is told before them within reach; a text is found in itself.
pub(super) fn run_phrases(data: &[u8]) {
    let mut feed = Feed(data);
    let reach = usize::from(feed.below(5));
    let lists = [feed.text(), feed.text()].map(|list| list.split('|').map(str::to_owned).collect::<Vec<_>>());
    let text = feed.text();
    let all: Vec<_> = tokens(&plain(&text)).map(str::to_owned).collect();
    if let Ok(finder) = Finder::new(&lists[0], &lists[1], reach) {
        let mut end = 0;
        for found in finder.found(&text) {
            let phrase = plain(&lists[0][found.phrase as usize]);
            assert!(found.at >= end && found.size == tokens(&phrase).count() && found.size > 0);
            end = found.at + found.size;
            assert!(found.before.windows(2).all(|pair| pair[0].1 < pair[1].1));
            assert!(found.before.iter().all(|&(_, back)| back as usize <= reach.min(found.at)));
        }
        assert!(end <= all.len());
    }
    if let Ok(finder) = Finder::new(&[all.join(" ")], &[], reach) {
        assert!(finder.found(&text).iter().map(|found| found.size).sum::<usize>() == all.len());
    }
}
