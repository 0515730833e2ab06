//! Recall against a model that works everything out anew from the texts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::LazyLock;

use alejo_core::embed::{Embedder, WordPiece};
use alejo_core::lexical::{Facts, Index, Params, Window};
use alejo_core::recall::{Class, EVIDENCE, Filter, Hit, KINDS, Meaning, Question, Recall, Sources, Traits, Weights};
use alejo_core::scan::Scan;
use alejo_core::text::{Language, Tokenizer};
use proptest::prelude::*;

static FOLDER: LazyLock<std::path::PathBuf> =
    LazyLock::new(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../alejo/embedding"));
static TABLE: LazyLock<Embedder> = LazyLock::new(|| Embedder::open(&FOLDER).unwrap());
static PIECES: LazyLock<WordPiece> = LazyLock::new(|| WordPiece::open(&FOLDER.join("vocab.txt"), true).unwrap());

const WINDOW: [(i32, f32); 4] = [(-2, 0.25), (-1, 0.5), (1, 0.3), (2, 0.15)];
const WORDS: [&str; 8] = ["dog", "puppy", "train", "railway", "violin", "rain", "storm", "thunder"];
const HALF_LIFE: f64 = 10.0;
const NOW: i64 = 20;

#[derive(Debug, Clone)]
struct Memory {
    text: String,
    kind: u32,
    time: i64,
    in_session: bool,
    traits: Traits,
}

/// Everything a recall looks into.
struct Kept {
    lexical: Index,
    vectors: Scan,
    recall: Recall,
    model: BTreeMap<u64, Memory>,
}

impl Kept {
    fn new() -> Self {
        let params = Params::new(0.9, vec![Default::default()], Window::new(&WINDOW).unwrap()).unwrap();
        let lexical = Index::new(Tokenizer::new(Language::Unknown), params);
        Self { lexical, vectors: Scan::coded(256).unwrap(), recall: Recall::default(), model: BTreeMap::new() }
    }

    fn put(&mut self, number: u64, memory: Memory) {
        let session = memory.in_session.then_some(memory.traits.session);
        let facts = Facts { kind: memory.kind, time: memory.time, session };
        self.lexical.upsert(number, &[&memory.text], facts).unwrap();
        self.recall.upsert(&TABLE, number, &memory.text, memory.traits);
        if memory.text.is_empty() {
            self.vectors.remove(number);
        } else {
            self.vectors.upsert(number, &TABLE.embed(&memory.text)).unwrap();
        }
        self.model.insert(number, memory);
    }

    fn remove(&mut self, number: u64) {
        let there = self.model.remove(&number).is_some();
        assert_eq!([self.lexical.remove(number), self.recall.remove(number)], [there; 2]);
        self.vectors.remove(number);
    }

    fn sources(&self) -> Sources<'_> {
        Sources { lexical: &self.lexical, vectors: &self.vectors, table: &TABLE }
    }

    fn rank(&self, question: &Question, filter: &Filter, weights: &[f32; KINDS], limit: usize) -> Vec<Hit> {
        self.recall.rank(self.sources(), question, filter, &Weights::new(*weights, 0).unwrap(), limit).unwrap()
    }

    /// Who stands around a memory in its session, from the farthest before it to the farthest after, itself in the middle.
    fn around(&self, number: u64, reach: i32) -> Vec<(i32, u64)> {
        let memory = &self.model[&number];
        let mut order: Vec<(i64, u64)> = (self.model.iter())
            .filter(|(_, other)| memory.in_session && other.in_session && other.traits.session == memory.traits.session)
            .map(|(&number, other)| (other.time, number))
            .collect();
        order.sort_unstable();
        let at = order.iter().position(|&(_, other)| other == number).map_or(0, |at| at as i32);
        let beside = |offset: i32| Some((offset, order.get(usize::try_from(at + offset).ok()?)?.1));
        if memory.in_session { (-reach..=reach).filter_map(beside).collect() } else { vec![(0, number)] }
    }

    /// Whether a memory is left out by its message, and whether by its words.
    fn left_out(&self, number: u64, filter: &Filter) -> [bool; 2] {
        let Traits { message, question, .. } = self.model[&number].traits;
        [message, question].map(|key| key != 0 && filter.but.contains(&key))
    }

    /// Whether it is left out and nobody hears it.
    fn silent(&self, number: u64, filter: &Filter) -> bool {
        let speaker = |number: u64| self.model[&number].traits.speaker;
        let answered = |each: &(i32, u64)| each.0 == 1 && speaker(each.1) != speaker(number);
        let [message, question] = self.left_out(number, filter);
        message || question && !self.around(number, 1).iter().any(answered)
    }

    /// How often a memory holds a word, with what it hears.
    fn counts(&self, number: u64, filter: &Filter, weight: impl Fn(i32) -> f64) -> HashMap<&str, f64> {
        let mut counts = HashMap::new();
        for (offset, other) in self.around(number, 6).into_iter().filter(|&(_, other)| !self.silent(other, filter)) {
            let weight = if offset == 0 { 1.0 } else { weight(offset) };
            for word in self.model[&other].text.split_whitespace().filter(|_| weight > 0.0) {
                *counts.entry(word).or_default() += weight;
            }
        }
        counts
    }

    fn heard(&self, number: u64, filter: &Filter) -> HashMap<&str, f64> {
        self.counts(number, filter, |offset| {
            WINDOW.iter().find(|each| each.0 == offset).map_or(0.0, |each| each.1.into())
        })
    }

    /// BM25 of the counts, over the idf of the whole question.
    fn bm25(&self, counts: &HashMap<&str, f64>, text: &str, filter: &Filter) -> f64 {
        let all = self.model.len() as f64;
        let (mut sum, mut whole) = (0.0, 0.0);
        for word in text.split_whitespace().collect::<BTreeSet<_>>() {
            let df = self.model.keys().filter(|&&number| self.heard(number, filter).contains_key(word)).count() as f64;
            let idf = (1.0 + (all - df + 0.5) / (df + 0.5)).ln();
            let tf = counts.get(word).copied().unwrap_or(0.0);
            sum += idf * tf * 1.9 / (tf + 0.9);
            whole += idf;
        }
        if whole > 0.0 { sum / whole } else { 0.0 }
    }

    fn evidence(&self, number: u64, question: &Question, filter: &Filter) -> [f64; KINDS] {
        let memory = &self.model[&number];
        let around = self.around(number, 1);
        let beside = |offset: i32| around.iter().find(|each| each.0 == offset).map(|each| each.1);
        let asked = beside(-1).filter(|before| self.model[before].traits.asks && !self.silent(*before, filter));
        let is = |condition: bool| f64::from(u8::from(condition));
        let traits = memory.traits;
        let bm25 = |counts: HashMap<&str, f64>| self.bm25(&counts, question.text, filter);
        let class = filter.classes.get(memory.kind as usize).copied().flatten();
        let weight = |offset| WINDOW.iter().find(|each| each.0 == offset).map_or(1.0, |each| f64::from(each.1));
        let around = self.around(number, 2).into_iter().filter(|&(_, other)| !self.silent(other, filter));
        let heard: Vec<_> = around.map(|(offset, other)| (&*self.model[&other].text, weight(offset))).collect();
        let evidence = |name: &str| match name {
            "lexical" => bm25(self.heard(number, filter)),
            "lexical_own" => bm25(self.counts(number, filter, |_| 0.0)),
            "lexical_wide" => bm25(self.counts(number, filter, |_| 0.3)),
            "pieces" => self.alike(question.text, &memory.text),
            "pieces_asked" => asked.map_or(0.0, |asked| self.alike(question.text, &self.model[&asked].text)),
            "dense" => cosine(question, &memory.text),
            "dense_around" => together(question, &heard),
            "speaker" => class.map_or(0.0, |class| class.speaker.into()),
            "date" => dated(question, memory.time),
            "time" => is(question.asks_when && traits.dated),
            "names" => is(question.asks_name) * f64::from(traits.names).ln_1p(),
            "tells" => is(question.asks_number && traits.numbered || question.asks_place && traits.placed),
            "question" => is(traits.asks),
            "length" => f64::from(traits.tokens).ln_1p(),
            "importance" => traits.importance.into(),
            "recency" => 0.5_f64.powf((NOW - memory.time).max(0) as f64 / HALF_LIFE),
            "kind" => class.map_or(0.0, |class| class.kind.into()),
            _ => unreachable!("every evidence is named"),
        };
        EVIDENCE.map(evidence)
    }

    /// How much of the pieces of one text those of another mean, each as much as few memories have it, and as its row is long.
    fn alike(&self, question: &str, text: &str) -> f64 {
        let vocabulary = std::fs::read_to_string(FOLDER.join("vocab.txt")).unwrap();
        let lines: Vec<&str> = vocabulary.lines().collect();
        let row = |id: u32| TABLE.embed(lines[id as usize]);
        let all = self.model.len() as f64;
        let idf = |id: u32| {
            let holders = self.model.values().filter(|memory| pieces_of(&memory.text).contains(&id)).count() as f64;
            (1.0 + (all - holders + 0.5) / (holders + 0.5)).ln()
        };
        let others: Vec<_> = pieces_of(text).into_iter().map(row).collect();
        let (mut sum, mut whole) = (0.0, 0.0);
        let pieces = pieces_of(question);
        let length = |id: u32| f64::from(TABLE.weight(id as u16));
        let (worth, idfs): (f64, f64) =
            (pieces.iter().map(|&id| length(id)).sum(), pieces.iter().map(|&id| idf(id)).sum());
        let asked: Vec<_> =
            pieces.into_iter().map(|id| (row(id), all * idf(id) / idfs + 32.0 * length(id) / worth)).collect();
        let heaviest = asked.iter().map(|(_, weight)| *weight).fold(0.0, f64::max);
        for (vector, weight) in asked.into_iter().filter(|(_, weight)| *weight >= heaviest / 8.0) {
            let product = |other: &[f32]| vector.iter().zip(other).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            let best = others.iter().map(|other| product(other)).fold(0.0, f64::max);
            sum += weight * if best >= 0.4 { best } else { 0.0 };
            whole += weight;
        }
        if whole > 0.0 { sum / whole } else { 0.0 }
    }

    fn passes(&self, number: u64, filter: &Filter) -> bool {
        let memory = &self.model[&number];
        filter.classes.get(memory.kind as usize).is_none_or(Option::is_some)
            && filter.after.is_none_or(|after| memory.time >= after)
            && filter.before.is_none_or(|before| memory.time < before)
            && filter.session.is_none_or(|session| memory.traits.session == session)
            && filter.only.as_ref().is_none_or(|only| only.contains(&number))
            && self.left_out(number, filter) == [false; 2]
    }

    /// Whether it is a candidate; None where rounding decides.
    fn candidate(&self, number: u64, question: &Question, filter: &Filter) -> Option<bool> {
        let close = |value: f64, bound: f32| (value - f64::from(bound)).abs() < 0.02;
        if !self.passes(number, filter) {
            return Some(false);
        }
        let heard = self.heard(number, filter);
        let covered = self.bm25(&heard.keys().map(|&word| (word, 1.0)).collect(), question.text, filter);
        let dated = dated(question, self.model[&number].time) >= 0.5;
        let text = &self.model[&number].text;
        let similar = cosine(question, text);
        let there = !matches!(question.meaning, Meaning::Untold) && !text.is_empty();
        if covered > 0.0 && covered >= f64::from(filter.min_coverage) + 1e-4 || there && dated {
            return Some(true);
        }
        if close(covered, filter.min_coverage) && covered > 0.0 || there && close(similar, filter.min_similarity) {
            return None;
        }
        Some(there && similar >= f64::from(filter.min_similarity))
    }
}

fn dated(question: &Question, time: i64) -> f64 {
    let late = |end: i64| 0.5_f64.powf((time - end).max(0) as f64 / question.delay);
    let spans = question.spans.iter().filter(|(start, _)| time >= *start);
    spans.map(|&(_, end)| if time < end { 1.0 } else { late(end) }).fold(0.0, f64::max)
}

fn cosine(question: &Question, text: &str) -> f64 {
    let Meaning::Vector(meaning) = question.meaning else { return 0.0 };
    if text.trim().is_empty() {
        return 0.0;
    }
    meaning.iter().zip(TABLE.embed(text)).map(|(a, b)| f64::from(*a) * f64::from(b)).sum()
}

/// The cosine of the question and the sum of texts, each times its weight.
fn together(question: &Question, texts: &[(&str, f64)]) -> f64 {
    let Meaning::Vector(meaning) = question.meaning else { return 0.0 };
    let mut sum = vec![0.0; 256];
    for (text, weight) in texts.iter().filter(|each| !each.0.is_empty()) {
        sum.iter_mut().zip(TABLE.embed(text)).for_each(|(sum, number)| *sum += weight * f64::from(number));
    }
    let length = sum.iter().map(|number| number * number).sum::<f64>().sqrt();
    let product: f64 = sum.iter().zip(meaning).map(|(number, other)| number * f64::from(*other)).sum();
    if length > 0.0 { product / length } else { 0.0 }
}

fn pieces_of(text: &str) -> BTreeSet<u32> {
    PIECES.ids(text).into_iter().collect()
}

fn memories() -> impl Strategy<Value = Memory> {
    let text = prop::collection::vec(prop::sample::select(&WORDS[..7]), 0..6).prop_map(|words| words.join(" "));
    let flags = any::<(bool, bool, bool, bool, bool)>();
    let keys = (0..3_u64, 0..5_u64, 0..2_u32);
    (text, 0..3_u32, 0..30_i64, flags, 0..4_u16, 0..40_u16, 0..3_u64, keys).prop_map(
        |(
            text,
            kind,
            time,
            (asks, dated, in_session, numbered, placed),
            names,
            tokens,
            session,
            (message, question, speaker),
        )| {
            let importance = f32::from(tokens) / 40.0;
            let traits = Traits {
                asks,
                dated,
                numbered,
                placed,
                names,
                tokens,
                importance,
                speaker,
                session,
                message,
                question,
            };
            Memory { text, kind, time, in_session, traits }
        },
    )
}

fn filters() -> impl Strategy<Value = Filter> {
    let class =
        prop::option::weighted(0.8, (-1.0_f32..1.0, -2.0_f32..2.0).prop_map(|(speaker, kind)| Class { speaker, kind }));
    let time = || prop::option::weighted(0.2, 0..30_i64);
    let only = prop::option::weighted(0.2, prop::collection::hash_set(0..24_u64, 0..12));
    let but = prop::collection::vec(1..5_u64, 0..3);
    let bounds = (prop::sample::select(vec![0.0_f32, 0.3]), prop::sample::select(vec![-1.0_f32, 0.35]));
    (prop::collection::vec(class, 3), time(), time(), prop::option::weighted(0.2, 0..3_u64), only, but, bounds)
        .prop_map(|(classes, after, before, session, only, but, (min_coverage, min_similarity))| Filter {
            classes,
            after,
            before,
            session,
            only,
            but,
            min_coverage,
            min_similarity,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// After any history every memory that may be found and shares words, meaning or time with the question is, with the
    /// evidence that its text and its present neighbours give; the shares are weight times evidence and add up.
    #[test]
    fn evidence_is_that_of_the_texts_as_they_are(
        steps in prop::collection::vec((0..24_u64, prop::option::weighted(0.8, memories())), 1..40),
        words in prop::collection::vec(prop::sample::select(&WORDS[..]), 1..5),
        filter in filters(),
        weights in prop::collection::vec(-2.0_f32..3.0, KINDS),
        span in prop::option::of((0..20_i64, 1..10_i64)),
        asks in any::<(bool, bool, bool, bool)>(),
        has_meaning in any::<bool>(),
    ) {
        let mut kept = Kept::new();
        for (number, memory) in steps {
            match memory {
                Some(memory) => kept.put(number, memory),
                None => kept.remove(number),
            }
            kept.recall.validate(kept.sources()).unwrap();
        }
        kept.recall = Recall::load(&TABLE, &kept.recall.dump()).unwrap();
        let text = words.join(" ");
        let meaning = has_meaning.then(|| TABLE.embed(&text));
        let spans: Vec<_> = span.into_iter().map(|(start, long)| (start, start + long)).collect();
        let question = Question {
            text: &text, otherwise: "", known: if has_meaning { &text } else { "" }, meaning: meaning.as_deref().map_or(Meaning::Untold, Meaning::Vector), spans: &spans,
            delay: 3.0, asks_when: asks.0, asks_name: asks.1, asks_number: asks.2, asks_place: asks.3, now: NOW,
            half_life: HALF_LIFE,
        };
        let weights: [f32; KINDS] = weights.try_into().unwrap();
        let hits = kept.rank(&question, &filter, &weights, 0);
        let found: BTreeSet<u64> = hits.iter().map(|hit| hit.doc).collect();
        prop_assert_eq!(found.len(), hits.len());
        for &number in kept.model.keys() {
            let wanted = kept.candidate(number, &question, &filter);
            prop_assert!(wanted.is_none_or(|wanted| wanted == found.contains(&number)), "{}: {:?}", number, wanted);
        }
        for hit in &hits {
            let mut evidence = kept.evidence(hit.doc, &question, &filter);
            if meaning.is_none() {
                evidence[3..5].fill(0.0);
            }
            for (at, (share, evidence)) in hit.shares.iter().zip(evidence).enumerate() {
                let expected = f64::from(weights[at]) * evidence;
                prop_assert!((f64::from(*share) - expected).abs() < 0.06, "{} of {}: {} not {}", EVIDENCE[at], hit.doc, share, expected);
            }
            prop_assert!((hit.shares.iter().sum::<f32>() - hit.score).abs() < 1e-3);
        }
        prop_assert!(hits.is_sorted_by(|one, next| one.score > next.score || one.score == next.score && one.doc < next.doc));
        for limit in 1..=hits.len() {
            prop_assert_eq!(&kept.rank(&question, &filter, &weights, limit)[..], &hits[..limit]);
        }
        // Whoever has the vectors, and looks among what passes: the same.
        let (all, then) = kept.recall.passing(kept.sources(), &question, &filter);
        let marked = |bits: &[u8], number: u64| bits.get((number / 8) as usize).is_some_and(|byte| byte >> (number % 8) & 1 == 1);
        for &number in kept.model.keys() {
            prop_assert_eq!(marked(&all, number), kept.passes(number, &filter));
            let of_then = !spans.is_empty() && kept.passes(number, &filter) && dated(&question, kept.model[&number].time) >= 0.5;
            prop_assert_eq!(marked(&then, number), of_then);
        }
        if let Some(meaning) = &meaning {
            let cosines: HashMap<u64, f32> = kept.vectors.search(meaning, 0).unwrap().into_iter().collect();
            let elsewhere = Question { meaning: Meaning::Cosines(&cosines), ..question };
            // But for what only vectors tell.
            let mut weights = weights;
            weights[EVIDENCE.iter().position(|name| *name == "dense_around").unwrap()] = 0.0;
            prop_assert_eq!(kept.rank(&elsewhere, &filter, &weights, 0), kept.rank(&question, &filter, &weights, 0));
        }
    }
}

#[test]
fn a_longer_list_begins_as_a_shorter_one() {
    let mut kept = Kept::new();
    for number in 0..700_u64 {
        let text =
            WORDS.iter().cycle().skip(number as usize % 7).take(1 + number as usize % 4).copied().collect::<Vec<_>>();
        let traits = Traits { session: number / 9, tokens: (number % 13) as u16, ..Traits::default() };
        kept.put(number, Memory { text: text.join(" "), kind: 0, time: number as i64, in_session: true, traits });
    }
    let meaning = TABLE.embed("dog in the rain");
    let question = Question {
        text: "dog rain",
        otherwise: "",
        known: "dog rain",
        meaning: Meaning::Vector(&meaning),
        spans: &[(30, 90)],
        delay: 9.0,
        asks_when: false,
        asks_name: false,
        asks_number: false,
        asks_place: false,
        now: 700,
        half_life: 99.0,
    };
    let weights = std::array::from_fn(|at| 1.0 - (at % 3) as f32);
    let all = kept.rank(&question, &Filter::default(), &weights, 0);
    assert!(all.len() > 400 && all.iter().map(|hit| hit.doc).collect::<BTreeSet<_>>().len() == all.len());
    for limit in [1, 10, 99, 100, 101, 149, 150, 151, 260, 400] {
        assert_eq!(kept.rank(&question, &Filter::default(), &weights, limit), all[..limit]);
    }
}

#[test]
fn what_was_dumped_otherwise_is_refused() {
    let mut kept = Kept::new();
    kept.put(7, Memory { text: "dog rain".into(), kind: 0, time: 1, in_session: false, traits: Traits::default() });
    let dumped = kept.recall.dump();
    for cut in 0..dumped.len() {
        assert!(Recall::load(&TABLE, &dumped[..cut]).is_err());
    }
    assert!(Recall::load(&TABLE, &kept.lexical.dump()).is_err());
}
