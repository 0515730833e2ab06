//! The index against a model that computes everything anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use alejo_core::lexical::{Hit, Index, Params, Weighing, Weight};
use alejo_core::text::{Language, Tokenizer};
use proptest::prelude::*;

/// Documents as term frequencies, and BM25 as the formula says, in 64 bits.
struct Model {
    k1: f64,
    b: f64,
    docs: BTreeMap<u64, HashMap<String, f64>>,
}

impl Model {
    fn idf(&self, term: &str) -> f64 {
        let df = self.docs.values().filter(|doc| doc.contains_key(term)).count() as f64;
        (1.0 + (self.docs.len() as f64 - df + 0.5) / (df + 0.5)).ln()
    }

    fn search(&self, query: &str) -> BTreeMap<u64, (f64, f64)> {
        let terms: BTreeSet<&str> = query.split_whitespace().collect();
        let length = |doc: &HashMap<String, f64>| doc.values().sum::<f64>();
        let average = self.docs.values().map(length).sum::<f64>() / self.docs.len() as f64;
        let all: f64 = terms.iter().map(|term| self.idf(term)).sum();
        let mut found = BTreeMap::new();
        for (number, doc) in &self.docs {
            let norm = self.k1 * (1.0 - self.b + self.b * length(doc) / average);
            for term in &terms {
                if let Some(tf) = doc.get(*term) {
                    let (score, coverage) = found.entry(*number).or_insert((0.0, 0.0));
                    *score += self.idf(term) * tf * (self.k1 + 1.0) / (tf + norm);
                    *coverage += self.idf(term) / all;
                }
            }
        }
        found
    }
}

#[derive(Debug, Clone)]
enum Step {
    Upsert(u64, Vec<(f32, String)>),
    Remove(u64),
    Search(String),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let text = || "([a-h]x ){0,8}";
    let weight = prop::sample::select(vec![0.001_f32, 0.15, 0.25, 0.3, 0.5, 1.0, 2.0, 1000.0]);
    let fields = prop::collection::vec((weight, text()), 0..4);
    prop::collection::vec(
        prop_oneof![
            4 => (0..24_u64, fields).prop_map(|(doc, fields)| Step::Upsert(doc, fields)),
            2 => (0..24_u64).prop_map(Step::Remove),
            1 => "([a-l]x ){0,6}".prop_map(Step::Search),
        ],
        1..60,
    )
}

fn index(k1: f32, b: f32) -> Index {
    Index::new(Tokenizer::new(Language::Unknown), Params::new(k1, b).unwrap())
}

fn put(index: &mut Index, doc: u64, fields: &[(f32, String)]) {
    let fields: Vec<_> = fields.iter().map(|(weight, text)| (Weight::new(*weight).unwrap(), text.as_str())).collect();
    index.upsert(doc, &fields, 0, 0);
}

/// By BM25 alone.
fn search(index: &Index, query: &str) -> Vec<Hit> {
    index.rank(query, 0, &Weighing::default())
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-4 * one.abs().max(1e-3)
}

fn check(index: &Index, model: &Model, query: &str) {
    let wanted = model.search(query);
    let hits = search(index, query);
    assert_eq!(hits.iter().map(|hit| hit.doc).collect::<BTreeSet<_>>(), wanted.keys().copied().collect());
    for hit in &hits {
        let (score, coverage) = wanted[&hit.doc];
        assert!(close(score, hit.score), "score {} is not {score}", hit.score);
        assert!(
            close(coverage, hit.coverage.into()) && hit.coverage <= 1.0,
            "coverage {} is not {coverage}",
            hit.coverage
        );
        let [parts] = &index.explain(&[hit.doc], query)[..] else { panic!("one explanation for one document") };
        assert!(close(1.0, parts.iter().map(|(_, share)| f64::from(*share)).sum()));
        assert!(parts.is_sorted_by(|one, next| one.1 >= next.1));
    }
    assert!(hits.is_sorted_by(|one, next| one.score > next.score || one.score == next.score && one.doc < next.doc));
    for limit in 1..=hits.len() + 1 {
        assert_eq!(index.rank(query, limit, &Weighing::default()), hits[..limit.min(hits.len())]);
    }
}

proptest! {
    #[test]
    fn the_index_is_the_formula(
        k1 in prop::sample::select(vec![0.0_f32, 0.9, 1.2, 100.0]),
        b in prop::sample::select(vec![0.0_f32, 0.4, 0.75, 1.0]),
        steps in steps(),
    ) {
        let mut index = index(k1, b);
        let mut model = Model { k1: k1.into(), b: b.into(), docs: BTreeMap::new() };
        for step in steps {
            match step {
                Step::Upsert(doc, fields) => {
                    put(&mut index, doc, &fields);
                    let counts = model.docs.entry(doc).or_default();
                    counts.clear();
                    for (weight, text) in &fields {
                        for term in text.split_whitespace() {
                            *counts.entry(term.to_owned()).or_default() += f64::from(*weight);
                        }
                    }
                }
                Step::Remove(doc) => prop_assert_eq!(index.remove(doc), model.docs.remove(&doc).is_some()),
                Step::Search(query) => check(&index, &model, &query),
            }
            prop_assert_eq!(index.validate(), Ok(()));
            prop_assert_eq!(index.len(), model.docs.len());
        }
        check(&index, &model, "ax bx cx dx zx ax");
    }

    #[test]
    fn history_leaves_no_trace(steps in steps(), b in prop::sample::select(vec![0.0_f32, 0.75])) {
        let mut lived = index(0.9, b);
        let mut last = BTreeMap::new();
        for step in steps {
            match step {
                Step::Upsert(doc, fields) => {
                    put(&mut lived, doc, &fields);
                    last.insert(doc, fields);
                }
                Step::Remove(doc) => {
                    lived.remove(doc);
                    last.remove(&doc);
                }
                Step::Search(_) => {}
            }
        }
        let mut fresh = index(0.9, b);
        for (doc, fields) in &last {
            put(&mut fresh, *doc, fields);
        }
        prop_assert_eq!(search(&lived, "ax bx cx dx zx"), search(&fresh, "ax bx cx dx zx"));
    }

    #[test]
    fn the_best_are_those_of_weighing_all(
        documents in prop::collection::vec(("([a-h]x ){0,4}", 0..6_u32, -300..300_i64), 1..300),
        half_life in prop::sample::select(vec![1e-320_f64, 1.0, 40.0, f64::INFINITY]),
        recency in prop::sample::select(vec![-0.5_f64, 0.0, 0.1, 1.0, 30.0]),
        weights in prop::collection::vec(prop::sample::select(vec![None, Some(0.0), Some(0.2), Some(1.0), Some(7.5)]), 0..6),
        coverage in prop::sample::select(vec![0.0_f64, 0.3, 1.0]),
        query in "([a-j]x ){1,4}",
        limit in 0..120_usize,
    ) {
        let mut index = index(0.9, 0.0);
        for (doc, (text, kind, time)) in documents.iter().enumerate() {
            index.upsert(doc as u64, &[(Weight::ONE, text.as_str())], *kind, *time);
        }
        let matches = search(&index, &query);
        let freshest = recency * matches.first().map_or(0.0, |hit| hit.lexical);
        let weigh = |hit: Hit| {
            let (_, kind, time) = documents[hit.doc as usize];
            let weight = weights.get(kind as usize).copied().unwrap_or(Some(1.0))?;
            let left = if time < 0 { (time as f64 * half_life.recip()).exp2() } else { 1.0 };
            let (lexical, recency) = (hit.lexical * weight, freshest * weight * left);
            (f64::from(hit.coverage) >= coverage).then_some(Hit { score: lexical + recency, lexical, recency, ..hit })
        };
        let mut wanted: Vec<Hit> = matches.into_iter().filter_map(weigh).collect();
        wanted.sort_by(|one, other| other.score.total_cmp(&one.score).then(one.doc.cmp(&other.doc)));
        if limit > 0 {
            wanted.truncate(limit);
        }
        let weighing = Weighing::new(0, half_life, recency, weights.clone(), coverage).unwrap();
        prop_assert_eq!(index.rank(&query, limit, &weighing), wanted);
    }
}

#[test]
fn weighings_without_a_meaning_cannot_be_made() {
    let new = |half_life, recency, weight, coverage| Weighing::new(0, half_life, recency, vec![None, weight], coverage);
    let (nan, endless) = (f64::NAN, f64::INFINITY);
    for wrong in [0.0, -1.0, nan] {
        assert!(new(wrong, 0.1, Some(1.0), 0.0).is_err(), "a half-life of {wrong}");
    }
    for wrong in [nan, endless, -endless] {
        assert!(new(1.0, wrong, Some(1.0), 0.0).is_err(), "a recency weight of {wrong}");
    }
    for wrong in [-0.1, nan, endless] {
        assert!(new(1.0, 0.1, Some(wrong), 0.0).is_err(), "a kind's weight of {wrong}");
    }
    assert!(new(1.0, 0.1, Some(1.0), nan).is_err());
    assert!(new(endless, -1.0, None, 2.0).is_ok());
}

#[test]
fn the_ends_of_time_can_be_weighed() {
    let mut index = index(0.9, 0.0);
    for (doc, time) in [(1, i64::MIN), (2, i64::MAX), (3, 0)] {
        index.upsert(doc, &[(Weight::ONE, "ax")], 0, time);
    }
    for (now, order) in [(i64::MIN, [1, 2, 3]), (0, [2, 3, 1]), (i64::MAX, [2, 3, 1])] {
        let weighing = Weighing::new(now, 1e18, 1.0, Vec::new(), 0.0).unwrap();
        let docs: Vec<u64> = index.rank("ax", 0, &weighing).iter().map(|hit| hit.doc).collect();
        assert_eq!(docs, order, "as of {now}");
    }
}

#[test]
fn parameters_without_a_meaning_cannot_be_made() {
    for (k1, b) in [(f32::NAN, 0.0), (-0.1, 0.0), (101.0, 0.0), (0.9, 1.1), (0.9, f32::INFINITY)] {
        assert!(Params::new(k1, b).is_err(), "{k1} {b}");
    }
    for weight in [0.0, -1.0, 0.000_5, 1001.0, f32::NAN] {
        assert!(Weight::new(weight).is_err(), "{weight}");
    }
}

#[test]
fn an_explanation_speaks_the_words_of_the_query() {
    let mut index = Index::new(Tokenizer::new(Language::English), Params::default());
    index.upsert(7, &[(Weight::ONE, "We went to the lakes; the children swam")], 0, 0);
    let parts = index.explain(&[8, 7], "Did any child go swimming?");
    assert_eq!(parts[0], []);
    let words: BTreeSet<_> = parts[1].iter().map(|(word, _)| word.as_str()).collect();
    assert_eq!(words, ["child", "go", "swimming"].into());
    assert_eq!(index.explain(&[7], "mountain"), [[]]);
    assert!(index.explain(&[], "child").is_empty());
}

#[test]
fn an_empty_index_and_an_empty_query_find_nothing() {
    let mut index = index(0.9, 0.75);
    assert_eq!(search(&index, "anything"), []);
    index.upsert(1, &[], 0, 0);
    index.upsert(2, &[(Weight::ONE, "…")], 0, 0);
    assert_eq!(search(&index, "anything"), []);
    assert_eq!(search(&index, ""), []);
    assert_eq!((index.len(), index.is_empty()), (2, false));
}
