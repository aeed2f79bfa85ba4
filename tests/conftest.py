"""What a test may do follows from its folder: unit and contract tests cannot open a socket."""

from pathlib import Path

import pytest

from tests.support import mini

TESTS = Path(__file__).parent
WITHOUT_SERVERS = {"unit", "contract"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_bug_of_another_test() -> None:
    mini.poison.clear()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        # Unix sockets stay allowed (--allow-unix-socket): an event loop wakes itself through one.
        if folder in WITHOUT_SERVERS:
            item.add_marker(pytest.mark.disable_socket)
        else:
            item.add_marker(pytest.mark.integration)
    # Those that may take long begin first, so that no worker is left alone with one at the end.
    items.sort(key=_patience, reverse=True)


def _patience(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0
