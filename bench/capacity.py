"""From the measured cost of an event to partitions, replicas, storage and cost of a country.

`python -m bench.capacity` reads bench/results.json, and prints the table and puts it into
docs/capacity.md. All
that is assumed and not measured stands in `Assumed`; change it and run again.
"""

import math
import sys
from dataclasses import dataclass

import bson
import orjson

from bench.feed import Load, envelopes, records
from bench.figures import Results, middle
from bench.report import RESULTS
from tools.paths import ROOT

HOUR, YEAR = 3600.0, 365 * 24 * 3600.0
PAGE = ROOT / "docs" / "capacity.md"
FROM, TO = "<!-- bench.capacity: from here -->", "<!-- bench.capacity: to here -->"
SIZES = (10_000, 1_000_000, 10_000_000)
A_COMMIT = 500


@dataclass(frozen=True)
class Assumed:
    """What no benchmark says."""

    events_a_year: int = 120
    """Facts that are published about one woman in a year, by all services together."""
    readers: float = 2.5
    """Services that apply a fact, the gateway's views among them."""
    commands_a_year: int = 60
    queries_a_command: int = 20
    hurry_share: float = 0.05
    """Of all women, who act in the hour before a call closes."""
    hurry_commands: int = 3
    headroom: float = 0.5
    """A core is planned to be busy for no more than this share of the hurry."""
    query_us: float = 700.0
    """Processor time of a service for one query; no benchmark measures one of a full database."""
    gateway_us: float = 800.0
    """Of the gateway for one call, where the measure of it says only how much longer a call takes:
    0.8 ms, waiting included."""
    replication: int = 3
    state_bytes: int = 4_000
    """Of one woman in one service: states, positions, indexes."""
    core_month: float = 25.0
    gib_month: float = 0.12
    """Dollars of a large provider, rounded up: a core, a GiB of block storage."""


@dataclass(frozen=True)
class Measured:
    """What the benchmark says, in microseconds of processor time and bytes."""

    apply_us: float
    command_us: float
    gateway_us: float | None
    """Of one call that passes the gateway, in the gateway's process; none if it was not told."""
    applied_a_second: float
    event_bytes: float
    record_bytes: float
    """In Kafka, before compression."""


@dataclass(frozen=True)
class Need:
    """What so many women need."""

    women: int
    mean_events: float
    hurry_commands: float
    hurry_applied: float
    cores: int
    replicas: int
    partitions: int
    mongo_gib: float
    kafka_gib: float
    dollars: float


def measured(results: Results) -> Measured:
    """Medians of the last run, and the size of an event as it is kept and sent."""
    consume, http = results["measures"]["consume"], results["measures"]["http"]
    some = [event.to_document() for event in envelopes(Load(A_COMMIT, A_COMMIT))]
    sent = list(records(Load(A_COMMIT, A_COMMIT)))
    headers = sum(len(name) + len(raw) for one in sent for name, raw in one.headers)
    return Measured(
        apply_us=middle(consume["sides"]["telar"], "processor_us"),
        command_us=middle(http["sides"]["telar"], "processor_us"),
        gateway_us=_gateway(results),
        applied_a_second=middle(consume["sides"]["telar"], "rate"),
        event_bytes=len(bson.encode({"events": some})) / A_COMMIT,
        record_bytes=(headers + sum(len(one.value) for one in sent)) / A_COMMIT,
    )


def _gateway(results: Results) -> float | None:
    rounds = results["measures"].get("proxy", {}).get("sides", {}).get("gateway", [])
    told = bool(rounds) and all("processor_us" in one for one in rounds)
    return middle(rounds, "processor_us") if told else None


def need(women: int, told: Measured, assumed: Assumed) -> Need:
    """The hour before a call closes sets the cores; the years set the storage."""
    commands = women * assumed.hurry_share * assumed.hurry_commands / HOUR
    events = commands * assumed.events_a_year / assumed.commands_a_year
    applied = events * assumed.readers
    queries = commands * assumed.queries_a_command
    passing = assumed.gateway_us if told.gateway_us is None else told.gateway_us
    busy = commands * told.command_us + applied * told.apply_us + queries * assumed.query_us
    busy += (commands + queries) * passing
    cores = math.ceil(busy / 1e6 / assumed.headroom)
    lanes = math.ceil(events / (told.applied_a_second * assumed.headroom))
    a_year = women * assumed.events_a_year
    outbox = a_year * told.event_bytes * 1.3  # and its index
    mongo = (outbox + women * assumed.state_bytes * 5) * assumed.replication / 2**30
    kafka = a_year * told.record_bytes / 3.2 * assumed.replication / 2**30  # zstd
    return Need(
        women=women,
        mean_events=a_year / YEAR,
        hurry_commands=commands,
        hurry_applied=applied,
        cores=cores,
        replicas=max(2, lanes),
        partitions=max(6, 2 ** math.ceil(math.log2(lanes * 4))),
        mongo_gib=mongo,
        kafka_gib=kafka,
        dollars=(cores + 12) * assumed.core_month + (mongo + kafka) * assumed.gib_month,
    )


HEAD = (
    "| Women | Events/s, mean | Commands/s, hurry | Events applied/s, hurry | Cores |"
    " Replicas a service | Partitions a topic | MongoDB, a year | Kafka, a year | $ a month |\n"
    "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
)


def table(results: Results, assumed: Assumed) -> str:
    """The table of docs/capacity.md."""
    told = measured(results)
    lines = [HEAD]
    for women in SIZES:
        one = need(women, told, assumed)
        lines.append(
            f"| {one.women:,} | {one.mean_events:,.1f} | {one.hurry_commands:,.1f} |"
            f" {one.hurry_applied:,.1f} | {one.cores} | {one.replicas} | {one.partitions} |"
            f" {one.mongo_gib:,.0f} GiB | {one.kafka_gib:,.0f} GiB | {one.dollars:,.0f} |\n"
        )
    lines.append(
        f"\nMeasured: {told.apply_us:.0f} µs a core to apply and follow up one event,"
        f" {told.applied_a_second:,.0f} a second by one process; {told.command_us:.0f} µs a"
        f" command; {told.event_bytes:.0f} bytes an event in the outbox. The gateway, which every"
        f" command and query passes, is counted at {_passing(told, assumed)} a call; a query in its"
        f" service at {assumed.query_us:.0f} µs, assumed: at {assumed.queries_a_command} queries a"
        " command these two are most of the cores.\n"
    )
    return "".join(lines)


def _passing(told: Measured, assumed: Assumed) -> str:
    if told.gateway_us is None:
        return f"{assumed.gateway_us:.0f} µs, assumed,"
    return f"{told.gateway_us:.0f} µs, measured,"


def write(found: str) -> None:
    """Put the table into its place in docs/capacity.md."""
    before, _, rest = PAGE.read_text().partition(FROM)
    _, _, after = rest.partition(TO)
    PAGE.write_text(f"{before}{FROM}\n\n{found}\n{TO}{after}")


if __name__ == "__main__":
    made = table(orjson.loads(RESULTS.read_bytes()), Assumed())
    sys.stdout.write(made)
    write(made)
