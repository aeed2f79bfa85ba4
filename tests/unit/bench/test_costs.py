"""The figures of the decision records can be had: what measures them runs on the core of now."""

import pytest

from bench import command_cost, core_cost


async def test_an_event_and_its_record_cost_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_cost, "BATCHES", 2)
    monkeypatch.setattr(core_cost, "RUNS", 1)
    assert all(cost > 0 for cost in (await core_cost.measure()).values())


async def test_a_command_and_its_bare_route_cost_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command_cost, "COMMANDS", 20)
    monkeypatch.setattr(command_cost, "RUNS", 1)
    assert all(cost > 0 for cost in (await command_cost.measure()).values())
