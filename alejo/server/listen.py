"""Where the server listens, and on what conditions."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import resource
import socket
import ssl
import stat
from pathlib import Path

import grpc
import msgspec

from alejo.errors import StartupError
from alejo.settings import Settings

# What an operator must write to be heard beyond this machine without keys and TLS.
INSECURE = "anyone on the network may read and write"
_CONFIGURATION = 78
_IN_USE = 69
_MIB = 1 << 20
_CONNECTIONS = 4096


def options(stream_seconds: float) -> list[tuple[str, int]]:
    """The channel arguments. gRPC's own defaults bound neither streams nor connections nor their age."""
    return [
        # gRPC counts calls until Python lets go of them, so of these only the half is sure to be had at one time.
        ("grpc.max_concurrent_streams", 160),
        # Above the first gRPC ends calls by chance, as CANCELLED, whoever makes them; it keeps no more than the second,
        # among them those whose connection is gone: who connects again and again would fill the memory with them.
        ("grpc.server.max_pending_requests", 1500),
        ("grpc.server.max_pending_requests_hard_limit", 3000),
        ("grpc.max_allowed_incoming_connections", _room()),
        ("grpc.max_connection_idle_ms", 300_000),
        ("grpc.max_connection_age_ms", 1_800_000),
        # A connection that is old takes no new call; a stream on it may last as long as the settings allow.
        ("grpc.max_connection_age_grace_ms", max(60_000, int(stream_seconds * 1000))),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 2),
        ("grpc.server_handshake_timeout_ms", 10_000),
        ("grpc.max_metadata_size", 8 << 10),
        ("grpc.absolute_max_metadata_size", 16 << 10),
        ("grpc.max_receive_message_length", 4 * _MIB),
        # Two servers on one port would share its connections by chance.
        ("grpc.so_reuseport", 0),
    ]


def widen() -> None:
    """Lets this process have as many descriptors as the connections need, where the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * _CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, 2 * _CONNECTIONS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _room() -> int:
    """How many connections there may be: half of the descriptors are left to files and to what plugins open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _CONNECTIONS if soft == resource.RLIM_INFINITY else min(_CONNECTIONS, soft // 2)


class Address(msgspec.Struct, frozen=True):
    """A host and a port; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def address(settings: Settings, name: str) -> Address:
    """The address a setting names. Raises StartupError."""
    host, colon, port = settings[name].rpartition(":")
    if colon and host and port.isascii() and port.isdecimal() and int(port) < 65_536:
        return Address(host.removeprefix("[").removesuffix("]"), int(port))
    raise StartupError(
        f"{name} must be host:port, not {settings[name]!r}.", hint="alejo config show", exit_code=_CONFIGURATION
    )


def admit(settings: Settings, where: Address, *, keys: bool) -> None:
    """Raises StartupError when the address is open to others and what protects it is missing."""
    if where.loopback or settings["server.allow_insecure"] == INSECURE:
        return
    missing = [
        *([] if keys else ["a key (alejo keys add NAME)"]),
        *([] if settings["server.tls_certificate"] else ["TLS (server.tls_certificate and server.tls_key)"]),
    ]
    if missing:
        raise StartupError(
            f"Others can reach {where}, so the server needs {' and '.join(missing)}.",
            hint=f'Add that, listen on 127.0.0.1, or set server.allow_insecure to "{INSECURE}".',
            exit_code=_CONFIGURATION,
        )


def credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """The TLS credentials, or None without a certificate. Raises StartupError when they cannot be used."""
    certificate, key = settings["server.tls_certificate"], settings["server.tls_key"]
    if not certificate and not key:
        return None
    if not certificate or not key:
        raise StartupError(
            "server.tls_certificate and server.tls_key go together; one of them is not set.",
            hint="alejo config show",
            exit_code=_CONFIGURATION,
        )
    try:
        chain, private = Path(certificate).expanduser(), Path(key).expanduser()
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, private)
        return grpc.ssl_server_credentials([(private.read_bytes(), chain.read_bytes())])
    except ssl.SSLError:
        problem = f"{key} is not the private key of {certificate}, or one of them is not PEM."
    except OSError as error:
        problem = f"{error.filename or certificate} cannot be read: {error.strerror}."
    raise StartupError(problem, hint="alejo config show", exit_code=_CONFIGURATION)


def unusable(where: Address, name: str, error: OSError | None = None) -> StartupError:
    """The error of an address that cannot be opened; `name` is its setting."""
    why = error.strerror if error is not None and error.strerror else "Address already in use"
    return StartupError(
        f"{where} cannot be opened: {why}.",
        hint=f"See who listens there with `ss -ltnp 'sport = :{where.port}'`, or set {name} to another address.",
        exit_code=_IN_USE,
    )


def probe(where: Address) -> None:
    """Raises OSError when the address cannot be opened: gRPC itself would say so in several lines on stderr."""
    found = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    failed: list[OSError] = []
    for family, kind, protocol, _, place in found:
        try:
            with socket.socket(family, kind, protocol) as one:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.bind(place)
                one.listen(1)
        except OSError as error:
            failed.append(error)
    # A name such as localhost may have an IPv6 address on a machine without IPv6; one that is taken is another matter.
    taken = [error for error in failed if error.errno == errno.EADDRINUSE]
    if taken or len(failed) == len(found):
        raise (taken or failed)[0]


def bind(server: grpc.aio.Server, where: Address, tls: grpc.ServerCredentials | None) -> int:
    """Opens a TCP port and returns its number. Raises StartupError."""
    try:
        probe(where)
    except OSError as error:
        raise unusable(where, "server.address", error) from None
    try:
        port = server.add_secure_port(str(where), tls) if tls is not None else server.add_insecure_port(str(where))
    except RuntimeError:
        port = 0
    if not port:
        raise unusable(where, "server.address")
    return port


def bind_socket(server: grpc.aio.Server, path: Path) -> None:
    """Opens a Unix socket only this user can enter. The caller holds the lock of its folder, so what is there is stale.

    Raises StartupError when something else is in its place.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise StartupError(
                f"{path} is in the place of the server's socket.", hint=f"mv {path} {path}.old", exit_code=_IN_USE
            )
        path.unlink()
    mask = os.umask(0o177)
    try:
        port = server.add_insecure_port(f"unix:{path}")
    except RuntimeError:
        port = 0
    finally:
        os.umask(mask)
    if not port:
        raise StartupError(f"The socket {path} cannot be made.", hint=f"ls -ld {path.parent}", exit_code=_IN_USE)
    path.chmod(0o600)
