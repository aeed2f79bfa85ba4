"""Every metric of the chassis, in one list: its name and what it means. No ids as labels."""

from bisect import bisect_left
from collections import Counter as Count
from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class ManyAtOnce(Histogram):
    """A histogram that takes what a whole batch observed at a tenth of the cost."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """As `observe` for each of them."""
        self._sum.inc(sum(amounts))
        for bucket, count in Count(bisect_left(self._upper_bounds, one) for one in amounts).items():
            self._buckets[bucket].inc(count)


HTTP_SECONDS = Histogram(
    "telar_http_seconds", "A request, by route", ["method", "route", "status"], buckets=_FAST
)
COMMIT_SECONDS = Histogram("telar_commit_seconds", "One transaction, all in", buckets=_FAST)
BATCH_INTENTS = Histogram("telar_batch_intents", "Intents of one transaction", buckets=_SIZES)
CONFLICTS = Counter("telar_conflicts_total", "Transactions run again: another was first")
INTENTS = Counter("telar_intents_total", "Intents committed", ["kind"])
PUBLISHED = Counter("telar_published_total", "Events acknowledged by Kafka", ["type"])
PUBLISH_SECONDS = Histogram("telar_publish_seconds", "Commit to acknowledgement", buckets=_FAST)
PUBLISH_FAILURES = Counter("telar_publish_failures_total", "Batches not acknowledged in time")
OUTBOX_PENDING = Gauge("telar_outbox_pending", "Commits whose events are not acknowledged yet")
OUTBOX_AGE = Gauge("telar_outbox_oldest_age_seconds", "Age of the oldest of them")
CONSUMED = Counter("telar_consumed_total", "Records by what became of them", ["topic", "outcome"])
APPLIED = Counter("telar_applied_total", "Events applied", ["type"])
EFFECT_SECONDS = ManyAtOnce(
    "telar_effect_seconds", "Decided in one service until committed in this one", buckets=_FAST
)
EVENTS_UNKNOWN = Counter("telar_events_unknown_total", "Events of types unknown here", ["topic"])
REFUSED_EVENTS = Counter("telar_refused_events_total", "Foreseen refusals of events", ["code"])
HANDLER_FAILURES = Counter("telar_handler_failures_total", "Failed handlers", ["type", "code"])
QUARANTINED = Counter("telar_quarantined_total", "Records without a place", ["topic", "code"])
PARKED = Gauge("telar_parked_keys", "Keys that wait", ["reason"])
LAG = Gauge("telar_consumer_lag_records", "Records not polled yet", ["topic", "partition"])
GAPS_ASKED = Counter("telar_gaps_asked_total", "Missing events asked for", ["topic"])
RESENT = Counter("telar_resent_total", "Events sent again for an ask")
HEADS_SAID = Counter("telar_heads_said_total", "Ends of own streams announced")
TAILS_LOST = Counter("telar_tails_lost_total", "Partitions that had lost acknowledged records")
BREAKER_OPEN = Gauge("telar_breaker_open", "1 while so much fails that nothing is consumed")
DEADLINES_DEAD = Counter("telar_deadlines_dead_total", "Deadlines given up", ["aggregate"])
CLOCK_SKEW = Gauge("telar_clock_skew_seconds", "This machine's clock against the database's")
TICKS = Counter("telar_ticks_total", "Deadlines acted on", ["aggregate"])
