"""The file of a backup: written whole or not at all, and believed only by its sums."""

import gzip
import os
import resource
from collections.abc import Callable
from errno import EPERM
from pathlib import Path

import pytest

from cli.backup import backup, restore
from deploy.local.archive import Archive, BackupError, Collection, Manifest, parts, verify
from deploy.local.folders import Folders

DOCUMENTS = os.urandom(100_000)
KEY = b"secret"


def written(file: Path) -> Path:
    with Archive(file) as archive:
        archive.add("mongo/0000/000000.bson", DOCUMENTS)
        archive.add("keys/one.pem", KEY)
        collections = [
            Collection(database="d", name="c", indexes=[], documents=1, bytes=len(DOCUMENTS))
        ]
        archive.finish(Manifest(at="2026", collections=collections, parts=archive.parts))
    return file


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    file = written(tmp_path / "b.telar")
    manifest = verify(file)
    assert manifest.documents == 1
    assert dict(parts(file))["keys/one.pem"] == KEY
    assert [one.name for one in tmp_path.iterdir()] == ["b.telar"]


def test_nobody_else_can_read_it_since_keys_are_in_it(tmp_path: Path) -> None:
    assert written(tmp_path / "b.telar").stat().st_mode & 0o777 == 0o600


def test_what_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Archive(tmp_path / "b.telar"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    file = written(tmp_path / "b.telar")
    before = file.read_bytes()
    with pytest.raises(BackupError, match="backup-exists"):
        written(file)
    assert file.read_bytes() == before


def test_two_backups_to_one_name_do_not_mix(tmp_path: Path) -> None:
    file = tmp_path / "b.telar"
    with Archive(file) as first:
        first.add("keys/one.pem", KEY)
        with Archive(file) as second:
            second.add("keys/one.pem", DOCUMENTS)
        first.finish(Manifest(at="2026", collections=[], parts=first.parts))
    assert dict(parts(file))["keys/one.pem"] == KEY
    assert [one.name for one in tmp_path.iterdir()] == ["b.telar"]


def test_a_full_disk_leaves_no_file(tmp_path: Path) -> None:
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, usual[1]))
    try:
        with pytest.raises(OSError, match="too large"), Archive(tmp_path / "b.telar") as archive:
            archive.finish(Manifest(at="2026", collections=[], parts=[]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert list(tmp_path.iterdir()) == []


def test_where_a_file_has_one_name_only_it_is_named_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*words: object) -> None:
        raise PermissionError(EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    file = written(tmp_path / "b.telar")
    assert verify(file).documents == 1
    assert [one.name for one in tmp_path.iterdir()] == ["b.telar"]
    with pytest.raises(BackupError, match="backup-exists"):
        written(file)


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def cut_at_the_very_end(data: bytes) -> bytes:
    return data[:-1]


def one_bit(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def more_after_it(data: bytes) -> bytes:
    return data + b"more"


def packed_again(data: bytes) -> bytes:
    """As somebody would who changes a key and packs the file anew."""
    return gzip.compress(gzip.decompress(data).replace(KEY, b"forged"))


def without_manifest(data: bytes) -> bytes:
    tar = gzip.decompress(data)
    at = tar.index(b"manifest.json")
    return gzip.compress(tar[:at] + bytes(1024))


def of_a_later_version(data: bytes) -> bytes:
    tar = gzip.decompress(data)
    return gzip.compress(tar.replace(b'"format": 1', b'"format": 2'))


def nothing(_: bytes) -> bytes:
    return b""


def another_file(_: bytes) -> bytes:
    return b"Once upon a time"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (cut, "backup-truncated"),
        (cut_at_the_very_end, "backup-truncated"),
        (one_bit, "backup-(unreadable|altered)"),
        (more_after_it, "backup-unreadable"),
        (packed_again, "backup-altered"),
        (without_manifest, "backup-truncated"),
        (of_a_later_version, "backup-unknown-format"),
        (nothing, "backup-(truncated|unreadable)"),
        (another_file, "backup-unreadable"),
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_refused(
    tmp_path: Path, change: Callable[[bytes], bytes], code: str
) -> None:
    file = written(tmp_path / "b.telar")
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(BackupError, match=code):
        verify(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="backup-unreadable"):
        verify(tmp_path / "none")


def test_a_restore_onto_a_running_stack_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "b.telar")
    with Folders(tmp_path / "data").held():
        assert restore(tmp_path / "data", file, as_json=True) == 1
    told = capsys.readouterr()
    assert '"stack-up"' in told.out
    assert "telar down" in told.err


def test_a_bad_file_is_refused_before_anything_is_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = Folders(tmp_path / "data")
    folders.make()
    (folders.keys / "now.pem").write_text("mine")
    file = written(tmp_path / "b.telar")
    file.write_bytes(cut(file.read_bytes()))
    before = sorted(folders.root.rglob("*"))
    assert restore(folders.root, file, as_json=False) == 1
    assert "backup-truncated" in capsys.readouterr().err
    assert sorted(folders.root.rglob("*")) == before


def test_a_backup_of_nothing_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert backup(tmp_path / "data", tmp_path / "b.telar", as_json=True) == 1
    assert "backup-nothing" in capsys.readouterr().out
    assert not (tmp_path / "b.telar").exists()


def test_a_restore_that_was_cut_off_stops_a_backup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = Folders(tmp_path)
    folders.make()
    folders.unfinished.touch()
    assert backup(tmp_path, tmp_path / "b.telar", as_json=True) == 1
    assert "restore-unfinished" in capsys.readouterr().out
