"""Files and fine-tuning jobs of an API, as a client sees them: a job goes on whenever it is looked at."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from alejo.testing.http import Asked

_PART = re.compile(rb'name="(\w+)"(?:; filename="[^"]*")?[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', re.DOTALL)
_FILE = re.compile(rb'filename="([^"]*)"')
_STEPS = ("validating_files", "queued", "running", "running", "succeeded")
_ROLES = {"system", "user", "assistant"}
_LEAST = 10  # examples


class TuningJobs:
    """The files by their ids, and the jobs. `begun` and `brought` count jobs and files; `failing` lets jobs fail."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.names: dict[str, str] = {}
        self.jobs: list[dict[str, Any]] = []
        self.begun = self.brought = 0
        self.failing = False
        self._events: dict[str, list[dict[str, Any]]] = {}

    def answer(self, asked: Asked) -> tuple[Any, int]:
        """The answer to a request and its status."""
        place = asked.path.removeprefix("/v1/").split("/")
        match asked.method, place:
            case "POST", ["files"]:
                return self._upload(asked)
            case "GET", ["files"]:
                data = [{"id": name, "filename": self.names[name], "purpose": "fine-tune"} for name in self.files]
                return {"object": "list", "data": data}, 200
            case "DELETE", ["files", name] if name in self.files:
                del self.files[name]
                return {"id": name, "object": "file", "deleted": True}, 200
            case "GET", ["fine_tuning", "jobs"]:
                wanted = asked.query.get("metadata[alejo]")
                found = [job for job in self.jobs if wanted is None or job["metadata"].get("alejo") == wanted]
                return {"object": "list", "data": found, "has_more": False}, 200
            case "POST", ["fine_tuning", "jobs"]:
                return self._begin(asked.json())
            case _, ["fine_tuning", "jobs", job_id, *rest]:
                job = next((each for each in self.jobs if each["id"] == job_id), None)
                if job is not None:
                    return self._look(job, rest)
        return {"error": {"code": "not_found", "type": "invalid_request_error", "message": "No such object."}}, 404

    def _upload(self, asked: Asked) -> tuple[Any, int]:
        parts = {name.decode(): content for name, content in _PART.findall(asked.body)}
        if parts.get("purpose") != b"fine-tune" or "file" not in parts:
            return _wrong("A file and its purpose are required.")
        self.brought += 1
        name = f"file-{self.brought}"
        self.files[name] = parts["file"]
        self.names[name] = _FILE.findall(asked.body)[0].decode()
        return {"id": name, "object": "file", "bytes": len(parts["file"]), "purpose": "fine-tune"}, 200

    def _begin(self, body: Any) -> tuple[Any, int]:
        content = self.files.get(body.get("training_file", ""))
        if content is None or not body.get("model"):
            return _wrong("A model and a training file are required.")
        self.begun += 1
        fault = "invalid_training_file" if self.failing else _fault(content)
        job = {
            "id": f"ftjob-{self.begun}",
            "object": "fine_tuning.job",
            "model": body["model"],
            "status": _STEPS[0],
            "fine_tuned_model": None,
            "trained_tokens": None,
            "error": None,
            "metadata": body.get("metadata") or {},
            "suffix": body.get("suffix", ""),
            "fault": fault,
        }
        self.jobs.insert(0, job)
        self._events[job["id"]] = []
        return job, 200

    def _look(self, job: dict[str, Any], rest: list[str]) -> tuple[Any, int]:
        if rest == ["events"]:
            return {"object": "list", "data": self._events[job["id"]][::-1], "has_more": False}, 200
        if rest == ["cancel"]:
            job["status"] = "cancelled"
        elif job["status"] not in ("succeeded", "failed", "cancelled"):
            self._go_on(job)
        return job, 200

    def _go_on(self, job: dict[str, Any]) -> None:
        """The next step of a job; every two steps of training tell their loss."""
        events = self._events[job["id"]]
        step = len(events) + 1
        job["status"] = _STEPS[min(step, len(_STEPS) - 1)]
        if job["fault"]:
            job["status"], job["error"] = "failed", {"code": job["fault"], "message": "The file is not valid."}
        if job["status"] == "succeeded":
            job["fine_tuned_model"] = f"ft:{job['model']}:{job['suffix'] or 'me'}:{job['id']}"
            job["trained_tokens"] = 1000
        data = {"step": step, "train_loss": 2.0 / step, "valid_loss": 2.5 / step}
        name = f"ftevent-{step}"
        events.append({"id": name, "created_at": step, "level": "info", "message": job["status"], "data": data})


def _fault(content: bytes) -> str:
    """What is wrong with a file of chats; nothing, if it can be trained on."""
    try:
        lines = [msgspec.json.decode(line) for line in content.splitlines()]
        chats = [[message["role"] for message in line["messages"] if message["content"]] for line in lines]
    except (msgspec.DecodeError, KeyError, TypeError):
        return "invalid_file_format"
    sound = all(roles[-1:] == ["assistant"] and set(roles) <= _ROLES for roles in chats)
    return "" if sound and len(chats) >= _LEAST else "invalid_training_file"


def _wrong(message: str) -> tuple[Any, int]:
    return {"error": {"code": None, "type": "invalid_request_error", "message": message}}, 400
