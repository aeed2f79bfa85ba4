"""A backup of a real mongod, taken while it is written to, and put back."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from cli.backup import backup, restore
from deploy.local.archive import verify
from deploy.local.folders import Folders
from deploy.local.platform import Platform
from deploy.local.processes import PidFile
from deploy.local.report import Report
from deploy.local.servers import Servers
from deploy.local.supervisor import NotStarted

Client = MongoClient[dict[str, Any]]


@contextmanager
def mongod(root: Path) -> Iterator[Client]:
    """The database of a data folder, for a while."""
    servers = Servers(root)
    servers.start_mongo()
    try:
        with Client(servers.mongo) as client:
            yield client
    finally:
        servers.stop_mongo()


@contextmanager
def looking_up(root: Path, client: Client) -> Iterator[None]:
    """The folder as it is while a stack is up on it."""
    folders = Folders(root)
    (host, port) = client.address or ("", 0)
    with folders.held():
        PidFile(folders.owner).write(os.getpid())
        state: dict[str, Any] = {
            "phase": "ready",
            "owner": os.getpid(),
            "data": str(root),
            "kafka": "",
            "gateway": "",
            "mongo": f"mongodb://{host}:{port}/?replicaSet=rs0",
            "services": {},
            "units": [],
        }
        folders.state.write_text(json.dumps(state))
        yield
        folders.state.unlink()
        folders.owner.unlink()


def fill(client: Client) -> None:
    rows = [{"_id": f"k{number}", "n": number, "pad": "x" * 500} for number in range(3000)]
    client.telar_one.things.insert_many(rows)
    client.telar_one.things.create_index("n", unique=True)
    client.telar_one.things.create_index("due", partialFilterExpression={"due": {"$exists": True}})
    client.telar_two.empty.insert_one({})
    client.telar_two.empty.delete_many({})


def contents(client: Client) -> dict[str, Any]:
    return {
        f"{name}.{collection}": (
            list(client[name][collection].find(sort=[("_id", 1)])),
            client[name][collection].index_information(),
        )
        for name in client.list_database_names()
        if name.startswith("telar_")
        for collection in client[name].list_collection_names()
    }


@pytest.mark.timeout(180)
def test_what_was_there_is_there_again_and_what_came_later_lies_aside(tmp_path: Path) -> None:
    root, file = tmp_path / "data", tmp_path / "b.telar"
    Folders(root).make()
    (Folders(root).keys / "one.pem").write_text("first")
    with mongod(root) as client:
        fill(client)
        before = contents(client)
    assert backup(root, file, as_json=False) == 0
    (Folders(root).keys / "one.pem").write_text("second")
    with mongod(root) as client:
        client.telar_one.things.delete_many({"n": {"$lt": 10}})
        client.telar_three.later.insert_one({"n": 1})
    assert restore(root, file, as_json=False) == 0
    with mongod(root) as client:
        assert contents(client) == before
    assert (Folders(root).keys / "one.pem").read_text() == "first"
    assert (Folders(root).keys / "one.pem").stat().st_mode & 0o777 == 0o600
    [aside] = Folders(root).asides()
    assert (aside / "keys" / "one.pem").read_text() == "second"
    assert not Folders(root).unfinished.exists()
    assert not Folders(root).restoring.exists()


@pytest.mark.timeout(180)
def test_a_backup_under_load_is_of_one_instant(tmp_path: Path) -> None:
    """Two databases are written in one transaction each time: never one without the other."""
    root, file = tmp_path / "data", tmp_path / "b.telar"
    stop = threading.Event()

    def write(client: Client) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with client.start_session() as session, session.start_transaction():
                client.telar_one.things.insert_one({"_id": number}, session=session)
                client.telar_two.things.insert_one({"_id": number}, session=session)
            done.append(number)

    done: list[int] = []
    with mongod(root) as client:
        for name in ("telar_one", "telar_two"):
            client[name].create_collection("things")
        client.telar_one.ballast.insert_many([{"pad": "x" * 100_000} for _ in range(200)])
        writer = threading.Thread(target=write, args=(client,))
        writer.start()
        try:
            with looking_up(root, client):
                first = len(done)
                assert backup(root, file, as_json=False) == 0
                went_on = len(done) - first
        finally:
            stop.set()
            writer.join()
    assert went_on > 0
    assert restore(root, file, as_json=False) == 0
    with mongod(root) as client:
        one = [row["_id"] for row in client.telar_one.things.find(sort=[("_id", 1)])]
        two = [row["_id"] for row in client.telar_two.things.find(sort=[("_id", 1)])]
    assert one == two
    assert first <= len(one) <= len(done)


@pytest.mark.timeout(120)
def test_a_backup_after_a_kill_holds_everything_that_was_acknowledged(tmp_path: Path) -> None:
    servers = Servers(tmp_path / "data")
    servers.start_mongo()
    with Client(servers.mongo, w="majority") as client:
        fill(client)
    servers.kill_mongo()
    assert backup(tmp_path / "data", tmp_path / "b.telar", as_json=False) == 0
    assert verify(tmp_path / "b.telar").documents == 3000


@pytest.mark.timeout(60)
def test_a_restore_that_was_cut_off_stops_a_start(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.make()
    folders.unfinished.touch()
    with pytest.raises(NotStarted, match="telar restore"):
        Platform(tmp_path, report=Report()).start()
