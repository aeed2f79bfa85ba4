"""What services say to each other about the streams, on `telar.control` (AsyncAPI, catalogue)."""

from tools.writer import Schema

TOPIC = "telar.control"

_NUMBER: Schema = {"type": "integer", "minimum": 0}
_KEY: Schema = {"type": "string", "minLength": 1, "maxLength": 200}
_TOPIC: Schema = {"type": "string", "pattern": "^telar\\.[a-z]+$"}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_HASH = "0f343b0931126a20f133d67c2b018a3b1b6d3b8c2a1e4f5d6c7b8a9908172635"

_HEAD: Schema = {
    "title": "Head",
    "description": "How far the stream of a key goes: its last number and the hash of that event.",
    "type": "object",
    "properties": {
        "key": _KEY,
        "sequence": _NUMBER,
        "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    },
    "required": ["key", "sequence", "digest"],
}

MESSAGES: dict[str, Schema] = {
    "ask": {
        "title": "Ask",
        "description": "A subscriber misses these events of a stream: send them again, and say "
        "where the stream ends. `known` is the highest number that it has seen, from whomever.",
        "type": "object",
        "properties": {
            "kind": {"const": "ask"},
            "at": _MOMENT,
            "topic": _TOPIC,
            "key": _KEY,
            "first": _NUMBER,
            "last": _NUMBER,
            "known": _NUMBER,
        },
        "required": ["kind", "at", "topic", "key", "first", "last", "known"],
        "examples": [
            {
                "kind": "ask",
                "at": "2026-03-02T12:00:00Z",
                "topic": "telar.grants",
                "key": "person-id",
                "first": 4,
                "last": 6,
                "known": 7,
            }
        ],
    },
    "heads": {
        "title": "Heads",
        "description": "Where streams of the publisher's topic end: of the keys that changed once "
        "a minute, of all once a day. `asked` repeats the `known` of the ask that it answers.",
        "type": "object",
        "properties": {
            "kind": {"const": "heads"},
            "at": _MOMENT,
            "topic": _TOPIC,
            "asked": {"anyOf": [_NUMBER, {"type": "null"}]},
            "heads": {"type": "array", "items": _HEAD, "maxItems": 500},
        },
        "required": ["kind", "at", "topic", "heads"],
        "examples": [
            {
                "kind": "heads",
                "at": "2026-03-02T12:00:00Z",
                "topic": "telar.grants",
                "asked": 7,
                "heads": [{"key": "person-id", "sequence": 6, "digest": _HASH}],
            }
        ],
    },
}
