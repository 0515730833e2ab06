"""Every setting: one table, read in one place. The environment and alejo.toml are read here and nowhere else.

What wins, from weakest: the default, `$XDG_CONFIG_HOME/alejo/alejo.toml` (or `$ALEJO_CONFIG`), the environment
(`ALEJO_` and the name in capitals with "_" for "."), the command line.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from alejo.completions import Endpoint
from alejo.errors import StartupError


class Option(msgspec.Struct, frozen=True):
    """One setting: its name, default (which gives the type) and what it does."""

    name: str
    default: Any
    help: str
    secret: bool = False
    alias: str = ""  # a second environment variable, which wins over the one made from the name

    @property
    def variable(self) -> str:
        """The environment variable made from the name."""
        return "ALEJO_" + self.name.upper().replace(".", "_").replace("-", "_")


OPTIONS = (
    Option(
        "data.path",
        "",
        "The data folder; files:FOLDER keeps records as files that people read, in plain text. "
        "Empty means $XDG_DATA_HOME/alejo.",
    ),
    Option("data.storage", "", "The storage URL, such as files:/notes. Empty means the data folder."),
    Option(
        "data.key_file",
        "",
        "The file with the master key. Empty means $ALEJO_KEY_FILE, else $XDG_CONFIG_HOME/alejo/key.",
        alias="ALEJO_KEY_FILE",
    ),
    Option("data.map_size_mb", 1024, "The room the data file starts with, in MiB. It grows on demand."),
    Option("data.max_size_mb", 65536, "The most room the data file may take, in MiB."),
    Option(
        "data.compact_hours",
        12.0,
        "So long after something was deleted, a server makes its files anew without it; 0: never.",
    ),
    Option("server.address", "127.0.0.1:50151", "Where the server listens."),
    Option("server.tls_certificate", "", "A PEM file with the certificate chain."),
    Option("server.tls_key", "", "A PEM file with the certificate's private key."),
    Option("server.metrics_address", "127.0.0.1:50152", "Where Prometheus metrics are served. Empty turns them off."),
    Option(
        "server.allow_insecure",
        "",
        'Set to "anyone on the network may read and write" to listen beyond loopback without keys and TLS.',
    ),
    Option(
        "server.local_user", True, "Callers on loopback or the Unix socket may go without a key, as the user local/me."
    ),
    Option("server.reflection", True, "Offer gRPC reflection."),
    Option("server.drain_seconds", 8.0, "How long calls in flight may take to finish after SIGTERM."),
    Option("limits.connections_per_address", 64, "Open connections of one network address."),
    Option("limits.calls", 1024, "Concurrent calls of all callers together. Health is not counted in any limit."),
    Option("limits.calls_per_address", 256, "Concurrent calls of one network address."),
    Option("limits.calls_per_key", 256, "Concurrent calls of one key."),
    Option("limits.turns_per_key", 128, "Of these, turns: Chat and ChatStream. Without a key it is per address."),
    Option("limits.streams_per_key", 64, "Of these, streams that clients keep open. Without a key it is per address."),
    Option(
        "limits.requests_per_second",
        10.0,
        "Calls a second of one user of a key, in the long run. 0: no limit, which the local user never has.",
    ),
    Option("limits.burst", 50, "Of these, so many may come at once."),
    Option(
        "limits.items_per_second",
        200.0,
        "Memories a second that one user of a key may send over a stream; 0: no limit.",
    ),
    Option("limits.items_burst", 1000, "Of these, so many may come at once."),
    Option(
        "limits.table",
        "",
        "A file that keeps rates over a restart; servers of one machine may share it. Empty: they are in memory only.",
    ),
    Option("limits.queue_seconds", 0.25, "Calls are refused while they would wait longer than this before they begin."),
    Option("limits.first_message_seconds", 10.0, "How long a call may take to send its first message."),
    Option(
        "limits.unary_seconds", 30.0, "The longest a single call may take, and its deadline if the client sets none."
    ),
    Option("limits.stream_seconds", 3600.0, "The longest a stream may last."),
    Option("plugins.disabled", [], "Entry point names that are not loaded."),
    Option(
        "plugins.trusted",
        ["alejo-brain", "alejo-emotion", "alejo-memory", "alejo-vision"],
        "Distributions that run on the server's own event loop.",
    ),
    Option("plugins.import_seconds", 10.0, "How long a plugin's import may take."),
    Option("plugins.call_seconds", 5.0, "How long one call of a plugin may take."),
    Option("plugins.failures", 5, "Failures in a row after which a plugin is quarantined."),
    Option("plugins.rest_seconds", 30.0, "How long a quarantined plugin rests before it is tried again."),
    Option("plugins.events", 1000, "How many events may wait for an observer; it misses those that follow."),
    Option(
        "model.names",
        [],
        "The language models that answer, the preferred one first: MODEL or PROVIDER/MODEL. Empty, with a base URL: "
        "the first one there is. Without either, or a provider, no model is asked, whatever keys there are.",
    ),
    Option(
        "model.provider",
        "",
        "Whose the models without a PROVIDER are: openai, anthropic, or a plugin's. Empty: anthropic where only its "
        "URL is set, else openai.",
    ),
    Option(
        "model.base_url",
        "",
        "Where an OpenAI-compatible API is, such as http://127.0.0.1:11434/v1. Empty: https://api.openai.com/v1.",
        alias="OPENAI_BASE_URL",
    ),
    Option("model.key", "", "The key for it.", secret=True, alias="OPENAI_API_KEY"),
    Option(
        "model.anthropic_url",
        "",
        "Where the Anthropic Messages API is. Empty: https://api.anthropic.com.",
        alias="ANTHROPIC_BASE_URL",
    ),
    Option("model.anthropic_key", "", "The key for it.", secret=True, alias="ANTHROPIC_API_KEY"),
    Option(
        "model.embedding",
        "",
        "The OpenAI-compatible model that makes the vectors of memories, in place of the table that is shipped.",
    ),
    Option(
        "model.tuning",
        "",
        "The OpenAI-compatible model that is fine-tuned for each user with their own questions and answers, which are "
        "sent there for it. Empty: none.",
    ),
    Option(
        "model.order",
        "named",
        "The order models are asked in: named (as in model.names), cheapest (by model.prices) or fastest (by how long "
        "their last first words took; one that was not asked yet comes first). A user's preferred one is asked first.",
    ),
    Option(
        "model.lacks",
        [],
        'What models cannot do: "MODEL WORD…", of images, tools and schemas, such as "llama3 images tools". Those that '
        "can are asked first; one that cannot is asked without.",
    ),
    Option("model.seconds", 60.0, "How long models may take for one answer, of the call's time four fifths at most."),
    Option("model.silence_seconds", 20.0, "How long a model may be silent, before its first word and between words."),
    Option("model.retries", 2, "How often a model is asked again that failed before its first word."),
    Option("model.failures", 5, "Failures in a row after which a model is left alone."),
    Option("model.rest_seconds", 30.0, "For how long, unless it said so itself; then one request tries it."),
    Option("model.answer_tokens", 1024, "The most tokens of an answer."),
    Option(
        "model.prompt_tokens",
        16_384,
        "The most tokens of what a model is sent at once, as it counts itself: instructions, tools, notes and message. "
        "Notes are left out to keep it; what is too long even so is not sent. 0: no limit.",
    ),
    Option(
        "model.tokenizers",
        [],
        'Files that count tokens as a model does: "MODEL FILE", such as "llama3 /models/llama3/tokenizer.json". Other '
        "models' tokens are estimated, from what they count themselves. It needs pip install 'alejo[tokenizers]'.",
    ),
    Option(
        "model.cache",
        "deterministic",
        "Which answers of models are kept and given again to the same request of the same user: never, deterministic "
        "(of requests at temperature 0) or always. Those that call tools are not.",
    ),
    Option("model.daily_tokens", 0, "The most tokens, in and out, that one user may use in a day (UTC); 0: no limit."),
    Option("model.daily_cost", 0.0, "The most one user may cost in a day, as model.prices count; 0: no limit."),
    Option(
        "model.prices",
        [],
        'What a million tokens cost, in and out: "MODEL IN OUT", such as "gpt-5-mini 0.25 2", in any currency.',
    ),
    Option("context.tokens", 2048, "The token budget of the context a brain gets."),
    Option(
        "context.time_zone",
        "",
        "The users' time zone (IANA name) where neither a session's label time_zone nor their preferences name one. "
        "Empty: the machine's.",
    ),
    Option("context.quotas.pinned", 0.5, "The part of it that pinned memories may take while others want the room."),
    Option("context.quotas.procedural", 0.15, "The same for how the user wants things done."),
    Option("context.quotas.facts", 0.6, "The same for facts and preferences."),
    Option("context.quotas.recalled", 1.0, "The same for what else is recalled."),
    Option("context.quotas.session", 0.15, "The same for the session's title, labels and time."),
    Option("context.quotas.emotion", 0.1, "The same for what was felt in the user's last message."),
    Option("context.quotas.immediate", 0.5, "The same for the session's last messages."),
    Option("emotion.mood_hours", 3.0, "How long it takes for half of what was felt to leave a user's mood."),
    Option("emotion.usual_days", 30.0, "The same for what is usual for them, to which the mood returns."),
    Option("memory.index_mb", 1024, "The room that the indexes of all users take in memory together, in MiB."),
    Option(
        "memory.vector_index",
        "scan",
        "What looks for the nearest in meaning: scan, which is built in, or faiss, which is an extra: alejo[faiss].",
    ),
    Option("memory.versions", 100, "How many former versions of a memory are kept; 0: none."),
    Option("memory.idle_seconds", 1800.0, "After so long without use a user's index leaves memory."),
    Option(
        "memory.keeper_seconds",
        60.0,
        "How often the memories of active users are looked after: weighed, merged, summarised, archived; 0: never.",
    ),
    Option("attention.places", 7, "How many memories and messages get attention in a turn; 0: none."),
    Option("attention.places_per_source", 3, "Of these, so many of one source, such as recall or one drive."),
    Option("attention.decay", 0.6, "What is left of the strength of what got attention a turn later, from 0 to 1."),
    Option("attention.refractory", 3, "For so many turns it gains nothing by being proposed again."),
    Option(
        "prediction.enabled",
        True,
        "Expect what a user will need next, from what they needed before and when, and have it at hand; a surprise "
        "raises how much something matters.",
    ),
    Option("memory.layers.immediate_messages", 10, "The last messages of a session that are always in context."),
    Option("memory.layers.immediate_idle_seconds", 300.0, "After so long without a word they leave memory."),
    Option(
        "memory.layers.working_items",
        100,
        "What the working layer holds of a session; beyond it, and when the session ends, items are summarised.",
    ),
    Option(
        "memory.layers.episodic_days",
        30.0,
        "So long after it was recorded, what happened and was never recalled is summarised and archived. Facts stay.",
    ),
    Option("memory.layers.important", 0.8, "What matters so much, from 0 to 1, is not archived by itself."),
    Option("memory.layers.emotion_weight", 0.2, "What the strongest feeling in a turn adds to importance."),
    Option("memory.layers.surprise_weight", 0.1, "What it adds to be unlike all that is known."),
    Option("memory.layers.repetition_weight", 0.2, "What it adds at most to be said again and again."),
    Option("memory.layers.wish_weight", 0.2, "What it adds that somebody asked to have it remembered."),
    Option("memory.layers.merge", True, "Keep what the same person said twice in the same words as one memory."),
    Option("memory.layers.summary_characters", 600, "The most that a summary of what is archived has."),
    Option(
        "memory.layers.forget_archived_days",
        0.0,
        "So long after it was recorded, what is archived is forgotten for good; 0: never.",
    ),
    Option(
        "reflection.workers",
        1,
        "How many processes of its own a server has work through what was said, behind the answers; 0: none, see alejo "
        "reflect. A library without a server does it itself, unless this is 0.",
    ),
    Option("reflection.concurrency", 3, "Of these, how many batches of jobs each works through at a time."),
    Option(
        "reflection.mode",
        "background",
        "synchronous: a turn is answered once it was reflected on; it takes as much longer.",
    ),
    Option("reflection.heard_seconds", 60.0, "After so long without a worker, turns do a little of what waits."),
    Option("reflection.late_seconds", 600.0, "They do so too when a job has waited for so long."),
    Option("reflection.lent_seconds", 0.3, "The most a turn takes for it; its answer says so in degraded."),
    Option(
        "reflection.linger_seconds", 0.3, "How long a server waits for more of a session, to work through all together."
    ),
    Option("reflection.batch", 10, "How many jobs of one user are worked through together at most."),
    Option("reflection.capacity", 1000, "How many commits of one worker may be under way before it has to wait."),
    Option("reflection.timeout_seconds", 300.0, "How long one processor may take for a batch."),
    Option(
        "learning.shared",
        True,
        "Whether a tenant's users who gave little feedback recall by weights that all its users made; weights alone.",
    ),
    Option(
        "learning.personal",
        True,
        "Whether learners, such as one that fine-tunes a model, are given personal data; else it is replaced.",
    ),
    Option("learning.sharing_tenants", [], "Tenants whose users share such weights with one another."),
    Option("cache.entries", 10_000, "How many entries each kind of cache holds in memory, 64 MiB of them at most."),
    Option("cache.ttl_seconds", 3600.0, "The longest an entry of a cache is used."),
    Option("cache.idle_seconds", 1800.0, "After so long without use, an entry leaves memory for the disk."),
    Option("cache.disk_mb", 256, "The most room the caches take in the data folder, in MiB; 0: memory only."),
    Option("cache.trace", "", "A file to which the digests of asked keys are written, for alejo bench cache-replay."),
    Option("client.url", "", "The server the command line speaks to. Empty means the data folder's own."),
    Option("client.key", "", "The key the command line shows to a server.", secret=True, alias="ALEJO_API_KEY"),
    Option("log.level", "info", "debug, info, warning or error."),
)
_FILES = "files:"
NAMES = {option.name: option for option in OPTIONS}
PLUGIN_VARIABLES = "ALEJO_PLUGIN_"


class Setting(msgspec.Struct, frozen=True):
    """A setting's value and where it came from: "default", "file", "environment" or "command line"."""

    option: Option
    value: Any
    source: str


class Source(msgspec.Struct, frozen=True):
    """What is set for one plugin: its table of alejo.toml, the environment's ALEJO_PLUGIN_…, and the file's name."""

    table: dict[str, Any] = {}
    variables: dict[str, str] = {}
    file: str = "alejo.toml"


class Settings:
    """All settings, read once. `plugin(name)` is what is set for a plugin, first of all [plugin.NAME] in alejo.toml."""

    def __init__(
        self,
        values: Mapping[str, Setting],
        plugins: Mapping[str, Source],
        directories: Directories,
        variables: Mapping[str, str],
        machine_zone: str,
    ) -> None:
        self._values = dict(values)
        self._plugins = dict(plugins)
        self._variables = dict(variables)
        self.directories = directories
        self._machine_zone = machine_zone

    def __getitem__(self, name: str) -> Any:
        return self._values[name].value

    def all(self) -> list[Setting]:
        """Every setting, in the table's order."""
        return [self._values[option.name] for option in OPTIONS]

    def plugin(self, name: str) -> Source:
        """What is set for a plugin, not checked yet: only its own schema knows what may stand there."""
        source = self._plugins.get(name, Source())
        return msgspec.structs.replace(source, variables=self._variables)

    def plugin_tables(self) -> list[str]:
        """The plugins that alejo.toml has a table for, whether they are installed or not."""
        return sorted(self._plugins)

    def environment(self) -> dict[str, str]:
        """The environment of another process that is to be set like this one."""
        folders, given = self.directories, [one for one in self.all() if one.source != "default"]
        return {
            **os.environ,
            **self._variables,
            "XDG_CONFIG_HOME": str(folders.config.parent),
            "XDG_DATA_HOME": str(folders.data.parent),
            "XDG_CACHE_HOME": str(folders.cache.parent),
            **{one.option.alias or one.option.variable: _text(one.value) for one in given},
        }

    @property
    def data_path(self) -> Path:
        """The data folder."""
        path = self["data.path"].removeprefix(_FILES)
        return Path(path).expanduser() if path else self.directories.data

    @property
    def storage_url(self) -> str:
        """The storage's URL: what data.storage says, or that of the data folder's own records."""
        path = quote(os.path.abspath(self.data_path))
        own = f"{_FILES}{path}" if self["data.path"].startswith(_FILES) else f"lmdb:{path}/records"
        return str(self["data.storage"]) or own

    @property
    def time_zone(self) -> str:
        """The IANA name of the users' time zone, as far as they name none."""
        return self["context.time_zone"] or self._machine_zone

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """Where language models are asked, by the name of the provider."""
        return {
            "openai": Endpoint(
                self["model.base_url"], self["model.key"], self["model.embedding"], self["model.tuning"]
            ),
            "anthropic": Endpoint(self["model.anthropic_url"], self["model.anthropic_key"]),
        }

    @property
    def key_file(self) -> Path:
        """The master key's file."""
        return Path(self["data.key_file"]).expanduser() if self["data.key_file"] else self.directories.config / "key"


class Directories(msgspec.Struct, frozen=True):
    """The folders of the XDG base directory specification that ALEJO uses."""

    config: Path
    data: Path
    cache: Path


def read(
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    plugins: Mapping[str, Mapping[str, Any]] | None = None,
) -> Settings:
    """Reads every setting; `plugins` are tables that stand for those of the file.

    Raises StartupError naming the setting, where it stands and what it should be.
    """
    zone = _machine_zone(environment)
    environment = os.environ if environment is None else environment
    directories = _directories(environment)
    path = file(environment)
    table = _toml(path, required="ALEJO_CONFIG" in environment)
    tables = {
        name: _source(name, given, path) for name, given in (table.pop("plugin", {}) | dict(plugins or {})).items()
    }
    values = {option.name: Setting(option, option.default, "default") for option in OPTIONS}
    for name, value in _flatten(table).items():
        values[name] = _setting(name, value, "file", str(path))
    for option in OPTIONS:
        variable = option.alias if option.alias in environment else option.variable
        if variable in environment:
            values[option.name] = _setting(option.name, environment[variable], "environment", variable)
    for name, value in (overrides or {}).items():
        if value is not None:
            values[name] = _setting(name, value, "command line", name)
    variables = {name: value for name, value in environment.items() if name.startswith(PLUGIN_VARIABLES)}
    return Settings(values, tables, directories, variables, zone)


def file(environment: Mapping[str, str] | None = None) -> Path:
    """Where the settings file is, or would be."""
    environment = os.environ if environment is None else environment
    return Path(environment.get("ALEJO_CONFIG") or _directories(environment).config / "alejo.toml")


def _text(value: Any) -> str:
    """A setting's value as it stands in a variable of the environment."""
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def toml(value: Any) -> str:
    """A setting's value as TOML. Strings are written as basic strings."""
    if value is None:
        return ""  # TOML has no word for nothing
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(name)} = {toml(item)}" for name, item in value.items()) + " }"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    escaped = "".join(_ESCAPES.get(c) or (f"\\u{ord(c):04X}" if ord(c) < 32 or ord(c) == 127 else c) for c in value)
    return f'"{escaped}"'


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


def _directories(environment: Mapping[str, str]) -> Directories:
    home = Path(environment.get("HOME") or Path.home())

    def folder(variable: str, otherwise: str) -> Path:
        return Path(environment.get(variable) or home / otherwise) / "alejo"

    return Directories(
        folder("XDG_CONFIG_HOME", ".config"),
        folder("XDG_DATA_HOME", ".local/share"),
        folder("XDG_CACHE_HOME", ".cache"),
    )


def _machine_zone(environment: Mapping[str, str] | None) -> str:
    """The IANA name of the zone that TZ names, or else of the machine's, which another environment has not; or UTC."""
    name = "/etc/localtime" if environment is None else "UTC"
    name = (os.environ if environment is None else environment).get("TZ", name).removeprefix(":")
    if name.startswith("/"):
        name = os.path.realpath(name).rpartition("/zoneinfo/")[2]
    try:
        return "UTC" if name == "Etc/UTC" else ZoneInfo(name).key
    except (ValueError, OSError, ZoneInfoNotFoundError):  # such as TZ=EST5EDT4, or a copy in the place of the link
        return "UTC"


def _toml(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if required:
            raise StartupError(f"There is no settings file {path}.", hint="alejo config init", exit_code=78) from None
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartupError(f"{path} is not valid TOML: {error}.", hint="alejo config show", exit_code=78) from None
    except OSError as error:
        raise StartupError(f"{path} cannot be read: {error.strerror}.", hint=f"ls -l {path}", exit_code=78) from None


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat


def _source(name: str, given: Any, path: Path) -> Source:
    if not isinstance(given, Mapping):
        raise StartupError(
            f"{path}: plugin.{name} must be a table.", hint=f"Write it as [plugin.{name}].", exit_code=78
        )
    return Source(dict(given), file=path.name)


def _setting(name: str, value: Any, source: str, place: str) -> Setting:
    option = NAMES.get(name)
    if option is None:
        raise StartupError(f"{place}: there is no setting {name}.", hint="alejo config show", exit_code=78)
    kind = list[str] if isinstance(option.default, list) else type(option.default)
    if isinstance(value, str) and kind == list[str]:
        value = [part.strip() for part in value.split(",") if part.strip()]
    try:
        made = msgspec.convert(value, kind, strict=not isinstance(value, str))
        if isinstance(made, float) and not math.isfinite(made):
            raise msgspec.ValidationError
        return Setting(option, made, source)
    except msgspec.ValidationError:
        wanted = "a list of words" if kind == list[str] else kind.__name__
        raise StartupError(
            f"{place}: {name} must be {wanted}, not {value!r}.", hint="alejo config show", exit_code=78
        ) from None
