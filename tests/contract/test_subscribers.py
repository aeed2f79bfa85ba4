"""The demo and the tests read from the contracts who must have applied what."""

from cli.contracts import subscribers
from tests.faults.checker.outside import SUBSCRIBERS
from tools import registry


def test_every_subscription_of_the_code_is_read_from_the_contracts() -> None:
    wanted: dict[str, set[str]] = {}
    for event_type, services in registry.consumers().items():
        wanted.setdefault(event_type.split(".")[1], set()).update(services)
    assert {name: set(found) for name, found in subscribers().items()} == wanted
    assert {name: set(found) for name, found in SUBSCRIBERS.items()} == wanted
