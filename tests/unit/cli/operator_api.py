"""A gateway that is only a script: what each path answers, and what it was asked."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from cli.operator.api import Api
from cli.operator.session import Session
from deploy.local.folders import default

SERVICES = ("enrollment", "training", "grants", "trade", "gateway")
SUBSCRIBED: dict[str, list[str]] = {
    "enrollment": [],
    "training": ["enrollment"],
    "grants": ["enrollment", "training"],
    "trade": ["enrollment", "training"],
    "gateway": ["enrollment", "training", "grants", "trade"],
}
NOTHING_WAITS = {
    "outbox": 0,
    "gap": 0,
    "failed": 0,
    "dead": 0,
    "fork": 0,
    "quarantined": 0,
    "deadlines": 0,
}


class Script:
    """Answers by method and path; a list is handed out one after the other, its last for ever."""

    def __init__(self, folder: Path) -> None:
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.asked: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        transport = httpx2.MockTransport(self._answer)
        self.api = Api("http://gateway", folder / "keys", transport)

    def says(self, call: str, *bodies: Any, status: int = 200) -> None:
        self.answers[call] = [(status, body) for body in bodies]

    def first_says(self, call: str, status: int, body: Any) -> None:
        """Once, before what it says else."""
        self.answers[call].insert(0, (status, body))

    def is_up(self, _: Path | None) -> object:
        """Stands for the look at whether a stack is up."""
        return SimpleNamespace(data=default())

    def connect(self, _: object) -> Api:
        """Stands for the way to its gateway."""
        return self.api

    def session(self, *, as_json: bool = True) -> Session:
        return Session(self.api, default().resolve(), as_json=as_json)

    def bodies(self, call: str) -> list[dict[str, Any]]:
        return [body for asked, body, _ in self.asked if asked == call]

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        url = urlsplit(str(request.url))
        call = f"{request.method} {url.path.removeprefix('/v1/operations/')}"
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = json.loads(request.content) if request.content else query
        self.asked.append((call, body, dict(request.headers)))
        waiting = self.answers.get(call, [(404, {"code": "not-found"})])
        status, answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return httpx2.Response(status, json=answer)


def page(*items: Any, **more: Any) -> dict[str, Any]:
    return {"items": list(items), "next": None, **more}


def all_is_well(script: Script) -> None:
    """Five services in which everything holds: one woman, everywhere alike."""
    for name in SERVICES:
        script.says(f"GET {name}", {"service": name, "backlog": NOTHING_WAITS})
        script.says(f"GET {name}/parked", page())
        script.says(f"GET {name}/streams", page(stream(name)))
        topics = (*SUBSCRIBED[name], "control")
        read = {"partition": 0, "behind": 0, "end": 3}
        script.says(f"GET {name}/lag", [{"topic": f"telar.{one}", **read} for one in topics])
        if name != "gateway":
            script.says(f"GET {name}/chains", page(checked=1))
            script.says(f"GET {name}/topic", stretch(ana=[[1, 3]]))
            script.says(f"GET {name}/checks", [])
    script.says("POST gateway/rebuild", {"state": "comparing"})
    script.says("GET gateway/rebuild", build("comparing"), build("compared"))


def stretch(*, at_end: bool = True, **numbers: list[list[int]]) -> dict[str, Any]:
    """A stretch of a topic: the ranges of each key."""
    return {"records": 3, "numbers": numbers, "offsets": "0:3", "at_end": at_end}


def build(state: str, *differences: Any) -> dict[str, Any]:
    return {
        "state": state,
        "generation": 1,
        "events": 12,
        "behind": 0,
        "compared": 4,
        "code": None,
        "unsettled": [],
        "differences": list(differences),
    }


def stream(name: str, **changed: list[Any]) -> dict[str, Any]:
    """Where the woman's streams stand in a service; `changed` topics stand elsewhere."""
    applied = {one: [3, f"{one}-3"] for one in SUBSCRIBED[name]} | changed
    out = None if name == "gateway" else applied.pop(name, [3, f"{name}-3"])
    return {"key": "ana", "out": out, "applied": applied, "parked": []}
