"""GET /tasks and GET /batches against a naive model: random tasks, random filters, everything compared. Also what a
listing is while a batch runs, and DELETE /tasks."""
import datetime
import random

import pytest

from conftest import wait_until

STATUSES = ["enqueued", "processing", "succeeded", "failed", "canceled"]
GLOBAL = {"indexSwap", "taskCancelation", "taskDeletion"}
INDEXES = ["a", "b", "c", "missing"]
PAUSED = ("--experimental-max-number-of-batched-tasks", "0")


def ns(text):
    """RFC 3339 as nanoseconds, which datetime does not hold."""
    if text is None:
        return None
    whole, _, fraction = text.removesuffix("Z").partition(".")
    at = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    return int(at.timestamp()) * 10**9 + int((fraction or "0").ljust(9, "0"))


def listed(server, path):
    answer = server.get(f"{path}?limit=1000000")
    assert answer.status == 200, answer
    return answer.json["results"]


def attached(task):
    """Every index a task is attached to."""
    found = {task["indexUid"]} - {None}
    details = task["details"] or {}
    for swap in details.get("swaps", []):
        found |= set(swap["indexes"])
    for key in ("oldIndexUid", "newIndexUid"):
        if details.get(key):
            found.add(details[key])
    return found


def in_range(values, after, before):
    return any(v is not None and (after is None or v > ns(after)) and (before is None or v < ns(before)) for v in values)


def dates_match(query, prefix, values):
    after, before = query.get(f"after{prefix}At"), query.get(f"before{prefix}At")
    return (after is None and before is None) or in_range(values, after, before)


def task_matches(task, query):
    def one_of(name, value):
        return name not in query or str(value) in query[name]
    return (one_of("uids", task["uid"]) and one_of("batchUids", task["batchUid"])
            and one_of("canceledBy", task["canceledBy"]) and one_of("statuses", task["status"])
            and one_of("types", task["type"])
            and ("indexUids" not in query or attached(task) & set(query["indexUids"]))
            and all(dates_match(query, p, [ns(task[f"{p.lower()}At"])]) for p in ("Enqueued", "Started", "Finished")))


def batch_matches(batch, query, tasks, seen):
    """By its own facts, and by its tasks'; when they were enqueued it knows also of those that are deleted since."""
    members = [t for t in tasks if t["batchUid"] == batch["uid"]]
    enqueued = [ns(t["enqueuedAt"]) for t in seen.values() if t["batchUid"] == batch["uid"]]
    stats = batch["stats"]
    return (("batchUids" not in query or str(batch["uid"]) in query["batchUids"])
            and ("uids" not in query or any(str(t["uid"]) in query["uids"] for t in members))
            and ("canceledBy" not in query or any(t["type"] == "taskCancelation" and str(t["uid"]) in query["canceledBy"]
                                                  for t in members))
            and ("statuses" not in query or set(stats["status"]) & set(query["statuses"]))
            and ("types" not in query or set(stats["types"]) & set(query["types"]))
            and ("indexUids" not in query or set(stats["indexUids"]) & set(query["indexUids"]))
            and dates_match(query, "Enqueued", [min(enqueued), max(enqueued)])
            and dates_match(query, "Started", [ns(batch["startedAt"])])
            and dates_match(query, "Finished", [ns(batch["finishedAt"])]))


def random_query(rng, tasks):
    """Filters that tend to match something: values come from tasks that exist."""
    query = {}
    def some(values):
        return sorted({str(v) for v in rng.sample(values, min(len(values), rng.randint(1, 4)))})
    known = {"uids": [t["uid"] for t in tasks] + [10**6], "batchUids": [t["batchUid"] or 0 for t in tasks] + [10**6],
             "canceledBy": [t["uid"] for t in tasks if t["type"] == "taskCancelation"] + [1], "statuses": STATUSES,
             "types": [t["type"] for t in tasks], "indexUids": INDEXES}
    for name in rng.sample(list(known), rng.choice([0, 1, 1, 2, 3])):
        query[name] = some(known[name])
    for prefix in ("Enqueued", "Started", "Finished"):
        for bound in ("after", "before"):
            when = rng.choice(tasks)[f"{prefix.lower()}At"]
            if when and rng.random() < 0.12:
                query[f"{bound}{prefix}At"] = when
    return query


def ask(server, path, query, extra):
    text = "&".join([f"{k}={','.join(v) if isinstance(v, list) else v}" for k, v in query.items()]
                    + [f"{k}={v}" for k, v in extra.items()])
    answer = server.get(f"{path}?{text}")
    assert answer.status == 200, (text, answer)
    return text, answer.json


def expected(items, extra, hidden):
    """What a listing of these matches must be."""
    order = sorted(items, key=lambda i: i["uid"], reverse=extra.get("reverse") != "true")
    start = extra.get("from")
    if start is not None:
        order = [i for i in order if (i["uid"] >= start if extra.get("reverse") == "true" else i["uid"] <= start)]
    page, rest = order[:extra["limit"]], order[extra["limit"]:]
    shown = [i for i in page if not hidden(i)]
    return {"results": shown, "total": len(items), "limit": extra["limit"], "from": shown[0]["uid"] if shown else None,
            "next": rest[0]["uid"] if rest else None}


def compare(server, rng, rounds, seen):
    tasks, batches = listed(server, "/tasks"), listed(server, "/batches")
    seen.update((t["uid"], t) for t in tasks)
    whole = all(b["stats"]["totalNbTasks"] == sum(t["batchUid"] == b["uid"] for t in seen.values()) for b in batches)
    for _ in range(rounds):
        query = random_query(rng, tasks)
        extra = {"limit": rng.choice([0, 1, 5, 20, 1000])}
        if rng.random() < 0.4:
            extra["reverse"] = "true"
        if rng.random() < 0.4:
            extra["from"] = rng.randint(0, len(tasks) + 3)
        text, answer = ask(server, "/tasks", query, extra)
        matches = [t for t in tasks if task_matches(t, query)]
        assert answer == expected(matches, extra, lambda t: "indexUids" in query and t["type"] in GLOBAL), text
        if not whole and {"afterEnqueuedAt", "beforeEnqueuedAt"} & set(query):
            continue  # tasks were deleted before anybody saw when they were enqueued
        text, answer = ask(server, "/batches", query, extra)
        matches = [b for b in batches if batch_matches(b, query, tasks, seen)]
        assert answer == expected(matches, extra, lambda b: False), text


def enqueue_random(server, rng):
    index, other = rng.sample(INDEXES[:3], 2)
    what = rng.random()
    if what < 0.5:
        answer = server.request("POST", f"/indexes/{index}/documents", [{"id": rng.randint(1, 9)}])
    elif what < 0.6:
        answer = server.request("POST", f"/indexes/{index}/documents", [{"id": "not valid"}])
    elif what < 0.7:
        answer = server.request("DELETE", f"/indexes/{index}/documents/{rng.randint(1, 9)}")
    elif what < 0.8:
        answer = server.request("POST", "/swap-indexes", [{"indexes": [index, other]}])
    elif what < 0.85:
        answer = server.request("DELETE", "/indexes/missing")
    elif what < 0.92:
        answer = server.request("PATCH", f"/indexes/{index}/settings", {"displayedAttributes": ["*"]})
    else:
        answer = server.request("POST", f"/tasks/cancel?uids={','.join(str(rng.randint(0, 200)) for _ in range(4))}")
    assert answer.status in (200, 202), answer


@pytest.mark.parametrize("seed", range(3))
def test_listings_are_what_a_naive_model_says(start_server, seed):
    rng, seen = random.Random(seed), {}  # seen: every task by its uid, as it was last
    server = start_server(*PAUSED)
    for _ in range(3):
        for _ in range(60):
            enqueue_random(server, rng)
        compare(server, rng, 40, seen)  # all enqueued, but for those of the rounds before
        server.stop()
        server = start_server("--experimental-max-number-of-batched-tasks", 4)
        settle(server)
        compare(server, rng, 120, seen)
        text, answer = ask(server, "/tasks", {"statuses": ["succeeded"], "uids": [str(u) for u in range(0, 500, 3)]},
                           {"limit": 0})
        deletion = server.request("DELETE", f"/tasks?{text.removesuffix('&limit=0')}")
        assert deletion.status == 200, deletion
        done = server.wait_task(deletion.json["taskUid"])
        assert done["details"]["deletedTasks"] == answer["total"]
        compare(server, rng, 60, seen)  # at once: the rows may still be there
        server.stop()
        server = start_server(*PAUSED)
        compare(server, rng, 30, seen)


def settle(server):
    wait_until(lambda: server.get("/tasks?statuses=enqueued,processing&limit=1").json["total"] == 0, "tasks are left")


def test_a_deletion_leaves_what_is_not_finished_and_counts_each_task_once(start_server):
    server = start_server(*PAUSED)
    for n in range(4):
        server.request("POST", "/indexes/a/documents", [{"id": n}])
    server.stop()
    server = start_server()
    settle(server)
    server.stop()
    server = start_server(*PAUSED)
    server.request("POST", "/indexes/a/documents", [{"id": 9}])
    first = server.request("DELETE", "/tasks?uids=0,1,4").json["taskUid"]
    second = server.request("DELETE", "/tasks?uids=1,2").json["taskUid"]
    third = server.request("DELETE", "/tasks?statuses=failed&uids=*").json["taskUid"]
    server.stop()
    server = start_server()
    details = [server.wait_task(uid)["details"] for uid in (first, second, third)]
    assert details == [
        {"matchedTasks": 3, "deletedTasks": 2, "originalFilter": "?uids=0,1,4"},
        {"matchedTasks": 2, "deletedTasks": 1, "originalFilter": "?uids=1,2"},
        {"matchedTasks": 0, "deletedTasks": 0, "originalFilter": "?statuses=failed&uids=*"}]
    assert len({server.task(uid)["batchUid"] for uid in (first, second, third)}) == 1
    settle(server)
    assert [t["uid"] for t in listed(server, "/tasks")] == [third, second, first, 4, 3]
    gone = server.get("/tasks/1")
    assert (gone.status, gone.json["code"]) == (404, "task_not_found")


def test_a_batch_goes_with_its_last_task(server):
    uids = [server.run("POST", "/indexes/a/documents", [{"id": n}])["uid"] for n in range(3)]
    batch = server.task(uids[1])["batchUid"]
    server.run("DELETE", f"/tasks?uids={uids[1]}")
    assert server.get(f"/batches/{batch}").status == 404
    assert batch not in [b["uid"] for b in listed(server, "/batches")]
    assert server.get(f"/batches/{server.task(uids[0])['batchUid']}").status == 200


def test_a_deletion_needs_a_filter(server):
    answer = server.request("DELETE", "/tasks")
    assert answer.status == 400 and answer.json["code"] == "missing_task_filters"
    assert answer.json["message"] == (
        "Query parameters to filter the tasks to delete are missing. Available query parameters are: `uids`, `indexUids`, "
        "`statuses`, `types`, `canceledBy`, `beforeEnqueuedAt`, `afterEnqueuedAt`, `beforeStartedAt`, `afterStartedAt`, "
        "`beforeFinishedAt`, `afterFinishedAt`.")
