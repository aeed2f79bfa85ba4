"""What is observed at once is what would be observed one by one."""

from prometheus_client import CollectorRegistry, Histogram

from shared.chassis.metrics import ManyAtOnce

BOUNDS = (0.1, 1.0, 10.0)


def test_many_at_once_are_as_many_one_by_one() -> None:
    registry = CollectorRegistry()
    at_once = ManyAtOnce("at_once", "Many", buckets=BOUNDS, registry=registry)
    one_by_one = Histogram("one_by_one", "Many", buckets=BOUNDS, registry=registry)
    batches: list[list[float]] = [[0.0, 0.1, 0.1001, 1.0, 9.0, 10.0, 11.0], [], [0.5]]
    for amounts in batches:
        at_once.observe_all(amounts)
        for amount in amounts:
            one_by_one.observe(amount)
    rows = {
        (sample.name, sample.labels.get("le")): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }
    for end in ("count", "sum"):
        assert rows[f"at_once_{end}", None] == rows[f"one_by_one_{end}", None] > 0
    for bound in ("0.1", "1.0", "10.0", "+Inf"):
        assert rows["at_once_bucket", bound] == rows["one_by_one_bucket", bound]
