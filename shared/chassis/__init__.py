"""The microservice chassis: what every service runs on, and where to read about it.

service, runtime         a service, and one process of it: its loops, their start and stop
the write path           work (the kinds of intent), fold (in memory), writer (one transaction)
                         contention (who is in whose way), breaker, replies, clock
streams of events        envelope (an event as sent), streams (positions), outbox (publishing)
                         ends (what Kafka acknowledged), tail (whether it kept it)
                         heads (where streams end), adoption, ranges
consuming                consumer, reading (how far), parking (keys that wait)
                         mending (repairs), repair (asking)
                         letgo (of forks that were ended)
                         control (messages), handled, marks and backfill (handlers added later)
beside the writer        deadlines, duties (claimed by one process for all)
HTTP                     edge, http, strict, policy, query, auth, tokens, errors
operators                operations, audit, metrics, logging
the outside              ports (what the core asks of it); mongo, kafka, and memory for tests
"""
