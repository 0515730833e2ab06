//! The index against a model that computes everything anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use alejo_core::lexical::{Index, Params, Weight};
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
    index.upsert(doc, &fields);
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-4 * one.abs().max(1e-3)
}

fn check(index: &Index, model: &Model, query: &str) {
    let wanted = model.search(query);
    let hits = index.search(query, 0);
    assert_eq!(hits.iter().map(|hit| hit.doc).collect::<BTreeSet<_>>(), wanted.keys().copied().collect());
    for hit in &hits {
        let (score, coverage) = wanted[&hit.doc];
        assert!(close(score, hit.score.into()), "score {} is not {score}", hit.score);
        assert!(
            close(coverage, hit.coverage.into()) && hit.coverage <= 1.0,
            "coverage {} is not {coverage}",
            hit.coverage
        );
        let parts = index.explain(hit.doc, query);
        assert!(close(1.0, parts.iter().map(|(_, share)| f64::from(*share)).sum()));
        assert!(parts.is_sorted_by(|one, next| one.1 >= next.1));
    }
    assert!(hits.is_sorted_by(|one, next| one.score > next.score || one.score == next.score && one.doc < next.doc));
    for limit in 1..=hits.len() + 1 {
        assert_eq!(index.search(query, limit), hits[..limit.min(hits.len())]);
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
        prop_assert_eq!(lived.search("ax bx cx dx zx", 0), fresh.search("ax bx cx dx zx", 0));
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
    index.upsert(7, &[(Weight::ONE, "We went to the lakes; the children swam")]);
    let words: BTreeSet<_> = index.explain(7, "Did any child go swimming?").into_iter().map(|(word, _)| word).collect();
    assert_eq!(words, ["child", "go", "swimming"].map(str::to_owned).into());
    assert_eq!(index.explain(7, "mountain"), []);
    assert_eq!(index.explain(8, "child"), []);
}

#[test]
fn an_empty_index_and_an_empty_query_find_nothing() {
    let mut index = index(0.9, 0.75);
    assert_eq!(index.search("anything", 0), []);
    index.upsert(1, &[]);
    index.upsert(2, &[(Weight::ONE, "…")]);
    assert_eq!(index.search("anything", 0), []);
    assert_eq!(index.search("", 0), []);
    assert_eq!((index.len(), index.is_empty()), (2, false));
}
