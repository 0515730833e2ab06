"""Who calls: keys of tenants, users of keys, and the one local user who needs none.

A key is `alejo_` ‖ its id (32 hexadecimal digits) ‖ `_` ‖ 32 random bytes in base64url. Only the SHA-256 of the
secret is kept: it is as random as a key can be, so a slow hash would add nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence

import msgspec

from alejo.clock import Clock
from alejo.errors import InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from alejo.ids import Ids
from alejo.storage import audit
from alejo.storage.store import SYSTEM, Store
from alejo.storage.tables import API_KEYS, ApiKey
from alejo.types import Scope, Value

LOCAL = Scope("local", "me")
SCOPES = ("read", "write", "operator")
EVERYTHING = frozenset(SCOPES)
_TOKEN = re.compile(r"alejo_([0-9a-f]{32})_([A-Za-z0-9_-]{43})", re.ASCII)
_FRESH_SECONDS = 1.0
_REMEMBERED = 10_000
_MAX_USER = 128
_YEAR_10000 = 253_402_300_800_000_000  # in µs: no calendar holds it


class Principal(Value, frozen=True):
    """Who calls, and what of SCOPES it may. `key_id` is empty for the local user; `bound`: the key names its user."""

    scope: Scope
    key_id: str = ""
    bound: bool = False
    may: frozenset[str] = EVERYTHING


class Keys:
    """The keys of this data folder. What was looked up is trusted for a second, so a revocation holds after one."""

    def __init__(self, store: Store, ids: Ids, clock: Clock) -> None:
        self._store = store
        self._ids = ids
        self._clock = clock
        self._seen: dict[str, tuple[float, ApiKey, dict[str | None, Principal]]] = {}
        self._local: dict[str | None, Principal] = {None: Principal(LOCAL)}

    async def add(
        self,
        name: str,
        *,
        tenant: str = "local",
        user: str = "",
        scopes: Sequence[str] = ("read", "write"),
        seconds: float | None = None,
    ) -> tuple[ApiKey, str]:
        """Makes a key, which ends after `seconds`, and returns it with its token, which is shown this once.

        Raises InvalidArgument, also for a key of one user that should be an operator's.
        """
        if not 1 <= len(name) <= _MAX_USER:
            raise InvalidArgument.field("name", "must be 1 to 128 characters")
        _check("tenant", tenant)
        if user:
            _check("user", user)
        if not scopes or not EVERYTHING.issuperset(scopes):
            raise InvalidArgument.field("scope", f"must be of {', '.join(SCOPES)}")
        if user and "operator" in scopes:
            raise InvalidArgument.field("scope", "a key of one user cannot be an operator's")
        secret = secrets.token_bytes(32)
        now = self._clock.now()
        end = 0 if seconds is None else now + round(seconds * 1e6)
        if end >= _YEAR_10000:
            raise InvalidArgument.field("expires", "must be before the end of the year 9999")
        chosen = tuple(scope for scope in SCOPES if scope in scopes)
        key = ApiKey(self._ids.new(), name, tenant, user, hashlib.sha256(secret).digest(), now, 0, end, chosen)
        writer = await self._store.writer(SYSTEM)
        writer.put(API_KEYS, bytes.fromhex(key.id), key)
        audit.record(writer, "key.add", key.id, now)
        await writer.commit()
        return key, f"alejo_{key.id}_{base64.urlsafe_b64encode(secret).decode().rstrip('=')}"

    async def list(self) -> list[ApiKey]:
        """Every key, oldest first, revoked ones too."""
        keys: list[ApiKey] = []
        after = b""
        while rows := await self._store.scan(SYSTEM, API_KEYS, after=after, limit=1000):
            keys.extend(row.value for row in rows)
            after = rows[-1].key
        return keys

    async def any(self) -> bool:
        """Whether a key exists that is not revoked. One that has expired counts: time alone must open no server."""
        return any(not key.revoked_at for key in await self.list())

    async def revoke(self, id_or_name: str) -> ApiKey:
        """Ends a key. Raises NotFound, or InvalidArgument when several keys have that name."""
        found = [key for key in await self.list() if id_or_name in {key.id, key.name} and not key.revoked_at]
        if not found:
            raise NotFound("key", id_or_name)
        if len(found) > 1:
            raise InvalidArgument.field("name", "several keys have this name; use the id")
        key = msgspec.structs.replace(found[0], revoked_at=self._clock.now())
        writer = await self._store.writer(SYSTEM)
        writer.put(API_KEYS, bytes.fromhex(key.id), key)
        audit.record(writer, "key.revoke", key.id, key.revoked_at)
        await writer.commit()
        self._seen.clear()
        return key

    async def authenticate(self, token: str | None, wanted_user: str | None, *, local: bool) -> Principal:
        """Who calls, from the token and the user named beside it.

        Raises Unauthenticated (no token, one that has expired, or no valid one), InvalidArgument (a user is needed and
        missing, or not 1 to 128 characters), PermissionDenied (the key's user is another).
        """
        if token is None:
            if not local:
                raise Unauthenticated("A key is needed: send it as metadata 'authorization: Bearer …'.")
            return self._local.get(wanted_user) or self._local_user(wanted_user)
        now = self._clock.monotonic()
        known = self._seen.get(token)
        if known is None or now - known[0] >= _FRESH_SECONDS:
            key = await self._key(token)
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            known = self._seen[token] = (now, key, {})
        _, key, users = known
        principal = users.get(wanted_user)
        if principal is None:
            if len(users) >= _REMEMBERED:
                users.clear()
            principal = users[wanted_user] = _principal(key, wanted_user)
        return principal

    def _local_user(self, wanted: str | None) -> Principal:
        user = _check("x-alejo-user", wanted or "")
        if len(self._local) >= _REMEMBERED:
            self._local = {None: Principal(LOCAL)}
        principal = self._local[wanted] = Principal(Scope(LOCAL.tenant, user))
        return principal

    async def _key(self, token: str) -> ApiKey:
        match = _TOKEN.fullmatch(token)
        row = await self._store.get(SYSTEM, API_KEYS, bytes.fromhex(match[1])) if match else None
        secret = base64.urlsafe_b64decode(match[2] + "=") if match else b""
        if (
            row is None
            or row.value.revoked_at
            or not hmac.compare_digest(hashlib.sha256(secret).digest(), row.value.secret_sha256)
        ):
            raise Unauthenticated("The key is not valid.", reason="KEY_INVALID")
        if row.value.expires_at and row.value.expires_at <= self._clock.now():
            raise Unauthenticated("The key has expired.", reason="KEY_EXPIRED")
        return row.value


def _principal(key: ApiKey, wanted: str | None) -> Principal:
    may = frozenset(key.scopes)
    if not key.user:
        if not wanted:
            raise InvalidArgument.field("x-alejo-user", "is required: this key is bound to no user")
        return Principal(Scope(key.tenant, _check("x-alejo-user", wanted)), key.id, False, may)
    if wanted is not None and wanted != key.user:
        raise PermissionDenied("This key acts for another user.", reason="WRONG_USER")
    return Principal(Scope(key.tenant, key.user), key.id, True, may)


def _check(field: str, value: str) -> str:
    if not 1 <= len(value) <= _MAX_USER:
        raise InvalidArgument.field(field, "must be 1 to 128 characters")
    return value
