"""Every method for every sort of caller. A method without a row fails here, as does one whose row says otherwise."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from alejo.server.methods import Access, Method, methods
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

from .house import House, house, within

Code = grpc.StatusCode
METHODS = {one.label.removeprefix("alejo.v1."): one for one in methods(reflection=True)}
COLUMNS = ("own user", "other user", "other tenant", "no key", "expired", "revoked", "wrong scope")
CANARY = "xylophonic"


class Ana(msgspec.Struct):
    """What the user ana of the tenant acme has, by which others ask for it."""

    session: str = ""
    memory: str = ""
    fact: str = ""
    superseded: str = ""
    job: str = ""
    sessions: str = ""  # page tokens
    memories: str = ""
    facts: str = ""
    jobs: str = ""
    erase: str = ""
    recalled: str = ""  # a memory that a turn recalled
    turn: str = ""  # by its request id
    reminder: str = ""
    reminders: str = ""  # a page token
    picture: str = ""  # the memory of one


class Row(msgspec.Struct, frozen=True):
    """The request that asks for what is ana's, and what another user hears."""

    request: Callable[[Ana], Message]
    strangers: Code = Code.OK


def chat(ana: Ana) -> chat_pb2.ChatRequest:
    return chat_pb2.ChatRequest(session_id=ana.session, text="What is it called?")


DRAFT = memory_pb2.RememberRequest(memory={"text": "The gate is green."})
# A red picture of nine by nine pixels.
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAkAAAAJCAIAAABv85FHAAAAEUlEQVR42mP8z4ATMDEMbzkAA+wBEXeSMCcAAAAASUVORK5CYII="
)
RECALL = memory_pb2.RecallRequest(query=CANARY)
LATER = Timestamp(seconds=4_000_000_000)
EMPTY = b'{"type":"export","version":1,"alejo":"0","at":1}\n{"type":"end","lines":1}\n'
SYMBOL = reflection_pb2.ServerReflectionRequest(list_services="")
ROWS = {
    "ChatService/Chat": Row(chat, Code.NOT_FOUND),
    "ChatService/ChatStream": Row(lambda ana: chat_pb2.ChatStreamRequest(chat=chat(ana)), Code.NOT_FOUND),
    "ChatService/Converse": Row(lambda ana: chat_pb2.ConverseRequest(chat=chat(ana)), Code.NOT_FOUND),
    "ChatService/GetTurn": Row(lambda ana: chat_pb2.GetTurnRequest(request_id=ana.turn), Code.NOT_FOUND),
    "MemoryService/Remember": Row(lambda _: DRAFT),
    "MemoryService/RememberStream": Row(lambda _: memory_pb2.RememberStreamRequest(remember=DRAFT)),
    "MemoryService/Recall": Row(lambda _: RECALL),
    "MemoryService/RecallStream": Row(lambda _: memory_pb2.RecallStreamRequest(recall=RECALL)),
    "MemoryService/BuildContext": Row(
        lambda ana: memory_pb2.BuildContextRequest(query=CANARY, session_id=ana.session), Code.NOT_FOUND
    ),
    "MemoryService/GetMemory": Row(lambda ana: memory_pb2.GetMemoryRequest(memory_id=ana.memory), Code.NOT_FOUND),
    "MemoryService/ListMemories": Row(lambda ana: memory_pb2.ListMemoriesRequest(page_size=1, page_token=ana.memories)),
    "MemoryService/UpdateMemory": Row(
        lambda ana: memory_pb2.UpdateMemoryRequest(memory={"id": ana.memory, "pinned": True}), Code.NOT_FOUND
    ),
    "MemoryService/GetHistory": Row(lambda ana: memory_pb2.GetHistoryRequest(memory_id=ana.memory), Code.NOT_FOUND),
    "MemoryService/PreviewForget": Row(lambda _: memory_pb2.PreviewForgetRequest(query=CANARY)),
    "MemoryService/Forget": Row(lambda ana: memory_pb2.ForgetRequest(memory_ids=[ana.memory], keep_messages=True)),
    "MemoryService/TidyMemories": Row(lambda _: memory_pb2.TidyMemoriesRequest(verify_index=True)),
    "FactsService/AddFact": Row(
        lambda _: facts_pb2.AddFactRequest(fact={"subject": "user", "relation": "likes", "object": "chess"})
    ),
    "FactsService/CorrectFact": Row(
        lambda ana: facts_pb2.CorrectFactRequest(memory_id=ana.fact, fact={"object": "Rome"}), Code.NOT_FOUND
    ),
    "FactsService/RestoreFact": Row(lambda ana: facts_pb2.RestoreFactRequest(memory_id=ana.superseded), Code.NOT_FOUND),
    "FactsService/ListFacts": Row(
        lambda ana: facts_pb2.ListFactsRequest(page_size=1, include_superseded=True, page_token=ana.facts)
    ),
    "FactsService/GetNeighbourhood": Row(lambda _: facts_pb2.GetNeighbourhoodRequest(entity="Oslo", depth=2)),
    "MemoryService/GetPreferences": Row(lambda _: memory_pb2.GetPreferencesRequest()),
    "MemoryService/UpdatePreferences": Row(lambda _: memory_pb2.UpdatePreferencesRequest(preferences={"model": "x"})),
    "SessionsService/CreateSession": Row(
        lambda ana: sessions_pb2.CreateSessionRequest(parent_id=ana.session), Code.NOT_FOUND
    ),
    "SessionsService/GetSession": Row(
        lambda ana: sessions_pb2.GetSessionRequest(session_id=ana.session), Code.NOT_FOUND
    ),
    "SessionsService/ListSessions": Row(
        lambda ana: sessions_pb2.ListSessionsRequest(page_size=1, page_token=ana.sessions)
    ),
    "SessionsService/UpdateSession": Row(
        lambda ana: sessions_pb2.UpdateSessionRequest(session={"id": ana.session, "title": "x"}), Code.NOT_FOUND
    ),
    "SessionsService/DeleteSession": Row(
        lambda ana: sessions_pb2.DeleteSessionRequest(session_id=ana.session), Code.NOT_FOUND
    ),
    "SessionsService/ListMessages": Row(
        lambda ana: sessions_pb2.ListMessagesRequest(session_id=ana.session), Code.NOT_FOUND
    ),
    "EmotionService/GetMood": Row(lambda _: emotion_pb2.GetMoodRequest()),
    "EmotionService/GetTrajectory": Row(lambda _: emotion_pb2.GetTrajectoryRequest()),
    "EmotionService/GetRelationship": Row(lambda _: emotion_pb2.GetRelationshipRequest()),
    "EmotionService/CorrectMood": Row(lambda _: emotion_pb2.CorrectMoodRequest(valence=0.5)),
    "EmotionService/UpdateRelationship": Row(lambda _: emotion_pb2.UpdateRelationshipRequest(trust=0.5)),
    "EmotionService/ForgetTrigger": Row(lambda _: emotion_pb2.ForgetTriggerRequest(topic=CANARY)),
    "EmotionService/ResetEmotions": Row(lambda _: emotion_pb2.ResetEmotionsRequest()),
    "RemindersService/CreateReminder": Row(lambda _: reminders_pb2.CreateReminderRequest(text="tea", due_at=LATER)),
    "RemindersService/ListReminders": Row(
        lambda ana: reminders_pb2.ListRemindersRequest(page_size=1, page_token=ana.reminders)
    ),
    "RemindersService/WatchReminders": Row(lambda _: reminders_pb2.WatchRemindersRequest()),
    "RemindersService/AcknowledgeReminder": Row(
        lambda ana: reminders_pb2.AcknowledgeReminderRequest(reminder_id=ana.reminder), Code.NOT_FOUND
    ),
    "RemindersService/DismissReminder": Row(
        lambda ana: reminders_pb2.DismissReminderRequest(reminder_id=ana.reminder), Code.NOT_FOUND
    ),
    "JobsService/ListJobs": Row(lambda ana: jobs_pb2.ListJobsRequest(page_size=1, page_token=ana.jobs)),
    "JobsService/GetJob": Row(lambda ana: jobs_pb2.GetJobRequest(job_id=ana.job), Code.NOT_FOUND),
    "JobsService/WatchJobs": Row(lambda _: jobs_pb2.WatchJobsRequest()),
    "JobsService/RequeueJobs": Row(lambda _: jobs_pb2.RequeueJobsRequest(all=True)),
    "JobsService/DiscardJobs": Row(lambda _: jobs_pb2.DiscardJobsRequest(all=True)),
    "JobsService/GetReflectionLag": Row(
        lambda ana: jobs_pb2.GetReflectionLagRequest(session_id=ana.session), Code.NOT_FOUND
    ),
    "JobsService/PauseJobs": Row(lambda _: jobs_pb2.PauseJobsRequest(kind="reflection")),
    "JobsService/ResumeJobs": Row(lambda _: jobs_pb2.ResumeJobsRequest(kind="reflection")),
    "JobsService/GetQueueStatus": Row(lambda _: jobs_pb2.GetQueueStatusRequest()),
    "MemoryService/GiveFeedback": Row(
        lambda ana: memory_pb2.GiveFeedbackRequest(memory_id=ana.recalled, usefulness=memory_pb2.USEFULNESS_HELPFUL),
        Code.NOT_FOUND,
    ),
    "LearningService/GetLearning": Row(lambda _: learning_pb2.GetLearningRequest()),
    "LearningService/ListLearningLog": Row(lambda _: learning_pb2.ListLearningLogRequest(page_size=1)),
    "LearningService/ExportPairs": Row(lambda _: learning_pb2.ExportPairsRequest(form=learning_pb2.PAIR_FORM_OPENAI)),
    "LearningService/ListWeights": Row(lambda _: learning_pb2.ListWeightsRequest()),
    "LearningService/RollBackWeights": Row(lambda _: learning_pb2.RollBackWeightsRequest()),
    "LearningService/RollBackSharedWeights": Row(lambda _: learning_pb2.RollBackSharedWeightsRequest()),
    "OwnershipService/ExportUser": Row(lambda _: ownership_pb2.ExportUserRequest()),
    "OwnershipService/ImportUser": Row(lambda _: ownership_pb2.ImportUserRequest(data=EMPTY)),
    "OwnershipService/PreviewErase": Row(lambda _: ownership_pb2.PreviewEraseRequest()),
    "OwnershipService/EraseUser": Row(
        lambda ana: ownership_pb2.EraseUserRequest(preview=ana.erase), Code.INVALID_ARGUMENT
    ),
    "VisionService/UploadImage": Row(
        lambda ana: vision_pb2.UploadImageRequest(head={"size": len(DOT), "session_id": ana.session}, data=DOT),
        Code.NOT_FOUND,
    ),
    "VisionService/FindSimilar": Row(lambda ana: vision_pb2.FindSimilarRequest(memory_id=ana.picture), Code.NOT_FOUND),
    "PluginsService/ListPlugins": Row(lambda _: plugins_pb2.ListPluginsRequest()),
    "PluginsService/GetPlugin": Row(lambda _: plugins_pb2.GetPluginRequest(name="brain")),
    # Nobody's plugin: whoever may switch one hears that this one does not exist.
    "PluginsService/EnablePlugin": Row(lambda _: plugins_pb2.EnablePluginRequest(name="nothing"), Code.NOT_FOUND),
    "PluginsService/DisablePlugin": Row(lambda _: plugins_pb2.DisablePluginRequest(name="nothing"), Code.NOT_FOUND),
    "PluginsService/ReloadPlugin": Row(lambda _: plugins_pb2.ReloadPluginRequest(name="nothing"), Code.NOT_FOUND),
    "AdminService/GetInfo": Row(lambda _: admin_pb2.GetInfoRequest()),
    "AdminService/GetSettings": Row(lambda _: admin_pb2.GetSettingsRequest()),
    "AdminService/Compact": Row(lambda _: admin_pb2.CompactRequest()),
    "grpc.health.v1.Health/Check": Row(lambda _: health_pb2.HealthCheckRequest()),
    "grpc.health.v1.Health/List": Row(lambda _: health_pb2.HealthListRequest()),
    "grpc.health.v1.Health/Watch": Row(lambda _: health_pb2.HealthCheckRequest()),
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo": Row(lambda _: SYMBOL),
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Row(lambda _: SYMBOL),
}


SWITCHES = {"EnablePlugin", "DisablePlugin", "ReloadPlugin"}


def expected(method: Method, row: Row, column: str) -> Code:
    """What the table says of a method and a caller."""
    if method.access is Access.OPEN or (column == "own user" and method.name not in SWITCHES):
        return Code.OK
    if column == "own user":
        return Code.NOT_FOUND
    if column in {"other user", "other tenant"}:
        return row.strangers
    return Code.PERMISSION_DENIED if column == "wrong scope" else Code.UNAUTHENTICATED


class Table(msgspec.Struct):
    """A server, what is ana's, and the metadata of each sort of caller."""

    home: House
    ana: Ana
    callers: dict[str, list[tuple[str, str]]]
    scoped: dict[str, list[tuple[str, str]]]

    def of(self, method: Method, column: str) -> list[list[tuple[str, str]]]:
        """The callers a column stands for."""
        if column != "wrong scope":
            return [self.callers[column]]
        return [caller for scope, caller in self.scoped.items() if not method.access.needs <= set(scope.split())]


@pytest.fixture
async def table(tmp_path: Path) -> AsyncIterator[Table]:
    free = {"server__local_user": False, "limits__requests_per_second": 0.0}
    async with house(tmp_path, parrot=False, plugins=None, **free) as home:
        keys = home.assistant.keys

        async def caller(name: str, tenant: str, user: str, **more: Any) -> list[tuple[str, str]]:
            _, token = await keys.add(name, tenant=tenant, **more)
            return [("authorization", f"Bearer {token}"), ("x-alejo-user", user)]

        every = ("read", "write", "operator")
        callers = {
            "own user": await caller("own", "acme", "ana", scopes=every),
            "other user": await caller("other", "acme", "eve", scopes=every),
            "other tenant": await caller("rival", "rival", "ana", scopes=every),
            "no key": [("x-alejo-user", "ana")],
            "expired": await caller("expired", "acme", "ana", scopes=every, seconds=0.0),
            "revoked": await caller("revoked", "acme", "ana", scopes=every),
        }
        await keys.revoke("revoked")
        scopes = ("read", "write", "operator", "read write")
        scoped = {one: await caller(one, "acme", "ana", scopes=one.split()) for one in scopes}
        yield Table(home, await lived(home, callers["own user"]), callers, scoped)


async def lived(home: House, metadata: list[tuple[str, str]]) -> Ana:
    """Ana says and keeps something, and begins to list it."""

    async def call(name: str, request: Message, answer: Any) -> Any:
        return await within(home.unary(f"alejo.v1.{name}", answer)(request, metadata=metadata))

    told = chat_pb2.ChatRequest(text=f"My {CANARY} cousin paints boats.")
    said = await call("ChatService/Chat", told, chat_pb2.ChatResponse)
    await call("SessionsService/CreateSession", sessions_pb2.CreateSessionRequest(), sessions_pb2.CreateSessionResponse)
    draft = memory_pb2.RememberRequest(memory={"text": f"The {CANARY} gate is green."})
    kept = await call("MemoryService/Remember", draft, memory_pb2.RememberResponse)
    facts = []
    for place in (CANARY, "Oslo"):
        where = {"subject": CANARY, "relation": "lives in", "object": place, "cardinality": "CARDINALITY_ONE"}
        stated = await call("FactsService/AddFact", facts_pb2.AddFactRequest(fact=where), facts_pb2.AddFactResponse)
        facts.append(stated.change.memory.id)
    shown = vision_pb2.UploadImageRequest(head={"size": len(DOT), "caption": CANARY}, data=DOT)
    seen = await call("VisionService/UploadImage", shown, vision_pb2.UploadImageResponse)
    every = facts_pb2.ListFactsRequest(page_size=1, include_superseded=True)
    sessions = sessions_pb2.ListSessionsRequest(page_size=1)
    memories = memory_pb2.ListMemoriesRequest(page_size=1)
    await call("ChatService/Chat", told, chat_pb2.ChatResponse)
    jobs = await call("JobsService/ListJobs", jobs_pb2.ListJobsRequest(page_size=1), jobs_pb2.ListJobsResponse)
    erase = ownership_pb2.PreviewEraseRequest()
    reminder = reminders_pb2.CreateReminderRequest(text=f"{CANARY} paint", due_at=LATER)
    create, answer = "RemindersService/CreateReminder", reminders_pb2.CreateReminderResponse
    made = [await call(create, reminder, answer) for _ in range(2)]
    listed = reminders_pb2.ListRemindersRequest(page_size=1)
    reminders = await call("RemindersService/ListReminders", listed, reminders_pb2.ListRemindersResponse)
    asking = chat_pb2.ChatRequest(text="Which cousin paints boats?")
    asked = await call("ChatService/Chat", asking, chat_pb2.ChatResponse)
    return Ana(
        said.session_id,
        kept.memories[0].id,
        facts[1],
        facts[0],
        jobs.jobs[0].id,
        (await call("SessionsService/ListSessions", sessions, sessions_pb2.ListSessionsResponse)).next_page_token,
        (await call("MemoryService/ListMemories", memories, memory_pb2.ListMemoriesResponse)).next_page_token,
        (await call("FactsService/ListFacts", every, facts_pb2.ListFactsResponse)).next_page_token,
        jobs.next_page_token,
        (await call("OwnershipService/PreviewErase", erase, ownership_pb2.PreviewEraseResponse)).preview,
        asked.recalled[0].memory.id,
        said.request_id,
        made[0].reminder.id,
        reminders.next_page_token,
        picture=seen.memory.id,
    )


RESPONSES = {
    "Converse": chat_pb2.ConverseResponse,
    "RememberStream": memory_pb2.RememberStreamResponse,
    "RecallStream": memory_pb2.RecallStreamResponse,
}


async def outcome(home: House, method: Method, request: Message, metadata: Any) -> tuple[Code, bytes]:
    """How a call ends, or what its one frame failed with, and all that its caller sees."""
    raw = request.SerializeToString()
    try:
        if not method.gives_many:
            return Code.OK, await within(home.unary(method.label)(raw, metadata=metadata))
        asked: Any = iter([raw]) if method.asks_many else raw
        call = home.stream(method.label, many=method.asks_many)(asked, metadata=metadata)
        frames = []
        while (frame := await within(call.read())) is not grpc.aio.EOF:
            frames.append(frame)
            if method.name.startswith("Watch"):
                call.cancel()
                break
        else:
            if await call.code() is not Code.OK:
                return await call.code(), (await call.details()).encode()
    except grpc.aio.AioRpcError as error:
        return error.code(), repr((error.details(), error.trailing_metadata())).encode()
    for frame in frames if method.name in RESPONSES else ():
        said: Any = RESPONSES[method.name].FromString(frame)
        if said.HasField("failure"):
            return next(code for code in Code if code.value[0] == said.failure.code), frame
    return Code.OK, b"\n".join(frames)


def test_every_method_has_a_row() -> None:
    """A method that is new, or gone, has to be entered here before anything else passes."""
    assert set(ROWS) == set(METHODS)


async def test_every_method_for_every_caller(table: Table) -> None:
    """Each method does for each sort of caller what its row says, and tells nobody else a word of ana's."""
    wrong = []
    heard = set()
    # What destroys comes last, so that everybody has asked for it by then.
    order = sorted(METHODS, key=lambda name: (name.endswith("EraseUser"), name.endswith(("Forget", "DeleteSession"))))
    for name in order:
        method, row = METHODS[name], ROWS[name]
        for column in reversed(COLUMNS):
            for metadata in table.of(method, column):
                code, seen = await outcome(table.home, method, row.request(table.ana), metadata)
                if code is not expected(method, row, column):
                    wrong.append(f"{name} for {column}: {code.name}, not {expected(method, row, column).name}")
                if CANARY.encode() in seen:
                    heard.add(column)
    assert wrong == []
    assert heard == {"own user"}


async def test_the_reasons_of_refusals(table: Table) -> None:
    """A client can tell an expired key from a wrong one and a missing scope from another user's key."""
    chat_method = METHODS["AdminService/GetSettings"]
    request = admin_pb2.GetSettingsRequest()
    said = {}
    for name, metadata in {**table.callers, **table.scoped}.items():
        code, seen = await outcome(table.home, chat_method, request, metadata)
        if code is not Code.OK:
            said[name] = next(
                word for word in (b"KEY_EXPIRED", b"KEY_INVALID", b"KEY_REQUIRED", b"WRONG_SCOPE") if word in seen
            )
    assert said == {
        "no key": b"KEY_REQUIRED",
        "expired": b"KEY_EXPIRED",
        "revoked": b"KEY_INVALID",
        "read": b"WRONG_SCOPE",
        "write": b"WRONG_SCOPE",
        "read write": b"WRONG_SCOPE",
    }
