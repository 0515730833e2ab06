//! The index against a model that computes everything anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use alejo_core::lexical::{Facts, Field, Hit, Index, Params, Weighing, Weight, Window};
use alejo_core::text::{Language, Tokenizer};
use proptest::prelude::*;

/// Weight, b and whether neighbours hear it.
type FieldOf = (f32, f32, bool);

/// How an index weighs.
#[derive(Debug, Clone)]
struct Scheme {
    k1: f32,
    fields: Vec<FieldOf>,
    window: Vec<(i32, f32)>,
}

impl Scheme {
    fn params(&self) -> Params {
        let field = |&(weight, b, heard): &FieldOf| Field::new(Weight::new(weight)?, b, heard);
        let fields = self.fields.iter().map(field).collect::<Result<_, _>>().unwrap();
        Params::new(self.k1, fields, Window::new(&self.window).unwrap()).unwrap()
    }

    fn index(&self) -> Index {
        Index::new(Tokenizer::new(Language::Unknown), self.params())
    }
}

fn schemes() -> impl Strategy<Value = Scheme> {
    let some = |values: &[f32]| prop::sample::select(values.to_vec());
    let field = (some(&[0.15, 0.5, 1.0, 2.0, 100.0]), some(&[0.0, 0.0, 0.75, 1.0]), any::<bool>());
    let offset = (prop::sample::select(vec![-4, -2, -1, 1, 2, 3]), some(&[0.1, 0.2, 0.4, 1.0]));
    let window = prop::collection::btree_map(offset.0, offset.1, 0..4).prop_map(|map| map.into_iter().collect());
    (some(&[0.0, 0.9, 1.2, 100.0]), prop::collection::vec(field, 1..4), window)
        .prop_map(|(k1, fields, window)| Scheme { k1, fields, window })
}

type Counts = HashMap<String, f64>;

#[derive(Debug, Clone)]
struct Text {
    texts: Vec<String>,
    time: i64,
    session: Option<u64>,
}

/// Texts, and BM25F of documents that hold their neighbours' words as the formula says, in 64 bits, all computed anew.
struct Model {
    scheme: Scheme,
    docs: BTreeMap<u64, Text>,
}

impl Model {
    /// What each document holds in each field, with what it hears.
    fn heard(&self) -> BTreeMap<u64, Vec<Counts>> {
        let mut sessions: BTreeMap<u64, Vec<(i64, u64)>> = BTreeMap::new();
        for (&doc, text) in &self.docs {
            text.session.into_iter().for_each(|session| sessions.entry(session).or_default().push((text.time, doc)));
        }
        sessions.values_mut().for_each(|order| order.sort());
        let mut all = BTreeMap::new();
        for (&doc, text) in &self.docs {
            let mut counts = vec![Counts::new(); self.scheme.fields.len()];
            self.add(&mut counts, doc, 1.0, true);
            let order = text.session.map_or(&[][..], |session| &sessions[&session]);
            let at = order.iter().position(|&(_, other)| other == doc).unwrap_or(0) as i32;
            for &(offset, weight) in &self.scheme.window {
                if let Some(&(_, neighbour)) = usize::try_from(at + offset).ok().and_then(|at| order.get(at)) {
                    self.add(&mut counts, neighbour, weight.into(), false);
                }
            }
            all.insert(doc, counts);
        }
        all
    }

    fn add(&self, counts: &mut [Counts], doc: u64, weight: f64, own: bool) {
        for ((counts, text), (.., heard)) in counts.iter_mut().zip(&self.docs[&doc].texts).zip(&self.scheme.fields) {
            for term in text.split_whitespace().filter(|_| own || *heard) {
                *counts.entry(term.to_owned()).or_default() += weight;
            }
        }
    }

    fn search(&self, query: &str) -> BTreeMap<u64, (f64, f64)> {
        let docs = self.heard();
        let terms: BTreeSet<&str> = query.split_whitespace().collect();
        let all = docs.len() as f64;
        let holds = |doc: &[Counts], term: &str| doc.iter().any(|counts| counts.contains_key(term));
        let idf = |term: &str| {
            let df = docs.values().filter(|doc| holds(doc, term)).count() as f64;
            (1.0 + (all - df + 0.5) / (df + 0.5)).ln()
        };
        let length = |doc: &[Counts], field: usize| doc[field].values().sum::<f64>();
        let averages: Vec<f64> = (0..self.scheme.fields.len())
            .map(|field| docs.values().map(|doc| length(doc, field)).sum::<f64>() / all)
            .collect();
        let whole: f64 = terms.iter().map(|term| idf(term)).sum();
        let k1 = f64::from(self.scheme.k1);
        let mut found = BTreeMap::new();
        for (&number, doc) in &docs {
            for term in terms.iter().filter(|term| holds(doc, term)) {
                let mut tf = 0.0;
                for (field, &(weight, b, _)) in self.scheme.fields.iter().enumerate() {
                    let Some(count) = doc[field].get(*term) else { continue };
                    let norm = f64::from(1.0 - b) + f64::from(b) * length(doc, field) / averages[field];
                    tf += f64::from(weight) * count / norm;
                }
                let (score, coverage) = found.entry(number).or_insert((0.0, 0.0));
                *score += idf(term) * tf * (k1 + 1.0) / (tf + k1);
                *coverage += idf(term) / whole;
            }
        }
        found
    }
}

#[derive(Debug, Clone)]
enum Step {
    Upsert(u64, Text),
    Remove(u64),
    Search(String),
}

fn texts() -> impl Strategy<Value = Text> {
    let text = prop_oneof![8 => "([a-h]x ){0,8}", 1 => "(ax ){9,300}"];
    let session = prop::option::weighted(0.8, 0..3_u64);
    (prop::collection::vec(text, 3), -3..3_i64, session).prop_map(|(texts, time, session)| Text {
        texts,
        time,
        session,
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(
        prop_oneof![
            4 => (0..24_u64, texts()).prop_map(|(doc, text)| Step::Upsert(doc, text)),
            2 => (0..24_u64).prop_map(Step::Remove),
            1 => "([a-l]x ){0,6}".prop_map(Step::Search),
        ],
        1..60,
    )
}

fn index() -> Index {
    Index::new(Tokenizer::new(Language::Unknown), Params::default())
}

fn put(index: &mut Index, doc: u64, text: &Text, fields: usize) {
    let texts: Vec<&str> = text.texts[..fields].iter().map(String::as_str).collect();
    index.upsert(doc, &texts, Facts { kind: 0, time: text.time, session: text.session }).unwrap();
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
        let [parts] = &index.explain(&[hit.doc], query, false)[..] else { panic!("one explanation for one document") };
        assert!(close(1.0, parts.iter().map(|(_, share)| f64::from(*share)).sum()));
        assert!(parts.is_sorted_by(|one, next| one.1 >= next.1));
    }
    assert!(hits.is_sorted_by(|one, next| one.score > next.score || one.score == next.score && one.doc < next.doc));
    for limit in (1..=hits.len() + 1).step_by(1 + hits.len() / 20) {
        assert_eq!(index.rank(query, limit, &Weighing::default()), hits[..limit.min(hits.len())]);
    }
}

proptest! {
    #[test]
    fn the_index_is_the_formula(scheme in schemes(), steps in steps()) {
        let mut index = scheme.index();
        let fields = scheme.fields.len();
        let mut model = Model { scheme, docs: BTreeMap::new() };
        for step in steps {
            match step {
                Step::Upsert(doc, text) => {
                    put(&mut index, doc, &text, fields);
                    model.docs.insert(doc, text);
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
    fn history_leaves_no_trace(scheme in schemes(), steps in steps()) {
        let (mut lived, mut last) = (scheme.index(), BTreeMap::new());
        for step in steps {
            match step {
                Step::Upsert(doc, text) => {
                    put(&mut lived, doc, &text, scheme.fields.len());
                    last.insert(doc, text);
                }
                Step::Remove(doc) => {
                    lived.remove(doc);
                    last.remove(&doc);
                }
                Step::Search(_) => {}
            }
        }
        let mut fresh = scheme.index();
        for (doc, text) in &last {
            put(&mut fresh, *doc, text, scheme.fields.len());
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
        let mut index = index();
        for (doc, (text, kind, time)) in documents.iter().enumerate() {
            index.upsert(doc as u64, &[text], Facts { kind: *kind, time: *time, session: None }).unwrap();
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
    let mut index = index();
    for (doc, time) in [(1, i64::MIN), (2, i64::MAX), (3, 0)] {
        index.upsert(doc, &["ax"], Facts { time, ..Facts::default() }).unwrap();
    }
    for (now, order) in [(i64::MIN, [1, 2, 3]), (0, [2, 3, 1]), (i64::MAX, [2, 3, 1])] {
        let weighing = Weighing::new(now, 1e18, 1.0, Vec::new(), 0.0).unwrap();
        let docs: Vec<u64> = index.rank("ax", 0, &weighing).iter().map(|hit| hit.doc).collect();
        assert_eq!(docs, order, "as of {now}");
    }
}

#[test]
fn parameters_without_a_meaning_cannot_be_made() {
    let field = |b| Field::new(Weight::ONE, b, true);
    for k1 in [f32::NAN, -0.1, 101.0] {
        assert!(Params::new(k1, vec![Field::default()], Window::default()).is_err(), "{k1}");
    }
    for count in [0, 9] {
        assert!(Params::new(0.9, vec![Field::default(); count], Window::default()).is_err(), "{count}");
    }
    for b in [-0.1, 1.1, f32::INFINITY, f32::NAN] {
        assert!(field(b).is_err(), "{b}");
    }
    for weight in [0.0, -1.0, 0.000_5, 101.0, f32::NAN] {
        assert!(Weight::new(weight).is_err(), "{weight}");
    }
    for window in [(0, 0.5), (5, 0.5), (-5, 0.5), (1, 1.1), (1, -0.1), (1, f32::NAN), (i32::MIN, 0.5)] {
        assert!(Window::new(&[window]).is_err(), "{window:?}");
    }
}

#[test]
fn an_explanation_speaks_the_words_of_the_query() {
    for window in [Window::default(), Window::new(&[(-1, 0.5)]).unwrap()] {
        let params = Params::new(0.9, vec![Field::default()], window).unwrap();
        let mut index = Index::new(Tokenizer::new(Language::ENGLISH), params);
        index.upsert(7, &["We went to the lakes; the children swam"], Facts::default()).unwrap();
        let parts = index.explain(&[8, 7], "Did any child go swimming?", false);
        assert_eq!(parts[0], []);
        let words: BTreeSet<_> = parts[1].iter().map(|(word, _)| word.as_str()).collect();
        assert_eq!(words, ["child", "go", "swimming"].into());
        assert_eq!(index.explain(&[7], "mountain", false), [[]]);
        assert!(index.explain(&[], "child", false).is_empty());
    }
}

#[test]
fn a_word_is_found_in_whatever_language_it_was_said() {
    let mut index = Index::new(Tokenizer::new(Language::Each), Params::default());
    let texts = ["Ich habe zwei Fahrräder gekauft", "My bikes and their meetings", "Wir waren im Meeting", "Fahrrad!"];
    for (number, text) in (1..).zip(texts) {
        index.upsert(number, &[text], Facts::default()).unwrap();
    }
    let found = |query: &str| search(&index, query).iter().map(|hit| hit.doc).collect::<BTreeSet<_>>();
    assert_eq!(found("Wann kaufte ich das Fahrrad?"), [1, 4].into());
    assert_eq!(found("What was the meeting?"), [2, 3].into());
    assert_eq!(found("Wo war unser Meeting?"), [2, 3].into());
    assert_eq!(found("der die das"), [].into());
    let alone = search(&index, "Wann war das Meeting?")[0];
    assert!((alone.coverage - 1.0).abs() < 1e-6, "{alone:?}");
    let mut loaded = Index::load(Tokenizer::new(Language::Each), Params::default(), &index.dump()).unwrap();
    assert_eq!(search(&loaded, "Wo war unser Meeting?"), search(&index, "Wo war unser Meeting?"));
    loaded.upsert(5, &["¿Cuándo son las reuniones?"], Facts::default()).unwrap();
    assert_eq!(search(&loaded, "reunión")[0].doc, 5);
}

#[test]
fn another_name_is_as_good_as_the_word() {
    let mut index = Index::new(Tokenizer::new(Language::Each), Params::default());
    for (doc, text) in ["Rebecca paints boats", "Becky paints houses", "Nora paints Rebecca Stone"].iter().enumerate() {
        index.upsert(doc as u64, &[text], Facts::default()).unwrap();
    }
    let found =
        |query: &str| -> Vec<(u64, f32)> { search(&index, query).iter().map(|hit| (hit.doc, hit.coverage)).collect() };
    assert_eq!(found("becky"), [(1, 1.0)]);
    let mut both = found("Becky\u{1e}Becky Rebecca");
    both.sort_by_key(|hit| hit.0);
    assert_eq!(both.iter().map(|hit| hit.0).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(both[1].1 == 1.0 && both[0].1 == both[2].1 && both[0].1 < 1.0);
    let mut stone = found("who knows Becky\u{1e}becky rebecca stone\u{1e}nobody nora");
    stone.sort_by(|one, other| other.1.total_cmp(&one.1));
    assert_eq!(stone[0].0, 2);
    assert_eq!(found("Zoe\u{1e}Zoe Rebecca").iter().map(|hit| hit.1).collect::<Vec<_>>(), [1.0, 1.0]);
    let told = index.explain(&[0, 1], "Becky\u{1e}Becky Rebecca", true);
    assert!(told.iter().all(|words| words.len() == 1 && words[0].0 == "becky" && close(words[0].1.into(), 1.0)));
    assert_eq!(found("\u{1e}"), []);
    assert_eq!(found("\u{1e}\u{1e}Becky Rebecca"), []);
}

#[test]
fn an_empty_index_and_an_empty_query_find_nothing() {
    let mut index = index();
    assert_eq!(search(&index, "anything"), []);
    index.upsert(1, &[], Facts::default()).unwrap();
    index.upsert(2, &["…"], Facts::default()).unwrap();
    assert_eq!(search(&index, "anything"), []);
    assert_eq!(search(&index, ""), []);
    assert_eq!((index.len(), index.is_empty()), (2, false));
    assert!(index.upsert(1, &["", "anything"], Facts::default()).is_err());
    assert_eq!(search(&index, "anything"), []);
}

/// Words of a large vocabulary, the first ones far more often.
fn words(seed: u64, count: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("w{} ", 3000_f64.powf(state as f64 / u64::MAX as f64) as u64)
    };
    (0..count).map(|_| word()).collect()
}

/// Small ones keep their postings in another form, and words said too differently often are kept apart.
#[test]
fn an_index_grows_from_small_to_large_and_back() {
    let window = vec![(-2, 0.2), (-1, 0.4), (1, 0.4), (2, 0.2)];
    for scheme in [
        Scheme { k1: 0.9, fields: vec![(1.0, 0.0, true)], window: window.clone() },
        Scheme { k1: 1.2, fields: vec![(1.0, 0.75, true), (0.5, 0.0, false)], window },
        Scheme { k1: 1.2, fields: vec![(1.0, 0.75, true)], window: Vec::new() },
    ] {
        let fields = scheme.fields.len();
        let mut index = scheme.index();
        let mut model = Model { scheme, docs: BTreeMap::new() };
        for doc in 0..600 {
            let often = "w1 ".repeat(doc as usize);
            let texts = vec![words(doc, 12) + &often, words(doc + 1000, 3)];
            let text = Text { texts, time: (doc * 7919 % 600) as i64, session: (doc % 5 > 0).then_some(doc / 20) };
            put(&mut index, doc, &text, fields);
            model.docs.insert(doc, text);
        }
        index.validate().unwrap();
        check(&index, &model, "w1 w2 w17 w500 w2000 w2999 nowhere");
        for doc in (0..600).filter(|doc| doc % 13 > 0) {
            assert!(index.remove(doc));
            model.docs.remove(&doc);
        }
        index.validate().unwrap();
        check(&index, &model, "w1 w2 w3 w17 w500");
        for doc in 0..600 {
            index.remove(doc);
        }
        index.validate().unwrap();
        assert_eq!(search(&index, "w1 w2"), []);
    }
}

/// What is taken out is no longer heard by its neighbours, who hear the ones behind it from then on.
#[test]
fn neighbours_hear_a_change_at_once() {
    let scheme = Scheme { k1: 0.9, fields: vec![(1.0, 0.0, true)], window: vec![(-1, 0.5), (1, 0.25)] };
    let mut index = scheme.index();
    let say = |index: &mut Index, doc, text: &str, session| {
        index.upsert(doc, &[text], Facts { kind: 0, time: doc as i64, session: Some(session) }).unwrap();
    };
    let found = |index: &Index, query: &str| search(index, query).iter().map(|hit| hit.doc).collect::<Vec<_>>();
    for (doc, text, session) in [(1, "ax", 1), (2, "bx", 1), (3, "cx", 1), (4, "dx", 2)] {
        say(&mut index, doc, text, session);
    }
    assert_eq!(found(&index, "bx"), [2, 3, 1]);
    assert_eq!(found(&index, "dx"), [4]);
    index.remove(2);
    assert_eq!(found(&index, "bx"), [0_u64; 0]);
    assert_eq!(found(&index, "ax"), [1, 3]);
    say(&mut index, 2, "ex", 1);
    assert_eq!(found(&index, "ax"), [1, 2]);
}

fn step(index: &mut Index, step: &Step, fields: usize) {
    match step {
        Step::Upsert(doc, text) => put(index, *doc, text, fields),
        Step::Remove(doc) => {
            index.remove(*doc);
        }
        Step::Search(_) => {}
    }
}

proptest! {
    /// It goes on like the one that was dumped, whatever happens then.
    #[test]
    fn what_is_dumped_is_what_is_loaded(scheme in schemes(), before in steps(), after in steps()) {
        let (mut index, fields) = (scheme.index(), scheme.fields.len());
        before.iter().for_each(|each| step(&mut index, each, fields));
        let (tokenizer, params) = (Tokenizer::new(Language::Unknown), scheme.params());
        let mut loaded = Index::load(tokenizer, params, &index.dump()).unwrap();
        prop_assert_eq!(loaded.validate(), Ok(()));
        prop_assert_eq!(search(&loaded, "ax bx cx dx zx"), search(&index, "ax bx cx dx zx"));
        for each in &after {
            step(&mut index, each, fields);
            step(&mut loaded, each, fields);
            prop_assert_eq!(loaded.validate(), Ok(()));
        }
        let hits = search(&index, "ax bx cx dx zx");
        let docs: Vec<u64> = hits.iter().map(|hit| hit.doc).collect();
        prop_assert_eq!(loaded.explain(&docs, "ax bx", false), index.explain(&docs, "ax bx", false));
        prop_assert_eq!(search(&loaded, "ax bx cx dx zx"), hits);
    }

    /// Its checksum is made right, so that what is in it is looked at.
    #[test]
    fn hostile_bytes_are_an_error_or_a_sound_index(
        scheme in schemes(),
        before in steps(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut index = scheme.index();
        before.iter().take(6).for_each(|each| step(&mut index, each, scheme.fields.len()));
        let mut dumped = index.dump();
        dumped.truncate(dumped.len() - 4);
        for (at, byte) in changes {
            let at = at.index(dumped.len());
            dumped[at] = byte;
        }
        dumped.truncate(cut.map_or(dumped.len(), |cut| cut.index(dumped.len())));
        dumped.extend(crc32fast::hash(&dumped).to_le_bytes());
        if let Ok(mut loaded) = Index::load(Tokenizer::new(Language::Unknown), scheme.params(), &dumped) {
            prop_assert_eq!(loaded.validate(), Ok(()));
            prop_assert!(search(&loaded, "ax bx cx dx").len() <= loaded.len());
            before.iter().for_each(|each| step(&mut loaded, each, scheme.fields.len()));
            prop_assert_eq!(loaded.validate(), Ok(()));
        }
    }
}
