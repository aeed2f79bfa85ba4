"""The peers are written as well as what they are compared with."""

from inspect import iscoroutinefunction

from fastapi.routing import APIRoute

from bench.peers import fast_api


def test_no_request_of_the_fastapi_peer_is_handed_to_a_thread() -> None:
    routes = [route for route in fast_api.app.routes if isinstance(route, APIRoute)]
    called = [
        one.call for route in routes for one in (route.dependant, *route.dependant.dependencies)
    ]
    assert len(called) == len(routes) + 1
    assert [call for call in called if not iscoroutinefunction(call)] == []
