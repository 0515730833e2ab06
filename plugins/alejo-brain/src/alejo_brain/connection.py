"""HTTP to a provider of language models: what every protocol shares, and what each failure is called."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import msgspec

from alejo.errors import ModelFailed

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
_CONNECT_SECONDS = 5.0
_SECONDS = 60.0  # of a request that has no time of its own
_LIMITED, _LEAST_FAULT = 429, 500
_PASSING = frozenset({408, 409, 425})  # refusals that another try may not meet
_SPENT = "insufficient_quota"  # said with 429 by who will not answer until the owner pays
_IMAGES = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"GIF8", "image/gif"), (b"RIFF", "image/webp"))


class Fault(msgspec.Struct):
    """How providers word an error."""

    type: str | None = None
    code: str | int | None = None


class _Refusal(msgspec.Struct):
    error: Fault


class Connection:
    """One provider's address and key. Connections are kept open between requests, on each event loop its own.

    `here` says whether the address is this machine's loopback, so that nothing that is sent leaves it.
    """

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url = url.rstrip("/")
        self.here = _is_here(url)
        self._headers = {name: value for name, value in headers.items() if value}
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncClient] = WeakKeyDictionary()

    async def ask(self, method: str, path: str, kind: type[T], seconds: float = _SECONDS, **given: Any) -> T:
        """A request and its answer as an object. `given` are arguments of httpx2. Raises ModelFailed."""
        client = await self._client()
        with _failures(begun=False):
            response = await client.request(method, self._url + path, timeout=_timeout(seconds), **given)
        _check(response.status_code, response.headers, response.content)
        return decoded(response.content, kind)

    async def events(self, path: str, body: Mapping[str, Any], seconds: float, id: str) -> AsyncIterator[str]:  # noqa: A002
        """The data of the server-sent events that answer a request. Raises ModelFailed."""
        client = await self._client()
        import httpx2  # noqa: PLC0415  it is there by now

        headers = {"Idempotency-Key": id} if id else {}
        async with contextlib.AsyncExitStack() as stack:
            wait = _timeout(seconds or _SECONDS)
            stream = client.stream("POST", self._url + path, json=body, headers=headers, timeout=wait)
            with _failures(begun=False):
                response = await stack.enter_async_context(stream)
                if response.is_error:
                    await response.aread()
                    _check(response.status_code, response.headers, response.content)
            source = aiter(httpx2.EventSource(response))
            while True:
                with _failures(begun=True):
                    event = await anext(source, None)
                if event is None:
                    return
                yield event.data

    async def close(self) -> None:
        """Closes what is open on this loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _client(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            # The import and the machine's certificates take some 100 ms, which the loop need not wait for.
            made = await asyncio.to_thread(self._make)
            if self._clients.setdefault(loop, made) is not made:
                await made.aclose()
        return self._clients[loop]

    def _make(self) -> httpx2.AsyncClient:
        import httpx2  # noqa: PLC0415  a server without models need not pay for it

        return httpx2.AsyncClient(headers=self._headers)


def _is_here(url: str) -> bool:
    """Whether a URL names the loopback; a name is not looked up, as it may mean another machine the next time."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ip_address(host).is_loopback
    except ValueError:
        return False


def _timeout(seconds: float) -> httpx2.Timeout:
    import httpx2  # noqa: PLC0415

    return httpx2.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))


def decoded(data: bytes | str, kind: type[T]) -> T:
    """JSON of a provider as an object. Raises ModelFailed."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ModelFailed("invalid", detail="what came is not of its protocol") from None


def fault(error: Fault) -> ModelFailed:
    """The error that a provider names within an answer that had begun well."""
    word = str(error.type or error.code or "")
    return ModelFailed("rate_limited" if "rate_limit" in word else "unavailable", detail=_word(error))


def media_type(data: bytes, told: str) -> str:
    """What kind of picture it is."""
    return told or next((kind for begin, kind in _IMAGES if data.startswith(begin)), "image/png")


@contextlib.contextmanager
def _failures(*, begun: bool) -> Any:
    """Names what goes wrong on the way: before an answer has begun the provider was not reached, later it was cut."""
    import httpx2  # noqa: PLC0415

    try:
        yield
    except httpx2.TimeoutException as error:
        unreached = isinstance(error, httpx2.ConnectTimeout | httpx2.PoolTimeout)
        raise ModelFailed("unavailable" if unreached else "timeout", detail="it took too long") from None
    except httpx2.SSEError:
        raise ModelFailed("invalid", detail="what came are no events") from None
    except httpx2.TransportError:
        detail = "the connection broke" if begun else "it cannot be reached"
        raise ModelFailed("cut" if begun else "unavailable", detail=detail) from None
    except (httpx2.InvalidURL, httpx2.DecodingError, ValueError):
        raise ModelFailed("invalid", detail="what came cannot be read") from None


def _check(code: int, headers: Mapping[str, str], content: bytes) -> None:
    """Raises ModelFailed for a status that is an error."""
    if code < 400:
        return
    try:
        error = msgspec.json.decode(content, type=_Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        error = Fault()
    wait = _retry_after(headers)
    detail = f"{code} {_word(error)}".rstrip()
    if code == _LIMITED and _SPENT not in (error.code, error.type):
        raise ModelFailed("rate_limited", detail=detail, retry_after=wait)
    if code >= _LEAST_FAULT or code in _PASSING:
        raise ModelFailed("unavailable", detail=detail, retry_after=wait)
    raise ModelFailed("rejected", detail=detail)


def _word(error: Fault) -> str:
    """The stable word of an error: never its message, which may quote what was asked."""
    word = str(error.code or error.type or "")
    return word if word.replace("_", "").isalnum() and len(word) <= 64 else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of Retry-After, which may be a number or a date."""
    text = headers.get("retry-after", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
