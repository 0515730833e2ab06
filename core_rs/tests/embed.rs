//! The embedder against a model that computes in 64 bits, and tokenising against one that tries every piece.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use alejo_core::embed::{Embedder, WordPiece};
use proptest::prelude::*;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../alejo/embedding")
}

static EMBEDDER: LazyLock<Embedder> = LazyLock::new(|| Embedder::open(&shipped()).unwrap());

/// The pieces of lower-case words that spaces part.
fn model(vocabulary: &[String], text: &str) -> Vec<u32> {
    let known: HashMap<&str, u32> = vocabulary.iter().map(String::as_str).zip(0..).collect();
    let mut ids = Vec::new();
    for word in text.split_whitespace() {
        let before = ids.len();
        let mut start = 0;
        while start < word.len() {
            let piece = |end: usize| format!("{}{}", if start > 0 { "##" } else { "" }, &word[start..end]);
            let found = (start + 1..=word.len()).rev().find_map(|end| Some((end, *known.get(piece(end).as_str())?)));
            let Some((end, id)) = found else {
                ids.truncate(before);
                ids.push(0);
                break;
            };
            ids.push(id);
            start = end;
        }
    }
    ids
}

proptest! {
    /// Tokenising is the longest match first, whatever the vocabulary.
    #[test]
    fn pieces_are_those_of_the_model(pieces in prop::collection::btree_set("(##)?[abc]{1,4}", 0..60), text in "([abc]{1,9} ){0,8}") {
        let vocabulary: Vec<String> = std::iter::once("[UNK]".to_owned()).chain(pieces).collect();
        let tokenizer = WordPiece::new(vocabulary.join("\n"), true).unwrap();
        tokenizer.validate().unwrap();
        prop_assert_eq!(tokenizer.ids(&text), model(&vocabulary, &text));
    }

    /// Any string has a vector of length 1, the same alone and among others.
    #[test]
    fn every_text_has_a_direction(texts in prop::collection::vec(".{0,80}", 1..5)) {
        let many = EMBEDDER.embed_many(texts.iter().map(String::as_str));
        for (text, vector) in texts.iter().zip(many.chunks(EMBEDDER.dimensions())) {
            prop_assert_eq!(&EMBEDDER.embed(text)[..], vector);
            let square: f64 = vector.iter().map(|value| f64::from(*value).powi(2)).sum();
            prop_assert!((square - 1.0).abs() < 1e-5, "{} of {:?}", square, text);
        }
    }
}

#[test]
fn the_shipped_table_is_whole() {
    EMBEDDER.validate().unwrap();
    assert_eq!(EMBEDDER.dimensions(), 256);
}

#[test]
fn near_texts_lie_near() {
    let near = |one: &str, other: &str| -> f32 {
        EMBEDDER.embed(one).iter().zip(EMBEDDER.embed(other)).map(|(a, b)| a * b).sum()
    };
    assert!(near("my dog is ill", "the puppy is sick") > near("my dog is ill", "the train is late") + 0.2);
    assert_eq!(EMBEDDER.embed(""), EMBEDDER.embed("\u{200b}"));
}

#[test]
fn a_table_that_does_not_fit_is_refused() {
    let folder = std::env::temp_dir().join(format!("alejo-embed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (table, words) = (folder.join("table.safetensors"), folder.join("vocab.txt"));
    let refused = || Embedder::open(&folder).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused().contains("table.safetensors cannot be read"));
    let whole = std::fs::read(shipped().join("table.safetensors")).unwrap();
    for wrong in [&whole[..0], &whole[..7], &whole[..100], &whole[..whole.len() - 1]] {
        std::fs::write(&table, wrong).unwrap();
        assert!(!refused().is_empty());
    }
    std::fs::write(&table, &whole).unwrap();
    assert!(refused().contains("vocab.txt cannot be read"));
    std::fs::write(&words, "[UNK]\ndog\n").unwrap();
    assert!(refused().contains("30522 rows for 2 words"));
    std::fs::remove_dir_all(&folder).unwrap();
}
