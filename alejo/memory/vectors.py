"""What an index keeps vectors in: the scan of the Rust core, or FAISS where that is installed and wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeGuard

from alejo._core import VectorScan
from alejo.errors import StartupError

if TYPE_CHECKING:
    from typing_extensions import Buffer

KINDS = ("scan", "faiss")


class VectorIndex(Protocol):
    """One user's vectors by number, and the greatest dot products with a query: cosines, as their lengths are 1.

    A vector is a buffer of f32 or the bytes of one. Whatever takes one raises InvalidValue for other dimensions, and
    for numbers beyond ±1e15 or that are none. Many threads may search while one changes it.
    """

    def upsert(self, number: int, vector: Buffer, /) -> None:
        """Puts a vector in, replacing the one with the same number; visible at once."""
        ...

    def remove(self, number: int, /) -> bool:
        """Takes a vector out; False if there is none of that number."""
        ...

    def search(self, query: Buffer, limit: int, /) -> list[tuple[int, float]]:
        """The best as (number, dot product), the greatest first, equals by number; all of them if `limit` is 0."""
        ...

    def dump(self) -> bytes:
        """Everything it holds, for `load`; nothing of what was taken out."""
        ...

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes."""
        ...

    def validate(self) -> None:
        """Checks every invariant; slow, for tests. Raises DamagedIndex."""
        ...

    def __len__(self) -> int:
        """How many vectors it holds."""
        ...


class Outside(VectorIndex, Protocol):
    """One whose vectors the core cannot read, so that ranking has to be told their cosines."""

    def among(self, query: Buffer, limit: int, passing: bytes, /) -> list[tuple[int, float]]:
        """As `search`, of those alone whose number has its bit in `passing`, the lowest first."""
        ...

    def cosines(self, query: Buffer, numbers: list[int], /) -> list[tuple[int, float]]:
        """The dot products with these, as far as they are there."""
        ...

    @property
    def wasteful(self) -> bool:
        """Whether it is time for `compact`."""
        ...

    def compact(self) -> None:
        """Makes what it holds anew, without what was taken out. Others search what there was meanwhile."""
        ...


def outside(vectors: VectorIndex) -> TypeGuard[Outside]:
    """Whether the core cannot read these."""
    return not isinstance(vectors, VectorScan)


def check(kind: str) -> None:
    """Raises StartupError for a kind that there is not, or that is not installed."""
    if kind not in KINDS:
        raise StartupError(
            f"memory.vector_index is {' or '.join(KINDS)}, not {kind!r}.", hint="alejo config show", exit_code=78
        )
    if kind == "faiss":
        try:
            import alejo.memory.faiss  # noqa: F401, PLC0415 - an extra
        except ImportError:
            raise StartupError(
                "memory.vector_index is faiss, and FAISS is not installed.",
                hint='pip install "alejo[faiss]"    (or leave it at scan, which needs nothing)',
                exit_code=78,
            ) from None


def model(name: str, kind: str) -> str:
    """What tells vectors of an embedder's in an index of this kind from any others."""
    return name if kind == "scan" else f"{name} in {kind}"


def empty(kind: str, dimensions: int) -> VectorIndex:
    """One without vectors. Raises InvalidValue for dimensions other than 1 to 8192."""
    if kind == "scan":
        return VectorScan(dimensions, exact=False)  # a third of the memory, and no worse to find by
    from alejo.memory.faiss import FaissVectors  # noqa: PLC0415 - an extra

    return FaissVectors(dimensions)


def load(kind: str, dumped: bytes) -> VectorIndex:
    """What was dumped. Raises DamagedIndex for bytes that none of this kind was dumped to."""
    if kind == "scan":
        return VectorScan.load(dumped)
    from alejo.memory.faiss import FaissVectors  # noqa: PLC0415 - an extra

    return FaissVectors.load(dumped)
