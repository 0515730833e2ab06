"""Every method this server answers, and who may call it. One without a row here is refused at start."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator

import msgspec
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from alejo.v1 import (
    admin_pb2,
    chat_pb2,
    emotion_pb2,
    facts_pb2,
    jobs_pb2,
    learning_pb2,
    memory_pb2,
    ownership_pb2,
    plugins_pb2,
    reminders_pb2,
    sessions_pb2,
    vision_pb2,
)


class Access(enum.Enum):
    """Who may call a method."""

    OPEN = "anybody, without a key and without a quota"
    READ = "the local user, or a key with the scope read"
    # Its answer tells at most what was written under the same request id or origin.
    WRITE = "the local user, or a key with the scope write"
    BOTH = "the local user, or a key with the scopes read and write"
    OPERATOR = "the local user, or a key with the scope operator, which is never bound to a user"

    @property
    def needs(self) -> frozenset[str]:
        """The scopes, of those in `identity`."""
        return _NEEDS[self]


_NEEDS = {
    Access.OPEN: frozenset[str](),
    Access.READ: frozenset({"read"}),
    Access.WRITE: frozenset({"write"}),
    Access.BOTH: frozenset({"read", "write"}),
    Access.OPERATOR: frozenset({"operator"}),
}

ACCESS = {
    "alejo.v1.ChatService/Chat": Access.BOTH,
    "alejo.v1.ChatService/ChatStream": Access.BOTH,
    "alejo.v1.ChatService/Converse": Access.BOTH,
    "alejo.v1.ChatService/GetTurn": Access.READ,
    "alejo.v1.MemoryService/Remember": Access.WRITE,
    "alejo.v1.MemoryService/RememberStream": Access.WRITE,
    "alejo.v1.MemoryService/Recall": Access.READ,
    "alejo.v1.MemoryService/RecallStream": Access.READ,
    "alejo.v1.MemoryService/BuildContext": Access.READ,
    "alejo.v1.MemoryService/GetMemory": Access.READ,
    "alejo.v1.MemoryService/ListMemories": Access.READ,
    "alejo.v1.MemoryService/UpdateMemory": Access.BOTH,
    "alejo.v1.MemoryService/GetHistory": Access.READ,
    "alejo.v1.MemoryService/PreviewForget": Access.READ,
    "alejo.v1.MemoryService/Forget": Access.WRITE,
    "alejo.v1.MemoryService/TidyMemories": Access.WRITE,
    # Each answers with facts that it touched, whoever wrote them.
    "alejo.v1.FactsService/AddFact": Access.BOTH,
    "alejo.v1.FactsService/CorrectFact": Access.BOTH,
    "alejo.v1.FactsService/RestoreFact": Access.BOTH,
    "alejo.v1.FactsService/ListFacts": Access.READ,
    "alejo.v1.FactsService/GetNeighbourhood": Access.READ,
    "alejo.v1.MemoryService/GiveFeedback": Access.WRITE,
    "alejo.v1.MemoryService/GetPreferences": Access.READ,
    "alejo.v1.MemoryService/UpdatePreferences": Access.BOTH,
    "alejo.v1.SessionsService/CreateSession": Access.WRITE,
    "alejo.v1.SessionsService/GetSession": Access.READ,
    "alejo.v1.SessionsService/ListSessions": Access.READ,
    "alejo.v1.SessionsService/UpdateSession": Access.BOTH,
    "alejo.v1.SessionsService/DeleteSession": Access.WRITE,
    "alejo.v1.SessionsService/ListMessages": Access.READ,
    "alejo.v1.EmotionService/GetMood": Access.READ,
    "alejo.v1.EmotionService/GetTrajectory": Access.READ,
    "alejo.v1.EmotionService/GetRelationship": Access.READ,
    # Both answer with how things stand.
    "alejo.v1.EmotionService/CorrectMood": Access.BOTH,
    "alejo.v1.EmotionService/UpdateRelationship": Access.BOTH,
    # Each tells whether something was there.
    "alejo.v1.EmotionService/ForgetTrigger": Access.BOTH,
    "alejo.v1.EmotionService/ResetEmotions": Access.BOTH,
    "alejo.v1.RemindersService/CreateReminder": Access.WRITE,
    "alejo.v1.RemindersService/ListReminders": Access.READ,
    "alejo.v1.RemindersService/WatchReminders": Access.READ,
    # Each answers with a reminder, whoever made it.
    "alejo.v1.RemindersService/AcknowledgeReminder": Access.BOTH,
    "alejo.v1.RemindersService/DismissReminder": Access.BOTH,
    "alejo.v1.JobsService/ListJobs": Access.READ,
    "alejo.v1.JobsService/GetJob": Access.READ,
    "alejo.v1.JobsService/WatchJobs": Access.READ,
    # Both answer with jobs as they stand, whoever made them.
    "alejo.v1.JobsService/RequeueJobs": Access.BOTH,
    "alejo.v1.JobsService/DiscardJobs": Access.BOTH,
    "alejo.v1.JobsService/GetReflectionLag": Access.READ,
    "alejo.v1.JobsService/PauseJobs": Access.OPERATOR,
    "alejo.v1.JobsService/ResumeJobs": Access.OPERATOR,
    "alejo.v1.JobsService/GetQueueStatus": Access.OPERATOR,
    "alejo.v1.LearningService/GetLearning": Access.READ,
    "alejo.v1.LearningService/ListLearningLog": Access.READ,
    "alejo.v1.LearningService/ExportPairs": Access.READ,
    "alejo.v1.LearningService/ListWeights": Access.READ,
    "alejo.v1.LearningService/RollBackWeights": Access.WRITE,
    "alejo.v1.LearningService/RollBackSharedWeights": Access.OPERATOR,
    "alejo.v1.OwnershipService/ExportUser": Access.READ,
    "alejo.v1.OwnershipService/ImportUser": Access.WRITE,
    "alejo.v1.OwnershipService/PreviewErase": Access.READ,
    "alejo.v1.OwnershipService/EraseUser": Access.WRITE,
    "alejo.v1.VisionService/UploadImage": Access.BOTH,  # it tells which pictures are alike
    "alejo.v1.VisionService/FindSimilar": Access.READ,
    "alejo.v1.PluginsService/ListPlugins": Access.READ,
    "alejo.v1.PluginsService/GetPlugin": Access.READ,
    "alejo.v1.PluginsService/EnablePlugin": Access.OPERATOR,
    "alejo.v1.PluginsService/DisablePlugin": Access.OPERATOR,
    "alejo.v1.PluginsService/ReloadPlugin": Access.OPERATOR,
    "alejo.v1.AdminService/GetInfo": Access.READ,
    "alejo.v1.AdminService/GetSettings": Access.OPERATOR,
    "alejo.v1.AdminService/Compact": Access.OPERATOR,
    "grpc.health.v1.Health/Check": Access.OPEN,
    "grpc.health.v1.Health/List": Access.OPEN,
    "grpc.health.v1.Health/Watch": Access.OPEN,
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo": Access.OPEN,
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Access.OPEN,
}


class Room(enum.Enum):
    """What a call is counted among, so that calls of one sort leave room for those of another."""

    FREE = "not counted at all: a look at the server's health"
    CALL = "short, and needs no brain"
    TURN = "a turn of a conversation"
    STREAM = "stays open for as long as its client likes"


OWN = (
    chat_pb2,
    memory_pb2,
    facts_pb2,
    sessions_pb2,
    reminders_pb2,
    emotion_pb2,
    jobs_pb2,
    learning_pb2,
    ownership_pb2,
    vision_pb2,
    plugins_pb2,
    admin_pb2,
)
OWN_SERVICES = tuple(service.full_name for file in OWN for service in file.DESCRIPTOR.services_by_name.values())
HEALTH = "grpc.health.v1.Health"
# The two reflection protocols differ in nothing but their name; grpcio has messages for the older one only.
REFLECTION = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")


class Method(msgspec.Struct, frozen=True):
    """A method: its service and name, what it takes, which sides stream, and who may call it."""

    service: str
    name: str
    request: type[Message]
    asks_many: bool
    gives_many: bool
    access: Access

    @property
    def label(self) -> str:
        """As in "alejo.v1.ChatService/Chat"."""
        return f"{self.service}/{self.name}"

    @property
    def attribute(self) -> str:
        """The name of the method on the object that answers."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.name).lower()

    @property
    def room(self) -> Room:
        """What its calls are counted among."""
        if self.asks_many or (self.gives_many and self.name.startswith("Watch")):
            return Room.STREAM
        if self.access is Access.OPEN:
            return Room.FREE
        is_turn = self.service == "alejo.v1.ChatService" and not self.name.startswith("Get")
        return Room.TURN if is_turn else Room.CALL

    @property
    def own(self) -> bool:
        """Whether it is ALEJO's own, so that its requests have rules."""
        return self.service in OWN_SERVICES


def methods(*, reflection: bool) -> Iterator[Method]:
    """Every method, the hot ones first. Raises KeyError for one that has no row in ACCESS."""
    for file in OWN:
        yield from _of(file.DESCRIPTOR)
    yield from _of(health_pb2.DESCRIPTOR)
    if reflection:
        for service in REFLECTION:
            yield from _of(reflection_pb2.DESCRIPTOR, service)


def _of(file: FileDescriptor, alias: str = "") -> Iterator[Method]:
    for service in file.services_by_name.values():
        for method in service.methods:
            name = alias or service.full_name
            yield Method(
                name,
                method.name,
                GetMessageClass(method.input_type),
                method.client_streaming,
                method.server_streaming,
                ACCESS[f"{name}/{method.name}"],
            )
