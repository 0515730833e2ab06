"""The performance-critical part of ALEJO, written in Rust (`core_rs/`).

Numbers that do not fit their type (a negative document number or limit) raise OverflowError, and strings with lone
surrogates UnicodeEncodeError, before anything is changed.
"""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import final

from typing_extensions import Buffer

__all__ = [
    "EVIDENCE",
    "CacheCounters",
    "CacheDisk",
    "CacheTier",
    "DamagedIndex",
    "DamagedTable",
    "Decision",
    "FakeClock",
    "InvalidValue",
    "LexicalIndex",
    "Limiter",
    "NgramHasher",
    "Panicked",
    "PhraseFinder",
    "Ranker",
    "Recall",
    "Selection",
    "SharedLimiter",
    "SparseVector",
    "StaticEmbedder",
    "TokenNet",
    "VectorScan",
    "WordPiece",
    "__version__",
    "blend",
    "debug_build",
    "estimate_tokens",
    "give_back",
    "pack",
    "tokens",
    "told",
]

__version__: str

EVIDENCE: list[str]
"""The kinds of evidence of a recall, in the order of its shares; docs/recall.md says what each is."""

class InvalidValue(ValueError):
    """A value the core has no meaning for: a parameter out of range, a language without a stemmer."""

class DamagedIndex(RuntimeError):
    """An index or a cache whose invariants do not hold; build it again."""

class DamagedTable(RuntimeError):
    """An embedding table whose files are missing, cut short or do not fit each other."""

class Panicked(RuntimeError):
    """A mistake of the core's own, which stderr tells; please report it. What was being changed is damaged then."""

def debug_build() -> bool:
    """Whether this extension was compiled without optimisation, so that its speed means nothing."""

def tokens(text: str, language: str = "en") -> list[str]:
    """The terms `text` is found by, in its order: folded, without function words, stemmed, without accents.

    `language` is an ISO 639-1 code with a stemmer, "mul" for the one whose function words the text holds most of, or ""
    to keep words as they are; raises InvalidValue for another. Text written without spaces (Chinese, Japanese,
    Korean, Thai, Lao, Khmer, Myanmar) becomes pairs of neighbours, whatever the language.
    """

def pack(
    tokens: Sequence[int],
    worths: Sequence[float],
    budget: int,
    groups: Sequence[int] | None = None,
    openings: Sequence[int] | None = None,
) -> tuple[list[int], float]:
    """The places of the items that together are worth most within a budget of tokens, and how good that is.

    Items of a group, a place among `openings`, share the tokens of its opening, as of a heading: they count once if any
    of them is chosen. The choice is exact where (items + groups) · (budget + 1) is at most 1,048,576. Else tokens are
    counted in units, rounded up: it is then worth at least what any choice is within (items + groups) · (unit - 1)
    tokens less. The second value is the part of the greatest worth that the choice has at least.

    Raises InvalidValue for columns of different lengths, a group without an opening, and a worth below 0.
    """

def blend(scores: Sequence[Sequence[float]], slopes: Buffer, offsets: Buffer) -> list[float]:
    """How likely each class is, 0 to 1, by what several models say of it: the logistic function of their sum.

    `scores` has for each model what it says of every class, such as `SparseVector.scores` and `TokenNet.scores` tell
    (what it says of further ones is passed over); that is multiplied by `slopes`, a row of classes for each model,
    and added to `offsets`. Both are of float64 (`array.array("d")`). Raises InvalidValue if they do not fit each other.
    """

def give_back() -> bool:
    """Gives back to the system the memory that the allocator of C keeps free; whether there was any.

    It takes some ms for each 100 MB; other Python threads run meanwhile. Only glibc's allocator does it.
    """

def told(shares: Sequence[float], least: float) -> list[tuple[str, float]]:
    """What matters of shares, given by EVIDENCE, as (name, share), the strongest first.

    Those are the shares above `least` of all together; the sum of the others is "other", behind them.
    """

def estimate_tokens(text: str) -> int:
    """About how many tokens a language model will count in `text`; 0 for a text of spaces.

    Fitted to the larger of the counts of cl100k_base and o200k_base. Of 27,000 other texts in 25 languages, English
    chat, Markdown and code one is off by 12 % in the mean, nine of ten by -26 to +25 %; those of a language together by
    -20 to +11 %, chat by 0 %, Markdown by -2 %, code by +6 %. o200k_base takes down to a quarter of it in scripts that
    the older one knows badly. A budget that must be kept to the token needs the model's own tokenizer.
    """

@final
class FakeClock:
    """A clock at zero that stands still until it is moved; any thread may move it."""

    def __new__(cls) -> FakeClock: ...
    def advance(self, seconds: float) -> None:
        """Moves the time forward. Raises InvalidValue for a negative number of seconds and NaN."""

@final
class CacheCounters:
    """What a cache has done since it was made, and what it holds."""

    hits: int
    """Reads that found a live entry."""
    misses: int
    """Reads that found none, or only an expired one."""
    evictions: int
    """Entries that had to make room, and those too heavy to come in."""
    expired: int
    """Entries that outlived their time, as far as it was noticed."""
    entries: int
    """Entries held now, expired ones among them until they are met."""
    weight: int
    """Their weight in bytes."""

@final
class CacheDisk:
    """A bounded cache in a folder, from strings to bytes, that outlives the process; many processes may share it.

    What comes out was put in under that very key, is whole (checksums), within its time, and its user was not forgotten
    since by any process. It is a cache: it may lose what was put last; after a power cut, or where the folder was
    copied while in use, it begins anew. A forked child finds and keeps nothing. When it is full, what was put first
    goes first. Its folder (LMDB, mapped) must be on a local disk and opened by nothing else.

    What writes lets other Python threads run; a read does not, as it takes a microsecond where the file is in memory.
    Once it is closed, every call raises ValueError; a disk that fails to write raises OSError, one that fails to read
    finds nothing.
    """

    def __new__(
        cls,
        path: str | PathLike[str],
        *,
        size: int = 1_073_741_824,
        ttl: float = 604_800.0,
        clock: FakeClock | None = None,
    ) -> CacheDisk:
        """Opens the folder `path`, made if there is none; its file takes `size` bytes (1 MiB to 64 TiB) at most.

        An entry lives for `ttl` seconds of the time of day after it was put. Raises InvalidValue for other limits,
        OSError if the folder cannot be used or is open in this process already.
        """

    def get(self, key: str, /) -> bytes | None:
        """The value of `key`, or None."""

    def find(self, key: str, /) -> tuple[bytes, int, float] | None:
        """The value of `key` with its generation and the seconds it lives yet, or None."""

    def put(self, rows: Sequence[tuple[str, bytes, str | None, int, float]], /) -> None:
        """Keeps values in the place of what is there, in one transaction if the file is large enough for it.

        Each row is key (at most 65,535 bytes), value, user, the user's generation when the value began to be made, and
        the seconds it may live. If the user was forgotten since, the row changes nothing. One heavier than an eighth of
        the file only takes out what is there; so may one of many pages when the file is full.
        """

    def remove(self, key: str, /) -> bool:
        """Takes `key` out; False if it is not there."""

    def generation(self, user: str | None, /) -> int:
        """What a user's values bear that begin to be made now."""

    def forget(self, user: str, /) -> None:
        """From now on no value that was kept for `user` is given out, here or in a tier over it, in any process."""

    def clear(self) -> None:
        """The same for everybody; and the file is emptied."""

    def sweep(self) -> int:
        """Takes out what has outlived its time and what was of forgotten users; how many. It looks at every entry."""

    def counters(self) -> CacheCounters:
        """What this process has done with it, and what it holds of all processes."""

    def validate(self) -> None:
        """Checks every invariant; slow, for tests. Raises DamagedIndex naming the first that does not hold."""

    def close(self) -> None:
        """Leaves the folder. The last process to do so brings everything to the disk."""

@final
class CacheTier:
    """A bounded cache in memory from strings to bytes; what is hit is the caller's own object, nothing is copied.

    What goes when it is full is chosen by S3-FIFO (Yang et al., SOSP 2023): a scan passes through a small queue of new
    keys and leaves alone what is read again and again. Safe to use from many threads. Keys and values are exact `str`
    and `bytes`, as a subclass could run code while the cache is locked; others raise TypeError.
    """

    def __new__(
        cls,
        *,
        entries: int = 10_000,
        weight: int = 67_108_864,
        ttl: float = 3600.0,
        idle: float = 1800.0,
        small: float = 0.2,
        over: CacheDisk | None = None,
        clock: FakeClock | None = None,
    ) -> CacheTier:
        """An empty cache of at most `entries` (1 to 2^31) and `weight` bytes; `over` is the tier below it, if any.

        An entry weighs its key, its value and what keeping them costs. It lives for `ttl` seconds after it was put and
        for `idle` seconds after it was last put or read, to some 10 ms. `small`, 0.01 to 0.9, is the share of new keys:
        more favours what was read lately, less what is read often. Raises InvalidValue for other values.
        """

    def get(self, key: str, /) -> bytes | None:
        """The value of `key`, or None."""

    def get_many(self, keys: list[str], /) -> list[bytes | None]:
        """The values of `keys`, in their order, each as `get` would answer."""

    def put(
        self, key: str, value: bytes, user: str | None = None, *, since: int | None = None, lives: float = ...
    ) -> None:
        """Keeps `value` under `key`, in the place of what is there. It belongs to `user`, if there is one.

        `since` is the user's generation when the value began to be made: if they were forgotten since, it is not kept.
        It lives for `lives` seconds, if that is less than the time to live. A value heavier than the whole cache is not
        kept, and counts as an eviction.
        """

    def generation(self, user: str | None, /) -> int:
        """What a user's values bear that begin to be made now. Forgetting a user moves it on."""

    def demoted(self, *, everything: bool = False) -> list[tuple[str, bytes, str | None, int, float]]:
        """What left since the last call though its time to live was not over: rows for the tier below.

        Only a cache over another lays such entries aside, up to an eighth of its weight. With `everything`, all that it
        holds leaves.
        """

    def remove(self, key: str, /) -> bool:
        """Takes `key` out; False if it is not there."""

    def forget(self, user: str, /) -> int:
        """Takes out all that belongs to `user`, from every tier over the same disk; how many entries that were here."""

    def clear(self) -> None:
        """Takes out everything from this tier; the counters go on."""

    def sweep(self) -> int:
        """Takes out what has outlived its time, which otherwise goes when it is met; how many entries that were."""

    def counters(self) -> CacheCounters:
        """What it has done and what it holds."""

    def validate(self) -> None:
        """Checks every invariant; slow, for tests. Raises DamagedIndex naming the first that does not hold."""

    def __len__(self) -> int:
        """How many entries it holds, expired ones among them until they are met."""

@final
class LexicalIndex:
    """An exact BM25 index over one user's documents, by number; a change is visible at once, from every thread.

    The score is BM25F (Robertson, Zaragoza and Taylor 2004): the sum over the query's distinct terms of idf · tf ·
    (k1 + 1) / (tf + k1), with idf = ln(1 + (N - df + 0.5) / (df + 0.5)) and tf = the sum over the fields of weight ·
    count / (1 - b + b · length / average length). In a window a document counts as its own, in the fields that are
    heard, what the documents of its session say around it, times the weight of where they stand: count, length and df
    are those of documents that hold their neighbours' words so often.

    Many threads may search while one writes; a long search or a busy lock lets other Python threads run.
    """

    def __new__(
        cls,
        fields: Sequence[tuple[float, float, bool]] = ...,
        *,
        k1: float = 0.9,
        window: Mapping[int, float] = ...,
        language: str = "en",
    ) -> LexicalIndex:
        """An empty index.

        Each of one to eight `fields` is (weight of one occurrence, 0.001 to 100, kept to a thousandth; b, 0 to 1: how
        much a long one loses; whether neighbours hear it); left out, there is one, (1.0, 0.0, True). `k1`, 0 to 100:
        how much repetition counts. `window`: the weight, 0 to 1, kept to a thousandth, of the neighbour at each offset,
        -4 to 4; {-1: 0.5} hears half of what was said just before; left out, nobody is heard.

        Raises InvalidValue for other values, or a `language` that `tokens` does not know.
        """

    def upsert(self, doc: int, texts: Sequence[str], kind: int = 0, time: int = 0, session: int | None = None) -> None:
        """Puts a document in, replacing the one with the same number (0 to 2^64-1).

        `texts` are its fields in their order; those left out are empty. `kind` (0 to 2^32-1, small numbers cost least)
        and `time` (64 bits, signed; in µs since the epoch) are what `rank` weighs by. Documents of one `session` (0 to
        2^64-1) hear each other; they stand in the order of their times, equals by number. Raises InvalidValue for more
        texts than fields, or more than 16,777,215 documents.
        """

    def remove(self, doc: int) -> bool:
        """Takes a document out; False if there is none of that number."""

    def rank(
        self,
        query: str,
        limit: int,
        *,
        now: int,
        half_life: float,
        recency_weight: float,
        weights: Sequence[float | None],
        min_coverage: float,
    ) -> list[tuple[int, float, float, float, float]]:
        """The documents sharing a term with `query`, as (number, score, lexical, recency, coverage), best first.

        Behind a record separator, U+001E, may stand a word of the query and other names of what it names: a document
        with one of them has the word.

        Equals come by number; `limit` 0 means all of them. Score = lexical + recency = (BM25 + `recency_weight` · the
        best BM25 of all that share a term · 2 ** (-age / `half_life`)) · the weight of the document's kind. Scores
        compare within one query. Age is `now` - time, at least 0; all three and `half_life` are in one unit, µs.

        `weights` are by kind: one beyond them weighs 1, one of None is left out. Coverage, 0 to 1, is the share of the
        query's meaning found in the document: idf of the matched distinct terms over idf of all, where a term that no
        document holds counts with the highest idf; below `min_coverage` a document is left out.

        Raises InvalidValue for a half-life that is not above 0, a negative weight of a kind, an infinite one of either
        sort, and for NaN.
        """

    def explain(self, docs: Sequence[int], query: str, *, own: bool = False) -> list[list[tuple[str, float]]]:
        """For each of `docs`, each matching word of `query`, folded, with its share of BM25, the largest first.

        With `own` a document is looked at as if it heard nobody, which is much quicker. A document's shares add up to
        1; there are none if it is not there or does not match.
        """

    def dump(self) -> bytes:
        """Everything it holds, for `load`; of words only hashes are in it, under a key that is in it too."""

    @staticmethod
    def load(
        dumped: bytes,
        fields: Sequence[tuple[float, float, bool]] = ...,
        *,
        k1: float = 0.9,
        window: Mapping[int, float] = ...,
        language: str = "en",
    ) -> LexicalIndex:
        """The index that was dumped; the rest is to be what it was made with.

        Raises DamagedIndex for bytes that no index of so many fields was dumped to, InvalidValue as `__new__` does.
        """

    def validate(self) -> None:
        """Checks every invariant; slow, for tests. Raises DamagedIndex naming the first that does not hold."""

    @property
    def nbytes(self) -> int:
        """How many bytes the index takes on the heap; some ms for a million documents."""

    def __len__(self) -> int:
        """How many documents it holds."""

@final
class StaticEmbedder:
    """Embeds texts by a table of their tokens, memory-mapped; many threads may use one.

    A text's vector is the direction of the sum of its tokens' rows, float32, the same bits on every machine of one byte
    order. Read it with `memoryview(vector).cast("f")` or `numpy.frombuffer(vector, "f4")`.
    """

    def __new__(cls, folder: str | PathLike[str]) -> StaticEmbedder:
        """The embedder of a folder with `table.safetensors` and `vocab.txt`, which stay unchanged while it is open.

        `embedding` is int8 [rows, dimensions], `scale` float32 [rows]; a value is embedding times scale of its row.
        Line and row number are the token's id. Raises DamagedTable if they are missing or do not fit each other.
        """

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""

    def embed(self, text: str) -> bytes:
        """The vector of `text`, of length 1, 4 times `dimensions` bytes.

        A text without a token has the vector of `[UNK]`. Time and memory grow with the text.
        """

    def embed_many(self, texts: Sequence[str]) -> bytes:
        """The vectors of `texts`, one after the other; other Python threads run meanwhile."""

    def validate(self) -> None:
        """Checks every invariant; for tests. Raises DamagedTable naming the first that does not hold."""

@final
class TokenNet:
    """A network over the rows of a table: convolutions of width 3, then the greatest and the mean of each channel.

    Trained elsewhere, on that very table. The same scores on every machine; many threads may use one.
    """

    def __new__(
        cls, table: StaticEmbedder, layers: Sequence[tuple[bytes, bytes, bytes]], heads: bytes, offsets: bytes
    ) -> TokenNet:
        """The network of such layers, the lowest first, each a kernel (int8), its scales and its biases (float32).

        A kernel has a row for each channel of what a token adds to the next one, then to itself, then to the one
        before, as wide as the table or as the layer below has channels; `scales` has a factor for each row, `biases` a
        number for each channel. What is below 0 goes on as 0. `heads`, float32: of each layer a row of classes for the
        greatest of each channel, then for the mean of each; `offsets` has a number for each class. Raises InvalidValue
        if they do not fit each other or the table, or one is not finite.
        """

    def scores(self, text: str) -> list[float]:
        """The score of each class; of a text without a token, `offsets`. Time and memory grow with the text."""

@final
class WordPiece:
    """BERT's tokenising by a vocabulary: without special tokens, neither added nor recognised."""

    def __new__(cls, vocabulary: str | PathLike[str], *, uncased: bool = True) -> WordPiece:
        """Tokenising by a file with a piece on each line, whose number, from 0, is its id.

        `uncased` takes off case and accents. Raises DamagedTable if the file cannot be read, holds a piece twice or
        lacks `[UNK]`.
        """

    def ids(self, text: str) -> list[int]:
        """The ids of the pieces of `text`, in its order."""

    def __len__(self) -> int:
        """How many pieces there are."""

@final
class NgramHasher:
    """Turns texts into sparse vectors of hashed n-grams; many threads may use one.

    The places are part of the contract: weights that were trained with one version fit the next.
    """

    def __new__(
        cls,
        bits: int = 18,
        words: int = 2,
        chars: tuple[int, int] = (3, 5),
        *,
        marks: bool = False,
        damped: bool = False,
    ) -> NgramHasher:
        """Hashes to 2^`bits` places (1 to 24), with a sign: what collides cancels out in the mean.

        Of a text, folded: runs of 1 to `words` words (up to 8), and runs of `chars[0]` to `chars[1]` characters (1 to
        16) of a word between its ends. 0 words or (0, 0) leave that sort out; raises InvalidValue for both, and
        outside these bounds. With `marks` every mark and emoji is a word too, where it stands; `damped` takes the
        logarithm of 1 + how often an n-gram comes.
        """

    def features(self, text: str) -> SparseVector:
        """The n-grams of `text` by how often they come, brought to length 1; empty if there is no word in it."""

@final
class SparseVector:
    """A vector that is 0 nearly everywhere; its length says at how many places it is not. `NgramHasher` makes them."""

    @property
    def indices(self) -> bytes:
        """Where it is not 0, ascending, as unsigned integers of 32 bits."""

    @property
    def values(self) -> bytes:
        """Its values there, float32."""

    def dot(self, other: SparseVector) -> float:
        """The sum of the products with `other`. Raises InvalidValue if it has another number of bits."""

    def scores(self, weights: Buffer) -> list[float]:
        """The product with each column of a matrix: one row for each of the 2^bits places, a column for each class.

        `weights` holds float32 or int8 numbers, row after row (`array.array("f")`, a NumPy array, a memoryview).
        Raises InvalidValue if it has another number of rows or gaps, TypeError for other numbers.
        """

    def __len__(self) -> int:
        """At how many places it is not 0."""

@final
class PhraseFinder:
    """Finds words and phrases of a list in texts, and tells what stands before each; many threads may use one."""

    def __new__(cls, phrases: Sequence[str], before: Sequence[str] = (), reach: int = 3) -> PhraseFinder:
        """Looks for `phrases`, and before each of them for those of `before` that end up to `reach` tokens before it.

        Case and the kind of apostrophe make no difference. Raises InvalidValue, naming its place in the list, for a
        phrase that is not all tokens with single spaces between or around them, or that was there before.
        """

    @staticmethod
    def tokens(text: str) -> list[str]:
        """The tokens of a text as written, with one kind of apostrophe.

        They are words with the apostrophes and hyphens inside them, emoticons, emojis, runs of "!", and the marks that
        part sentences, a new line among them; the rest is passed over.
        """

    def found(self, text: str) -> list[tuple[int, int, int, bool, tuple[tuple[int, int], ...]]]:
        """The phrases in `text` in their order, the longest where several begin with a token; none lies in another.

        Of each the place in the list, its first token, how many it has, whether that first one stands out by its
        capitals (it has no other letters, and some token of the text none of them), and what ends before it with no
        mark between: the places in `before`, each with how many tokens before, the nearest first.
        """

@final
class Decision:
    """What a request is told; true if it is allowed."""

    @property
    def allowed(self) -> bool:
        """Whether it may go on."""

    @property
    def remaining(self) -> int:
        """How many requests of cost 1 would be allowed now."""

    @property
    def retry_after(self) -> float:
        """Seconds after which the same request is allowed, if no other comes; 0 if it is allowed now."""

    def __bool__(self) -> bool:
        """Whether it may go on."""

@final
class Limiter:
    """A rate limiter for many keys (GCRA, exact to the nanosecond); safe to use from many threads.

    Keys that owe nothing take no memory: they are dropped while requests come, and by `reclaim`. Times are seconds of
    the machine's monotonic clock, which a change of date does not move; it is a few milliseconds late where every burst
    takes a second or longer to refill. A clock that goes back gives nobody more, and locks nobody out for longer than a
    burst takes to refill.
    """

    def __new__(cls, *quotas: tuple[float, int], keys: int = 1_000_000) -> Limiter:
        """A limiter with a quota, (requests a second, burst), for each class: 0, 1, …

        It remembers some `keys` keys, 18 to 28 bytes each; beyond, the one that owes least is forgotten. Raises
        InvalidValue for no quota, a rate outside 0.0001 to 1,000,000, no burst, or one that takes a year to refill.
        """

    def decide(self, key: str, cost: int = 1, quota: int = 0, now: float | None = None) -> Decision:
        """Whether a request of `key` may go on, which costs it `cost` in the class `quota`; 0 looks without taking.

        `now`, in seconds, stands for the machine's clock. Raises InvalidValue for a cost above the burst.
        """

    def reclaim(self, now: float | None = None) -> None:
        """Takes the memory of idle keys back, also where no requests come."""

    def validate(self) -> None:
        """Checks every invariant; slow, for tests. Raises DamagedIndex naming the first that does not hold."""

    def __len__(self) -> int:
        """How many keys take memory."""

@final
class SharedLimiter:
    """A rate limiter whose state lies in a file that all processes of a machine share: lock-free, crash-safe.

    As Limiter, but exact to the microsecond, and of a fixed size: 16 bytes for each of `keys`. Where eight keys that
    owe something meet, the one that owes least is forgotten, and two of them share a state in 1 of some 130,000 cases.
    After a restart of the machine each key owes its burst once more.
    """

    def __new__(cls, path: str | PathLike[str], *quotas: tuple[float, int], keys: int = 100_000) -> SharedLimiter:
        """Over the table at `path`, made if there is none; all should give the same quotas.

        Raises OSError if it cannot be made or opened, DamagedIndex if it is no such table, and InvalidValue as Limiter
        does, and for a burst that takes longer than 50 days to refill.
        """

    def decide(self, key: str, cost: int = 1, quota: int = 0, now: float | None = None) -> Decision:
        """As that of Limiter; `now` is of a clock that all processes share."""

    def validate(self) -> None:
        """Checks every invariant; slow, for tests. Raises DamagedIndex naming the first that does not hold."""

@final
class Ranker:
    """Chooses from candidates what a context shall hold: the most relevant, none twice, varied, within a budget.

    Relevance is the sum of weight · evidence · factor. Left out is what is below 0, superseded by another candidate,
    longer than the budget, or of the hash of a better one. The next one taken is always that of the greatest (1 -
    diversity) · relevance / best relevance - diversity · similarity to the most similar one taken before (maximal
    marginal relevance), unless that is a duplicate, until `limit` are taken. Of these, those are chosen that together
    are the most relevant within the budget, as `pack` chooses; at least half of the most there can be.
    """

    def __new__(
        cls,
        weights: Mapping[str, float],
        *,
        diversity: float = 0.0,
        duplicate: float = 2.0,
        half_life: float = 2_592_000.0,
    ) -> Ranker:
        """Weights, -100 to 100, by kind of evidence; a kind without one counts nothing.

        `dense`: cosine of meaning. `lexical`: of words, 0 or more, counted relative to the candidates' largest.
        `recency`, `importance`, `emotion` (how near in feeling), `time`, `entity`, `speaker` (how well these match),
        `neighbour` (evidence of what stands beside it): each within -1 to 1.

        `diversity` is 0 to 1. Vectors of a cosine of `duplicate` or more, -1 to 2, are duplicates; above 1 none are.
        Recency is halved with each `half_life`, in the unit of ages (seconds by default: 30 days). Raises InvalidValue
        for anything else.
        """

    def rank(
        self,
        ids: Buffer,
        evidence: Mapping[str, Buffer],
        *,
        limit: int = 0,
        budget: int | None = None,
        factors: Buffer | None = None,
        ages: Buffer | None = None,
        vectors: Buffer | VectorScan | None = None,
        query: Buffer | None = None,
        tokens: Buffer | None = None,
        hashes: Buffer | None = None,
        superseded: Sequence[tuple[int, int]] = (),
    ) -> Selection:
        """Chooses among candidates, given as columns with a place for each; 0 as limit means no limit.

        `ids` u64, each once; `evidence` f32 by kind, any of them missing; `factors` f32, 0 to 100, what each
        one's evidence is multiplied by; `ages` f32, which make evidence of recency;
        `vectors` f32 or int8, row after row, or a scan that has them under these ids (one it has not is like no other);
        `query` f32 or its bytes, which makes dense evidence of the vectors; `tokens` u32, as counted by whatever
        tokenizer; `hashes` u64, equal for duplicates; `superseded` pairs of ids, (older, newer).

        Raises InvalidValue for columns of different lengths, evidence outside its range, and what supersedes itself.
        """

@final
class Recall:
    """From a question to the memories that answer it, each with what speaks for it; many threads may share one.

    It looks into a lexical index and a vector scan that have the memories under the same numbers, and knows of each
    memory besides what the pieces of its text are and what its traits are. Whoever changes these changes this too.

    Candidates are the hundred whose words fit best, the fifty nearest in meaning and, if the question names times, the
    fifty nearest of these. A candidate's score is the sum of weight · evidence; each product is a share. Evidence does
    not depend on which other candidates there are. Of more matches by words the next follow a hundred at a time, so
    that a longer list begins as a shorter one.
    """

    def __new__(cls, lexical: LexicalIndex, vectors: VectorScan, table: StaticEmbedder) -> Recall:
        """Knows nothing yet; `table` tells what pieces of words mean."""

    @staticmethod
    def load(dumped: bytes, lexical: LexicalIndex, vectors: VectorScan, table: StaticEmbedder) -> Recall:
        """The recall that was dumped. Raises DamagedIndex for bytes that none was dumped to."""

    def dump(self) -> bytes:
        """Everything it knows itself, for `load`."""

    def upsert(
        self,
        doc: int,
        text: str,
        *,
        asks: bool = False,
        dated: bool = False,
        numbered: bool = False,
        placed: bool = False,
        names: int = 0,
        tokens: int = 0,
        importance: float = 0.0,
        speaker: int = 0,
        session: int = 0,
        message: int = 0,
        question: int = 0,
    ) -> None:
        """Notes what is known of a memory, replacing what was.

        `text` is what the table shall read of it. `asks`: it ends in a question; `dated`: it tells when something was,
        `numbered` a number, `placed` a place; `names` and `tokens`, up to 65,535: how many it holds; `importance` is 0
        to 1. The numbers of who said it, up to 4,294,967,295, of its session, of the message it came from and, if it
        only asks, of its words, the same for all that ask so, are for filters; 0 for none. Raises InvalidValue for an
        importance that is no number.
        """

    def remove(self, doc: int) -> bool:
        """Forgets a memory; False if nothing was known of it."""

    def rank(
        self,
        text: str,
        limit: int,
        *,
        weights: Mapping[str, float],
        now: int,
        half_life: float,
        otherwise: str = "",
        known: str = "",
        meaning: Buffer | None = None,
        cosines: Mapping[int, float] | None = None,
        classes: Sequence[tuple[float, float] | None] = ...,
        spans: Sequence[tuple[int, int]] = ...,
        delay: float = 1.0,
        asks_when: bool = False,
        asks_name: bool = False,
        asks_number: bool = False,
        asks_place: bool = False,
        after: int | None = None,
        before: int | None = None,
        session: int | None = None,
        only: Sequence[int] | None = None,
        but: Sequence[int] = ...,
        min_coverage: float = 0.0,
        min_similarity: float = -1.0,
        closely: int = 0,
    ) -> list[tuple[int, float, float, tuple[float, ...]]]:
        """The best memories as (number, score, coverage, shares by EVIDENCE), best first, equals by number.

        `limit` 0 means all. `weights`, -100 to 100, are by name of evidence. `text` and its `meaning`, f32 or its
        bytes, are what is asked, without whom it names; `otherwise` is looked for if no memory has a word of it, and
        `known` is what the table reads. Where the vectors are elsewhere, `cosines` by number stand in the place of the
        meaning: of the nearest that pass, and of all others that are to be weighed by it. `classes` are by the kind
        under which the index has a memory: how much its speaker is whom the question is about, -1 to 1, and the
        logarithm of what its kind weighs; None is left out, one beyond them is (0, 0). `spans` are times the question
        names, each from one on and before another; after one it counts half as much with each `delay`; `asks_when`,
        `asks_name`, `asks_number` and `asks_place` say what it asks for. Recency halves with each `half_life`; all
        times are in one unit.

        Found are memories from `after` on, before `before`, of `session`, among `only`, and of no message or question
        in `but`, as far as each is given. Nobody hears what `but` names, except for a question after which somebody
        else spoke. By words those are found that cover `min_coverage` of the question with their neighbours, by
        meaning those of a cosine of `min_similarity`. Coverage is 0 to 1. What a memory means together with its
        neighbours, "dense_around", is weighed for the best `closely` by all else, or for all if 0.

        Raises InvalidValue for an unknown evidence, and for numbers outside their range.
        """

    def passing(
        self,
        *,
        classes: Sequence[tuple[float, float] | None] = ...,
        spans: Sequence[tuple[int, int]] = ...,
        delay: float = 1.0,
        after: int | None = None,
        before: int | None = None,
        session: int | None = None,
        only: Sequence[int] | None = None,
        but: Sequence[int] = ...,
    ) -> tuple[bytes, bytes]:
        """The memories that may be found, as `rank` has it, and those of them that are of `spans`, if there are any.

        A bit for each number, the lowest first, for whoever has their vectors and shall look among these alone. Of
        numbers from 2^32 on nothing is told.
        """

    def validate(self) -> None:
        """Checks every invariant; slow, for tests. Raises DamagedIndex naming the first that does not hold."""

    @property
    def nbytes(self) -> int:
        """How many bytes it takes on the heap, beside the index and the vectors."""

    def __len__(self) -> int:
        """How many memories it knows."""

@final
class Selection:
    """What a Ranker chose, and why not the others."""

    @property
    def chosen(self) -> list[tuple[int, float, tuple[float, ...]]]:
        """Id, score and shares of each, in the order taken. The shares add up to the score."""

    @property
    def evidence(self) -> tuple[str, ...]:
        """What the shares are called."""

    @property
    def left_out(self) -> list[tuple[int, str, int | None]]:
        """Id, reason and the other one of each that was left out, in no order.

        The reason is "irrelevant", "superseded" (by the other), "duplicate" (of the other), "limit" or "budget".
        """

    @property
    def tokens(self) -> int:
        """The sum of the chosen ones' tokens."""

    @property
    def bound(self) -> float:
        """The part of the greatest possible relevance, among what was taken, that the chosen reach at least: ½ to 1."""

@final
class VectorScan:
    """Vectors by number, and the exact greatest dot products with a query: cosines, where lengths are 1.

    A vector is a buffer of f32 (an array, `memoryview(...).cast("f")`) or the bytes of one, as embedders give it.
    Many threads may search while one writes; a long search or a busy lock lets other Python threads run.
    """

    def __new__(cls, dimensions: int, *, exact: bool = True) -> VectorScan:
        """An empty one, for vectors of `dimensions`, 1 to 8192; raises InvalidValue for another number.

        A vector takes 5 bytes a dimension, and some 50. Without `exact` it takes one byte a dimension and some 50, and
        products are of numbers rounded to 1/127 of the largest of their vector: cosines are off by some 0.005.
        """

    def upsert(self, id: int, vector: Buffer) -> None:  # noqa: A002 - the word for it in every index of vectors
        """Puts a vector in, replacing the one with the same number (0 to 2^64-1); visible at once.

        Raises InvalidValue for other dimensions, and for numbers beyond ±1e15 or that are none.
        """

    def remove(self, id: int) -> bool:  # noqa: A002 - the word for it in every index of vectors
        """Takes a vector out; False if there is none of that number."""

    def search(self, query: Buffer, limit: int) -> list[tuple[int, float]]:
        """The best as (number, dot product), the greatest first, equals by number; `limit` 0 means all of them.

        Raises InvalidValue as `upsert` does.
        """

    def dump(self) -> bytes:
        """Everything it holds, for `load`."""

    @staticmethod
    def load(dumped: bytes) -> VectorScan:
        """The scan that was dumped. Raises DamagedIndex for bytes that none was dumped to."""

    @property
    def nbytes(self) -> int:
        """How many bytes the scan takes on the heap."""

    def validate(self) -> None:
        """Checks every invariant; slow, for tests. Raises DamagedIndex naming the first that does not hold."""

    def __len__(self) -> int:
        """How many vectors it holds."""
