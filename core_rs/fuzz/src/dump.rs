use alejo_core::lexical::{Facts, Field, Index, Params, Weight, Window};
use alejo_core::scan::Scan;
use alejo_core::text::{Language, Tokenizer};

use super::feed::Feed;

/// What is loaded from any bytes under a right checksum is sound, or an error.
pub(super) fn run(data: &[u8]) {
    let mut feed = Feed(data);
    let kind = feed.below(3);
    let mut dumped = if kind == 0 { index(&mut feed).dump() } else { scan(&mut feed, kind == 1).dump() };
    dumped.truncate(dumped.len() - 4);
    while !feed.is_empty() {
        let at = feed.number() as usize % dumped.len();
        dumped[at] = feed.byte();
    }
    dumped.extend(checksum(&dumped).to_le_bytes());
    if kind == 0 {
        let Ok(mut index) = Index::load(Tokenizer::new(Language::ENGLISH), params(), &dumped) else { return };
        index.validate().expect("its invariants hold");
        index.upsert(1, &["something new"], Facts::default()).expect("it has room");
        index.validate().expect("its invariants hold");
    } else if let Ok(mut scan) = Scan::load(&dumped) {
        scan.validate().expect("its invariants hold");
        scan.upsert(1, &vec![1.0; scan.dimensions()]).expect("it is a vector");
        scan.validate().expect("its invariants hold");
    }
}

fn params() -> Params {
    let field = |b, heard| Field::new(Weight::ONE, b, heard).expect("b is within its bounds");
    let window = Window::new(&[(-1, 0.5), (2, 0.25)]).expect("each is within its bounds");
    Params::new(0.9, vec![field(0.0, true), field(0.75, true)], window).expect("k1 is within its bounds")
}

fn index(feed: &mut Feed<'_>) -> Index {
    let mut index = Index::new(Tokenizer::new(Language::ENGLISH), params());
    for _ in 0..feed.below(6) {
        let texts = [feed.text(), feed.text()];
        let session = Some(feed.below(3).into()).filter(|&session| session > 0);
        let facts = Facts { kind: feed.below(3).into(), time: feed.byte().into(), session };
        let number = feed.below(8).into();
        index.upsert(number, &[&texts[0], &texts[1]], facts).expect("it has two fields");
    }
    index
}

fn scan(feed: &mut Feed<'_>, exact: bool) -> Scan {
    let mut scan = if exact { Scan::new(3) } else { Scan::coded(3) }.expect("a scan has three dimensions");
    for number in 0..feed.below(6) {
        let vector: Vec<f32> = (0..3).map(|_| f32::from(feed.byte()) - 100.0).collect();
        scan.upsert(number.into(), &vector).expect("it is a vector");
    }
    scan
}

/// CRC-32 of IEEE 802.3, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| sum >> 1 ^ if sum & 1 > 0 { 0xedb8_8320 } else { 0 })
    })
}
