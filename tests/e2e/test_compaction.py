"""POST /indexes/{uid}/compact: what deletions and changes left goes back to the file system, and nothing else changes."""
import random
import re
import threading

import pytest

from conftest import LOOPBACK, wait_until
from test_task_filters import PAUSED, settle

NDJSON = {"Content-Type": "application/x-ndjson"}
PAD = "x" * 400
SIZE = re.compile(r"(\d+(?:\.\d+)?) (B|KB|KiB|MB|MiB|GB|GiB)")
UNITS = {"B": 1, "KB": 1000, "KiB": 1024, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}


def size_of(text):
    number, unit = SIZE.fullmatch(text).groups()
    return float(number) * UNITS[unit]


def lines(ids, version=0):
    return "\n".join(f'{{"id":{i},"v":{version},"pad":"{PAD}"}}' for i in ids)


def on_disk(server):
    return sum(f.stat().st_size for f in (server.db_path / "indexes").glob("*/*") if f.name != "lock.mdb")


def fill(server, index="a", n=20000):
    """Much garbage that no batch has given back by itself: a segment that is half full of it, free pages, free ids."""
    server.done(server.post(f"/indexes/{index}/documents", lines(range(n)), headers=NDJSON))
    server.done(server.post(f"/indexes/{index}/documents", lines(range(0, n, 3), 1), headers=NDJSON))
    server.done(server.post(f"/indexes/{index}/documents/delete-batch", [i for i in range(n) if i % 10 > 5]))
    server.done(server.post(f"/indexes/{index}/documents/delete-batch", [i for i in range(n) if i % 10 == 5]))


def compact(server, index="a"):
    return server.done(server.post(f"/indexes/{index}/compact"))


def test_the_summary_and_the_task_are_the_contracts(server):
    server.done(server.post("/indexes", {"uid": "a"}))
    answer = server.post("/indexes/a/compact")
    assert answer.status == 202
    assert list(answer.json) == ["taskUid", "indexUid", "status", "type", "enqueuedAt"]
    assert (answer.json["indexUid"], answer.json["type"]) == ("a", "indexCompaction")
    task = server.done(answer)
    assert list(task["details"]) == ["preCompactionSize", "postCompactionSize"]
    assert all(SIZE.fullmatch(size) for size in task["details"].values())
    batch = server.get(f"/batches/{task['batchUid']}").json
    assert batch["details"] == task["details"]
    assert batch["batchStrategy"] == (f"created batch containing only task with id {task['uid']} of type `indexCompaction` "
                                      "that cannot be batched with any other task.")
    assert "processing tasks > copy and compact the index" in batch["stats"]["progressTrace"]


def test_the_disk_gets_back_what_was_garbage_and_documents_stay(server):
    fill(server)
    before, stats, index = server.documents("a", "?limit=30000"), server.get("/indexes/a/stats").json, server.get(
        "/indexes/a").json
    had = on_disk(server)
    task = compact(server)
    has = on_disk(server)
    assert has < 0.7 * had
    assert size_of(task["details"]["preCompactionSize"]) == pytest.approx(had)
    assert size_of(task["details"]["postCompactionSize"]) == pytest.approx(has)
    assert server.documents("a", "?limit=30000") == before
    assert server.get("/indexes/a/stats").json == stats and server.get("/indexes/a").json == index
    assert server.get("/stats").json["databaseSize"] < had
    files = {f.name for f in (server.db_path / "indexes").glob("*/*")}
    assert not {"copy.mdb", "copied.mdb"} & files
    again = compact(server)["details"]
    assert size_of(again["postCompactionSize"]) <= has + 4096 * 8


def test_a_compacted_index_goes_on_and_outlives_a_restart(start_server):
    server = start_server(*LOOPBACK)
    fill(server, n=3000)
    compact(server)
    server.done(server.put("/indexes/a/documents", [{"id": 1, "new": True}, {"id": 6, "v": 2}]))
    compact(server)
    expected = server.documents("a", "?limit=10000")
    assert {"id": 6, "v": 2} in expected and any(d.get("new") for d in expected)
    assert server.stop() == 0
    server = start_server(*LOOPBACK)
    assert server.documents("a", "?limit=10000") == expected
    server.done(server.delete("/indexes/a"))
    wait_until(lambda: not list((server.db_path / "indexes").glob("*")), "its files stay")


def test_an_index_that_is_not_there_fails_the_task(server):
    task = server.wait_task(server.post("/indexes/missing/compact"))
    assert (task["status"], task["details"], task["error"]["code"]) == ("failed", {}, "index_not_found")
    assert task["error"]["message"] == "Index `missing` not found."


def test_a_bad_uid_is_refused(shared):
    answer = shared.post("/indexes/b%20c/compact")
    assert (answer.status, answer.json["code"]) == (400, "invalid_index_uid")


def test_compactions_run_alone_and_before_other_tasks(start_server):
    server = start_server(*PAUSED)
    for index in ("a", "b"):
        server.post("/indexes", {"uid": index})
    compaction = [server.post(f"/indexes/{index}/compact").json["taskUid"] for index in ("a", "b")]
    deletion = server.delete("/tasks?statuses=failed").json["taskUid"]
    server.stop()
    server = start_server(*LOOPBACK)
    settle(server)
    order = sorted(server.get("/tasks").json["results"], key=lambda t: t["batchUid"])
    assert [t["uid"] for t in order[:3]] == [deletion, *compaction]
    assert len({t["batchUid"] for t in order}) == len(order)


def test_a_compaction_that_waits_can_be_canceled(start_server):
    server = start_server(*PAUSED)
    uid = server.post("/indexes/a/compact").json["taskUid"]
    server.post(f"/tasks/cancel?uids={uid}")
    server.stop()
    server = start_server(*LOOPBACK)
    settle(server)
    task = server.task(uid)
    assert (task["status"], task["details"]) == ("canceled", {})


def test_reads_and_enqueues_go_on_meanwhile(server):
    fill(server, n=30000)
    answer = server.post("/indexes/a/compact")
    seen = set()
    while server.task(answer.json["taskUid"])["status"] in ("enqueued", "processing"):
        seen |= {d["id"] for d in server.documents("a", "?limit=20&offset=100")}
        assert server.post("/indexes/b/documents", [{"id": 1}]).status == 202
    server.done(answer)
    assert len(seen) == 20


@pytest.mark.parametrize("round_number", range(6))
def test_a_kill_in_the_middle_leaves_the_index_whole(start_server, round_number):
    rng = random.Random(round_number)
    server = start_server(*LOOPBACK)
    fill(server, n=8000)
    expected = server.documents("a", "?limit=10000")
    uid = server.post("/indexes/a/compact").json["taskUid"]
    timer = threading.Timer(rng.random() * 0.15, server.process.kill)
    timer.start()
    timer.join()
    server.kill()
    server = start_server(*LOOPBACK)
    assert server.wait_task(uid)["status"] == "succeeded"
    assert server.documents("a", "?limit=10000") == expected
    files = {f.name for f in (server.db_path / "indexes").glob("*/*")}
    assert not {"copy.mdb", "copied.mdb"} & files
