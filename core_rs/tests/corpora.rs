//! What fuzzers found worth keeping, once more: `scripts/fuzz.py` writes core_rs/fuzz/corpora, an input on each line, in hex.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::path::Path;

fn bytes(line: &str) -> Vec<u8> {
    (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).expect("two digits")).collect()
}

#[test]
fn every_input_is_borne() {
    for (name, run) in fuzz::TARGETS {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/corpora/{name}.txt"));
        let inputs = std::fs::read_to_string(&file).expect("every target has a corpus");
        assert!(inputs.lines().count() > 9, "{name} has hardly any input");
        inputs.lines().for_each(|line| run(&bytes(line)));
    }
}
