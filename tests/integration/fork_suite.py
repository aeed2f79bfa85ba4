"""Foreign records beside a publisher that answers: the commands that are named end the fork."""

import shlex
from argparse import ArgumentParser
from datetime import timedelta

import pytest

from cli.operator import findings
from cli.operator.positions import Place, place
from shared.chassis import heads
from shared.chassis.envelope import encode
from shared.chassis.ports import Bus
from tests.integration.core_suite import chain
from tests.integration.repair_suite import SHELF, RepairSuite, order
from tests.support.app import Running
from tests.support.wait import until

LINE = ArgumentParser()
LINE.add_argument("words", nargs="+")
for option in ("topic", "key", "branch", "previous", "reason"):
    LINE.add_argument(f"--{option}")
LINE.add_argument("--from", type=int, dest="first")


class ForkSuite(RepairSuite):
    """Inherited by a test module that offers what `CoreSuite` wants."""

    @pytest.fixture
    def unannounced(self, _impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
        """A head that is announced meanwhile could end the fork instead."""
        monkeypatch.setattr(heads, "EVERY", timedelta(hours=1))

    async def follow(self, shelf: Running, reader: Running) -> list[str]:
        """Give the command that `telar verify` names for a fork, while there is one; all of them.

        At most three: each must bring the key nearer to its end.
        """
        given: list[str] = []
        held = await self.why(reader, "fork")
        while held and len(given) < 3:
            key = held[0]["key"]
            shown = await reader.json("/operations/reader/parked/one", topic=SHELF, key=key)
            mend = findings.parked("reader", shown, await self.where(shelf, key)).mend
            line = LINE.parse_args(shlex.split(mend)[1:])
            given.append(" ".join([*line.words, line.branch or "", str(line.first or "")]).strip())
            if line.words == ["resend"]:
                done = await order(shelf, "shelf/resend", key=line.key, first=line.first)
            else:
                which = {"topic": SHELF, "key": line.key, "branch": line.branch}
                which |= {"sequence": line.first} if line.first else {}
                which |= {"previous": line.previous} if line.previous else {}
                done = await order(reader, "reader/adopt", **which)
            assert done.status_code == 200, (shown, done.json())
            held = await until(
                lambda: self.parked(reader),
                lambda now: [one["reason"] for one in now] in ([], ["fork"]),
            )
        assert held == [], given
        return given

    async def where(self, shelf: Running, key: str) -> Place:
        """Where the publisher stands."""
        rows = (await shelf.json("/operations/shelf/streams"))["items"]
        return place(next((row["out"] for row in rows if row["key"] == key), None))

    async def lend(self, shelf: Running, key: str, number: int) -> None:
        """The publisher says its next event of this key."""
        lent = await shelf.post("/shelves/s/loans", {"reader_id": key, "number": number})
        assert lent.status_code == 201

    @pytest.mark.usefixtures("unannounced")
    async def test_a_foreign_number_beyond_the_head_is_let_go_for_good(
        self, shelf: Running, reader: Running, bus: Bus
    ) -> None:
        await self.lend(shelf, "ana", 1)
        await self.card(reader, "ana", [1])
        await self.send(bus, encode(chain("ana", 1, 2, 3, branch="b")[2]))
        assert await self.follow(shelf, reader) == ["adopt fork reader kept"]
        await self.lend(shelf, "ana", 2)
        await self.card(reader, "ana", [1, 2])

    @pytest.mark.usefixtures("unannounced")
    async def test_a_foreign_next_number_is_let_go_for_good(
        self, shelf: Running, reader: Running, bus: Bus
    ) -> None:
        await self.lend(shelf, "ana", 1)
        await self.card(reader, "ana", [1])
        await self.send(bus, encode(chain("ana", 1, 7, branch="b")[1]))
        assert await self.follow(shelf, reader) == ["adopt fork reader kept"]
        await self.lend(shelf, "ana", 2)
        await self.card(reader, "ana", [1, 2])

    @pytest.mark.usefixtures("unannounced")
    async def test_a_foreign_number_of_a_key_that_its_publisher_does_not_know_is_let_go(
        self, shelf: Running, reader: Running, bus: Bus
    ) -> None:
        await self.send(bus, encode(chain("eva", 1, 2, branch="b")[1]))
        assert await self.follow(shelf, reader) == ["adopt fork reader kept"]
        await self.lend(shelf, "eva", 5)
        await self.card(reader, "eva", [5])

    @pytest.mark.usefixtures("unannounced")
    async def test_what_was_applied_beyond_the_head_gives_way_to_the_publisher(
        self, shelf: Running, reader: Running, bus: Bus
    ) -> None:
        foreign = [one for one in chain("eva", 7, 8, 9, branch="b") if one.sequence != 2]
        await self.send(bus, *map(encode, foreign))
        await self.card(reader, "eva", [7])
        assert await self.follow(shelf, reader) == [
            "adopt fork reader arrived 1",
            "adopt fork reader kept",
        ]
        await self.lend(shelf, "eva", 5)
        await self.card(reader, "eva", [7, 5])

    async def test_a_record_that_was_let_go_parks_nothing_when_it_is_met_again(
        self, shelf: Running, reader: Running, bus: Bus
    ) -> None:
        await self.lend(shelf, "ana", 1)
        await self.card(reader, "ana", [1])
        foreign = [encode(chain("ana", 7, 8, 9, branch="b")[place]) for place in (0, 2)]
        which = {"topic": SHELF, "key": "ana", "branch": "kept"}
        await self.send(bus, *foreign)
        await self.why(reader, "fork")
        await order(reader, "reader/adopt", **which)
        await self.why(reader)
        await self.send(bus, *foreign)
        await self.lend(shelf, "ana", 2)
        await self.card(reader, "ana", [1, 2])
        assert await self.parked(reader) == []

    async def test_what_was_let_go_in_error_is_followed_after_all(
        self, shelf: Running, reader: Running, bus: Bus
    ) -> None:
        await self.send(bus, encode(chain("ana", 7, branch="b")[0]))
        await self.card(reader, "ana", [7])
        await self.lend(shelf, "ana", 1)
        await self.why(reader, "fork")
        await order(reader, "reader/adopt", topic=SHELF, key="ana", branch="kept")
        given = await self.follow(shelf, reader)  # it may have to be seen again first
        assert given[-1:] == ["adopt fork reader arrived 1"], given
        await self.lend(shelf, "ana", 2)
        await self.card(reader, "ana", [7, 1, 2])
