"""What is easily got wrong (the contract's checklist), where no other file has it: one test a trap."""
import datetime
import json

import pytest

from test_tasks import TASK_KEYS, error, uids

PAUSED = ("--experimental-max-number-of-batched-tasks", "0")
JSON = {"Content-Type": "application/json"}


def test_what_a_task_does_not_have_yet_is_null_and_metadata_are_left_out(start_server):
    """Trap 2: only details of snapshots, customMetadata and network are ever left out."""
    server = start_server(*PAUSED)
    for request in (("POST", "/indexes", {"uid": "a"}), ("POST", "/indexes/a/documents", [{"id": 1}]),
                    ("DELETE", "/indexes/a/documents", None), ("PATCH", "/indexes/a/settings", {"stopWords": None}),
                    ("POST", "/swap-indexes", [{"indexes": ["a", "b"]}]), ("DELETE", "/indexes/a", None),
                    ("POST", "/indexes/a/compact", None), ("POST", "/tasks/cancel?uids=0", None),
                    ("DELETE", "/tasks?uids=0", None)):
        task = server.task(server.request(*request).json["taskUid"])
        assert list(task) == TASK_KEYS, request
        nulls = {key for key, value in task.items() if value is None} - {"indexUid"}
        assert nulls == {"batchUid", "canceledBy", "error", "duration", "startedAt", "finishedAt"}, request
        assert (task["indexUid"] is None) == (task["type"] in ("indexSwap", "taskCancelation", "taskDeletion")), request
    with_metadata = server.post("/indexes/a/documents?customMetadata=m", [{"id": 1}]).json["taskUid"]
    assert list(server.task(with_metadata)) == [*TASK_KEYS, "customMetadata"]


@pytest.mark.parametrize("what, route", [("Enqueued", "/tasks"), ("Started", "/tasks"), ("Finished", "/tasks"),
                                         ("Enqueued", "/batches"), ("Started", "/batches"), ("Finished", "/batches")])
def test_a_day_begins_at_its_midnight_and_ends_at_the_next(server, what, route):
    """Trap 5: before a day is before its beginning, after a day is behind its end."""
    task = server.run("POST", "/indexes", {"uid": "a"})
    today = datetime.date.fromisoformat(task[f"{what.lower()}At"][:10])
    day = datetime.timedelta(days=1)
    for query, found in ((f"after{what}At={today}", False), (f"after{what}At={today - day}", True),
                         (f"before{what}At={today}", False), (f"before{what}At={today + day}", True),
                         (f"after{what}At={today - day}&before{what}At={today + day}", True)):
        assert (len(uids(server.get(f"{route}?{query}"))) == 1) is found, query


@pytest.mark.parametrize("document, code", [({"id": "not valid"}, "invalid_document_id"),
                                            ({"name": "a"}, "index_primary_key_no_candidate_found")])
def test_a_failed_import_leaves_the_index_that_it_made(server, document, code):
    """Trap 9: the index is made and stored before the documents are looked at."""
    task = server.wait_task(server.post("/indexes/fresh/documents", [document]))
    assert (task["status"], task["error"]["code"]) == ("failed", code)
    assert server.get("/indexes/fresh").json["primaryKey"] is None
    assert server.get("/indexes/fresh/stats").json["numberOfDocuments"] == 0


def test_get_and_delete_with_a_content_type_and_no_body_work(server):
    """Trap 21: the JavaScript client sends one with every request."""
    server.done(server.post("/indexes/a/documents", [{"id": 1}]))
    webhook = server.post("/webhooks", {"url": "https://example.com"}).json["uuid"]
    for path in ("/health", "/version", "/stats", "/indexes", "/indexes/a", "/indexes/a/stats", "/indexes/a/settings",
                 "/indexes/a/settings/stop-words", "/indexes/a/documents", "/indexes/a/documents/1", "/tasks", "/tasks/0",
                 "/batches", "/batches/0", "/webhooks", f"/webhooks/{webhook}", "/experimental-features"):
        assert server.get(path, headers=JSON).status == 200, path
    for path, status in ((f"/webhooks/{webhook}", 204), ("/indexes/a/settings/stop-words", 202),
                         ("/indexes/a/settings", 202), ("/indexes/a/documents/1", 202), ("/indexes/a/documents", 202),
                         ("/indexes/a", 202), ("/tasks?uids=0", 200)):
        assert server.delete(path, headers=JSON).status == status, path


@pytest.mark.parametrize("method, path, body, code", [
    ("POST", "/indexes", '{"primaryKey":1,"uid":2}', "invalid_index_primary_key"),
    ("POST", "/indexes", '{"uid":2,"primaryKey":1}', "invalid_index_uid"),
    ("POST", "/indexes", '{"doggo":1,"uid":2}', "bad_request"),
    ("POST", "/indexes", '{"primaryKey":1}', "invalid_index_primary_key"),  # what is missing comes last
    ("PATCH", "/indexes/a", '{"updatedAt":1,"createdAt":1}', "immutable_index_updated_at"),
    ("PATCH", "/indexes/a", '{"createdAt":1,"updatedAt":1}', "immutable_index_created_at"),
    ("PATCH", "/indexes/a/settings", '{"stopWords":1,"dictionary":1}', "invalid_settings_stop_words"),
    ("PATCH", "/indexes/a/settings", '{"dictionary":1,"stopWords":1}', "invalid_settings_dictionary"),
    ("POST", "/webhooks", '{"headers":1,"url":2}', "invalid_webhook_headers"),
    ("POST", "/webhooks", '{"isEditable":1,"uuid":2}', "immutable_webhook_is_editable"),
])
def test_only_the_first_error_is_told_in_the_order_of_the_body(shared, method, path, body, code):
    """Trap 24."""
    answer = shared.request(method, path, body, headers=JSON)
    assert error(answer)[:2] == (400, code)
    assert answer.json["message"].count("`.") <= 1  # one place is named


def test_of_parameters_that_come_twice_the_last_counts(server):
    server.done(server.post("/indexes", {"uid": "a"}))
    assert uids(server.get("/tasks?uids=77&uids=0")) == [0]
    assert server.get("/tasks?uids=0&uids=77").json["total"] == 0


def test_an_empty_array_sets_the_primary_key_that_it_names(server):
    server.done(server.post("/indexes/a/documents?primaryKey=sku", "[]", headers=JSON))
    assert server.get("/indexes/a").json["primaryKey"] == "sku"


def test_what_a_deletion_of_the_index_swallows(start_server):
    """Every deletion of the batch tells how many documents there were; imports and deletions of documents say 0."""
    server = start_server()
    server.done(server.post("/indexes/a/documents", [{"id": 1}, {"id": 2}]))
    server.stop()
    server = start_server(*PAUSED)
    sent = [server.post("/indexes/a/documents", [{"id": 3}]), server.delete("/indexes/a/documents/1"),
            server.delete("/indexes/a/documents"), server.delete("/indexes/a")]
    server.stop()
    server = start_server()
    tasks = [server.done(answer) for answer in sent]
    assert len({task["batchUid"] for task in tasks}) == 1
    assert [json.dumps(task["details"]) for task in tasks] == [
        '{"receivedDocuments": 1, "indexedDocuments": 0}', '{"providedIds": 1, "deletedDocuments": 0, "originalFilter": null}',
        '{"deletedDocuments": null}', '{"deletedDocuments": 2}']
