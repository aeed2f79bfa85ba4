"""Who publishes and who subscribes, as the committed AsyncAPI document says."""

import json
from functools import cache
from importlib.resources import files


@cache
def subscribers() -> dict[str, tuple[str, ...]]:
    """By publishing service, the services that consume something of its topic."""
    text = files("contracts").joinpath("asyncapi.json").read_text("utf-8")
    operations = [tuple(name.split(".")) for name in json.loads(text)["operations"]]
    publishers = [service for service, verb, _ in operations if verb == "publish"]
    return {
        publisher: tuple(
            service
            for service, verb, topic in operations
            if verb == "consume" and topic == publisher
        )
        for publisher in publishers
    }
