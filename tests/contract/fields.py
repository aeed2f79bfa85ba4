"""Walks the fields of models down to their leaves: plain types with what constrains them."""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

import services
from shared.chassis.service import Service
from shared.model import Command
from tools import registry
from tools.paths import services as service_names

SEQUENCES = (tuple, list, set, frozenset)


@dataclass(frozen=True)
class Leaf:
    """One place in a model that holds a plain value."""

    path: str
    kind: Any
    metadata: tuple[Any, ...]

    def takes(self, value: Any) -> bool:
        """Whether this value would be let in from JSON-like input."""
        try:
            TypeAdapter(Annotated[self.kind, *self.metadata, None]).validate_python(value)
        except ValueError:
            return False
        return True

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of this leaf alone."""
        return TypeAdapter(Annotated[self.kind, *self.metadata, None]).json_schema()


def leaves(model: type[BaseModel]) -> list[Leaf]:
    """Every leaf of a model, those of the models inside it too."""
    return list(_model(model, model.__name__, ()))


def _model(model: type[BaseModel], path: str, above: tuple[Any, ...]) -> Iterator[Leaf]:
    if model in above:
        return
    for name, field in model.model_fields.items():
        inside = (*above, model)
        yield from _walk(field.annotation, tuple(field.metadata), f"{path}.{name}", inside)


def _walk(kind: Any, metadata: tuple[Any, ...], path: str, above: Any) -> Iterator[Leaf]:
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        yield from _walk(args[0], (*_flat(args[1:]), *metadata), path, above)
    elif origin in (Union, UnionType, *SEQUENCES):
        inside, meant = (f"{path}[]", ()) if origin in SEQUENCES else (path, metadata)
        for arg in set(args) - {Ellipsis}:
            yield from _walk(arg, meant, inside, above)
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from _model(kind, path, above)
    elif origin is not Literal and kind is not type(None):
        yield Leaf(path, kind, metadata)


def _flat(metadata: tuple[Any, ...]) -> tuple[Any, ...]:
    flat: list[Any] = []
    for item in metadata:
        flat += item.metadata if isinstance(item, FieldInfo) else [item]
    return tuple(flat)


def commands() -> list[type[BaseModel]]:
    """Every command of the services that publish facts.

    A service that publishes none has views only, which fold facts that were let in elsewhere.
    """
    publishers = {event.publisher() for event in registry.events().values()}
    found: list[type[BaseModel]] = []
    for info in pkgutil.walk_packages(services.__path__, "services."):
        if info.name.split(".")[1] in publishers and not info.name.endswith("__main__"):
            module = importlib.import_module(info.name)
            classes = [each for each in vars(module).values() if isinstance(each, type)]
            own = [each for each in classes if each.__module__ == info.name]
            found += [each for each in own if issubclass(each, Command)]
    return sorted(found, key=lambda command: (command.__module__, command.__name__))


def bodies() -> list[type[BaseModel]]:
    """Every model that a route reads from a request's body."""
    found: set[type[BaseModel]] = set()
    for service in composed():
        for router in service.routers:
            for route in router.routes:
                params = getattr(getattr(route, "dependant", None), "body_params", [])
                found |= {param.field_info.annotation for param in params}
    return sorted(found, key=lambda body: (body.__module__, body.__name__))


def composed() -> list[Service]:
    """The services, as their composition roots make them."""
    return [importlib.import_module(f"services.{name}.app").SERVICE for name in service_names()]
