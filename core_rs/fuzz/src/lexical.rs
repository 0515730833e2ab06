use std::collections::BTreeSet;

use alejo_core::lexical::{Facts, Field, Index, Params, Weighing, Weight, Window};
use alejo_core::text::{Language, Tokenizer};

use super::feed::Feed;

/// An index finds documents that it holds, each once, the best first, whatever is put in and asked for.
pub(super) fn run(data: &[u8]) {
    let mut feed = Feed(data);
    let language = Language::from_code(["", "en", "mul", "tr"][usize::from(feed.below(4))]).expect("it has a stemmer");
    let fields = usize::from(feed.below(8)) + 1;
    let mut index = Index::new(Tokenizer::new(language), params(&mut feed, fields));
    let mut held = BTreeSet::new();
    while !feed.is_empty() {
        let (step, doc) = (feed.below(8), feed.below(24).into());
        match step {
            0..=3 => {
                let texts: Vec<_> = (0..feed.below(4)).map(|_| feed.text()).collect();
                let texts: Vec<_> = texts.iter().map(String::as_str).collect();
                let session = Some(feed.below(4).into()).filter(|&session| session > 0);
                let facts = Facts { kind: feed.below(3).into(), time: feed.byte().into(), session };
                if index.upsert(doc, &texts, facts).is_ok() {
                    held.insert(doc);
                } else {
                    assert!(texts.len() > fields);
                }
            }
            4 => assert_eq!(index.remove(doc), held.remove(&doc)),
            _ => ask(&index, &held, &feed.text(), usize::from(feed.below(5))),
        }
        index.validate().expect("its invariants hold");
        assert_eq!(index.len(), held.len());
    }
}

fn params(feed: &mut Feed<'_>, fields: usize) -> Params {
    let share = |feed: &mut Feed<'_>| f32::from(feed.byte()) / 255.0;
    let k1 = share(feed) * 100.0;
    let fields = (0..fields).map(|_| {
        let weight = [0.001, 0.3, 1.0, 100.0][usize::from(feed.below(4))];
        Field::new(Weight::new(weight)?, share(feed), feed.below(2) > 0)
    });
    let fields: Result<Vec<_>, _> = fields.collect();
    let offsets: Vec<_> = [-4, -1, 1, 2].into_iter().map(|offset| (offset, share(feed))).collect();
    let window = Window::new(if feed.below(2) > 0 { &offsets } else { &[] }).expect("each is within its bounds");
    Params::new(k1, fields.expect("each is within its bounds"), window).expect("each is within its bounds")
}

fn ask(index: &Index, held: &BTreeSet<u64>, query: &str, limit: usize) {
    let all = index.rank(query, 0, &Weighing::default());
    let docs: BTreeSet<u64> = all.iter().map(|hit| hit.doc).collect();
    assert!(docs.len() == all.len() && docs.is_subset(held));
    assert!(all.is_sorted_by(|one, next| one.score > next.score || one.score == next.score && one.doc < next.doc));
    assert!(all.iter().all(|hit| hit.score.is_finite() && (0.0..=1.0).contains(&hit.coverage)));
    if limit > 0 {
        assert_eq!(index.rank(query, limit, &Weighing::default()), all[..limit.min(all.len())]);
    }
    for (hit, parts) in all.iter().zip(index.explain(&all.iter().map(|hit| hit.doc).collect::<Vec<_>>(), query, false))
    {
        let sum: f32 = parts.iter().map(|(_, share)| share).sum();
        assert!((sum - 1.0).abs() < 1e-3 || hit.score == 0.0, "the shares of {} add up to {sum}", hit.doc);
    }
}
