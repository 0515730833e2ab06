//! What several models say of classes, as one: the logistic function of their weighed sum.

use crate::error::{Error, Result};

/// How likely each class is, by its offset and the products of each model's score of it with that model's slope for it.
/// `slopes` has a row of classes for each model; a model's scores of further classes are passed over.
///
/// # Errors
/// [`Error::Meaningless`] if they do not fit each other.
pub fn blend<S: AsRef<[f64]>>(scores: &[S], slopes: &[f64], offsets: &[f64]) -> Result<Vec<f64>> {
    let classes = offsets.len();
    if slopes.len() != scores.len() * classes || scores.iter().any(|scores| scores.as_ref().len() < classes) {
        return Err(Error::Meaningless("each model has a slope and a score for every class"));
    }
    let mut logits = offsets.to_vec();
    for (scores, slopes) in scores.iter().zip(slopes.chunks_exact(classes.max(1))) {
        for ((logit, score), slope) in logits.iter_mut().zip(scores.as_ref()).zip(slopes) {
            *logit += score * slope;
        }
    }
    Ok(logits.into_iter().map(|logit| 0.5 + 0.5 * (logit / 2.0).tanh()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_as_likely_as_its_models_say_together() {
        let blended = blend(&[vec![1.0, 2.0, 9.0], vec![4.0, 0.0]], &[2.0, -1.0, 0.5, 3.0], &[0.0, 2.0]).unwrap();
        assert!((blended[0] - 1.0 / (1.0 + (-4.0_f64).exp())).abs() < 1e-12);
        assert_eq!(blended[1], 0.5);
        assert_eq!(blend::<[f64; 0]>(&[], &[], &[0.0]).unwrap(), [0.5]);
        assert_eq!(blend(&[[1e9]], &[1e9], &[0.0]).unwrap(), [1.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(blend(&[[1.0]], &[1.0, 1.0], &[0.0, 0.0]).is_err());
        assert!(blend(&[[1.0, 1.0]], &[1.0], &[0.0, 0.0]).is_err());
        assert!(blend(&[[1.0]], &[1.0], &[]).is_err());
    }
}
