"""A real conversation, imported and asked about: does the answer quote the message that holds it?

`--data` is a conversation in the LoCoMo format, for example conv-26.json. It is imported with `alejo import`, twice
(the second time must add nothing), and questions from the same file are put to `alejo chat`, one process, piped. The
case `ten` is the questions whose evidence is one of TEN, the messages this benchmark was written with; `single` is
every question of the file that rests on a single message (LoCoMo category 4).

    quoted   the share of questions whose answer holds the gold message word for word
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from typing import Any

import click

from alejo import __version__

from .report import Row, row

TEN = ("D2:2", "D13:3", "D4:3", "D4:5", "D8:6", "D10:10", "D11:1", "D13:6", "D14:23", "D15:28")
_SINGLE_HOP = 4


def run(options: Any) -> list[Row]:
    """Imports, asks, counts."""
    if options.data is None:
        raise click.UsageError("quotes needs --data, a conversation in the LoCoMo format.")
    conversation = json.loads(options.data.read_text("utf-8"))
    golds = _messages(conversation["conversation"])
    questions = [
        (each["question"], each["evidence"][0])
        for each in conversation["qa"]
        if each.get("category") == _SINGLE_HOP and len(each["evidence"]) == 1 and each["evidence"][0] in golds
    ]
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as folder:
        environment = {
            **os.environ,
            "XDG_DATA_HOME": f"{folder}/data",
            "XDG_CONFIG_HOME": f"{folder}/config",
        }
        for _ in range(2):
            click.echo(_alejo(environment, "import", str(options.data)).stderr.strip(), err=True)
        said = _alejo(environment, "chat", text="".join(question + "\n" for question, _ in questions)).stdout
    answers = said.splitlines()
    quoted = {place: _plain(golds[gold]) in _plain(answers[place]) for place, (_, gold) in enumerate(questions)}
    ten = [next(place for place, (_, gold) in enumerate(questions) if gold == wanted) for wanted in _listed(questions)]
    if ten:
        for place in ten:
            click.echo(f"{questions[place][1]}: {'quoted' if quoted[place] else 'not quoted'}", err=True)
    cases = {"ten": ten, "single": list(quoted)}
    return [
        row("quotes", case, "alejo", __version__, "quoted", "share", [sum(quoted[p] for p in places) / len(places)])
        for case, places in cases.items()
        if places
    ]


def _listed(questions: list[tuple[str, str]]) -> list[str]:
    there = {gold for _, gold in questions}
    return [wanted for wanted in TEN if wanted in there]


def _messages(conversation: dict[str, Any]) -> dict[str, str]:
    turns = [turn for name, value in conversation.items() if re.fullmatch(r"session_\d+", name) for turn in value]
    return {turn["dia_id"]: turn["text"] for turn in turns}


def _plain(text: str) -> str:
    return " ".join(text.split())


def _alejo(environment: dict[str, str], *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "alejo", *arguments],
        input=text,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        raise click.ClickException(f"alejo {arguments[0]} failed: {done.stderr.strip()}")
    return done
