"""What Kafka is told about its folder."""

from pathlib import Path

import pytest

from deploy.local import kafka


def test_a_path_is_written_as_java_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "Programación" / "a b" / "back\\slash" / "😀"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "meta.properties").touch()  # as if it were formatted
    kafka.prepare(folder, 1, 2)
    settings = (folder / "server.properties").read_bytes().decode("ascii")
    below = r"/Programaci\u00f3n/a b/back\u005cslash/\ud83d\ude00/data"
    assert f"\nlog.dirs={tmp_path}{below}\n" in settings


def test_a_path_with_a_comma_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="comma"):
        kafka.prepare(tmp_path / "a,b", 1, 2)
    assert not list(tmp_path.iterdir())
