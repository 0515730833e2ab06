//! What English adds to tokenising: words that carry no meaning, and forms no stemmer can derive.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What the table knows of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// It says nothing about what a text is about.
    Stopword,
    /// It is a form of this word.
    FormOf(&'static str),
}

/// Looks a lower-case word up.
pub(super) fn look_up(word: &str) -> Option<Entry> {
    TABLE.get(word).copied()
}

/// What is left of a word after a contraction (`we'll` → `we`); "" where nothing with a meaning is (`won't`).
pub(super) fn uncontracted(word: &str) -> &str {
    const ENDINGS: [&str; 5] = ["'m", "'re", "'ve", "'ll", "'d"];
    if word.ends_with("n't") {
        return ""; // every word it joins (do, will, can, have, be ...) is a stopword itself
    }
    ENDINGS.iter().find_map(|ending| word.strip_suffix(ending)).unwrap_or(word)
}

static TABLE: LazyLock<HashMap<&'static str, Entry>> = LazyLock::new(|| {
    let forms = FAMILIES.lines().flat_map(|family| {
        let mut words = family.split_whitespace();
        let base = words.next();
        words.filter_map(move |form| Some((form, Entry::FormOf(base?))))
    });
    let stopwords = STOPWORDS.split_whitespace().map(|word| (word, Entry::Stopword));
    forms.chain(stopwords).collect()
});

/// `may` is missing on purpose: in what people remember it is a month.
const STOPWORDS: &str = "
a an the this that these those
i me my mine myself we us our ours ourselves you your yours yourself yourselves
he him his himself she her hers herself it its itself they them their theirs themselves
one anyone someone something anything
who whom whose which what where when why how
am is are was were be been being do does did doing done have has had having
can could will would shall should might must ought
dont doesnt didnt isnt arent wasnt werent cant couldnt wouldnt shouldnt hasnt havent hadnt
im ive youre youve theyre theyve thats whats
and or but nor if then else than because as until while though although so
of at by for with about against between into through during before after above below to from up down in out on off
over under again further onto upon within without
here there now just very too also only own same such more most other some any each few both all
no not yes ok okay oh well s t
please let lets really quite
";

/// One family a line: the base form, then the forms Snowball does not bring to it. A form that is as often another word (rose,
/// ground, wound, lay, bit, leaves) is left out: a false match costs more than a missed one.
const FAMILIES: &str = "
go went gone
come came
become became
get got gotten
give gave given
forgive forgave forgiven
take took taken
mistake mistook mistaken
undertake undertook undertaken
make made
say said
see saw seen
know knew known
grow grew grown
throw threw thrown
blow blew blown
fly flew flown
draw drew drawn
show shown
think thought
buy bought
bring brought
fight fought
seek sought
catch caught
teach taught
find found
feel felt
keep kept
sleep slept
sweep swept
weep wept
creep crept
leave left
mean meant
meet met
feed fed
lead led
bleed bled
breed bred
speed sped
build built
send sent
spend spent
lend lent
bend bent
lose lost
win won
sit sat
spit spat
stand stood
understand understood
misunderstand misunderstood
hear heard
hold held
tell told
sell sold
pay paid
lay laid
begin began begun
drink drank drunk
ring rang rung
sing sang sung
sink sank sunk
swim swam swum
shrink shrank shrunk
spring sprang sprung
stink stank stunk
run ran
speak spoke spoken
break broke broken
wake woke woken
choose chose chosen
freeze froze frozen
steal stole stolen
write wrote written
ride rode ridden
drive drove driven
rise risen
arise arose arisen
hide hid hidden
bite bitten
eat ate eaten
fall fell fallen
forget forgot forgotten
beat beaten
wear wore worn
tear tore torn
swear swore sworn
shake shook shaken
hang hung
swing swung
sting stung
stick stuck
strike struck
dig dug
shine shone
shoot shot
slide slid
light lit
burn burnt
learn learnt
dream dreamt
spell spelt
spill spilt
smell smelt
kneel knelt
deal dealt
sew sewn
sow sown
prove proven
child children
grandchild grandchildren
man men
woman women
person people
foot feet
tooth teeth
goose geese
mouse mice
ox oxen
wife wives
knife knives
wolf wolves
half halves
shelf shelves
loaf loaves
thief thieves
calf calves
scarf scarves
crisis crises
diagnosis diagnoses
bad worse worst
far farther farthest
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_leads_to_a_base_that_is_no_form_itself() {
        for entry in TABLE.values() {
            if let Entry::FormOf(base) = entry {
                assert_eq!(look_up(base), None, "{base}");
            }
        }
    }

    #[test]
    fn no_word_is_listed_twice() {
        let forms = FAMILIES.lines().flat_map(|family| family.split_whitespace().skip(1));
        assert_eq!(STOPWORDS.split_whitespace().chain(forms).count(), TABLE.len());
    }

    #[test]
    fn contractions_leave_their_first_word() {
        assert_eq!(uncontracted("we'll"), "we");
        assert_eq!(uncontracted("won't"), "");
        assert_eq!(uncontracted("o'clock"), "o'clock");
    }
}
