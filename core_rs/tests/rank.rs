//! Rank against a simple model that looks at everything every time, and packing against every subset.

use alejo_core::Error;
use alejo_core::rank::{Candidates, EVIDENCE, KINDS, Ranker, Reason, Rows, Selection, kind, recency};
use proptest::prelude::*;

const DIMENSIONS: usize = 6;

#[derive(Debug, Clone)]
struct Given {
    columns: Vec<Vec<f32>>,
    factors: Vec<f32>,
    vectors: Vec<Vec<i8>>,
    tokens: Vec<u32>,
    hashes: Vec<u64>,
    pairs: Vec<(u64, u64)>,
    weights: [f32; KINDS],
    diversity: f32,
    duplicate: f32,
    limit: usize,
    budget: Option<u64>,
}

fn given() -> impl Strategy<Value = Given> {
    (0_usize..14).prop_flat_map(|count| {
        let of = |values: BoxedStrategy<f32>| prop::collection::vec(values, count);
        let column = of((-1.0_f32..=1.0).boxed());
        let columns =
            (prop::collection::vec(column, KINDS), of((0.0_f32..30.0).boxed())).prop_map(|(mut all, lexical)| {
                all[1] = lexical;
                all
            });
        let vectors = prop::collection::vec(prop::collection::vec(-2_i8..=2, DIMENSIONS), count);
        let factors = of(prop_oneof![Just(1.0_f32), 0.0_f32..3.0].boxed());
        let whole = (
            (columns, factors),
            vectors,
            prop::collection::vec(1_u32..9, count),
            prop::collection::vec(0_u64..20, count),
        );
        // Only what comes later supersedes, so that there are no circles.
        let pairs = prop::collection::vec((0..count.max(1) as u64, 1_u64..5), 0..3);
        let pairs = pairs.prop_map(|pairs| pairs.into_iter().map(|(old, more)| (old, old + more)).collect());
        let settings = (
            prop::array::uniform9(-0.3_f32..1.0),
            prop_oneof![Just(0.0_f32), 0.0_f32..=1.0],
            prop_oneof![Just(2.0_f32), 0.5_f32..1.0],
            0_usize..10,
            prop::option::of(0_u64..40),
        );
        (whole, pairs, settings).prop_map(|(((columns, factors), vectors, tokens, hashes), pairs, settings)| {
            let (weights, diversity, duplicate, limit, budget) = settings;
            Given { columns, factors, vectors, tokens, hashes, pairs, weights, diversity, duplicate, limit, budget }
        })
    })
}

impl Given {
    fn len(&self) -> usize {
        self.tokens.len()
    }

    fn ranked(&self, rows: Option<Rows>) -> alejo_core::Result<Selection> {
        let ids: Vec<u64> = (0..self.len() as u64).collect();
        let mut evidence = [None; KINDS];
        evidence.iter_mut().zip(&self.columns).for_each(|(place, column)| *place = Some(&column[..]));
        let candidates = Candidates {
            ids: &ids,
            evidence,
            factors: Some(&self.factors),
            vectors: rows,
            query: None,
            tokens: Some(&self.tokens),
            hashes: Some(&self.hashes),
            superseded: &self.pairs,
        };
        Ranker::new(self.weights, self.diversity, self.duplicate)?.rank(&candidates, self.limit, self.budget)
    }

    fn floats(&self) -> Rows {
        let numbers: Vec<f32> = self.vectors.iter().flatten().map(|&number| f32::from(number)).collect();
        Rows::floats(&numbers, DIMENSIONS).unwrap()
    }

    fn bytes(&self) -> Rows {
        let numbers: Vec<i8> = self.vectors.iter().flatten().copied().collect();
        Rows::bytes(&numbers, DIMENSIONS).unwrap()
    }

    fn relevance(&self) -> Vec<f32> {
        let most = self.columns[1].iter().fold(0.0_f32, |most, value| most.max(*value));
        let share = |kind: usize, at: usize| match kind {
            1 if most > 0.0 => self.weights[1] / most * self.columns[1][at],
            _ => self.weights[kind] * self.columns[kind][at],
        };
        (0..self.len()).map(|at| (0..KINDS).fold(0.0, |sum, kind| sum + share(kind, at)) * self.factors[at]).collect()
    }

    fn cosine(&self, one: usize, other: usize) -> f32 {
        let product = |one: usize, other: usize| {
            self.vectors[one].iter().zip(&self.vectors[other]).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum::<i32>()
        };
        let inverse = |at: usize| match product(at, at) {
            0 => 0.0,
            square => (square as f32).sqrt().recip(),
        };
        (product(one, other) as f32 * inverse(one) * inverse(other)).clamp(-1.0, 1.0)
    }

    /// Steps 1 to 3, every candidate looked at for every place.
    fn taken(&self) -> Vec<usize> {
        let relevance = self.relevance();
        let superseded = |at: usize| self.pairs.iter().any(|&(old, new)| old == at as u64 && new < self.len() as u64);
        let mut left: Vec<usize> = (0..self.len())
            .filter(|&at| !superseded(at) && relevance[at] >= 0.0)
            .filter(|&at| self.budget.is_none_or(|budget| u64::from(self.tokens[at]) <= budget))
            .collect();
        let better = |one: usize, other: usize| {
            relevance[one] > relevance[other] || (relevance[one] == relevance[other] && one < other)
        };
        let unique = left.clone();
        left.retain(|&at| !unique.iter().any(|&other| self.hashes[other] == self.hashes[at] && better(other, at)));
        let best = left.iter().map(|&at| relevance[at]).fold(f32::MIN_POSITIVE, f32::max);
        let mut taken = Vec::new();
        while !left.is_empty() && (self.limit == 0 || taken.len() < self.limit) {
            left.retain(|&at| !taken.iter().any(|&other| self.cosine(at, other) >= self.duplicate));
            let worth = |at: usize| {
                let nearest = taken.iter().map(|&other| self.cosine(at, other)).fold(0.0, f32::max);
                (1.0 - self.diversity) * (relevance[at] / best) - self.diversity * nearest
            };
            let Some(&next) = left.iter().reduce(|one, other| if worth(*other) > worth(*one) { other } else { one })
            else {
                break;
            };
            left.retain(|&at| at != next);
            taken.push(next);
        }
        taken
    }

    /// The greatest worth of any subset within the budget.
    fn optimum(&self, taken: &[usize]) -> f64 {
        let relevance = self.relevance();
        (0_u32..1 << taken.len())
            .filter_map(|subset| {
                let places = || taken.iter().enumerate().filter(|&(bit, _)| subset >> bit & 1 == 1).map(|(_, &at)| at);
                let tokens: u64 = places().map(|at| u64::from(self.tokens[at])).sum();
                let fits = self.budget.is_none_or(|budget| tokens <= budget);
                fits.then(|| places().map(|at| f64::from(relevance[at])).sum())
            })
            .fold(0.0, f64::max)
    }

    fn agrees(&self, selection: &Selection) {
        let taken = self.taken();
        let mut shown: Vec<u64> = selection.chosen.iter().map(|choice| choice.id).collect();
        assert!(shown.iter().is_sorted_by_key(|id| taken.iter().position(|&at| at as u64 == *id)), "the order is kept");
        assert!(shown.iter().all(|&id| taken.contains(&(id as usize))), "{shown:?} of {taken:?}");
        let worth: f64 = selection.chosen.iter().map(|choice| f64::from(choice.score)).sum();
        let optimum = self.optimum(&taken);
        assert!(worth >= optimum - 1e-6, "{worth} of {optimum}, with a table this small");
        assert!((selection.bound - 1.0).abs() < f32::EPSILON);
        let tokens: u64 = shown.iter().map(|&id| u64::from(self.tokens[id as usize])).sum();
        assert_eq!(selection.tokens, tokens);
        assert!(self.budget.is_none_or(|budget| tokens <= budget));
        for choice in &selection.chosen {
            assert!((choice.score - choice.shares.iter().sum::<f32>()).abs() < 1e-5, "the shares add up");
        }
        shown.extend(selection.left_out.iter().map(|out| out.id));
        shown.sort_unstable();
        assert_eq!(shown, (0..self.len() as u64).collect::<Vec<_>>(), "each is chosen or left out, once");
        for out in &selection.left_out {
            assert_eq!(out.by.is_some(), matches!(out.reason, Reason::Duplicate | Reason::Superseded));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn it_takes_what_looking_at_everything_takes(given in given()) {
        given.agrees(&given.ranked(Some(given.floats())).unwrap());
        given.agrees(&given.ranked(Some(given.bytes())).unwrap());
        let plain = Given { diversity: 0.0, duplicate: 2.0, ..given };
        plain.agrees(&plain.ranked(None).unwrap());
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))] // each fills a table

    /// Too large for a table: at least half of the optimum, and at least the bound that is stated.
    #[test]
    fn packing_keeps_its_bound(
        items in prop::collection::vec((1_u32..4, 0.01_f32..1.0), 1..12), budget in 1_u32..30, scale in 20_000_u32..50_000,
    ) {
        let (tokens, worth): (Vec<_>, Vec<_>) = items.into_iter().map(|(tokens, worth)| (tokens * scale, worth)).unzip();
        let count = tokens.len();
        let budget = u64::from(budget * scale);
        let mut columns = vec![vec![0.0; count]; KINDS];
        columns[3] = worth;
        let mut weights = [0.0; KINDS];
        weights[3] = 1.0;
        let given = Given {
            columns, factors: vec![1.0; count], vectors: vec![vec![0; DIMENSIONS]; count], tokens,
            hashes: (0..count as u64).collect(), pairs: vec![], weights, diversity: 0.0, duplicate: 2.0, limit: 0, budget: Some(budget),
        };
        let selection = given.ranked(None).unwrap();
        let optimum = given.optimum(&given.taken());
        let worth: f64 = selection.chosen.iter().map(|choice| f64::from(choice.score)).sum();
        prop_assert!(selection.bound >= 0.5);
        prop_assert!(worth >= optimum * f64::from(selection.bound) - 1e-5, "{} of {}", worth, optimum);
        prop_assert!(selection.tokens <= budget);
    }
}

fn ranker(name: &str) -> Ranker {
    let mut weights = [0.0; KINDS];
    weights[kind(name).unwrap()] = 1.0;
    Ranker::new(weights, 0.0, 2.0).unwrap()
}

#[test]
fn a_query_makes_dense_evidence() {
    let numbers = [3.0, 4.0, -2.0, 1.0, 1.0, 0.0];
    let bytes = [30, 40, -20, 10, 10, 0];
    for rows in [Rows::floats(&numbers, 2).unwrap(), Rows::bytes(&bytes, 2).unwrap()] {
        let candidates =
            Candidates { ids: &[7, 8, 9], vectors: Some(rows), query: Some(&[5.0, 0.0]), ..Candidates::default() };
        let selection = ranker("dense").rank(&candidates, 0, None).unwrap();
        let chosen: Vec<_> = selection.chosen.iter().map(|choice| (choice.id, choice.score)).collect();
        assert_eq!(chosen.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [9, 7]);
        assert!((chosen[0].1 - 1.0).abs() < 2e-6 && (chosen[1].1 - 0.6).abs() < 2e-6, "{chosen:?}");
        assert_eq!(selection.left_out[0].reason.word(), "irrelevant");
    }
}

#[test]
fn what_has_no_meaning_is_refused() {
    let ranker = ranker("lexical");
    let refused = |candidates: Candidates| matches!(ranker.rank(&candidates, 0, None), Err(Error::Meaningless(_)));
    let column = |kind: usize, values: &'static [f32]| {
        let mut evidence = [None; KINDS];
        evidence[kind] = Some(values);
        Candidates { ids: &[1, 2], evidence, ..Candidates::default() }
    };
    assert!(refused(column(0, &[0.0, 1.1])));
    assert!(refused(column(3, &[0.0, f32::NAN])));
    assert!(refused(column(1, &[0.0, -0.1])));
    assert!(refused(column(1, &[0.0, f32::INFINITY])));
    assert!(refused(column(1, &[f32::NAN, 1.0])));
    assert!(refused(column(1, &[1.0])));
    assert!(refused(Candidates { factors: Some(&[1.0, -1.0]), ..column(1, &[1.0, 1.0]) }));
    assert!(refused(Candidates { factors: Some(&[1.0]), ..column(1, &[1.0, 1.0]) }));
    assert!(refused(Candidates { ids: &[1, 2], superseded: &[(1, 2), (2, 1)], ..Candidates::default() }));
    assert!(refused(Candidates { ids: &[1], superseded: &[(1, 1)], ..Candidates::default() }));
    assert!(!refused(Candidates { ids: &[1], superseded: &[(1, 5), (5, 1)], ..Candidates::default() }));
    assert!(Ranker::new([0.0; KINDS], 1.1, 1.0).is_err());
    assert!(Ranker::new([f32::NAN; KINDS], 0.1, 1.0).is_err());
    assert!(Rows::floats(&[1.0, 2.0, 3.0], 2).is_err());
    assert!(Rows::floats(&[1e30, 2.0], 2).is_err());
    assert!(Rows::floats(&[], 0).is_err());
    assert!(kind("mood").is_err());
    assert_eq!(kind(EVIDENCE[8]), Ok(8));
}

#[test]
fn recency_halves() {
    assert_eq!(recency(0.0, 10.0), 1.0);
    assert_eq!(recency(20.0, 10.0), 0.25);
    assert_eq!(recency(-5.0, 10.0), 1.0);
}
