//! What the index takes: `cargo run --release -p alejo-core --example lexical [time|memory]`.
//!
//! Documents of some 20 words drawn by Zipf's law from 300,000, in sessions of 20, questions of 6 words. `time` prints the
//! median of each in microseconds: `ranked` is weighed by recency and kind, `alike` besides by a word all documents hold once,
//! so that nothing but age tells them apart. `memory` prints what the process grew by, for one large index and for many small.

use std::process::Command;
use std::time::Instant;

use alejo_core::lexical::{Facts, Field, Index, Params, Weighing, Window};
use alejo_core::text::{Language, Tokenizer};

/// A repeatable stream of words: xorshift, then the inverse of Zipf's law.
struct Words(u64);

impl Words {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as f64 / u64::MAX as f64
    }

    fn text(&mut self, words: usize) -> String {
        let mut text = String::new();
        for _ in 0..words {
            let rank = 300_000_f64.powf(self.next()) as u64;
            text.push_str(&format!("word{rank}ing "));
        }
        text
    }

    /// 5 to 35 words.
    fn line(&mut self) -> String {
        let words = 5 + (self.next() * 31.0) as usize;
        self.text(words)
    }
}

fn index(windowed: bool) -> Index {
    let window: &[(i32, f32)] = if windowed { &[(-2, 0.2), (-1, 0.4), (1, 0.4), (2, 0.2)] } else { &[] };
    let window = Window::new(window).expect("a window");
    let params = Params::new(0.9, vec![Field::default()], window).expect("parameters");
    Index::new(Tokenizer::new(Language::ENGLISH), params)
}

fn put(index: &mut Index, doc: u64, text: &str) {
    let facts = Facts { kind: (doc % 4) as u32, time: doc as i64, session: Some(doc / 20) };
    index.upsert(doc, &[text], facts).expect("there is room");
}

fn timed(runs: u64, mut work: impl FnMut(u64)) -> f64 {
    let one = |run| {
        let start = Instant::now();
        work(run);
        start.elapsed().as_secs_f64() * 1e6
    };
    let mut times: Vec<f64> = (0..runs).map(one).collect();
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

fn time() {
    for (count, windowed) in [(1_000, false), (10_000, false), (100_000, false), (10_000, true), (100_000, true)] {
        let mut words = Words(88_172_645_463_325_252);
        let mut index = index(windowed);
        let texts: Vec<String> = (0..count).map(|_| words.line() + "common").collect();
        let questions: Vec<String> = (0..500).map(|_| words.text(6)).collect();
        let add = timed(count, |doc| put(&mut index, doc, &texts[doc as usize]));
        let replace = timed(1000, |run| {
            let doc = run * 7919 % count;
            put(&mut index, doc, &texts[doc as usize]);
        });
        let plain = Weighing::default();
        let weights = vec![Some(0.2), None, Some(0.8)];
        let weighing = Weighing::new(count as i64, count as f64 / 3.0, 0.3, weights, 0.05).expect("a weighing");
        let search = timed(500, |run| drop(index.rank(&questions[run as usize], 10, &plain)));
        let ranked = timed(500, |run| drop(index.rank(&questions[run as usize], 10, &weighing)));
        let alike = timed(500, |_| drop(index.rank("common", 10, &weighing)));
        println!(
            "{count} documents{}: add {add:.1}, replace {replace:.1}, search {search:.1}, ranked {ranked:.1}, alike {alike:.1} µs",
            if windowed { " in a window" } else { "" }
        );
    }
}

fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * 4096.0
}

/// Each case in a process of its own, as memory given back is not seen from outside.
fn memory(case: &[String]) {
    let [users, memories, windowed] = case else {
        for (users, memories) in [("1", "1000000"), ("100000", "20"), ("10000", "200")] {
            for windowed in ["plain", "windowed"] {
                let this = std::env::current_exe().expect("this program");
                let child = Command::new(this).args(["memory", users, memories, windowed]).status();
                assert!(child.is_ok_and(|status| status.success()));
            }
        }
        return;
    };
    let number = |text: &String| text.parse::<u64>().expect("a number");
    let (users, each) = (number(users), number(memories));
    let mut words = Words(88_172_645_463_325_252);
    let before = resident();
    let mut indexes: Vec<Index> = (0..users).map(|_| index(windowed == "windowed")).collect();
    for index in &mut indexes {
        (0..each).for_each(|doc| put(index, doc, &words.line()));
    }
    let grown = resident() - before;
    let counted = indexes.iter().map(Index::bytes).sum::<usize>() as f64;
    let documents = (users * each) as f64;
    println!(
        "{users} users of {each} documents, {windowed}: {:.0} MB, {:.0} bytes a document ({:.0} counted)",
        grown / 1e6,
        grown / documents,
        counted / documents
    );
}

fn main() {
    let options: Vec<String> = std::env::args().skip(1).collect();
    match options.split_first() {
        Some((what, case)) if what == "memory" => memory(case),
        _ => time(),
    }
}
