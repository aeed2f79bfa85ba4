"""The bundled tables are whole and hang together."""

import pytest
from pydantic import TypeAdapter

from shared.reference import Table, municipalities, states
from shared.types import MunicipalityKey, StateKey


@pytest.mark.parametrize("table", [states(), municipalities()], ids=["states", "municipalities"])
def test_a_table_says_where_it_comes_from(table: Table) -> None:
    assert "INEGI" in table.source
    assert "Términos de Libre Uso" in table.licence
    assert table.version
    assert "sha256" in table.carried_by


def test_every_state_has_its_key_and_its_municipalities() -> None:
    names = states().names
    assert list(names) == [f"{number:02}" for number in range(1, 33)]
    assert {key[:2] for key in municipalities().names} == set(names)


def test_the_table_of_municipalities_is_whole() -> None:
    names = municipalities().names
    assert len(names) == 2478
    assert sum(key.startswith("20") for key in names) == 570  # Oaxaca has by far the most
    assert names["20067"] == "Oaxaca de Juárez"
    assert names["09007"] == "Iztapalapa"
    assert names["02007"] == "San Felipe"  # one of the youngest


def test_every_key_has_the_form_that_facts_ask_for() -> None:
    for key in states().names:
        TypeAdapter(StateKey).validate_python(key)
    for key, name in municipalities().names.items():
        TypeAdapter(MunicipalityKey).validate_python(key)
        assert name == name.strip() != ""
