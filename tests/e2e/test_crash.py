"""SIGKILL under load at random moments: every acknowledged task is there and finished, documents equal a model, every
finished batch reached the receiver at least once. TASKHOOK_CRASH_ROUNDS rounds in all (default 100), in several lives of
one data directory."""
import http.client
import json
import os
import random
import threading

from conftest import LOOPBACK, wait_until

ROUNDS = int(os.environ.get("TASKHOOK_CRASH_ROUNDS", "100"))
WRITERS = 4


class Writer(threading.Thread):
    """Sends documents with ids of its own, one small payload after the other, until the server dies. Remembers what was
    acknowledged, and the one request whose answer was lost (it may or may not have happened)."""

    def __init__(self, number, server, model, rng):
        super().__init__(daemon=True)
        self.number, self.server, self.model, self.rng = number, server, model, rng
        self.acknowledged, self.lost = {}, None

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            while True:
                self.one(connection)
        except (OSError, http.client.HTTPException):
            connection.close()

    def one(self, connection):
        ids = [f"w{self.number}-{self.rng.randrange(20)}" for _ in range(self.rng.choice([1, 1, 1, 3, 2000]))]
        pad = 60 if len(ids) < 100 else 400  # of the large ones most bodies go to a segment file
        documents = [{"id": i, "version": self.rng.randrange(1 << 30), "pad": "p" * self.rng.randrange(pad)} for i in ids]
        self.lost = documents
        connection.request("POST", "/indexes/crash/documents?primaryKey=id", json.dumps(documents),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        assert answer.status == 202, body
        self.acknowledged[body["taskUid"]] = documents
        self.model.update({d["id"]: d for d in documents})
        self.lost = None


def kill_under_load(server, model, rng):
    writers = [Writer(n, server, model[n], rng) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    target = rng.randrange(1, 40)
    wait_until(lambda: sum(len(w.acknowledged) for w in writers) >= target, lambda: server.log(), server.process)
    server.kill()
    for writer in writers:
        writer.join()
    return writers


def finished_tasks(server):
    """Every task, once all are finished."""
    def done():
        newest = server.get("/tasks?limit=1").json["results"]
        return not newest or all(
            t["status"] in ("succeeded", "failed", "canceled") for t in server.get("/tasks?limit=1000000").json["results"])
    wait_until(done, lambda: server.log(), server.process)
    return {t["uid"]: t for t in server.get("/tasks?limit=1000000").json["results"]}


def check_documents(server, model, lost):
    """Equal to the model; where an answer was lost, equal to it or to what that request would have made."""
    found = {d["id"]: d for d in server.get("/indexes/crash/documents?limit=1000").json["results"]}
    for writer_model in model.values():
        for key, document in writer_model.items():
            candidates = [document] + [d for d in lost if d["id"] == key]
            assert found.get(key) in candidates, (found.get(key), candidates)
            writer_model[key] = found[key]
    for document in lost:
        if document["id"] in found:
            model[int(document["id"].split("-")[0][1:])][document["id"]] = found[document["id"]]


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(start_server, receiver):
    rng = random.Random(20260101)
    model, acknowledged = {n: {} for n in range(WRITERS)}, set()
    flags = ("--task-webhook-url", receiver.url, *LOOPBACK)
    lines_seen = set()
    for _ in range(ROUNDS):
        server = start_server(*flags, "--checkpoint-commits", rng.choice([1, 5, 20, 512]))
        writers = kill_under_load(server, model, rng)
        acknowledged |= {uid for w in writers for uid in w.acknowledged}
        lost = [d for w in writers for d in (w.lost or [])]
        if rng.random() < 0.5 and not lost:
            continue  # die again before anything is looked at
        server = start_server(*flags)
        tasks = finished_tasks(server)
        assert acknowledged <= set(tasks)
        assert {tasks[uid]["status"] for uid in acknowledged} <= {"succeeded"}
        check_documents(server, model, lost)
        server.kill()
    server = start_server(*flags)
    tasks = finished_tasks(server)
    batches = {t["batchUid"] for t in tasks.values()}

    def all_announced():
        lines_seen.update((t["uid"], t["batchUid"]) for r in list(receiver.requests) for t in r.tasks)
        receiver.requests.clear()
        return {b for _, b in lines_seen} >= batches
    wait_until(all_announced, lambda: f"missing {batches - {b for _, b in lines_seen}}\n{server.log()}", server.process)
    assert {u for u, _ in lines_seen} >= set(tasks)
    assert acknowledged <= set(tasks)
