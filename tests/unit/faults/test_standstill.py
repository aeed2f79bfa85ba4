"""A partition that stands still is found; a machine on which a look takes long is no standstill."""

from tests.faults.scenarios.poison import STANDSTILL, Standstill

WHO = ("trade", "telar.enrollment", 0)


def looks(places: list[tuple[int, int]], every: float) -> bool:
    """Whether it stood still in any of these looks, each at a place and an end."""
    stands = Standstill()
    return any(
        stands.still(WHO, at, end, number * every) for number, (at, end) in enumerate(places)
    )


def test_who_has_unread_records_and_does_not_move_stands_still() -> None:
    assert looks([(3, 4)] * 12, every=0.5)
    assert not looks([(3, 4)] * 10, every=0.5)


def test_who_moves_or_has_read_all_does_not_stand_still() -> None:
    assert not looks([(number // 8, 9) for number in range(60)], every=0.5)
    assert not looks([(4, 4)] * 60, every=0.5)


def test_two_looks_far_apart_say_nothing_of_the_time_in_between() -> None:
    assert not looks([(3, 4)] * 4, every=STANDSTILL * 3)
    assert looks([(3, 4)] * 7, every=STANDSTILL * 3)
