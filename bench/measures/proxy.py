"""A call through the gateway, against the same call to the service itself.

`processor_us` is of the process that is asked: the service, or the gateway alone.
"""

from contextlib import ExitStack
from typing import Any

from bench.client import Request, drive
from bench.plan import Plan
from bench.sides import Side, running
from bench.stage import Stage, ready

PATH = "/courses"
TRAINING = Side("training", ("services.training",), prefix="TRAINING_")
GATEWAY = Side("gateway", ("services.gateway",), prefix="GATEWAY_")


async def measure(stage: Stage, plan: Plan) -> dict[str, Any]:
    """One call at a time, the two ways in turn: what the gateway adds, not what it queues."""
    found: dict[str, list[dict[str, float]]] = {"direct": [], "gateway": []}
    with ExitStack() as both:
        training = both.enter_context(running(TRAINING, stage.place, "training"))
        upstreams = {"BENCH_UPSTREAMS": '{"training": ["' + training.url + '"]}'}
        limits = {"BENCH_RATE": "100000", "BENCH_BURST": "100000"}
        gateway = both.enter_context(
            running(GATEWAY, stage.place, "gateway", {**upstreams, **limits})
        )
        for process in (training, gateway):
            await ready(process)
        ways = {"direct": (training.url, PATH), "gateway": (gateway.url, "/v1" + PATH)}
        for _ in range(plan.rounds):
            for name, (url, path) in ways.items():
                asked = [Request("GET", path, stage.authorised())] * plan.proxied
                process = training if name == "direct" else gateway
                before = process.processor_seconds()
                took = await drive(url, asked, 1)
                used = process.processor_seconds() - before
                processor = round(used / plan.proxied * 1e6, 1)
                found[name].append({**took.summary(), "processor_us": processor})
    return {"unit": "ms", "sides": found}
