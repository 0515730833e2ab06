"""gRPC reflection, v1 and v1alpha: what this server offers, for tools that come without the .proto files."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio

from .inbox import Inbox
from .methods import REFLECTION

if TYPE_CHECKING:
    from .call import Call


class Reflection:
    """Answers for the services it is given, with grpcio's own servicer."""

    def __init__(self, services: Sequence[str]) -> None:
        _describe_v1()
        self._servicer = aio.ReflectionServicer(services)

    async def server_reflection_info(
        self, call: Call, inbox: Inbox[reflection_pb2.ServerReflectionRequest]
    ) -> AsyncGenerator[reflection_pb2.ServerReflectionResponse, None]:
        """One answer for each question."""
        async for reply in self._servicer.ServerReflectionInfo(_each(inbox), None):
            yield reply


async def _each(
    inbox: Inbox[reflection_pb2.ServerReflectionRequest],
) -> AsyncGenerator[reflection_pb2.ServerReflectionRequest, None]:
    while frames := await inbox.take():
        yield frames[0]


def _describe_v1() -> None:
    """Describes the v1 protocol, which grpcio does not bring, from the v1alpha one; they differ in name alone."""
    new, old = (name.rpartition(".")[0] for name in REFLECTION)
    pool = descriptor_pool.Default()
    try:
        pool.FindServiceByName(REFLECTION[0])
    except KeyError:
        file = descriptor_pb2.FileDescriptorProto()
        reflection_pb2.DESCRIPTOR.CopyToProto(file)
        file.name, file.package = "grpc/reflection/v1/reflection.proto", new
        file.ClearField("options")
        for message in file.message_type:
            for field in filter(lambda one: one.type_name, message.field):
                field.type_name = field.type_name.replace(f".{old}.", f".{new}.")
        for method in file.service[0].method:
            method.input_type = method.input_type.replace(f".{old}.", f".{new}.")
            method.output_type = method.output_type.replace(f".{old}.", f".{new}.")
        pool.AddSerializedFile(file.SerializeToString())
