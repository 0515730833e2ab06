"""A peer in a process and an environment of its own: `python -P peer_child.py SYSTEM FOLDER ALEJO`.

Run as a file, since nothing of ours is installed there but the vectors: ALEJO is the folder that holds the package
`alejo`, whose static table embeds for everybody. Each line on standard input is a request, each line on standard output
its answer; what a package prints goes to standard error. Nothing here reaches a network.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import importlib.metadata
import json
import os
import sqlite3
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_CHUNK = 100  # filled at a time, as its makers do: in batches where there are any
_QUIET = {
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "LANGSMITH_TRACING": "false",
    "MEM0_TELEMETRY": "False",
    "OPENAI_API_KEY": "none",
}

Vector = list[float]
Embed = Callable[[Sequence[str]], list[Vector]]


class System:
    """What every system does by `search`, one question after the other."""

    def search(self, user: str, query: str, limit: int) -> list[str]:
        """The ids of the best, best first; all users' where none is named, if the system can."""
        raise NotImplementedError

    def ask(self, user: str, queries: Sequence[str], limit: int) -> tuple[list[list[str]], list[float]]:
        """What each question finds, and the seconds it takes."""
        items, seconds = [], []
        for query in queries:
            began = time.perf_counter()
            items.append(self.search(user, query, limit))
            seconds.append(time.perf_counter() - began)
        return items, seconds

    def close(self) -> None:
        """Nothing, unless a system says otherwise."""


class Chroma(System):
    """One collection, users told apart by metadata; HNSW by cosine, its own settings else."""

    package = "chromadb"

    def __init__(self, folder: str, embed: Embed) -> None:
        chromadb = importlib.import_module("chromadb")
        settings = importlib.import_module("chromadb.config").Settings(anonymized_telemetry=False)
        client = chromadb.PersistentClient(folder, settings)
        self._found = client.create_collection(
            "memories", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
        )
        self._embed = embed

    def fill(self, user: str, ids: list[str], texts: list[str], language: str) -> None:
        """Adds memories of a user."""
        self._found.add(
            [f"{user}/{each}" for each in ids], self._embed(texts), [{"user": user} for _ in ids], documents=texts
        )

    def search(self, user: str, query: str, limit: int) -> list[str]:
        """As System says."""
        where = {"user": user} if user else None
        found = self._found.query(query_embeddings=self._embed([query]), n_results=limit, where=where)
        return [each.partition("/")[2] for each in found["ids"][0]]


class Lance(System):
    """One table without an index, so an exact scan of the vectors; a filter is applied before it."""

    package = "lancedb"

    def __init__(self, folder: str, embed: Embed) -> None:
        self._database = importlib.import_module("lancedb").connect(folder)
        self._table: Any = None
        self._embed = embed

    def fill(self, user: str, ids: list[str], texts: list[str], language: str) -> None:
        """Adds memories of a user."""
        vectors = self._embed(texts)
        rows = [
            {"id": each, "user": user, "text": text, "vector": vector}
            for each, text, vector in zip(ids, texts, vectors, strict=True)
        ]
        if self._table is None:
            self._table = self._database.create_table("memories", rows)
        else:
            self._table.add(rows)

    def search(self, user: str, query: str, limit: int) -> list[str]:
        """As System says."""
        asked = self._table.search(self._embed([query])[0]).distance_type("cosine").select(["id", "_distance"])
        if user:
            asked = asked.where(f"user = '{user}'", prefilter=True)
        return [each["id"] for each in asked.limit(limit).to_list()]


class LangGraph(System):
    """A store with vectors, in memory or in SQLite, with a namespace for each user."""

    package = "langgraph"

    def __init__(self, folder: str, embed: Embed) -> None:
        self._base = importlib.import_module("langgraph.store.base")
        dimensions = len(embed(["word"])[0])
        # Its store in SQLite reads "text_fields", its documents and the other one "fields".
        self._store = self._made(
            folder, {"dims": dimensions, "embed": embed, "fields": ["text"], "text_fields": ["text"]}
        )

    def _made(self, folder: str, index: dict[str, Any]) -> Any:
        return importlib.import_module("langgraph.store.memory").InMemoryStore(index=index)

    def fill(self, user: str, ids: list[str], texts: list[str], language: str) -> None:
        """Adds memories of a user."""
        put = self._base.PutOp
        self._store.batch(
            [put(("memories", user or "one"), each, {"text": text}) for each, text in zip(ids, texts, strict=True)]
        )

    def search(self, user: str, query: str, limit: int) -> list[str]:
        """As System says."""
        return [each.key for each in self._store.search(("memories", user or "one"), query=query, limit=limit)]


class LangGraphSqlite(LangGraph):
    """The same in a file."""

    package = "langgraph-checkpoint-sqlite"

    def _made(self, folder: str, index: dict[str, Any]) -> Any:
        # It loads an extension for its vectors, which not every Python's own SQLite can.
        able = hasattr(sqlite3.Connection, "enable_load_extension")
        room: Any = sqlite3 if able else importlib.import_module("pysqlite3")
        connection = room.connect(f"{folder}/store.sqlite", isolation_level=None, check_same_thread=False)
        store = importlib.import_module("langgraph.store.sqlite").SqliteStore(connection, index=index)
        store.setup()
        return store


class Mem0(System):
    """mem0 without a model: `infer=False` keeps a text as it is; Qdrant in its own process, its default."""

    package = "mem0ai"
    place: tuple[str, dict[str, Any]] = ("qdrant", {"on_disk": True})

    def __init__(self, folder: str, embed: Embed) -> None:
        os.environ["MEM0_DIR"] = folder
        kind, options = self.place
        dimensions = len(embed(["word"])[0])
        settings = {
            "vector_store": {
                "provider": kind,
                "config": {"path": f"{folder}/{kind}", "embedding_model_dims": dimensions, **options},
            },
            "embedder": {"provider": "openai", "config": {"api_key": "none", "embedding_dims": dimensions}},
            "llm": {"provider": "openai", "config": {"api_key": "none"}},
            "history_db_path": f"{folder}/history.db",
        }
        self._memory = importlib.import_module("mem0").Memory.from_config(settings)
        self._memory.embedding_model = self  # instead of the one that would ask over a network
        self._vectors = embed

    def embed(self, text: str, memory_action: str | None = None) -> Vector:
        """As its embedders are asked."""
        return self._vectors([text])[0]

    def embed_batch(self, texts: list[str], memory_action: str | None = None) -> list[Vector]:
        """As its embedders are asked."""
        return self._vectors(texts)

    def fill(self, user: str, ids: list[str], texts: list[str], language: str) -> None:
        """Adds memories of a user, one by one: it has no other way."""
        for each, text in zip(ids, texts, strict=True):
            self._memory.add(text, user_id=user or "one", infer=False, metadata={"place": each})

    def search(self, user: str, query: str, limit: int) -> list[str]:
        """As System says, of a user alone."""
        found = self._memory.search(query, top_k=limit, filters={"user_id": user or "one"}, threshold=0.0)
        return [each["metadata"]["place"] for each in found["results"]]


class Mem0Faiss(Mem0):
    """The same over FAISS."""

    place = ("faiss", {"distance_strategy": "cosine"})


class Bm25s(System):
    """Plain BM25 with the package's own tokenizing, an index for each user."""

    package = "bm25s"
    _LANGUAGES = {"en": "english", "de": "german", "es": "spanish"}

    def __init__(self, folder: str, embed: Embed) -> None:
        self._package = importlib.import_module("bm25s")
        self._stemmer = importlib.import_module("Stemmer").Stemmer
        self._users: dict[str, tuple[list[str], list[str], str]] = {}
        self._made: dict[str, Any] = {}

    def fill(self, user: str, ids: list[str], texts: list[str], language: str) -> None:
        """Adds memories of a user; the index is made when it is first asked."""
        held = self._users.setdefault(user, ([], [], language))
        held[0].extend(ids)
        held[1].extend(texts)
        self._made.pop(user, None)

    def _cut(self, texts: list[str], language: str) -> Any:
        stem = self._stemmer(self._LANGUAGES[language])
        return self._package.tokenize(texts, stopwords=language, stemmer=stem, show_progress=False)

    def search(self, user: str, query: str, limit: int) -> list[str]:
        """As System says, of a user alone."""
        ids, texts, language = self._users[user]
        if user not in self._made:
            index = self._made[user] = self._package.BM25(method="lucene", k1=1.2, b=0.75)
            index.index(self._cut(texts, language), show_progress=False)
        places, scores = self._made[user].retrieve(
            self._cut([query], language), k=min(limit, len(ids)), show_progress=False
        )
        return [ids[place] for place, score in zip(places[0], scores[0], strict=True) if score > 0]


class Nothing(System):
    """Keeps nothing, finds nothing and says so: to try the process itself."""

    package = "alejo"

    def __init__(self, folder: str, embed: Embed) -> None:
        self.folder = folder

    def fill(self, user: str, ids: list[str], texts: list[str], language: str) -> None:
        """Keeps nothing."""

    def search(self, user: str, query: str, limit: int) -> list[str]:
        """Raises ValueError."""
        raise ValueError("nothing is found here")


SYSTEMS: dict[str, type[Any]] = {
    "bm25s": Bm25s,
    "chromadb": Chroma,
    "lancedb": Lance,
    "langgraph": LangGraph,
    "langgraph-checkpoint-sqlite": LangGraphSqlite,
    "mem0ai": Mem0,
    "mem0ai+faiss": Mem0Faiss,
    "mem0ai+qdrant": Mem0,
    "nothing": Nothing,
}


def table() -> Embed:
    """The static table that ships with ALEJO, as everybody here is given it."""
    shipped = importlib.import_module("alejo.embedding").shipped()
    size = shipped.dimensions

    def embed(texts: Sequence[str]) -> list[Vector]:
        numbers = array("f", shipped.embed_many(list(texts))).tolist()
        return [numbers[start : start + size] for start in range(0, len(numbers), size)]

    return embed


def resident() -> int:
    """The bytes of memory that are the process's own (RssAnon), once what is free was given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) * 1024


def fill(system: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Adds memories until they are in or the seconds are over; how many are in, and what that took."""
    began, done = time.perf_counter(), 0
    ids, texts = request["ids"], request["texts"]
    while done < len(ids) and time.perf_counter() - began < request["seconds"]:
        system.fill(request["user"], ids[done : done + _CHUNK], texts[done : done + _CHUNK], request["language"])
        done = min(done + _CHUNK, len(ids))
    return {"done": done, "seconds": time.perf_counter() - began}


def offline(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuses what would leave the machine."""
    if event in {"socket.getaddrinfo", "socket.connect"}:
        raise ConnectionRefusedError("this process is not to use a network")


def answer(system: Any, request: dict[str, Any]) -> dict[str, Any]:
    """What a request asks for."""
    match request.pop("do"):
        case "fill":
            return fill(system, request)
        case "search":
            items, seconds = system.ask(**request)
            return {"items": items, "seconds": seconds}
        case "forget":
            ours, bare = system.forget(**request)
            return {"seconds": ours, "bare": bare}
    return {"bytes": resident()}


def made(name: str, folder: str) -> Any:
    """The system of that name. Ours is not imported in an environment that has none of it."""
    if name == "alejo":
        return importlib.import_module("alejo_bench.memory_ours").Ours(folder, None)
    return SYSTEMS[name](folder, table())


def main(name: str, folder: str, alejo: str) -> None:
    """Answers until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    os.environ |= _QUIET | {"HOME": folder}
    sys.path.append(alejo)
    sys.addaudithook(offline)

    def say(found: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            answers.write(json.dumps(found) + "\n")

    try:
        system = made(name, folder)
        say({"version": importlib.metadata.version(system.package), "bytes": resident()})
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the others are measured
        say({"failed": f"{type(error).__name__}: {error}"})
        return
    for line in sys.stdin:
        try:
            say(answer(system, json.loads(line)))
        except Exception as error:  # noqa: BLE001 - as above
            say({"failed": f"{type(error).__name__}: {error}"})
    system.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
