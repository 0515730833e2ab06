//! The fuzzer of one target, the one that FUZZ_TARGET names.

#![no_main]

use std::sync::LazyLock;

use alejo_fuzz::TARGETS;

static RUN: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    TARGETS.iter().find(|target| target.0 == name).expect("there is such a target").1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| RUN(data));
