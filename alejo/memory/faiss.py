"""Vectors in FAISS: whole ones (Flat) up to 20,000, and a byte for each number (SQ8) beyond.

FAISS knows vectors by their places, in the order they were added; which number is where is kept here, so that no
number is there twice. What is taken out leaves a gap that searches do not look at (an IDSelector). When a tenth are
gaps, or Flat has grown too large, `compact` makes another index and puts it in the place of the old one.

FAISS must not be searched while it changes. `_changing` lets one change at a time, `_using` keeps searches and single
changes apart; making another index only needs the first, so searches go on meanwhile.
"""

from __future__ import annotations

import struct
import threading
import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alejo._core import DamagedIndex, InvalidValue

if TYPE_CHECKING:
    from typing_extensions import Buffer

with warnings.catch_warnings():  # of its own making with newer versions of Python
    warnings.simplefilter("ignore", DeprecationWarning)
    import faiss

LARGE = 20_000  # vectors, beyond which they are coded
_SMALL = 2_000  # so many are made anew at once, in a millisecond or two
_MOST_DIMENSIONS = 8192
_GREATEST = 1e15
_ENTRY = 130  # bytes of a number and its place, measured
_HEAD = struct.Struct("<8sII")
_MARK = b"faiss 1\0"

faiss.omp_set_num_threads(1)  # many users search at once; threads of one search would only be in their way


class _Held:
    """An index of FAISS, and which number is at which place of it; -1 where there is a gap."""

    def __init__(self, index: faiss.Index, numbers: NDArray[np.int64] | None = None) -> None:
        self.index = index
        self.numbers = np.empty(0, np.int64) if numbers is None else numbers  # may be longer than the index
        self.places = {int(number): place for place, number in enumerate(self.numbers)}

    @property
    def gaps(self) -> int:
        return int(self.index.ntotal) - len(self.places)

    @property
    def coded(self) -> bool:
        return isinstance(self.index, faiss.IndexScalarQuantizer)

    def put(self, number: int, vector: NDArray[np.float32]) -> None:
        self.drop(number)
        place = int(self.index.ntotal)
        if place == len(self.numbers):
            self.numbers = np.concatenate([self.numbers, np.full(max(64, place // 4), -1, np.int64)])
        self.index.add(vector)
        self.numbers[place] = number
        self.places[number] = place

    def drop(self, number: int) -> bool:
        place = self.places.pop(number, None)
        if place is not None:
            self.numbers[place] = -1
        return place is not None

    def search(
        self, query: NDArray[np.float32], limit: int, passing: NDArray[np.bool_] | None
    ) -> list[tuple[int, float]]:
        wanted = self.numbers[: self.index.ntotal] >= 0
        if passing is not None:
            numbers = self.numbers[: self.index.ntotal]
            known = wanted & (numbers < len(passing))
            wanted = np.zeros_like(known)
            wanted[known] = passing[numbers[known]]
        count = int(wanted.sum())
        limit = min(limit, count) if limit else count
        if not limit:
            return []
        chosen = None
        if count < len(wanted):
            bits = np.packbits(wanted, bitorder="little")
            chosen = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        products, places = self.index.search(query, limit, params=chosen)
        found = zip(self.numbers[places[0]].tolist(), products[0].tolist(), strict=True)
        return sorted(found, key=lambda each: (-each[1], each[0]))

    def anew(self) -> _Held:
        """The same without gaps, in whole vectors or in codes as their count asks for."""
        numbers = np.fromiter(self.places, np.int64, len(self.places))
        places = np.fromiter(self.places.values(), np.int64, len(self.places))
        vectors = self.index.reconstruct_batch(places) if len(places) else np.empty((0, self.index.d), np.float32)
        if self.coded and len(numbers) > LARGE // 2:  # the same ranges give the same codes
            index = faiss.clone_index(self.index)
            index.reset()
        elif len(numbers) > LARGE:
            index = faiss.IndexScalarQuantizer(self.index.d, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
            index.train(vectors)
        else:
            index = faiss.IndexFlatIP(self.index.d)
        index.add(vectors)
        return _Held(index, numbers)


class FaissVectors:
    """See VectorIndex and Outside."""

    def __init__(self, dimensions: int) -> None:
        if not 1 <= dimensions <= _MOST_DIMENSIONS:
            raise InvalidValue(f"a vector has 1 to {_MOST_DIMENSIONS} dimensions")
        self._held = _Held(faiss.IndexFlatIP(dimensions))
        self._changing = threading.Lock()
        self._using = threading.Lock()

    @classmethod
    def load(cls, dumped: bytes) -> FaissVectors:
        """What was dumped. Raises DamagedIndex."""
        try:
            mark, dimensions, count = _HEAD.unpack_from(dumped)
            numbers = np.frombuffer(dumped, np.int64, count, _HEAD.size).copy()
            index = faiss.deserialize_index(np.frombuffer(dumped, np.uint8, offset=_HEAD.size + numbers.nbytes))
        except (struct.error, ValueError, RuntimeError):
            raise DamagedIndex("these are not the bytes of vectors in FAISS") from None
        if mark != _MARK or index.d != dimensions or index.ntotal != count:
            raise DamagedIndex("the vectors in FAISS are not as many as their numbers")
        loaded = cls(dimensions)
        loaded._held = _Held(index, numbers)
        return loaded

    def dump(self) -> bytes:
        """See VectorIndex."""
        with self._changing:
            held = self._held if not self._held.gaps else self._held.anew()
            count = int(held.index.ntotal)
            head = _HEAD.pack(_MARK, held.index.d, count)
            return b"".join([head, held.numbers[:count].tobytes(), faiss.serialize_index(held.index).tobytes()])

    def upsert(self, number: int, vector: Buffer, /) -> None:
        """See VectorIndex."""
        row = self._row(vector)
        if not 0 <= number < 1 << 62:
            raise InvalidValue("the number of a vector is 0 to 2^62-1")
        with self._changing, self._using:
            self._held.put(number, row)
            self._mend()

    def remove(self, number: int, /) -> bool:
        """See VectorIndex."""
        with self._changing, self._using:
            there = self._held.drop(number)
            self._mend()
            return there

    def search(self, query: Buffer, limit: int, /) -> list[tuple[int, float]]:
        """See VectorIndex."""
        row = self._row(query)
        with self._using:
            return self._held.search(row, limit, None)

    def among(self, query: Buffer, limit: int, passing: bytes, /) -> list[tuple[int, float]]:
        """See Outside."""
        row = self._row(query)
        bits = np.unpackbits(np.frombuffer(passing, np.uint8), bitorder="little").astype(np.bool_)
        with self._using:
            return self._held.search(row, limit, bits)

    def cosines(self, query: Buffer, numbers: list[int], /) -> list[tuple[int, float]]:
        """See Outside."""
        row = self._row(query)
        with self._using:
            held = self._held
            there = [number for number in numbers if number in held.places]
            if not there:
                return []
            vectors = held.index.reconstruct_batch(np.array([held.places[number] for number in there], np.int64))
        return list(zip(there, (vectors @ row[0]).tolist(), strict=True))

    @property
    def wasteful(self) -> bool:
        """See Outside: a tenth are gaps, or there are too many to keep whole."""
        held = self._held
        return held.gaps * 10 > held.index.ntotal or (not held.coded and len(held.places) > LARGE)

    def compact(self) -> None:
        """See Outside."""
        with self._changing:
            held = self._held.anew()
            with self._using:
                self._held = held

    def _mend(self) -> None:
        if self.wasteful and self._held.index.ntotal <= _SMALL:
            self._held = self._held.anew()

    @property
    def nbytes(self) -> int:
        """See VectorIndex."""
        held = self._held
        size = 1 if held.coded else 4
        return int(held.index.ntotal * held.index.d) * size + held.numbers.nbytes + _ENTRY * len(held.places)

    def validate(self) -> None:
        """See VectorIndex."""
        held = self._held
        count = int(held.index.ntotal)
        there = {int(number): place for place, number in enumerate(held.numbers[:count]) if number >= 0}
        if there != held.places or (held.numbers[count:] >= 0).any():
            raise DamagedIndex("every number has its place, and every place its number")

    def __len__(self) -> int:
        return len(self._held.places)

    def _row(self, vector: Buffer) -> NDArray[np.float32]:
        view = memoryview(vector)
        if view.format not in {"f", "B"}:
            raise TypeError("a vector is a buffer of f32, or the bytes of one")
        if view.nbytes != 4 * self._held.index.d:
            raise InvalidValue("a vector has the dimensions of the index")
        row = np.frombuffer(view, np.float32)
        if not (np.abs(row) <= _GREATEST).all():
            raise InvalidValue("a vector is of numbers up to 1e15")
        return row.reshape(1, -1)
