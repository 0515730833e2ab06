"""What tools without the .proto files see."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2 as pb

from alejo.server.methods import ACCESS, REFLECTION

from .house import House, drained, house, refused

BUF = shutil.which("buf", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
SERVICES = sorted({name.partition("/")[0] for name in ACCESS})


async def asked(home: House, protocol: str, *questions: Any) -> list[Any]:
    asks = [pb.ServerReflectionRequest(**question) for question in questions]
    call = home.stream(f"{protocol}/ServerReflectionInfo", pb.ServerReflectionResponse, many=True)
    return await drained(call(iter(asks)))


@pytest.mark.parametrize("protocol", REFLECTION)
async def test_every_service_can_be_found(home: House, protocol: str) -> None:
    """Both protocols list every service and describe each of them, and answer what is not there with an error."""
    symbols = [{"file_containing_symbol": name} for name in SERVICES]
    listing, *files, missing = await asked(
        home, protocol, {"list_services": ""}, *symbols, {"file_containing_symbol": "no.such.Thing"}
    )
    assert [one.name for one in listing.list_services_response.service] == SERVICES
    for name, answer in zip(SERVICES, files, strict=True):
        first = FileDescriptorProto.FromString(answer.file_descriptor_response.file_descriptor_proto[0])
        assert name in {f"{first.package}.{service.name}" for service in first.service}
    assert missing.error_response.error_code == 5


async def test_it_can_be_turned_off(tmp_path: Path) -> None:
    """With server.reflection off neither protocol is there; a client that still sends may not hear why."""
    async with house(tmp_path, server__reflection=False) as home:
        for protocol in REFLECTION:
            refusal = await refused(asked(home, protocol))
            assert refusal.info.reason == "UNKNOWN_METHOD"


@pytest.mark.skipif(BUF is None, reason="buf is not on PATH")
@pytest.mark.parametrize("protocol", ["grpc-v1", "grpc-v1alpha"])
async def test_a_foreign_client_finds_its_way(tmp_path: Path, protocol: str) -> None:
    """buf curl lists the methods, reads health and chats, knowing nothing but the address."""
    async with house(tmp_path) as home:
        base = f"http://127.0.0.1:{home.server.port}"

        async def curl(*arguments: str) -> str:
            common = ("curl", "--protocol", "grpc", "--http2-prior-knowledge", "--reflect-protocol", protocol)
            process = await asyncio.create_subprocess_exec(
                str(BUF), *common, *arguments, stdout=-1, stderr=-1, env={"HOME": str(tmp_path), "PATH": "/usr/bin"}
            )
            out, err = await process.communicate()
            assert process.returncode == 0, err.decode()
            return out.decode()

        assert (await curl("--list-methods", base)).split() == sorted(ACCESS)
        assert '"NOT_SERVING"' in await curl(f"{base}/grpc.health.v1.Health/List")
        assert "hello from buf" in await curl("-d", '{"text": "hello from buf"}', f"{base}/alejo.v1.ChatService/Chat")
