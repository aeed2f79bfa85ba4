"""The input of the demo: plain files under deploy/local/demo, and the women made from them."""

import json
import random
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID, uuid5

from cli.demo.client import Who
from shared.reference import municipalities

_PEOPLE = UUID("0b3e0d0e-6d4c-5b53-8f0e-5d1f3a0a7b11")


@cache
def read(name: str) -> Any:
    """One input file."""
    return json.loads(files("deploy.local").joinpath("demo", f"{name}.json").read_text("utf-8"))


@dataclass
class Woman:
    """One woman as the input makes her, and what the API has given her so far."""

    number: int
    person_id: str
    profile: str
    language: str
    municipality: str
    enrolment_id: str = ""
    position: str = ""
    """Where her enrolment stands in the streams: what other services must have applied."""
    certified_at: str = ""
    """Where her certificate, or its revocation, stands in the streams."""
    seat_id: str = ""
    award_id: str = ""
    marks: set[str] = field(default_factory=set)

    @property
    def who(self) -> Who:
        """She herself."""
        return Who(self.person_id, ("applicant",))

    def key(self, step: str) -> str:
        """The key of one step of hers: the same in every repeat."""
        return f"w{self.number}-{step}"

    def answers_late(self) -> bool:
        """Whether she lets every offer run out."""
        return self.profile == "answers-late"


def women(count: int, seed: str) -> list[Woman]:
    """So many women, in the shares that the file names, mixed and of real municipalities."""
    mix = read("women")
    luck = random.Random(f"{mix['seed']}/{seed}")  # noqa: S311 - to mix, not to hide
    profiles = _dealt(mix["profiles"], "profile", count)
    languages = _dealt(mix["languages"], "language", count)
    luck.shuffle(profiles)
    luck.shuffle(languages)
    homes = {one["language"]: _homes(one["states"]) for one in mix["languages"]}
    return [
        Woman(
            number,
            str(uuid5(_PEOPLE, f"{seed}/{number}")),
            profile,
            language,
            luck.choice(homes[language]),
        )
        for number, (profile, language) in enumerate(zip(profiles, languages, strict=True), 1)
    ]


def _homes(states: list[str]) -> list[str]:
    return [key for key in municipalities().names if not states or key[:2] in states]


def _dealt(shares: list[dict[str, Any]], name: str, count: int) -> list[str]:
    """So many of each kind that the shares hold; what is over goes to the first ones."""
    whole = sum(one["share"] for one in shares)
    dealt = [one[name] for one in shares for _ in range(count * one["share"] // whole)]
    return dealt + [shares[0][name]] * (count - len(dealt))
