"""Where the server listens, and what it refuses."""

from __future__ import annotations

import datetime
import resource
import socket
import stat
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from alejo.app import open_assistant
from alejo.errors import StartupError
from alejo.server import Server, listen
from alejo.settings import OPTIONS, Settings, read
from alejo.v1 import chat_pb2

from .house import house, refused, within

CHAT = "/alejo.v1.ChatService/Chat"


def chosen(path: Path, **overrides: object) -> Settings:
    return read({"HOME": str(path)}, {name.replace("__", "."): value for name, value in overrides.items()})


def certificate(path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, private = path / "chain.pem", path / "key.pem"
    chain.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, private


async def test_a_second_server_on_the_port_fails_loudly(tmp_path: Path) -> None:
    """Another data folder's server on the same port is a StartupError naming the port, and leaves nothing behind."""
    async with house(tmp_path / "one") as home:
        port = home.server.port
        (tmp_path / "two").mkdir()
        settings = chosen(
            tmp_path / "two",
            data__path=str(tmp_path / "two" / "data"),
            server__address=f"127.0.0.1:{port}",
            server__metrics_address="",
        )
        async with open_assistant(settings=settings, entry_points=[]) as other:
            server = Server(other)
            with pytest.raises(StartupError, match=f"127.0.0.1:{port} cannot be opened") as failed:
                await server.start()
            assert str(port) in failed.value.hint
            assert failed.value.exit_code == 69
            assert not other.folder.socket_path.exists()
            other.folder.lock_server().close()
        chat = home.unary(CHAT.strip("/"), chat_pb2.ChatResponse)
        assert (await within(chat(chat_pb2.ChatRequest(text="still here")))).message.text == "still here"


async def test_a_second_server_on_the_folder_is_refused(tmp_path: Path) -> None:
    """A folder that is served is not served again, and the first server's socket stays."""
    async with house(tmp_path) as home:
        with pytest.raises(StartupError, match="already serves"):
            await Server(home.assistant).start()
        async with grpc.aio.insecure_channel(f"unix:{home.server.socket_path}") as channel:
            call = channel.unary_unary(CHAT, response_deserializer=chat_pb2.ChatResponse.FromString)
            assert (await within(call(b"\x1a\x02hi"))).message.text == "hi"


async def test_a_taken_metrics_port_is_named(tmp_path: Path) -> None:
    """A metrics port in use ends the start with the setting's name, and the gRPC port is closed again."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(StartupError, match=f"127.0.0.1:{taken}") as failed:
            async with house(tmp_path, server__metrics_address=f"127.0.0.1:{taken}"):
                pass
        assert "server.metrics_address" in failed.value.hint


async def test_the_socket_is_its_owners_alone(tmp_path: Path) -> None:
    """The Unix socket has mode 0600, replaces a stale one, needs no key, and is gone after the server."""
    folder = tmp_path / "data"
    async with house(tmp_path) as home:
        path = home.assistant.folder.socket_path
    assert path.parent == folder
    assert not path.exists()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    async with house(tmp_path, server__address="0.0.0.0:0", server__allow_insecure=listen.INSECURE) as home:
        assert stat.S_IMODE(path.lstat().st_mode) == 0o600
        await home.assistant.keys.add("one")
        async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
            call = channel.unary_unary(CHAT, response_deserializer=chat_pb2.ChatResponse.FromString)
            assert (await within(call(b"\x1a\x02hi"))).message.text == "hi"
    assert not path.exists()
    path.write_text("precious")
    with pytest.raises(StartupError, match="in the place of"):
        async with house(tmp_path):
            pass
    assert path.read_text() == "precious"


@pytest.mark.parametrize("where", ["0.0.0.0:0", "[::]:50151", "192.0.2.7:1", "example.org:1"])
def test_an_open_address_needs_protection(tmp_path: Path, where: str) -> None:
    """Beyond loopback a server needs keys and TLS, each missing one named, unless the setting says it in words."""
    settings = chosen(tmp_path, server__address=where)
    address = listen.address(settings, "server.address")
    with pytest.raises(StartupError, match=r"a key .* and TLS") as failed:
        listen.admit(settings, address, keys=False)
    assert listen.INSECURE in failed.value.hint
    with pytest.raises(StartupError, match=r"needs TLS"):
        listen.admit(settings, address, keys=True)
    listen.admit(chosen(tmp_path, server__allow_insecure=listen.INSECURE), address, keys=False)
    with pytest.raises(StartupError):
        listen.admit(chosen(tmp_path, server__allow_insecure="true"), address, keys=False)
    secured = chosen(tmp_path, server__tls_certificate="c", server__tls_key="k")
    listen.admit(secured, address, keys=True)
    with pytest.raises(StartupError, match=r"a key \("):
        listen.admit(secured, address, keys=False)


def test_the_sentence_is_the_one_in_the_settings() -> None:
    """What must be written to be open to all is what the setting's help says."""
    (option,) = [one for one in OPTIONS if one.name == "server.allow_insecure"]
    assert f'"{listen.INSECURE}"' in option.help


async def test_an_open_server_asks_for_keys_once_there_are_any(tmp_path: Path) -> None:
    """Open to all means without keys: from the first key on, callers from the network side need one."""
    async with house(tmp_path, server__address="0.0.0.0:0", server__allow_insecure=listen.INSECURE) as home:
        chat = home.unary(CHAT.strip("/"), chat_pb2.ChatResponse)
        await within(chat(chat_pb2.ChatRequest(text="hi")))
        _, token = await home.assistant.keys.add("one", user="ana")
        refusal = await refused(chat(chat_pb2.ChatRequest(text="hi")))
        assert refusal.code is grpc.StatusCode.UNAUTHENTICATED
        await within(chat(chat_pb2.ChatRequest(text="hi"), metadata=[("authorization", f"bearer {token}")]))


@pytest.mark.parametrize("value", ["50151", ":50151", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "a:b", "h:٣"])
def test_an_address_must_be_one(tmp_path: Path, value: str) -> None:
    """What is not host:port is refused with the setting's name."""
    with pytest.raises(StartupError, match=r"server\.address must be host:port"):
        listen.address(chosen(tmp_path, server__address=value), "server.address")


async def test_it_speaks_tls(tmp_path: Path) -> None:
    """With a certificate the port speaks TLS and nothing else, and the banner says https."""
    chain, key = certificate(tmp_path)
    async with house(
        tmp_path, server__address="127.0.0.1:0", server__tls_certificate=str(chain), server__tls_key=str(key)
    ) as home:
        credentials = grpc.ssl_channel_credentials(chain.read_bytes())
        async with grpc.aio.secure_channel(f"localhost:{home.server.port}", credentials) as channel:
            call = channel.unary_unary(CHAT, response_deserializer=chat_pb2.ChatResponse.FromString)
            assert (await within(call(b"\x1a\x02hi"))).message.text == "hi"
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await within(home.unary(CHAT.strip("/"), chat_pb2.ChatResponse)(chat_pb2.ChatRequest(text="hi")))
        assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
        assert any("https://127.0.0.1" in line for line in home.server.lines())


async def test_why_an_address_cannot_be_opened(tmp_path: Path) -> None:
    """An address of another machine and a name nobody knows end the start with the system's reason."""
    for where, why in (("192.0.2.1:0", "Cannot assign requested address"), ("no-such-host.invalid:0", "")):
        with pytest.raises(StartupError, match=f"{where} cannot be opened: {why}"):
            async with house(tmp_path, server__address=where, server__allow_insecure=listen.INSECURE):
                pass


def test_a_bad_certificate_is_named(tmp_path: Path) -> None:
    """A missing file, a key of another certificate and half a pair each end the start with a sentence."""
    chain, key = certificate(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = certificate(tmp_path / "other")
    for certificate_path, key_path, said in (
        (chain, tmp_path / "none.pem", "cannot be read"),
        (chain, other, "is not the private key of"),
        (chain, "", "go together"),
    ):
        settings = chosen(tmp_path, server__tls_certificate=str(certificate_path), server__tls_key=str(key_path))
        with pytest.raises(StartupError, match=said):
            listen.credentials(settings)
    assert listen.credentials(chosen(tmp_path)) is None
    assert listen.credentials(chosen(tmp_path, server__tls_certificate=str(chain), server__tls_key=str(key)))


def test_connections_leave_descriptors_for_files() -> None:
    """A process with few descriptors takes fewer connections, and asks for more as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
        assert dict(listen.options(60.0))["grpc.max_allowed_incoming_connections"] == 512
        listen.widen()
        wide, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert wide == (8192 if hard == resource.RLIM_INFINITY else min(hard, 8192))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
