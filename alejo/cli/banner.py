"""What a server says of itself when it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import alejo
from alejo.types import PluginState, PluginStatus, Vacancy

from . import output

if TYPE_CHECKING:
    from alejo.app import Assistant


async def lines(assistant: Assistant, *, key_made: bool) -> list[str]:
    """The banner, a line each."""
    settings, folder = assistant.settings, assistant.folder
    has_keys = await assistant.keys.any()
    address = settings["server.address"]
    secure = bool(settings["server.tls_certificate"])
    said = [
        f"ALEJO {alejo.__version__}",
        f"  address   {address}{' (TLS)' if secure else ''}",
        f"  data      {folder.path} ({assistant.storage_name})",
        f"  socket    {folder.socket_path}",
        f"  who       {_callers(local=settings['server.local_user'], has_keys=has_keys)}",
    ]
    if settings["server.metrics_address"]:
        said.append(f"  metrics   http://{settings['server.metrics_address']}/metrics")
    said += trouble(assistant.plugins.statuses(), assistant.plugins.vacancies())
    if debug_build():
        said.append("  ! The native core is a debug build: it is slow, and figures taken with it mean nothing.")
    if key_made:
        said.append(f"  ! Back up your key {folder.key_file}: without it nothing that is remembered can be read.")
    said.append("  try       " + curl(address, secure=secure, with_key=not settings["server.local_user"]))
    return said


def _callers(*, local: bool, has_keys: bool) -> str:
    who = ["the local user without a key (loopback and socket)"] if local else []
    who.append("programs with a key" if has_keys else "nobody with a key yet (alejo keys add NAME)")
    return "; ".join(who)


def trouble(statuses: list[PluginStatus], vacancies: list[Vacancy]) -> list[str]:
    """The roles without a plugin and the plugins that were rejected."""
    said = [f"  ! Nothing fills the role {vacancy.role}: {vacancy.hint}" for vacancy in vacancies]
    for status in statuses:
        if status.state == PluginState.REJECTED:
            hint = f" Try: {status.hint}" if status.hint else ""
            said.append(output.one_line(f"! The plugin {status.name} was rejected: {status.reason}{hint}"))
    return ["  " + line.strip() for line in said]


def debug_build() -> bool:
    """Whether the Rust core was compiled without optimisation."""
    from alejo import _core  # noqa: PLC0415 - doctor says more when it is missing

    return _core.debug_build()


def curl(address: str, *, secure: bool = False, with_key: bool = False) -> str:
    """A command that talks to the server with a foreign client."""
    host, _, port = address.rpartition(":")
    reachable = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - not bound to
    scheme, plain = ("https", "") if secure else ("http", " --http2-prior-knowledge")
    key = " -H 'authorization: Bearer KEY'" if with_key else ""
    data = '{"text": "Hello"}'
    return f"buf curl --protocol grpc{plain}{key} -d '{data}' {scheme}://{reachable}:{port}/alejo.v1.ChatService/Chat"
