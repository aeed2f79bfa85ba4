"""Bringing Kafka: what the registry sends is believed only if the lock names it."""

from collections.abc import Callable
from hashlib import sha256
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from cli import checks
from deploy.local import aot, fetch, jars
from deploy.local.jars import Jar
from deploy.local.processes import DiedEarly
from deploy.local.report import Report

GOOD = b"a jar"
Send = Callable[[Jar, Path, Callable[[int], None]], Path]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StringIO:
    wanted = (Jar("org.example:thing:1.0", len(GOOD), sha256(GOOD).hexdigest()),)
    monkeypatch.setattr(jars, "folder", lambda: tmp_path)
    monkeypatch.setattr(jars, "locked", lambda: wanted)
    monkeypatch.setattr(aot, "build", lambda: jars.aot_cache().write_bytes(b"trained"))
    return StringIO()


def sends(*contents: bytes) -> Send:
    left = list(contents)

    def download(jar: Jar, scratch: Path, advance: Callable[[int], None]) -> Path:
        if not left:
            raise ConnectionError("host name that nobody needs to see")
        file = scratch / jar.name
        file.write_bytes(left.pop(0))
        return file

    return download


def report(said: StringIO) -> Report:
    return Report(Console(file=said))


def test_a_truncated_jar_is_asked_for_again(
    said: StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_download", sends(b"a j", GOOD))
    fetch.fetch(report(said))
    assert (tmp_path / "thing-1.0.jar").read_bytes() == GOOD
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".aot", ".jar"]


def test_what_is_there_is_not_fetched_again(
    said: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_download", sends(GOOD))
    fetch.fetch(report(said))
    fetch.fetch(report(said))


def test_another_jar_than_the_locked_one_is_never_kept(
    said: StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_download", sends(b"other", b"other", b"other"))
    with pytest.raises(fetch.NotFetched, match="not the file that the lock names"):
        fetch.fetch(report(said))
    assert not list(tmp_path.iterdir())
    assert "✓" not in said.getvalue()


def test_without_a_network_one_is_told_what_to_do(
    said: StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_download", sends())
    with pytest.raises(fetch.NotFetched) as refusal:
        fetch.fetch(report(said))
    assert "no connection" in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)
    assert "host name" not in str(refusal.value)


def test_the_start_up_cache_follows_the_jars(
    said: StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jars.aot_cache().write_bytes(b"for other jars")
    monkeypatch.setattr(fetch, "_download", sends(GOOD))
    fetch.fetch(report(said))
    assert jars.aot_cache().read_bytes() == b"trained"


def test_the_lock_names_every_jar_once_and_no_registry() -> None:
    found = jars.locked()
    assert len({jar.name for jar in found}) == len(found) > 40
    assert all(len(jar.digest) == 64 and jar.size > 0 for jar in found)
    assert "//" not in jars.LOCK.read_text()


@pytest.mark.parametrize("problem", [DiedEarly("kafka ended (1):\nmuch"), OSError(28, "No space")])
def test_without_its_start_up_cache_kafka_is_there_all_the_same(
    said: StringIO, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def dies() -> None:
        raise problem

    monkeypatch.setattr(aot, "build", dies)
    monkeypatch.setattr(fetch, "_download", sends(GOOD))
    fetch.fetch(report(said))
    assert not jars.missing()
    assert "more slowly" in said.getvalue()
    assert "much" not in said.getvalue()


def test_a_jar_of_the_right_size_and_another_content_is_fetched_again(
    said: StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thing-1.0.jar").write_bytes(b"A JAR")
    assert not jars.missing()
    assert [jar.name for jar in jars.spoilt()] == ["thing-1.0.jar"]
    assert checks.kafka().verdict == "bad"
    monkeypatch.setattr(fetch, "_download", sends(GOOD))
    fetch.fetch(report(said))
    assert (tmp_path / "thing-1.0.jar").read_bytes() == GOOD
    assert checks.kafka().verdict == "ok"
