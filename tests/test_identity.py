"""Keys act for the users they may, revocation holds after a second, and nothing usable is stored."""

from __future__ import annotations

import msgspec
import pytest

from alejo import Assistant
from alejo.clock import FakeClock
from alejo.errors import InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from alejo.identity import EVERYTHING
from alejo.storage.tables import ApiKey
from alejo.types import Scope


async def test_a_tenants_key_acts_for_any_user_named(bare: Assistant) -> None:
    """A key without a user acts for whoever is named beside it, within its tenant."""
    _, token = await bare.keys.add("backend", tenant="acme")
    principal = await bare.keys.authenticate(token, "ada", local=False)
    assert (principal.scope, principal.bound) == (Scope("acme", "ada"), False)


@pytest.mark.parametrize("user", [None, "", "x" * 129])
async def test_a_tenants_key_needs_a_user(bare: Assistant, user: str | None) -> None:
    """Without a user of 1 to 128 characters beside it, such a key is an INVALID_ARGUMENT."""
    _, token = await bare.keys.add("backend")
    with pytest.raises(InvalidArgument) as caught:
        await bare.keys.authenticate(token, user, local=False)
    field, fault = caught.value.violations[0]
    assert field == "x-alejo-user"
    assert ("is required" in fault) == (not user)


async def test_a_users_key_is_theirs_alone(bare: Assistant) -> None:
    """A key with a user acts for that one, named or not, and for no other."""
    _, token = await bare.keys.add("phone", tenant="acme", user="ada")
    assert (await bare.keys.authenticate(token, None, local=False)).scope == Scope("acme", "ada")
    assert (await bare.keys.authenticate(token, "ada", local=False)).bound
    with pytest.raises(PermissionDenied):
        await bare.keys.authenticate(token, "bob", local=False)


async def test_every_bad_key_is_refused_alike(bare: Assistant) -> None:
    """Unknown, altered and malformed keys give the same words."""
    _, token = await bare.keys.add("backend")
    other = token[:-2] + ("aa" if not token.endswith("aa") else "bb")
    said = set()
    for bad in [other, token[:-1], token + "x", "alejo_" + "0" * 32 + "_" + "A" * 43, "", "sk-123", "é" * 20]:
        with pytest.raises(Unauthenticated) as caught:
            await bare.keys.authenticate(bad, "ada", local=True)
        said.add((caught.value.message, caught.value.reason))
    assert len(said) == 1


async def test_revocation_holds_within_a_second(bare: Assistant, clock: FakeClock, settings: object) -> None:
    """A key revoked by another process is refused one second later at the latest; by this one, at once."""
    key, token = await bare.keys.add("backend")
    _, second = await bare.keys.add("other")
    await bare.keys.authenticate(token, "ada", local=False)
    await bare.keys.authenticate(second, "ada", local=False)
    await bare.keys.revoke("other")
    with pytest.raises(Unauthenticated):
        await bare.keys.authenticate(second, "ada", local=False)
    other = type(bare.keys)(bare.store, bare.keys._ids, clock)
    await bare.keys.authenticate(token, "ada", local=False)
    await other.revoke(key.id)
    clock.advance(1.0)
    with pytest.raises(Unauthenticated):
        await bare.keys.authenticate(token, "ada", local=False)


async def test_the_local_user_needs_no_key(bare: Assistant) -> None:
    """Without a key a local caller is the local user, or the one they name; a remote caller is refused."""
    assert (await bare.keys.authenticate(None, None, local=True)).scope == Scope("local", "me")
    assert (await bare.keys.authenticate(None, "ada", local=True)).scope == Scope("local", "ada")
    with pytest.raises(Unauthenticated):
        await bare.keys.authenticate(None, "ada", local=False)


async def test_only_a_hash_is_kept(bare: Assistant) -> None:
    """The stored key holds the SHA-256 of its secret and nothing the token could be made from."""
    key, token = await bare.keys.add("backend")
    assert token[-43:] not in repr(await bare.keys.list())
    assert len(key.secret_sha256) == 32


async def test_revoking_needs_one_match(bare: Assistant) -> None:
    """An unknown name is NOT_FOUND, a name of two keys INVALID_ARGUMENT, and the id always works."""
    first, _ = await bare.keys.add("twin")
    await bare.keys.add("twin")
    with pytest.raises(NotFound):
        await bare.keys.revoke("nobody")
    with pytest.raises(InvalidArgument):
        await bare.keys.revoke("twin")
    assert (await bare.keys.revoke(first.id)).revoked_at
    assert (await bare.keys.revoke("twin")).name == "twin"
    assert not await bare.keys.any()


async def test_a_key_ends_when_it_says(bare: Assistant, clock: FakeClock) -> None:
    """A key with an end is good until then, and refused a second later at the latest, under a reason of its own."""
    key, token = await bare.keys.add("guest", seconds=60.0)
    assert key.expires_at == clock.now() + 60_000_000
    await bare.keys.authenticate(token, "ada", local=False)
    clock.advance(59)
    await bare.keys.authenticate(token, "ada", local=False)
    clock.advance(1)
    with pytest.raises(Unauthenticated) as caught:
        await bare.keys.authenticate(token, "ada", local=False)
    assert caught.value.reason == "KEY_EXPIRED"
    assert await bare.keys.any(), "a server that asks for keys must not stop to because the last one expired"


async def test_a_key_may_what_its_scopes_say(bare: Assistant) -> None:
    """A key reads and writes unless it is made otherwise; no key of one user is an operator's."""
    _, plain = await bare.keys.add("plain")
    _, reader = await bare.keys.add("reader", user="ada", scopes=["read"])
    assert (await bare.keys.authenticate(plain, "ada", local=False)).may == {"read", "write"}
    assert (await bare.keys.authenticate(reader, None, local=False)).may == {"read"}
    assert (await bare.keys.authenticate(None, None, local=True)).may == EVERYTHING
    for user, scopes in (("ada", ["operator"]), ("", []), ("", ["root"])):
        with pytest.raises(InvalidArgument) as caught:
            await bare.keys.add("wrong", user=user, scopes=scopes)
        assert caught.value.violations[0][0] == "scope"


def test_a_key_from_before_scopes_opens() -> None:
    """A row without the newer fields is a key that never ends and may read and write."""
    row = msgspec.msgpack.decode(msgspec.msgpack.encode(["0" * 32, "a", "t", "", b"x", 1, 0]), type=ApiKey)
    assert (row.expires_at, row.scopes) == (0, ("read", "write"))
