"""A server on loopback that speaks the protocols of language models, and misbehaves when it is told to.

    python -m alejo.testing.model_server --port 8080
    OPENAI_BASE_URL=http://127.0.0.1:8080/v1 make run

It speaks the OpenAI API (chat, models, embeddings, files, fine-tuning) and Anthropic's Messages API, streamed, over
real HTTP. Its model is a parrot. The models named parrot-FAULT do what FAULTS says, so that anybody can try what
becomes of it: ALEJO_MODEL_NAMES=parrot-cut make run. In a test:

    async with ModelServer() as server:
        server.faults.append("500")                      # of the next request
        server.answers.append(Said("Yes.", calls=(...))) # of the next one after that
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from alejo.testing.http import Asked, HttpServer, Reply
from alejo.testing.least import least
from alejo.testing.tuning import TuningJobs

FAULTS = {
    "slow": "waits before its first word",
    "silent": "says nothing more after its first words",
    "cut": "breaks the connection in the middle of its answer",
    "unended": "stops in the middle as if that were the end",
    "429": "refuses with a Retry-After of one second",
    "500": "has an error of its own",
    "malformed": "sends an event that is no JSON",
    "wrong": "calls a tool with arguments that are none",
    "endless": "never stops talking",
    "error": "sends an error in the middle of its answer",
    "html": "answers with a page instead of events",
    "empty": "ends without a word",
}
PARROT = "parrot"
MODELS = (PARROT, *(f"{PARROT}-{fault}" for fault in FAULTS))
_DIMENSIONS = 64
_AROUND = 5  # tokens around a message
_VERSION = "2023-06-01"


class Said(NamedTuple):
    """An answer: its text, the tools it calls as (name, arguments), and how it ends in OpenAI's words."""

    text: str = ""
    calls: Sequence[tuple[str, str]] = ()
    end: str = ""


class ModelServer:
    """The server. `requests` is what was asked, `faults` and `answers` are used up by the next requests of a chat.

    What no answer is left for, `respond` answers by the request's body: a parrot's answer unless it is replaced.

    `seconds` is how long the slow fault waits; who wants it to end earlier sets `go`. With `key` it wants that. `count`
    counts the tokens of a text; without it they are about a quarter of the bytes. `said_at` is when each piece of the
    last answer was sent, by the loop's clock.
    """

    def __init__(self, port: int = 0, *, key: str = "", seconds: float = 30.0) -> None:
        self.requests: list[Asked] = []
        self.faults: list[str] = []
        self.answers: list[Said] = []
        self.tuning = TuningJobs()
        self.respond: Callable[[Any], Said] = parrot
        self.go = asyncio.Event()
        self.count: Callable[[str], int] = quarter
        self.said_at: list[float] = []
        self._key = key
        self._seconds = seconds
        self._http = HttpServer(self._serve, port)
        self._numbers = itertools.count(1)

    @property
    def openai(self) -> str:
        """The base URL of the OpenAI API."""
        return f"{self._http.url}/v1"

    @property
    def anthropic(self) -> str:
        """The base URL of the Messages API."""
        return self._http.url

    async def __aenter__(self) -> ModelServer:
        """Opens the port."""
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes it."""
        await self._http.__aexit__()

    async def _serve(self, asked: Asked, reply: Reply) -> None:
        self.requests.append(asked)
        if self._key and self._key not in (asked.headers.get("x-api-key"), asked.headers.get("authorization", "")[7:]):
            await reply.json(_error("invalid_api_key", "Incorrect API key provided."), 401)
            return
        match asked.method, asked.path:
            case "GET", "/v1/models":
                await reply.json({"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]})
            case "POST", "/v1/chat/completions":
                await self._chat(asked, reply, OpenAIWords(reply, next(self._numbers), self.count))
            case "POST", "/v1/messages":
                await self._chat(asked, reply, AnthropicWords(reply, next(self._numbers), self.count))
            case "POST", "/v1/embeddings":
                await self._embed(asked, reply)
            case _ if asked.path.startswith(("/v1/files", "/v1/fine_tuning/jobs")):
                await reply.json(*self.tuning.answer(asked))
            case _:
                await reply.json(_error("not_found", "No such path."), 404)

    async def _chat(self, asked: Asked, reply: Reply, words: Words) -> None:
        body = asked.json()
        wrong = words.wrong(asked, body)
        if wrong:
            return await reply.json(_error("invalid_request_error", wrong), 400)
        _, _, fault = str(body["model"]).partition(f"{PARROT}-")
        fault = self.faults.pop(0) if self.faults else fault
        if fault in ("429", "500"):
            headers = {"retry_after": "1"} if fault == "429" else {}
            return await reply.json(
                _error("rate_limit_exceeded" if headers else "server_error", ""), int(fault), **headers
            )
        if fault == "html":
            return await reply.raw(b"<html>Bad gateway</html>", 200, "text/html")
        if fault == "slow":
            await self._wait()
        said = self.answers.pop(0) if self.answers else self.respond(body)
        if fault == "wrong" and body.get("tools"):
            said = Said(calls=[(words.tool(body), '{"arguments": ')])
        await self._say(said, fault, words, reply, body)
        return None

    async def _say(self, said: Said, fault: str, words: Words, reply: Reply, body: Any) -> None:
        await words.begin(body)
        pieces = [] if fault == "empty" else _pieces(said.text)
        broken = fault in ("cut", "unended", "silent", "malformed", "error")
        self.said_at = []
        for piece in pieces[: len(pieces) // 2] if broken else pieces:
            self.said_at.append(asyncio.get_running_loop().time())
            await words.text(piece)
        while fault == "endless":
            await words.text("and so on ")
            await asyncio.sleep(0.001)
        if fault == "silent":
            await self._wait()
        if fault == "cut":
            return reply.drop()
        if fault == "malformed":
            await reply.event("{this is no JSON")
        if fault == "error":
            await words.error()
        if not broken:
            for name, arguments in said.calls:
                await words.call(f"call_{next(self._numbers)}", name, arguments)
            await words.end(said)
        await reply.end()
        return None

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self.go.wait(), self._seconds)
        except TimeoutError:
            return

    async def _embed(self, asked: Asked, reply: Reply) -> None:
        texts = asked.json()["input"]
        vectors = [{"object": "embedding", "index": i, "embedding": _vector(text)} for i, text in enumerate(texts)]
        await reply.json({"object": "list", "data": vectors, "usage": {"prompt_tokens": len(texts), "total_tokens": 1}})


class Words:
    """How a protocol says things."""

    def __init__(self, reply: Reply, number: int, count: Callable[[str], int]) -> None:
        self._reply = reply
        self._count = count
        self._id = f"msg_{number}"
        self._model = ""
        self._tokens = (0, 0)

    def wrong(self, asked: Asked, body: Any) -> str:
        """What is wrong with a request; nothing, if it is right."""
        raise NotImplementedError

    def tool(self, body: Any) -> str:
        """The name of the first tool that is offered."""
        tool = body["tools"][0]
        return str(tool.get("function", tool)["name"])

    async def begin(self, body: Any) -> None:
        """Begins an answer."""
        self._model = body["model"]
        self._tokens = (tokens(body, self._count), 0)

    async def text(self, piece: str) -> None:
        """Says something."""
        raise NotImplementedError

    async def call(self, id: str, name: str, arguments: str) -> None:  # noqa: A002
        """Calls a tool, its arguments in two parts."""
        raise NotImplementedError

    async def error(self) -> None:
        """Tells an error within the answer."""
        raise NotImplementedError

    async def end(self, said: Said) -> None:
        """Ends the answer and tells what it used."""
        raise NotImplementedError


class OpenAIWords(Words):
    """Chat completions."""

    _calls = 0

    def wrong(self, asked: Asked, body: Any) -> str:
        """Checks what adapters get wrong: roles, tool results without their call, streams without usage."""
        known: set[str] = set()
        for message in body.get("messages") or [{"role": "none"}]:
            known |= {call["id"] for call in message.get("tool_calls", ())}
            if message["role"] not in ("system", "user", "assistant", "tool"):
                return f"There is no role {message['role']}."
            if message["role"] == "tool" and message.get("tool_call_id") not in known:
                return "A tool message must follow its call."
        return "" if body.get("model") and body.get("stream") else "It needs a model, and stream."

    async def text(self, piece: str) -> None:
        """A delta."""
        self._tokens = (self._tokens[0], self._tokens[1] + 1)
        await self._chunk({"content": piece})

    async def call(self, id: str, name: str, arguments: str) -> None:  # noqa: A002
        """Two deltas, the second without a name."""
        place, self._calls, half = self._calls, self._calls + 1, len(arguments) // 2
        first = {
            "index": place,
            "id": id,
            "type": "function",
            "function": {"name": name, "arguments": arguments[:half]},
        }
        await self._chunk({"tool_calls": [first]})
        await self._chunk({"tool_calls": [{"index": place, "function": {"arguments": arguments[half:]}}]})

    async def error(self) -> None:
        """An error in place of a chunk."""
        await self._reply.event(_error("server_error", "The server had an error."))

    async def end(self, said: Said) -> None:
        """The reason, the usage, and the word that ends it."""
        await self._chunk({}, said.end or ("tool_calls" if said.calls else "stop"))
        into, out = self._tokens
        usage = {"prompt_tokens": into, "completion_tokens": out, "total_tokens": into + out}
        await self._reply.event({"id": self._id, "object": "chat.completion.chunk", "choices": [], "usage": usage})
        await self._reply.event("[DONE]")

    async def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        chunk = {"id": self._id, "object": "chat.completion.chunk", "created": 1, "model": self._model}
        await self._reply.event({**chunk, "choices": [choice]})


class AnthropicWords(Words):
    """Messages."""

    _place = -1
    _in_text = False
    _ENDS = {"": "end_turn", "stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}

    def wrong(self, asked: Asked, body: Any) -> str:
        """Checks what adapters get wrong: the version, the number of tokens, sides that do not alternate."""
        roles = [message["role"] for message in body.get("messages", ())]
        if asked.headers.get("anthropic-version") != _VERSION:
            return "anthropic-version: header is required"
        if not body.get("max_tokens"):
            return "max_tokens: Field required"
        if roles[:1] != ["user"] or any(a == b for a, b in itertools.pairwise(roles)):
            return "messages: roles must alternate, beginning with user"
        return "" if body.get("stream") else "It needs stream."

    async def begin(self, body: Any) -> None:
        """The message's start, with what came in."""
        await super().begin(body)
        usage = {"input_tokens": self._tokens[0], "output_tokens": 1, "cache_read_input_tokens": 0}
        start = {"id": self._id, "type": "message", "role": "assistant", "content": [], "usage": usage}
        await self._event("message_start", message=start)
        await self._event("ping")
        choice = body.get("tool_choice") or {}
        self._forced = choice.get("name", "")

    async def text(self, piece: str) -> None:
        """A delta of a block of text, or of the tool that was asked for."""
        self._tokens = (self._tokens[0], self._tokens[1] + 1)
        if not self._in_text:
            self._in_text = True
            self._place += 1
            kind: dict[str, Any] = {"type": "text", "text": ""}
            if self._forced:
                kind = {"type": "tool_use", "id": "toolu_1", "name": self._forced, "input": {}}
            await self._event("content_block_start", index=self._place, content_block=kind)
        delta = (
            {"type": "input_json_delta", "partial_json": piece}
            if self._forced
            else {"type": "text_delta", "text": piece}
        )
        await self._event("content_block_delta", index=self._place, delta=delta)

    async def call(self, id: str, name: str, arguments: str) -> None:  # noqa: A002
        """A block of its own."""
        await self._close()
        self._place += 1
        block = {"type": "tool_use", "id": id, "name": name, "input": {}}
        await self._event("content_block_start", index=self._place, content_block=block)
        for part in (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]):
            delta = {"type": "input_json_delta", "partial_json": part}
            await self._event("content_block_delta", index=self._place, delta=delta)
        await self._event("content_block_stop", index=self._place)

    async def error(self) -> None:
        """An event of its own."""
        await self._event("error", error={"type": "overloaded_error", "message": "Overloaded"})

    async def end(self, said: Said) -> None:
        """The reason with what went out, and the message's end."""
        await self._close()
        reason = "tool_use" if said.calls and not said.end else self._ENDS[said.end]
        usage = {"output_tokens": self._tokens[1]}
        await self._event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage=usage)
        await self._event("message_stop")

    async def _close(self) -> None:
        if self._in_text:
            self._in_text = False
            await self._event("content_block_stop", index=self._place)

    async def _event(self, type: str, **fields: Any) -> None:  # noqa: A002
        await self._reply.event({"type": type, **fields}, type)


def quarter(text: str) -> int:
    """About how many tokens an English text has."""
    return len(text.encode()) // 4


def tokens(body: Any, count: Callable[[str], int]) -> int:
    """The tokens of a request: of its texts, of its tools as JSON, and of what stands around each."""
    beside = [body[name] for name in ("tools", "response_format") if body.get(name)]
    texts = [body.get("system", ""), *(msgspec.json.encode(each).decode() for each in beside)]
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"text": content}] if isinstance(content, str) else content
        texts += [block.get("text") or block.get("content") or "" for block in blocks]
        texts += [msgspec.json.encode(block["input"]).decode() for block in blocks if "input" in block]
        texts += [call["function"]["arguments"] for call in message.get("tool_calls", ())]
    return sum(map(count, texts)) + _AROUND * (len(body["messages"]) + 8 * len(beside))


def parrot(body: Any) -> Said:
    """Repeats what was said last; what is wanted as an object is made as small as its schema allows."""
    schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
    if body.get("tool_choice"):
        schema = body["tools"][-1]["input_schema"]
    if schema is not None:
        return Said(msgspec.json.encode(least(schema)).decode())
    content = body["messages"][-1]["content"]
    if isinstance(content, list):
        content = " ".join(part.get("text") or str(part.get("content", "")) for part in content)
    lines = [line for line in content.splitlines() if line.strip()] or ["nothing"]
    return Said(f"You said: {lines[-1].strip()}")


def _pieces(text: str) -> list[str]:
    words = text.split(" ")
    return [word if place == 0 else f" {word}" for place, word in enumerate(words)] if text else []


def _vector(text: str) -> list[float]:
    """The same numbers for the same text."""
    digest = blake2b(text.encode(), digest_size=_DIMENSIONS).digest()
    return [(byte - 128) / 128 for byte in digest]


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "code": kind, "message": message}}


async def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m alejo.testing.model_server", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args(arguments)
    async with ModelServer(options.port) as server:
        print(f"OPENAI_BASE_URL={server.openai} make run", flush=True)  # noqa: T201
        print("faults: " + ", ".join(f"{PARROT}-{name} {text}" for name, text in FAULTS.items()), flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
