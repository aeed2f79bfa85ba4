"""Field types shared by states, commands, events and bodies: ids, codes, money, moments."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

MAX_MONEY = 10**15
"""Ten trillion pesos in centavos: above any pool, far below what BSON's 64 bits hold."""


_YEAR = re.compile(r"[0-9]{4}-")


def _no_numbers(value: Any) -> Any:
    # pydantic would read 12, "12" or "-12" as seconds since 1970.
    if isinstance(value, datetime | date):
        return value
    if isinstance(value, str) and _YEAR.match(value) and value.isascii():
        return value
    raise ValueError("a date in ISO 8601")


def _to_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time zone is needed")
    whole = value.microsecond // 1000 * 1000  # MongoDB keeps milliseconds
    try:
        return value.astimezone(UTC).replace(microsecond=whole)
    except OverflowError:  # an hour before the year 1, or after 9999: no error to pydantic
        raise ValueError("a moment of the years 1 to 9999") from None


Moment = Annotated[datetime, BeforeValidator(_no_numbers), AfterValidator(_to_utc)]
"""An instant: ISO 8601 with a zone, kept in UTC and whole milliseconds."""

Day = Annotated[date, BeforeValidator(_no_numbers)]
"""A calendar day, ISO 8601."""

_DayText = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
StoredDay = Annotated[Day, PlainSerializer(date.isoformat, return_type=_DayText)]
"""A day of a state, kept as ISO 8601 text: BSON has instants but no calendar days."""

CENTRAL = timezone(timedelta(hours=-6))
"""Central Mexico, without summer time since 2022."""


def start_of(day: date) -> datetime:
    """The moment at which a day begins in central Mexico, in UTC."""
    return datetime.combine(day, time(), CENTRAL).astimezone(UTC)


Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9:_-]{0,119}$")]
"""An identifier: a UUID, or natural parts joined by a colon (`person:call`)."""

PartId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""An id that becomes the last part of another (`person:call`): with a subject before it, still an
`Id`, and without a colon, which a subject may have: or two pairs could make the same one."""

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
"""A stable code in kebab case: a reason, a kind, a competence."""

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
"""A language tag: `es-MX`, `nhe`, `yua`."""

StateKey = Annotated[str, StringConstraints(pattern=r"^(0[1-9]|[12][0-9]|3[0-2])$")]
"""The two-digit INEGI key of a Mexican state, 01 to 32."""

MunicipalityKey = Annotated[str, StringConstraints(pattern=r"^(0[1-9]|[12][0-9]|3[0-2])[0-9]{3}$")]
"""The five-digit INEGI key of a municipality, its state first."""

Centavos = Annotated[int, Field(strict=True, ge=0, le=MAX_MONEY)]
"""Money in integer centavos of a Mexican peso; no float, no boolean, no text."""

PositiveCentavos = Annotated[int, Field(strict=True, gt=0, le=MAX_MONEY)]
"""Money in integer centavos, at least one."""

MAX_COUNT = 1_000_000

Count = Annotated[int, Field(strict=True, ge=0, le=MAX_COUNT)]
"""A whole number of things: seats, hours, ranks."""

PositiveCount = Annotated[int, Field(strict=True, gt=0, le=MAX_COUNT)]
"""A whole number of things, at least one."""

Flag = Annotated[bool, Field(strict=True)]
"""True or false, and nothing that merely looks like it."""
