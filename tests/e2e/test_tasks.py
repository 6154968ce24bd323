"""/tasks and /batches: shapes, paging, filters, cancelation."""

import json
import re

import pytest

from conftest import wait_until

TASK_KEYS = [
    "uid",
    "batchUid",
    "indexUid",
    "status",
    "type",
    "canceledBy",
    "details",
    "error",
    "duration",
    "enqueuedAt",
    "startedAt",
    "finishedAt",
]
BATCH_KEYS = [
    "uid",
    "progress",
    "details",
    "stats",
    "duration",
    "startedAt",
    "finishedAt",
    "batchStrategy",
]


def error(answer):
    body = answer.json
    return answer.status, body["code"], body["message"]


def uids(answer):
    return [task["uid"] for task in answer.json["results"]]


@pytest.fixture(scope="module")
def filled(shared):
    """Tasks 0-5: creations of a, b; an import into a; a failed import; a swap; a deletion of b."""
    for request in (
        ("POST", "/indexes", {"uid": "a"}),
        ("POST", "/indexes", {"uid": "b"}),
        ("POST", "/indexes/a/documents", [{"id": 1}]),
        ("POST", "/indexes/a/documents", [{"id": "not valid"}]),
        ("POST", "/swap-indexes", [{"indexes": ["a", "b"]}]),
        ("DELETE", "/indexes/b", None),
    ):
        shared.run(*request)  # each waits for its task: a batch of its own
    return shared


def test_a_task_has_all_its_keys(filled):
    task = filled.task(0)
    assert list(task) == TASK_KEYS
    assert task["error"] is None and task["canceledBy"] is None
    assert task["duration"].startswith("PT")


def test_a_failed_task_tells_its_error(filled):
    task = filled.task(3)
    assert task["status"] == "failed"
    assert list(task["error"]) == ["message", "code", "type", "link"]
    assert task["error"]["code"] == "invalid_document_id"
    assert task["details"] == {"receivedDocuments": 1, "indexedDocuments": 0}


@pytest.mark.parametrize("uid", ["doggo", "-1", "424242424242", "1.0"])
def test_uids_that_are_none(shared, uid):
    assert error(shared.get(f"/tasks/{uid}")) == (
        400,
        "invalid_task_uids",
        f"Task uid `{uid}` is invalid. It should only contain numeric characters.",
    )
    assert error(shared.get(f"/batches/{uid}")) == (
        400,
        "invalid_batch_uids",
        f"Batch uid `{uid}` is invalid. It should only contain numeric characters.",
    )


def test_unknown_uids(shared):
    assert error(shared.get("/tasks/4242")) == (404, "task_not_found", "Task `4242` not found.")
    assert error(shared.get("/batches/4242")) == (
        404,
        "batch_not_found",
        "Batch `4242` not found.",
    )


def test_list_is_newest_first(filled):
    page = filled.get("/tasks").json
    assert list(page) == ["results", "total", "limit", "from", "next"]
    assert [task["uid"] for task in page["results"]] == [5, 4, 3, 2, 1, 0]
    assert (page["total"], page["limit"], page["from"], page["next"]) == (6, 20, 5, None)


def test_pages_follow_next(filled):
    seen, at = [], None
    while True:
        page = filled.get("/tasks?limit=4" + (f"&from={at}" if at is not None else "")).json
        seen += [task["uid"] for task in page["results"]]
        at = page["next"]
        if at is None:
            break
    assert seen == [5, 4, 3, 2, 1, 0]


def test_reverse_is_oldest_first(filled):
    page = filled.get("/tasks?reverse=true&limit=2&from=1").json
    assert [task["uid"] for task in page["results"]] == [1, 2]
    assert (page["from"], page["next"], page["total"]) == (1, 3, 6)


def test_limit_zero_shows_only_where_to_start(filled):
    page = filled.get("/tasks?limit=0").json
    assert page["results"] == []
    assert (page["from"], page["next"]) == (None, 5)


@pytest.mark.parametrize(
    "query, expected",
    [
        ("uids=1,3", [3, 1]),
        ("uids=3,1,3&reverse=true", [1, 3]),
        ("uids=99", []),
        ("uids=*", [5, 4, 3, 2, 1, 0]),
        ("statuses=failed", [3]),
        ("statuses=FAILED,succeeded&uids=2,3", [3, 2]),
        ("types=indexCreation", [1, 0]),
        ("types=indexcreation,indexSwap", [4, 1, 0]),
        ("canceledBy=0", []),
        ("beforeEnqueuedAt=2020-01-01", []),
        ("afterEnqueuedAt=2020-01-01T00:00:00Z&limit=2", [5, 4]),
        ("afterFinishedAt=*&uids=0", [0]),
    ],
)
def test_filters(filled, query, expected):
    assert uids(filled.get(f"/tasks?{query}")) == expected


def test_total_counts_matches_not_the_page(filled):
    page = filled.get("/tasks?types=indexCreation&limit=1").json
    assert (page["total"], page["from"], page["next"]) == (2, 1, 0)
    page = filled.get("/tasks?types=indexCreation&from=0").json
    assert (page["total"], page["from"], page["next"]) == (2, 0, None)


def test_index_uids_hide_tasks_of_no_single_index(filled):
    page = filled.get("/tasks?indexUids=a,b").json
    assert [task["uid"] for task in page["results"]] == [5, 3, 2, 1, 0]
    assert page["total"] == 6


@pytest.mark.parametrize(
    "query, code",
    [
        ("limit=doggo", "invalid_task_limit"),
        ("from=doggo", "invalid_task_from"),
        ("reverse=doggo", "invalid_task_reverse"),
        ("batchUids=doggo", "invalid_batch_uids"),
        ("uids=doggo", "invalid_task_uids"),
        ("canceledBy=doggo", "invalid_task_canceled_by"),
        ("types=doggo", "invalid_task_types"),
        ("statuses=doggo", "invalid_task_statuses"),
        ("indexUids=a%20b", "invalid_index_uid"),
        ("afterEnqueuedAt=doggo", "invalid_task_after_enqueued_at"),
        ("beforeEnqueuedAt=doggo", "invalid_task_before_enqueued_at"),
        ("afterStartedAt=doggo", "invalid_task_after_started_at"),
        ("beforeStartedAt=doggo", "invalid_task_before_started_at"),
        ("afterFinishedAt=doggo", "invalid_task_after_finished_at"),
        ("beforeFinishedAt=doggo", "invalid_task_before_finished_at"),
        ("uid=1", "bad_request"),
    ],
)
def test_bad_filters(shared, query, code):
    for route in ("/tasks", "/batches"):
        answer = shared.get(f"{route}?{query}")
        assert (answer.status, answer.json["code"]) == (400, code)


# --- batches


def test_a_batch_has_all_its_keys(filled):
    batch = filled.get(f"/batches/{filled.task(2)['batchUid']}").json
    assert list(batch) == BATCH_KEYS
    assert batch["progress"] is None
    assert batch["stats"]["indexUids"] == {"a": 1}  # as it was then: the swap came later


def test_batches_are_listed_like_tasks(filled):
    page = filled.get("/batches?limit=1").json
    assert list(page) == ["results", "total", "limit", "from", "next"]
    assert page["from"] == page["results"][0]["uid"] == page["total"] - 1
    assert page["next"] == page["from"] - 1


def test_batches_by_the_facts_of_their_tasks(filled):
    of_three = filled.task(3)["batchUid"]
    assert uids(filled.get("/batches?uids=3")) == [of_three]
    assert uids(filled.get(f"/batches?batchUids={of_three}")) == [of_three]
    assert of_three in uids(filled.get("/batches?statuses=failed"))
    assert uids(filled.get("/batches?types=indexSwap")) == [filled.task(4)["batchUid"]]
    assert uids(filled.get("/batches?beforeEnqueuedAt=2020-01-01")) == []
    assert len(uids(filled.get("/batches?afterEnqueuedAt=2020-01-01"))) == 6
    assert uids(filled.get("/batches?statuses=enqueued")) == []


def test_a_finished_batch_drops_details_that_are_null(filled):
    assert filled.task(0)["details"] == {"primaryKey": None}
    assert filled.get(f"/batches/{filled.task(0)['batchUid']}").json["details"] == {}


def test_a_running_batch_shows_its_progress(server):
    answer = server.post("/indexes/a/documents", [{"id": i, "pad": "x" * 50} for i in range(150000)])
    uid, seen = answer.json["taskUid"], []
    wait_until(lambda: server.task(uid)["status"] != "enqueued")
    path = f"/batches/{server.task(uid)['batchUid']}"
    while (batch := server.get(path).json)["finishedAt"] is None:
        assert list(batch) == BATCH_KEYS and batch["duration"] is None
        assert batch["stats"]["status"] == {"processing": 1}
        assert batch["details"] == {"receivedDocuments": 150000, "indexedDocuments": None}
        if batch["progress"] is not None:
            seen.append(batch["progress"])
    assert seen, "it ran too fast"
    assert all(progress["steps"][0]["currentStep"] in ("processing tasks", "writing tasks to disk") for progress in seen)
    paths = {tuple(step["currentStep"] for step in progress["steps"]) for progress in seen}
    assert ("processing tasks", "indexing", "document") in paths
    documents = [progress["steps"][2] for progress in seen if len(progress["steps"]) == 3]
    assert {step["total"] for step in documents} == {150000}
    assert all(step["finished"] <= step["total"] for progress in seen for step in progress["steps"])
    percentages = [progress["percentage"] for progress in seen]
    assert percentages == sorted(percentages) and 0 <= percentages[0] and percentages[-1] <= 100
    assert batch["progress"] is None and batch["stats"]["status"] == {"succeeded": 1}
    trace = batch["stats"]["progressTrace"]
    assert {"processing tasks", "processing tasks > indexing", "processing tasks > indexing > document",
            "writing tasks to disk"} <= set(trace)
    assert all(re.fullmatch(r"\d+\.\d\d(s|ms|µs)", took) for took in trace.values())


# --- cancelation


@pytest.fixture
def paused(start_server):
    """A server that runs no batch: tasks stay enqueued."""
    return start_server("--experimental-max-number-of-batched-tasks", "0")


def test_cancel_answers_200_with_a_summary(server):
    answer = server.post("/tasks/cancel?uids=*")
    assert answer.status == 200
    summary = answer.json
    assert (summary["indexUid"], summary["type"]) == (None, "taskCancelation")
    task = server.done(answer)
    assert task["details"] == {
        "matchedTasks": 0,
        "canceledTasks": 0,
        "originalFilter": "?uids=*",
    }


def test_delete_answers_200_with_a_summary(server):
    answer = server.delete("/tasks?uids=*")
    assert answer.status == 200
    assert list(answer.json) == ["taskUid", "indexUid", "status", "type", "enqueuedAt"]
    assert (answer.json["indexUid"], answer.json["type"]) == (None, "taskDeletion")
    assert server.done(answer)["details"] == {"matchedTasks": 0, "deletedTasks": 0, "originalFilter": "?uids=*"}


def test_cancel_matches_when_it_is_sent(paused):
    for i in range(4):
        paused.post("/indexes", {"uid": f"index{i}"})
    by_uids = paused.post("/tasks/cancel?uids=0,2,77").json["taskUid"]
    by_star = paused.post("/tasks/cancel?uids=%2A").json["taskUid"]
    by_filter = paused.post("/tasks/cancel?indexUids=index1%2Cindex3&statuses=enqueued").json
    assert paused.task(by_uids)["details"]["matchedTasks"] == 2
    assert paused.task(by_star)["details"] == {
        "matchedTasks": 5,
        "canceledTasks": None,
        "originalFilter": "?uids=%2A",
    }
    assert paused.task(by_filter["taskUid"])["details"] == {
        "matchedTasks": 2,
        "canceledTasks": None,
        "originalFilter": "?indexUids=index1%2Cindex3&statuses=enqueued",
    }


def test_canceled_tasks_name_their_cancelation(hooked, receiver):
    """The receiver holds its answer, so the queue pauses and tasks wait to be canceled."""
    receiver.script = ["hold", 200]
    hooked.post("/indexes", {"uid": "first"})
    receiver.next()
    waiting = [hooked.post("/indexes", {"uid": f"w{i}"}).json["taskUid"] for i in range(3)]
    cancel = hooked.run("POST", f"/tasks/cancel?uids={waiting[0]},{waiting[2]}")
    assert cancel["details"]["canceledTasks"] == 2
    canceled = hooked.task(waiting[0])
    assert canceled["status"] == "canceled"
    assert canceled["canceledBy"] == cancel["uid"]
    assert canceled["batchUid"] == cancel["batchUid"]
    assert canceled["error"] is None
    assert canceled["startedAt"] == cancel["startedAt"]
    assert canceled["finishedAt"] == cancel["finishedAt"]
    receiver.release()
    assert hooked.wait_task(waiting[1])["status"] == "succeeded"
    assert hooked.get("/indexes/w0").status == 404
    assert uids(hooked.get(f"/tasks?canceledBy={cancel['uid']}")) == [waiting[2], waiting[0]]
    assert uids(hooked.get(f"/batches?canceledBy={cancel['uid']}")) == [cancel["batchUid"]]


def test_cancel_needs_a_filter(shared):
    assert error(shared.post("/tasks/cancel")) == (
        400,
        "missing_task_filters",
        "Query parameters to filter the tasks to cancel are missing. Available query parameters "
        "are: `uids`, `indexUids`, `statuses`, `types`, `canceledBy`, `beforeEnqueuedAt`, "
        "`afterEnqueuedAt`, `beforeStartedAt`, `afterStartedAt`, `beforeFinishedAt`, "
        "`afterFinishedAt`.",
    )


def test_cancel_refuses_paging(shared):
    assert shared.post("/tasks/cancel?limit=1").json["code"] == "bad_request"


def test_cancelation_of_a_running_batch_takes_it_back(server):
    """Its other tasks run again, in another batch."""
    large = [{"id": i, "pad": "x" * 50} for i in range(150000)]
    canceled = server.post("/indexes/a/documents", large).json["taskUid"]
    other = server.post("/indexes/a/documents", [{"id": "other"}]).json["taskUid"]
    wait_until(lambda: server.task(canceled)["status"] != "enqueued")
    cancel = server.run("POST", f"/tasks/cancel?uids={canceled}")
    assert cancel["details"]["canceledTasks"] == 1, "it ran too fast"
    task = server.task(canceled)
    assert (task["status"], task["canceledBy"], task["batchUid"]) == ("canceled", cancel["uid"], cancel["batchUid"])
    assert task["details"] == {"receivedDocuments": 150000, "indexedDocuments": 0}
    assert server.wait_task(other)["status"] == "succeeded"
    assert server.documents("a") == [{"id": "other"}]
    assert server.task(other)["batchUid"] > cancel["batchUid"]


def test_cancelations_come_first_then_deletions_then_the_rest(start_server):
    """Whatever was enqueued before; the newest cancelation first, one a batch, all deletions in one."""
    server = start_server()
    server.done(server.post("/indexes/old/documents", [{"id": 1}]))
    server.stop()
    server = start_server("--experimental-max-number-of-batched-tasks", "0")
    sent = {name: server.request(*request).json["taskUid"] for name, request in (
        ("import", ("POST", "/indexes/a/documents", [{"id": 1}])), ("compaction", ("POST", "/indexes/old/compact")),
        ("deletion", ("DELETE", "/tasks?uids=77")), ("older", ("POST", "/tasks/cancel?uids=77")),
        ("other import", ("POST", "/indexes/a/documents", [{"id": 2}])), ("other deletion", ("DELETE", "/tasks?uids=0")),
        ("newer", ("POST", "/tasks/cancel?uids=77")))}
    server.stop()
    server = start_server()
    batches = {}
    for name, uid in sent.items():
        task = server.wait_task(uid)
        assert task["status"] == "succeeded", task
        batches.setdefault(task["batchUid"], []).append(name)
    assert [batches[uid] for uid in sorted(batches)] == [
        ["newer"], ["older"], ["deletion", "other deletion"], ["compaction"], ["import", "other import"]]
    assert server.get("/tasks/0").status == 404


# --- what goes together


@pytest.fixture
def batches_of(hooked, receiver):
    """batches_of(requests): sends them while the queue pauses; (tasks, strategy) of each batch they make."""

    def run(*requests):
        receiver.script = ["hold", 200]
        hooked.post("/indexes", {"uid": "first"})
        receiver.next()
        sent = [hooked.request(*request).json["taskUid"] for request in requests]
        receiver.release()
        batches = {}
        for uid in sent:
            batches.setdefault(hooked.wait_task(uid)["batchUid"], []).append(uid)
        return [(tasks, hooked.get(f"/batches/{uid}").json) for uid, tasks in sorted(batches.items())]

    return run


def add(index, query=""):
    return ("POST", f"/indexes/{index}/documents{query}", [{"id": 1, "x": 1}])


ALONE = "created batch containing only task with id {} of type `{}` that cannot be batched with any other task."


@pytest.mark.parametrize(
    "requests, expected",
    [
        ([add("a"), add("a"), ("DELETE", "/indexes/a/documents/1")], [([1, 2, 3], "batched all enqueued tasks")]),
        (
            [add("a"), add("b"), add("a")],
            [([1, 3], "batched all enqueued tasks for index `a`"), ([2], "batched all enqueued tasks")],
        ),
        (
            [add("a"), ("DELETE", "/indexes/a/documents"), add("a")],
            [
                (
                    [1, 2],
                    "stopped before task with id 3 because it is a settings change which cannot be batched with document "
                    "operations",
                ),
                ([3], "batched all enqueued tasks"),
            ],
        ),
        (
            [add("a"), ("DELETE", "/indexes/a"), add("a")],
            [
                ([1, 2], "stopped after task with id 2 because it deletes the index"),
                ([3], "batched all enqueued tasks"),
            ],
        ),
        (
            [("DELETE", "/indexes/a/documents/1"), add("a")],
            [
                (
                    [1],
                    "stopped batching before task with id 2 because its index creation rules differ from the ones from the "
                    "batch",
                ),
                ([2], "batched all enqueued tasks"),
            ],
        ),
        (
            [add("a"), ("POST", "/indexes", {"uid": "a"})],
            [([1], ALONE.format(2, "indexCreation")), ([2], ALONE.format(2, "indexCreation"))],
        ),
        (
            [add("a", "?primaryKey=id"), add("a"), add("a", "?primaryKey=x")],
            [
                (
                    [1, 2],
                    "stopped batching before task with id 3 because its primary key `x` is different from the primary key "
                    "of the batch `id`",
                ),
                (
                    [3],
                    "stopped batching before task with id 3 because its primary key `x` is different from the primary key "
                    "of the index `id`",
                ),
            ],
        ),
        (
            [add("a"), add("a", "?primaryKey=id")],
            [
                (
                    [1],
                    "stopped batching before task with id 2 because it is setting the `id` primary key and it would "
                    "interfere with primary key guessing of the batch",
                ),
                ([2], "batched all enqueued tasks"),
            ],
        ),
    ],
)
def test_batch_strategies(batches_of, requests, expected):
    assert [(tasks, batch["batchStrategy"]) for tasks, batch in batches_of(*requests)] == expected


def test_deletions_beside_imports_count_the_ids_they_name(batches_of, hooked):
    """Known or not: upstream counts what really existed in batches of deletions only."""
    (tasks, _), = batches_of(add("a"), ("POST", "/indexes/a/documents/delete-batch", [7, 8, 7]))
    assert hooked.task(tasks[1])["details"] == {"providedIds": 3, "deletedDocuments": 2, "originalFilter": None}
    alone = hooked.run("POST", "/indexes/a/documents/delete-batch", [1, 7, 8])
    assert alone["details"] == {"providedIds": 3, "deletedDocuments": 1, "originalFilter": None}


def test_details_of_a_batch_are_the_sum_of_its_tasks(batches_of):
    (_, batch), = batches_of(add("a"), add("a"), ("DELETE", "/indexes/a/documents/1"))
    assert batch["details"] == {"receivedDocuments": 2, "indexedDocuments": 2, "providedIds": 1, "deletedDocuments": 1}
    trace = batch["stats"].pop("progressTrace")
    assert batch["stats"] == {
        "totalNbTasks": 3,
        "status": {"succeeded": 3},
        "types": {"documentAdditionOrUpdate": 2, "documentDeletion": 1},
        "indexUids": {"a": 3},
    }
    assert "processing tasks > indexing > document" in trace


def test_documents_of_a_task_that_waits_can_be_read(paused):
    lines = b'{"id":1,"name":"a"}\n{"id":2,"name":"b"}\n'
    uid = paused.post("/indexes/movies/documents", lines, headers={"Content-Type": "application/x-ndjson"}).json["taskUid"]
    refused = paused.get(f"/tasks/{uid}/documents")
    assert (refused.status, refused.json["code"]) == (400, "feature_not_enabled")
    assert refused.json["message"].startswith("Getting the documents of an enqueued task requires enabling the "
                                              "`get task documents route` experimental feature. See ")
    paused.patch("/experimental-features", {"getTaskDocumentsRoute": True})
    answer = paused.get(f"/tasks/{uid}/documents")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/x-ndjson")
    assert [json.loads(line) for line in answer.body.splitlines()] == [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    large = b"".join(b'{"id":%d,"pad":"%s"}\n' % (n, b"p" * 500) for n in range(1000))
    large_uid = paused.post("/indexes/movies/documents", large,
                             headers={"Content-Type": "application/x-ndjson"}).json["taskUid"]
    assert paused.get(f"/tasks/{large_uid}/documents").body.splitlines() == large.splitlines()
    other = paused.delete("/indexes/movies/documents").json["taskUid"]
    none = paused.get(f"/tasks/{other}/documents")
    assert (none.status, none.json["code"]) == (404, "task_file_not_found")
    assert none.json["message"] == (
        f"Task `{other}` does not contain any documents. Only `documentAdditionOrUpdate` tasks with the statuses "
        "`enqueued` or `processing` contain documents")
    assert paused.get("/tasks/99/documents").json["code"] == "task_not_found"


def test_documents_cannot_be_edited_by_function(paused):
    answer = paused.post("/indexes/movies/documents/edit", {"function": "doc.x = 1"})
    assert (answer.status, answer.json["code"]) == (400, "feature_not_enabled")
    assert answer.json["message"].startswith("Using the documents edit route requires enabling the "
                                             "`edit documents by function` experimental feature. See ")
    paused.patch("/experimental-features", {"editDocumentsByFunction": True})
    answer = paused.post("/indexes/movies/documents/edit", {"function": "doc.x = 1"})
    assert (answer.status, answer.json["code"]) == (400, "feature_not_enabled")
