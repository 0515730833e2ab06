use std::fs;

use alejo_core::embed::{Embedder, WordPiece};

use super::feed::Feed;

/// Whatever lies in a table's files, it is refused, or embeds any text; an even first byte makes the table a right one, but for
/// what the bytes say of it.
pub(super) fn run(data: &[u8]) {
    let mut feed = Feed(data);
    let right = feed.byte().is_multiple_of(2);
    let folder = tempfile::tempdir().expect("there is room");
    let (table, vocabulary) =
        if right { made(&mut feed) } else { (feed.bytes(512).to_vec(), feed.text().replace(' ', "\n")) };
    fs::write(folder.path().join("table.safetensors"), table).expect("there is room");
    fs::write(folder.path().join("vocab.txt"), &vocabulary).expect("there is room");
    let text = String::from_utf8_lossy(feed.0);
    if let Ok(pieces) = WordPiece::new(vocabulary, right) {
        pieces.validate().expect("its invariants hold");
        assert!(pieces.ids(&text).iter().all(|&id| (id as usize) < pieces.len()));
    }
    let Ok(embedder) = Embedder::open(folder.path()) else { return };
    embedder.validate().expect("its invariants hold");
    let vectors = embedder.embed_many([&*text, "", &text]);
    let (first, rest) = vectors.split_at(embedder.dimensions());
    assert_eq!(first, &rest[embedder.dimensions()..]);
    assert_eq!(first, embedder.embed(&text));
    let square: f32 = first.iter().map(|number| number * number).sum();
    assert!((square - 1.0).abs() < 1e-3 || square == 0.0, "{square}");
}

/// A table of a few rows, and its words.
fn made(feed: &mut Feed<'_>) -> (Vec<u8>, String) {
    let mut words = vec!["[UNK]".to_owned()];
    words.extend((0..feed.below(8)).map(|_| feed.text().replace(['\n', '\r'], "")));
    let (rows, columns) = (words.len(), usize::from(feed.below(20)));
    let (middle, end) = (4 * rows, 4 * rows + rows * columns);
    let header = format!(
        r#"{{"scale":{{"dtype":"F32","shape":[{rows}],"data_offsets":[0,{middle}]}},
        "embedding":{{"dtype":"I8","shape":[{rows},{columns}],"data_offsets":[{middle},{end}]}}}}"#
    );
    let mut table = (header.len() as u64).to_le_bytes().to_vec();
    table.extend(header.as_bytes());
    let scale = f32::from_bits(feed.number() as u32);
    (0..rows).for_each(|_| table.extend(scale.to_le_bytes()));
    let numbers = feed.bytes(rows * columns);
    table.extend(numbers);
    table.resize(table.len() + rows * columns - numbers.len(), 1);
    (table, words.join("\n"))
}
