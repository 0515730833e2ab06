//! Which characters are written without spaces between words, and the runs they form in a text.

/// How the words of a run are parted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By spaces and punctuation, which the run still holds.
    Spaced,
    /// By nothing; every character is a unit (Chinese, Japanese, Korean).
    Dense,
    /// By nothing; a character with its marks is a unit (Thai, Lao, Myanmar, Khmer).
    Clustered,
}

/// Whether a character is Han: an ideograph, its repetition mark or the written zero.
pub(super) fn is_han(c: char) -> bool {
    matches!(c, '\u{3005}' | '\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn kind(c: char) -> Kind {
    match c {
        '\0'..='\u{e00}' => Kind::Spaced,
        '\u{e01}'..='\u{e3a}' | '\u{e40}'..='\u{e4e}' => Kind::Clustered, // Thai
        '\u{e81}'..='\u{ece}' | '\u{edc}'..='\u{edf}' => Kind::Clustered, // Lao
        '\u{1000}'..='\u{103f}' | '\u{1050}'..='\u{108f}' | '\u{aa60}'..='\u{aa7f}' => Kind::Clustered, // Myanmar
        '\u{1780}'..='\u{17d3}' => Kind::Clustered,                       // Khmer
        '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7a3}' => Kind::Dense, // Hangul
        '\u{3041}'..='\u{3096}' | '\u{309d}'..='\u{309f}' => Kind::Dense, // Hiragana
        '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' => Kind::Dense, // Katakana
        '\u{3105}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}' => Kind::Dense, // Bopomofo
        _ if is_han(c) => Kind::Dense,
        _ => Kind::Spaced,
    }
}

/// The longest stretches of one kind, in order; together they are the text.
pub(super) fn runs(text: &str) -> impl Iterator<Item = (Kind, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let kind_here = kind(rest.chars().next()?);
        let end = if text.is_ascii() { rest.len() } else { rest.find(|c| kind(c) != kind_here).unwrap_or(rest.len()) };
        let (run, after) = rest.split_at(end);
        rest = after;
        Some((kind_here, run))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_put_together_are_the_text() {
        let text = "Luna は猫です、แมว too 고양이!";
        let parts: Vec<_> = runs(text).collect();
        assert_eq!(parts.iter().map(|(_, run)| *run).collect::<String>(), text);
        assert!(parts.windows(2).all(|pair| pair[0].0 != pair[1].0));
        assert_eq!(parts[1], (Kind::Dense, "は猫です"));
        assert_eq!(parts[3], (Kind::Clustered, "แมว"));
    }
}
