//! The most worth within a budget: the knapsack problem, where items may share what they need beside themselves.
//!
//! Items of a group share an opening, such as a heading: its tokens count once if any of them is chosen (Chajakis and Guignard,
//! "Exact algorithms for the setup knapsack problem", 1994; here by dynamic programming over groups).

/// Tables of up to this many cells are filled, some 2 ms; for more, tokens are counted in larger units.
const CELLS: u64 = 1 << 20;

/// What may be chosen: its tokens, what it is worth (not below 0), and the place of its group's opening.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// Its own tokens.
    pub tokens: u64,
    /// Finite, 0 or more.
    pub worth: f32,
    /// A place among the openings.
    pub group: usize,
}

/// Which of the items were chosen, and which part of the greatest possible worth they have at least.
#[derive(Clone, Debug)]
pub struct Packed {
    /// By place.
    pub chosen: Vec<bool>,
    /// 1 where the choice is exact.
    pub bound: f32,
}

/// Chooses among items within the budget; `openings` are the tokens that each group takes beside its items.
///
/// Exact where (items + groups) · (budget + 1) is at most 2²⁰. Else tokens are counted in units of `unit`, rounded up, so that
/// the choice is worth at least as much as any within budget − (items + groups) · (unit − 1) tokens; or it is the most worthy
/// item or the items by worth per token, if that is better. Without openings it is then worth at least half of what there can
/// be: the items by worth per token up to the first that does not fit, that one included, are worth at least the optimum
/// (Dantzig, 1957).
pub fn pack(items: &[Item], openings: &[u64], budget: u64) -> Packed {
    let all = items.iter().map(|item| u128::from(item.tokens)).chain(openings.iter().map(|&tokens| u128::from(tokens)));
    if all.sum::<u128>() <= u128::from(budget) {
        return Packed { chosen: vec![true; items.len()], bound: 1.0 };
    }
    let pieces = (items.len() + openings.len()) as u64;
    let unit = pieces.saturating_mul(budget.saturating_add(1)).div_ceil(CELLS).max(1);
    let counted: Vec<_> = items.iter().map(|item| Item { tokens: item.tokens.div_ceil(unit), ..*item }).collect();
    let opened: Vec<_> = openings.iter().map(|tokens| tokens.div_ceil(unit)).collect();
    let chosen = exact(&counted, &opened, (budget / unit) as usize);
    if unit == 1 {
        return Packed { chosen, bound: 1.0 };
    }
    let (dense, most) = dense(items, openings, budget);
    let worth = |chosen: &[bool]| -> f64 {
        items.iter().zip(chosen).filter(|&(_, &taken)| taken).map(|(item, _)| f64::from(item.worth)).sum()
    };
    let chosen = if worth(&dense) > worth(&chosen) { dense } else { chosen };
    let worth = worth(&chosen);
    Packed { bound: if most > worth { (worth / most) as f32 } else { 1.0 }, chosen }
}

fn exact(items: &[Item], openings: &[u64], budget: usize) -> Vec<bool> {
    let width = budget + 1;
    let mut order: Vec<_> = (0..items.len()).filter(|&at| items[at].tokens <= budget as u64).collect();
    order.sort_by_key(|&at| items[at].group);
    let mut taken = vec![0_u8; order.len() * width];
    let mut opened = vec![0_u8; openings.len() * width];
    let mut best = vec![0.0_f64; width];
    let (mut inside, mut next) = (best.clone(), best.clone());
    let mut rows = taken.chunks_exact_mut(width);
    for group in order.chunk_by(|&one, &other| items[one].group == items[other].group) {
        let place = items[group[0]].group;
        let opening = openings[place].min(width as u64) as usize;
        inside[..opening].fill(f64::NEG_INFINITY);
        inside[opening..].copy_from_slice(&best[..width - opening]);
        for &at in group {
            let (tokens, worth) = (items[at].tokens as usize, f64::from(items[at].worth));
            let row = rows.next().unwrap_or_default();
            let with = inside.iter().map(|rest| rest + worth);
            for (((next, without), with), taken) in
                next.iter_mut().zip(&inside).skip(tokens).zip(with).zip(&mut row[tokens..])
            {
                *next = without.max(with);
                *taken = u8::from(with >= *without && with > f64::NEG_INFINITY);
            }
            next[..tokens].copy_from_slice(&inside[..tokens]);
            std::mem::swap(&mut inside, &mut next);
        }
        for ((best, inside), opened) in best.iter_mut().zip(&inside).zip(&mut opened[place * width..]) {
            *opened = u8::from(inside >= best);
            *best = best.max(*inside);
        }
    }
    let mut left = budget;
    let mut chosen = vec![false; items.len()];
    let mut end = order.len();
    for group in order.chunk_by(|&one, &other| items[one].group == items[other].group).rev() {
        let start = end - group.len();
        let place = items[group[0]].group;
        if opened[place * width + left] == 1 {
            for row in (start..end).rev() {
                if taken[row * width + left] == 1 {
                    chosen[order[row]] = true;
                    left -= items[order[row]].tokens as usize;
                }
            }
            left -= openings[place] as usize;
        }
        end = start;
    }
    chosen
}

/// The items by worth per token as long as something fits, or the most worthy one; and more than which there cannot be.
fn dense(items: &[Item], openings: &[u64], budget: u64) -> (Vec<bool>, f64) {
    let per_token = |at: usize| f64::from(items[at].worth) / items[at].tokens as f64;
    let mut order: Vec<_> = (0..items.len()).collect();
    // An item without tokens always fits, wherever it stands.
    order.sort_unstable_by(|&one, &other| per_token(other).total_cmp(&per_token(one)).then(one.cmp(&other)));
    let (mut chosen, mut opened) = (vec![false; items.len()], vec![false; openings.len()]);
    let (mut left, mut worth, mut whole, mut room) = (budget, 0.0_f64, 0.0_f64, budget);
    let mut most = None;
    for at in order {
        let Item { tokens, worth: value, group } = items[at];
        if most.is_none() {
            if tokens <= room {
                whole += f64::from(value);
                room -= tokens;
            } else {
                most = Some(whole + per_token(at) * room as f64);
            }
        }
        let opening = if opened[group] { 0 } else { openings[group] };
        if tokens.saturating_add(opening) <= left {
            (chosen[at], opened[group]) = (true, true);
            left -= tokens + opening;
            worth += f64::from(value);
        }
    }
    let fits = |at: &usize| items[*at].tokens.saturating_add(openings[items[*at].group]) <= budget;
    let best = (0..items.len()).filter(fits).max_by(|&one, &other| items[one].worth.total_cmp(&items[other].worth));
    if let Some(best) = best.filter(|&best| f64::from(items[best].worth) > worth) {
        chosen.fill(false);
        chosen[best] = true;
    }
    (chosen, most.unwrap_or(whole))
}
