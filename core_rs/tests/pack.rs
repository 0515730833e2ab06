//! Packing against every subset.

use alejo_core::pack::{Item, Packed, pack};
use proptest::prelude::*;

fn worth(items: &[Item], chosen: &[bool]) -> f64 {
    items.iter().zip(chosen).filter(|&(_, &taken)| taken).map(|(item, _)| f64::from(item.worth)).sum()
}

fn tokens(items: &[Item], openings: &[u64], chosen: &[bool]) -> u64 {
    let taken = || items.iter().zip(chosen).filter(|&(_, &taken)| taken).map(|(item, _)| item);
    let opened =
        (0..openings.len()).filter(|&group| taken().any(|item| item.group == group)).map(|group| openings[group]);
    taken().map(|item| item.tokens).sum::<u64>() + opened.sum::<u64>()
}

/// The greatest worth of any subset within the budget.
fn optimum(items: &[Item], openings: &[u64], budget: u64) -> f64 {
    (0..1_u32 << items.len())
        .map(|bits| (0..items.len()).map(|place| bits >> place & 1 == 1).collect::<Vec<_>>())
        .filter(|chosen| tokens(items, openings, chosen) <= budget)
        .map(|chosen| worth(items, &chosen))
        .fold(0.0, f64::max)
}

fn given() -> impl Strategy<Value = (Vec<Item>, Vec<u64>, u64)> {
    let item = (0_u64..40, 0.0_f32..1.0, 0_usize..4).prop_map(|(tokens, worth, group)| Item { tokens, worth, group });
    (prop::collection::vec(item, 0..11), prop::collection::vec(0_u64..12, 4), 0_u64..150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_small_choice_is_the_best_there_is((items, openings, budget) in given()) {
        let Packed { chosen, bound } = pack(&items, &openings, budget);
        prop_assert!(tokens(&items, &openings, &chosen) <= budget);
        prop_assert!((worth(&items, &chosen) - optimum(&items, &openings, budget)).abs() < 1e-5);
        prop_assert!((bound - 1.0).abs() < f32::EPSILON);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))] // each fills a table

    /// Too large for a table: no worse than the best with that much less room, nor than it says itself.
    #[test]
    fn a_large_choice_keeps_its_bound((mut items, mut openings, budget) in given(), scale in 30_000_u64..60_000) {
        items.iter_mut().for_each(|item| item.tokens *= scale);
        openings.iter_mut().for_each(|opening| *opening *= scale);
        let budget = budget * scale;
        let pieces = (items.len() + openings.len()) as u64;
        let unit = (pieces * (budget + 1)).div_ceil(1 << 20).max(1);
        let Packed { chosen, bound } = pack(&items, &openings, budget);
        prop_assert!(tokens(&items, &openings, &chosen) <= budget);
        let worth = worth(&items, &chosen);
        prop_assert!(worth >= optimum(&items, &openings, budget.saturating_sub(pieces * (unit - 1))) - 1e-5);
        prop_assert!(worth >= optimum(&items, &openings, budget) * f64::from(bound) - 1e-5);
    }
}

#[test]
fn a_long_best_one_goes_before_many_short_ones_of_less_worth() {
    let mut items = vec![Item { tokens: 90, worth: 1.0, group: 0 }];
    items.extend([Item { tokens: 10, worth: 0.09, group: 0 }; 10]);
    let Packed { chosen, .. } = pack(&items, &[0], 100);
    assert!(chosen[0] && chosen.iter().filter(|&&taken| taken).count() == 2);
}
