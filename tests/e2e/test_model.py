"""Random requests, sent without waiting for their tasks, leave what they would leave if each task had run alone in the order
of the uids: whatever was batched, swallowed, canceled, renamed, interrupted by SIGKILL or by a clean stop.
TASKHOOK_MODEL_SEEDS runs in all (default 3), each with its own seed."""
import copy
import json
import os
import random

import pytest

from conftest import wait_until

SEEDS = int(os.environ.get("TASKHOOK_MODEL_SEEDS", "3"))
REQUESTS = 200
INDEXES = ["a", "b", "c"]


class Model:
    """indexes: uid -> {id: document}. Each method does what a task of that kind does."""

    def __init__(self):
        self.indexes = {}

    def add(self, uid, documents, merge, skip):
        index = self.indexes.setdefault(uid, {})
        if any(d["id"] == "not valid" for d in documents):
            return  # the payload fails; its index stays
        for d in documents:
            key = str(d["id"])
            if skip and key not in index:
                continue
            index[key] = {**index.get(key, {}), **d} if merge else d

    def remove(self, uid, ids):
        for key in ids:
            self.indexes.get(uid, {}).pop(str(key), None)

    def clear(self, uid):
        if uid in self.indexes:
            self.indexes[uid] = {}

    def create(self, uid):
        self.indexes.setdefault(uid, {})

    def drop(self, uid):
        self.indexes.pop(uid, None)

    def rename(self, uid, to):
        if uid in self.indexes and to not in self.indexes:
            self.indexes[to] = self.indexes.pop(uid)

    def swap(self, a, b):
        if a in self.indexes and b in self.indexes:
            self.indexes[a], self.indexes[b] = self.indexes[b], self.indexes[a]


def random_documents(rng):
    pad = {"pad": "p" * 2000} if rng.random() < 0.3 else {}  # of 300 such most bodies go to segment files
    documents = [{"id": rng.choice([n := rng.randrange(12), str(n)]), rng.choice("xyz"): rng.randrange(100), **pad}
                 for _ in range(rng.choice([0, 1, 1, 2, 5, 300]))]
    if rng.random() < 0.1:
        documents.insert(rng.randrange(len(documents) + 1), {"id": "not valid"})
    return documents


def random_request(rng):
    """(method, path, body, what it does to a model)"""
    a, b = rng.sample(INDEXES, 2)
    kind = rng.choices(["add", "remove", "remove one", "clear", "create", "drop", "rename", "swap", "cancel"],
                       [60, 12, 4, 4, 3, 4, 4, 5, 4])[0]
    if kind == "add":
        documents, merge, skip = random_documents(rng), rng.random() < 0.5, rng.random() < 0.2
        path = f"/indexes/{a}/documents?primaryKey=id" + ("&skipCreation=true" if skip else "")
        return "PUT" if merge else "POST", path, documents, lambda m: m.add(a, documents, merge, skip)
    if kind == "remove":
        ids = [rng.randrange(14) for _ in range(rng.randrange(4))]
        return "POST", f"/indexes/{a}/documents/delete-batch", ids, lambda m: m.remove(a, ids)
    if kind == "remove one":
        key = rng.randrange(12)
        return "DELETE", f"/indexes/{a}/documents/{key}", None, lambda m: m.remove(a, [key])
    if kind == "cancel":
        return "POST", "/tasks/cancel?" + rng.choice(["statuses=enqueued,processing", "uids=*", f"indexUids={a}"]), None, None
    return {
        "clear": ("DELETE", f"/indexes/{a}/documents", None, lambda m: m.clear(a)),
        "create": ("POST", "/indexes", {"uid": a, "primaryKey": "id"}, lambda m: m.create(a)),
        "drop": ("DELETE", f"/indexes/{a}", None, lambda m: m.drop(a)),
        "rename": ("PATCH", f"/indexes/{a}", {"uid": b}, lambda m: m.rename(a, b)),
        "swap": ("POST", "/swap-indexes", [{"indexes": [a, b]}], lambda m: m.swap(a, b)),
    }[kind]


def restart(server, start_server, rng):
    """The server after a crash or a clean stop; whether it only collects tasks now, for large batches later."""
    server.kill() if rng.random() < 0.7 else server.stop()
    limit = rng.choice([None, None, 0, 0, 3])
    return start_server(*(("--experimental-max-number-of-batched-tasks", limit) if limit is not None else ())), limit == 0


def settle(server):
    def unfinished():
        return server.get("/tasks?statuses=enqueued,processing&limit=1").json["total"]
    wait_until(lambda: unfinished() == 0, lambda: server.log(), server.process)
    return {t["uid"]: t for t in server.get("/tasks?limit=1000000").json["results"]}


def check(server, model):
    found = {i["uid"]: i for i in server.get("/indexes?limit=100").json["results"]}
    assert set(found) == set(model.indexes)
    for uid, documents in model.indexes.items():
        page = server.get(f"/indexes/{uid}/documents?limit=1000").json
        assert {str(d["id"]): d for d in page["results"]} == documents
        stats = server.get(f"/indexes/{uid}/stats").json
        fields = [name for d in documents.values() for name in d]
        assert (page["total"], stats["numberOfDocuments"]) == (len(documents), len(documents))
        assert stats["fieldDistribution"] == {name: fields.count(name) for name in set(fields)}


def check_tasks(server, tasks, n):
    assert sorted(tasks) == list(range(n))
    for task in tasks.values():
        assert (task["error"] is None) == (task["status"] != "failed"), task
        assert (task["error"] or {}).get("code") != "internal", task
        assert task["batchUid"] is not None and task["finishedAt"] is not None, task
    for batch in server.get("/batches?limit=1000000").json["results"]:
        members = [t for t in tasks.values() if t["batchUid"] == batch["uid"]]
        assert batch["stats"]["totalNbTasks"] == len(members), batch
        assert {t["finishedAt"] for t in members} == {batch["finishedAt"]}


def either_way(models, imported):
    """An import that was canceled may have begun: then it leaves the index that it began with (contract 4.3)."""
    begun = [copy.deepcopy(m) for m in models if imported is not None and imported not in m.indexes]
    for model in begun:
        model.create(imported)
    return list({json.dumps(m.indexes, sort_keys=True): m for m in models + begun}.values())


def the_one_that_is(server, models):
    def state(uid):
        return {str(d["id"]): d for d in server.get(f"/indexes/{uid}/documents?limit=1000").json["results"]}
    found = {i["uid"]: state(i["uid"]) for i in server.get("/indexes?limit=100").json["results"]}
    assert found in [m.indexes for m in models]
    return next(m for m in models if m.indexes == found)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_requests_leave_what_they_would_leave_one_by_one(start_server, seed):
    rng, effects = random.Random(seed), []
    server, is_paused = start_server(), False
    for _ in range(REQUESTS):
        method, path, body, effect = random_request(rng)
        answer = server.request(method, path, body)
        assert answer.status in (200, 202), answer
        assert answer.json["taskUid"] == len(effects)
        effects.append((effect, path.split("/")[2] if method in ("POST", "PUT") and "/documents?" in path else None))
        if rng.random() < 0.05:
            server, is_paused = restart(server, start_server, rng)
        elif rng.random() < 0.03 and not is_paused:
            settle(server)
    server.kill()
    server = start_server()
    tasks = settle(server)
    models = [Model()]
    for uid, (effect, imported) in enumerate(effects):
        if tasks[uid]["status"] == "canceled":
            models = either_way(models, imported)
        elif effect:
            for model in models:
                effect(model)
    check_tasks(server, tasks, len(effects))
    check(server, the_one_that_is(server, models))
