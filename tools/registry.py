"""Finds by folder what there is: published event types, and who consumes them."""

import importlib
import pkgutil

import shared.events
from shared.model import EVENT_TYPES, Event
from tools.paths import SERVICES

Events = dict[str, type[Event]]


def events() -> Events:
    """Every published type by its name, from the modules of `shared/events/` alone."""
    package = shared.events
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
    return {
        name: event
        for name, event in sorted(EVENT_TYPES.items())
        if event.__module__.startswith("shared.events.")
    }


def consumers() -> dict[str, list[str]]:
    """By event type, the other services whose handlers react to it."""
    found: dict[str, list[str]] = {name: [] for name in events()}
    for path in sorted(SERVICES.glob("*/handlers.py")):
        service = path.parent.name
        module = importlib.import_module(f"services.{service}.handlers")
        for event in module.handlers.types():
            if event.event_type in found and event.publisher() != service:
                found[event.event_type].append(service)
    return found
