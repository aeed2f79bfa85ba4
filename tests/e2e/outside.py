"""The platform seen from outside: the checker of the fault runs, and what journeys look up."""

import json
from typing import Any

from tests.faults.checker import invariants
from tests.faults.checker.outside import PUBLISHERS
from tests.faults.checker.outside import Outside as Plain

BUCKETS = invariants.BUCKETS


class Outside(Plain):
    """Reads the databases and topics of one platform."""

    def collection(self, service: str, name: str) -> list[dict[str, Any]]:
        return self.all(service, name)

    async def facts(self, service: str, key: str) -> list[tuple[str, dict[str, Any]]]:
        """What a service published of one key, in order: the type's own name, and the fields."""
        stored = [one.fact for one in await self.topic(f"telar.{service}")]
        hers = {one.sequence: one for one in stored if one and one.key == key}
        return [(hers[n].name, json.loads(hers[n].value)) for n in sorted(hers)]

    async def headers(self, service: str, key: str) -> list[dict[str, str]]:
        """The attributes of what a service published of one key, in order."""
        stored = [one for one in await self.topic(f"telar.{service}") if one.fact]
        hers = {one.fact.sequence: one for one in stored if one.fact and one.fact.key == key}
        return [hers[number].headers for number in sorted(hers)]

    def silent(self) -> list[str]:
        """The services that have published nothing so far."""
        return [name for name in PUBLISHERS if not self.total(name, "out")[name]]


async def violations(outside: Outside) -> list[str]:
    """What is not as it must be once the platform is at rest; empty when all is."""
    return await invariants.violations(outside, [])
