//! How long the index takes: `cargo run --release -p alejo-core --example lexical [documents]`.
//!
//! Documents of 20 words drawn by Zipf's law from 20,000, questions of 6; the median of each is printed in microseconds. `ranked`
//! is weighed by recency and kind, `alike` besides by a word all documents hold once, so that nothing but age tells them apart.

use std::time::Instant;

use alejo_core::lexical::{Index, Params, Weighing, Weight};
use alejo_core::text::{Language, Tokenizer};

/// A repeatable stream of words: xorshift, then the inverse of Zipf's law.
struct Words(u64);

impl Words {
    fn text(&mut self, words: usize) -> String {
        let mut text = String::new();
        for _ in 0..words {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let rank = 20_000_f64.powf(self.0 as f64 / u64::MAX as f64) as u64;
            text.push_str(&format!("word{rank}ing "));
        }
        text
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

fn timed(runs: u64, mut work: impl FnMut(u64)) -> f64 {
    let one = |run| {
        let start = Instant::now();
        work(run);
        start.elapsed().as_secs_f64() * 1e6
    };
    median((0..runs).map(one).collect())
}

fn main() {
    let wanted = std::env::args().nth(1).map(|count| count.parse().expect("a number of documents"));
    for count in wanted.map_or(vec![1_000, 10_000, 100_000], |count: u64| vec![count]) {
        let mut words = Words(88_172_645_463_325_252);
        let mut index = Index::new(Tokenizer::new(Language::English), Params::default());
        let texts: Vec<String> = (0..count).map(|_| words.text(20)).collect();
        let questions: Vec<String> = (0..500).map(|_| words.text(6)).collect();
        let put = |index: &mut Index, doc: u64| {
            let time = (doc * 7919 % count) as i64;
            index.upsert(doc, &[(Weight::ONE, &texts[doc as usize]), (Weight::ONE, "common")], (doc % 4) as u32, time);
        };
        let upsert = timed(count, |doc| put(&mut index, doc));
        let again = timed(1000, |run| put(&mut index, run * 7919 % count));
        let plain = Weighing::default();
        let weights = vec![Some(0.2), None, Some(0.8)];
        let weighing = Weighing::new(count as i64, count as f64 / 3.0, 0.3, weights, 0.05).expect("a weighing");
        let search = timed(500, |run| drop(index.rank(&questions[run as usize], 10, &plain)));
        let all = timed(500, |run| drop(index.rank(&questions[run as usize], 0, &plain)));
        let ranked = timed(500, |run| drop(index.rank(&questions[run as usize], 10, &weighing)));
        let alike = timed(500, |_| drop(index.rank("common", 10, &weighing)));
        println!(
            "{count} documents: upsert {upsert:.1}, replace {again:.1}, search {search:.1}, search for all {all:.1}, \
             ranked {ranked:.1}, alike {alike:.1} µs"
        );
    }
}
