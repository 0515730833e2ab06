//! The most worth within a budget: the knapsack problem.

/// Tables of up to this many cells are filled; more take too long.
const CELLS: u64 = 1 << 17;

/// Which of the items were chosen, and which part of the greatest possible worth they have at least.
pub(super) struct Packed {
    pub(super) chosen: Vec<bool>,
    pub(super) bound: f32,
}

/// Chooses among items of (tokens, worth), none below 0 or beyond the budget.
///
/// Exact by dynamic programming where the table is small. Else the better one of two: by worth per token as long as something
/// fits, or the best single item. The items by worth per token up to the first that does not fit, that one included, are worth
/// at least the optimum (Dantzig, 1957), and one of the two is worth at least half of them.
pub(super) fn pack(items: &[(u64, f32)], budget: u64) -> Packed {
    if items.iter().map(|&(tokens, _)| u128::from(tokens)).sum::<u128>() <= u128::from(budget) {
        return Packed { chosen: vec![true; items.len()], bound: 1.0 };
    }
    if (items.len() as u64).saturating_mul(budget.saturating_add(1)) <= CELLS {
        return Packed { chosen: exact(items, budget as usize), bound: 1.0 };
    }
    dense(items, budget)
}

fn exact(items: &[(u64, f32)], budget: usize) -> Vec<bool> {
    let width = budget + 1;
    let mut taken = vec![0_u8; items.len() * width];
    let mut best = vec![0.0_f64; width];
    let mut next = best.clone();
    for (&(tokens, worth), taken) in items.iter().zip(taken.chunks_exact_mut(width)) {
        let (tokens, worth) = (tokens as usize, f64::from(worth));
        let with = best.iter().map(|rest| rest + worth);
        for (((next, without), with), taken) in
            next.iter_mut().zip(&best).skip(tokens).zip(with).zip(&mut taken[tokens..])
        {
            *next = without.max(with);
            *taken = u8::from(with >= *without);
        }
        next[..tokens].copy_from_slice(&best[..tokens]);
        std::mem::swap(&mut best, &mut next);
    }
    let mut left = budget;
    let mut chosen = vec![false; items.len()];
    for (at, (tokens, _)) in items.iter().enumerate().rev() {
        if taken[at * width + left] == 1 {
            chosen[at] = true;
            left -= *tokens as usize;
        }
    }
    chosen
}

fn dense(items: &[(u64, f32)], budget: u64) -> Packed {
    let per_token = |at: usize| f64::from(items[at].1) / items[at].0 as f64;
    let mut order: Vec<_> = (0..items.len()).collect();
    // An item without tokens always fits, wherever it stands.
    order.sort_unstable_by(|&one, &other| per_token(other).total_cmp(&per_token(one)).then(one.cmp(&other)));
    let (mut chosen, mut left, mut worth) = (vec![false; items.len()], budget, 0.0_f64);
    let mut most = None;
    for at in order {
        let (tokens, value) = items[at];
        if tokens <= left {
            chosen[at] = true;
            left -= tokens;
            worth += f64::from(value);
        } else if most.is_none() {
            most = Some(worth + per_token(at) * left as f64);
        }
    }
    let best = (0..items.len()).max_by(|&one, &other| items[one].1.total_cmp(&items[other].1));
    if let Some(best) = best.filter(|&best| f64::from(items[best].1) > worth) {
        chosen.fill(false);
        chosen[best] = true;
        worth = f64::from(items[best].1);
    }
    let most = most.unwrap_or(worth);
    Packed { chosen, bound: if most > worth { (worth / most) as f32 } else { 1.0 } }
}
