"""The Mixpeek-style door: webhooks of organisations, events in their envelope, the tasks API, errors (contracts.md 3)."""
import json
import re
import uuid

import pytest

from conftest import LOOPBACK, wait_until

HOOKS = "/v1/organizations/webhooks"
CATALOGUE = """object.created objects.created.batch object.updated object.deleted collection.created collection.updated
collection.deleted collection.documents.written cluster.created cluster.updated cluster.deleted cluster.execution.started
cluster.execution.completed cluster.execution.failed trigger.created trigger.updated trigger.deleted trigger.paused
trigger.resumed trigger.fired trigger.execution.completed trigger.execution.failed taxonomy.created taxonomy.updated
taxonomy.deleted alert.created alert.updated alert.deleted alert.triggered alert.execution.completed
alert.execution.failed batch.completed cluster.completed taxonomy.materialized""".split()
TASK_TYPES = {"api_namespaces_create", "api_namespaces_delete", "api_collections_documents_create", "api_collections_export",
              "api_collections_trigger", "api_namespaces_migrations_run", "materialize", "plugin_custom"}
TASK_STATUSES = {"PENDING", "IN_PROGRESS", "PROCESSING", "COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELED"}
STOPPED = ("--experimental-max-number-of-batched-tasks", "0")


def channel(url, **configs):
    return {"channel": "webhook", "configs": {"url": url, **configs}}


def webhook(url, *event_types, name="mine", **fields):
    return {"webhook_name": name, "event_types": list(event_types) or ["*"], "channels": [channel(url)], **fields}


def register(server, url, *event_types, **fields):
    answer = server.post(HOOKS, webhook(url, *event_types, **fields))
    assert answer.status == 201, answer
    return answer.json["webhook_id"]


def refused(answer, status, error_type, code=None, location=None):
    """The envelope of contracts.md 3.1."""
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/json"
    document = answer.json
    assert (document["success"], document["status"]) == (False, status), document
    error = document["error"]
    assert error["type"] == error_type and error["message"], document
    if code is not None:
        assert error["details"]["code"] == code, document
    if location is not None:
        assert [e["location"] for e in error["details"]["validation_errors"]] == [location], document
    return error


def event_of(delivery):
    event = json.loads(delivery.body)
    assert delivery.headers["Content-Type"] == "application/json"
    assert delivery.headers["webhook-id"] == event["event_id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.?\d*Z", event["occurred_at"]), event
    assert set(event) == {"event_id", "event_type", "occurred_at", "namespace_id", "subject", "metadata", "cache_scope"}
    assert set(event["subject"]) == {"type", "id"}
    return event


def events(receiver, n):
    """The next n events, by the order of their ids: they may arrive in any."""
    def order(event):
        head, _, line = event["event_id"].partition(".")
        return head, int(line or 0)
    return sorted((event_of(receiver.next()) for _ in range(n)), key=order)


def fill(server, index="movies", n=3, **fields):
    return server.done(server.post(f"/indexes/{index}/documents", [{"id": i, "title": f"t{i}", **fields} for i in range(n)]))


def only(receiver, n):
    """Nothing more than the n requests that were taken has come."""
    assert receiver.n_taken == n
    assert len(receiver.requests) == n, [r.body for r in receiver.requests]


# --- webhooks

@pytest.mark.parametrize("slash", ["", "/"])
def test_a_webhook_is_created_read_replaced_and_deleted(server, slash):
    wanted = webhook("https://example.com/hook", "object.created", "batch.completed")
    wanted["channels"][0]["configs"] |= {"timeout": 5.5, "payload_template": {"what": "{{ event_type }}"}, "method": "POST"}
    made = server.post(HOOKS + slash, wanted)
    assert made.status == 201
    hook = made.json
    assert re.fullmatch(r"wh_[a-f0-9]{16}", hook["webhook_id"])
    assert {k: hook[k] for k in wanted} == wanted and hook["is_active"] is True
    assert hook["created_at"] == hook["updated_at"]
    assert "internal_id" not in hook
    path = f"{HOOKS}/{hook['webhook_id']}{slash}"
    assert server.get(path).json == hook
    assert server.get(HOOKS + slash).json == [hook]
    changed = server.put(path, {**hook, "webhook_name": "renamed", "is_active": False, "internal_id": "int_x"})
    assert changed.status == 200
    assert changed.json == {**hook, "webhook_name": "renamed", "is_active": False, "updated_at": changed.json["updated_at"]}
    assert changed.json["updated_at"] > hook["updated_at"]
    gone = server.delete(path)
    assert (gone.status, gone.body) == (204, b"")
    assert server.delete(path).status == 204
    refused(server.get(path), 404, "NotFoundError", "webhook_not_found")
    refused(server.put(path, wanted), 404, "NotFoundError", "webhook_not_found")
    assert server.get(HOOKS).json == []


def test_what_was_registered_survives_a_restart(start_server):
    server = start_server(*LOOPBACK)
    hook = server.post(HOOKS, webhook("https://example.com/", "*", name="ü" * 200)).json
    several = server.post(HOOKS, {**webhook("https://example.com/1"), "channels": [
        channel(f"https://example.com/{i}", headers={"X-N": str(i)}) for i in range(10)]}).json
    server.stop()
    assert start_server(*LOOPBACK).get(HOOKS).json == [hook, several]


def test_event_types_are_returned_as_they_were_given(server):
    names = ["batch.completed", "*", "object.created", "batch.completed"]
    assert server.post(HOOKS, webhook("https://example.com/", *names)).json["event_types"] == names


@pytest.mark.parametrize("name", [*CATALOGUE, "*", "index.deployed", "report.completed", "webhook.failing"])
def test_every_name_of_the_catalogue_may_be_asked_for(shared, name):
    made = shared.post(HOOKS, webhook("https://example.com/", name))
    assert made.status == 201, made
    shared.delete(f"{HOOKS}/{made.json['webhook_id']}")


def test_another_name_is_refused_with_the_catalogue(server):
    error = refused(server.post(HOOKS, webhook("https://example.com/", "object.created", "object.exploded")), 422,
                    "ValidationError", "unknown_event_type", ["body", "event_types", 1])
    for name in CATALOGUE:
        assert f"`{name}`" in error["message"]


@pytest.mark.parametrize("change, location", [
    ({"webhook_name": None}, ["body", "webhook_name"]),
    ({"webhook_name": ""}, ["body", "webhook_name"]),
    ({"webhook_name": "x" * 201}, ["body", "webhook_name"]),
    ({"event_types": []}, ["body", "event_types"]),
    ({"event_types": ["object.created"] * 101}, ["body", "event_types"]),
    ({"event_types": "object.created"}, ["body", "event_types"]),
    ({"event_types": [7]}, ["body", "event_types", 0]),
    ({"channels": []}, ["body", "channels"]),
    ({"channels": [channel("https://example.com/")] * 11}, ["body", "channels"]),
    ({"channels": [{"channel": "pigeon", "configs": {}}]}, ["body", "channels", 0, "channel"]),
    ({"channels": [channel("https://example.com/"), channel("nonsense")]}, ["body", "channels", 1, "configs", "url"]),
    ({"is_active": "yes"}, ["body", "is_active"]),
    ({"surprise": 1}, ["body", "surprise"]),
])
def test_a_field_that_is_not_as_it_must_be_is_named(shared, change, location):
    refused(shared.post(HOOKS, {**webhook("https://example.com/"), **change}), 422, "ValidationError", location=location)
    assert shared.get(HOOKS).json == []


@pytest.mark.parametrize("field", ["webhook_name", "event_types", "channels"])
def test_a_missing_field_is_named(shared, field):
    body = webhook("https://example.com/")
    del body[field]
    error = refused(shared.post(HOOKS, body), 422, "ValidationError", location=["body", field])
    assert error["details"]["validation_errors"][0]["type"] == "missing"


def test_so_many_webhooks_fit_and_no_more(server):
    for i in range(100):
        register(server, f"https://example.com/{i}")
    refused(server.post(HOOKS, webhook("https://example.com/")), 422, "ValidationError", "too_many_organization_webhooks")
    assert server.delete(f"{HOOKS}/{server.get(HOOKS).json[0]['webhook_id']}").status == 204
    register(server, "https://example.com/")


def test_they_are_no_webhooks_of_the_main_door(server):
    for i in range(25):
        register(server, f"https://example.com/{i}")
    assert server.get("/webhooks").json == {"results": []}
    for i in range(20):
        assert server.post("/webhooks", {"url": f"https://example.com/{i}"}).status == 201
    assert len(server.get(HOOKS).json) == 25
    hook = server.get("/webhooks").json["results"][0]["uuid"]
    assert server.get(f"/api/webhooks/{hook}").status == 404


def test_secret_headers_are_redacted_and_what_was_redacted_is_kept(server, receiver):
    hook = register(server, receiver.url, "cluster.created", channels=[channel(receiver.url, headers={"X-Mixpeek-Secret": "s3cret"})])
    shown = server.get(f"{HOOKS}/{hook}").json
    assert "s3cret" not in json.dumps(shown)
    assert server.put(f"{HOOKS}/{hook}", shown).status == 200
    publish(server, "cluster.created")
    assert receiver.next().headers["X-Mixpeek-Secret"] == "s3cret"
    shown["channels"][0]["configs"]["headers"]["X-Mixpeek-Secret"] = "another"
    assert server.put(f"{HOOKS}/{hook}", shown).status == 200
    publish(server, "cluster.created")
    assert receiver.next().headers["X-Mixpeek-Secret"] == "another"


# --- lists

def test_the_list_has_pages_and_always_a_total(server):
    ids = [register(server, f"https://example.com/{i}", name=f"w{i}") for i in range(5)]
    first = server.post(HOOKS + "/list?limit=2", "", headers={"Content-Type": "application/json"})
    assert first.status == 200
    assert [h["webhook_id"] for h in first.json["results"]] == ids[:2]
    assert first.json["total"] == 5
    pagination = first.json["pagination"]
    assert (pagination["total"], pagination["page"], pagination["page_size"], pagination["total_pages"]) == (5, 1, 2, 3)
    assert pagination["previous_page"] is None
    second = server.post(pagination["next_page"]).json
    assert [h["webhook_id"] for h in second["results"]] == ids[2:4]
    assert second["pagination"]["page"] == 2 and second["pagination"]["previous_page"]
    third = server.post(f"{HOOKS}/list?limit=2&cursor={second['pagination']['next_cursor']}").json
    assert [h["webhook_id"] for h in third["results"]] == ids[4:]
    assert third["total"] == 5 and third["pagination"]["next_cursor"] is None and third["pagination"]["next_page"] is None
    refused(server.post(f"{HOOKS}/list?cursor=2"), 422, "ValidationError", location=["query", "cursor"])


@pytest.mark.parametrize("body", ["", "null", "{}"])
def test_the_lists_body_may_be_missing(shared, body):
    assert shared.post(HOOKS + "/list/", body, headers={"Content-Type": "application/json"}).json["results"] == []
    assert shared.post(HOOKS + "/list", body).json["total"] == 0


def test_the_list_is_filtered(server):
    a = register(server, "https://example.com/", "object.created")
    b = register(server, "https://example.com/", "*", is_active=False)

    def found(**wanted):
        return [h["webhook_id"] for h in server.post(HOOKS + "/list", wanted).json["results"]]
    assert found() == [a, b]
    assert found(is_active=True) == [a] and found(is_active=False) == [b]
    assert found(event_type="object.created") == [a, b]
    assert found(event_type="batch.completed") == [b]
    assert found(event_type="object.created", is_active=True) == [a]
    refused(server.post(HOOKS + "/list", {"event_type": "x"}), 422, "ValidationError", "unknown_event_type", ["body", "event_type"])


@pytest.mark.parametrize("query, name", [("limit=0", "limit"), ("limit=1001", "limit"), ("offset=10001", "offset"), ("limit=x", "limit")])
def test_a_page_that_cannot_be_is_refused(shared, query, name):
    for path in (HOOKS + "/list", "/v1/tasks/list"):
        refused(shared.post(f"{path}?{query}"), 422, "ValidationError", location=["query", name])
        assert shared.post(f"{path}?limit=1000&offset=10000&include_total=true").status == 200


# --- errors of the door

def test_every_error_comes_in_the_envelope(start_server):
    server = start_server("--master-key", "a-master-key-of-16+", *LOOPBACK)
    refused(server.get(HOOKS), 401, "UnauthorizedError")
    refused(server.get(HOOKS, headers={"Authorization": "Bearer wrong"}), 401, "UnauthorizedError")
    master = {"Authorization": "Bearer a-master-key-of-16+"}
    key = server.post("/keys", {"actions": ["webhooks.get"], "indexes": ["*"], "expiresAt": None}, headers=master).json["key"]
    mine = {"Authorization": f"Bearer {key}"}
    assert server.get(HOOKS, headers=mine).status == 200
    refused(server.post(HOOKS, webhook("https://example.com/"), headers=mine), 403, "ForbiddenError")
    refused(server.get("/v1/tasks/1", headers=mine), 403, "ForbiddenError")
    refused(server.get("/v1/nothing", headers=master), 404, "NotFoundError")
    refused(server.patch(HOOKS, {}, headers=master), 405, "MethodNotAllowedError")
    refused(server.post(HOOKS, "{", headers={**master, "Content-Type": "application/json"}), 400, "BadRequestError")
    refused(server.post(HOOKS, "{}", headers={**master, "Content-Type": "text/plain"}), 415, "UnsupportedMediaTypeError")
    large = json.dumps({"webhook_name": "x" * (5 << 20)})
    refused(server.post(HOOKS, large, headers={**master, "Content-Type": "application/json"}), 413, "PayloadTooLargeError")


# --- events of the engine

def test_documents_written_are_told_once_a_batch(start_server, receiver):
    server = start_server(*LOOPBACK)
    register(server, receiver.url, "collection.documents.written", "collection.created", "batch.completed")
    task = fill(server, "movies", 3)
    created, written, batch = events(receiver, 3)
    assert created["event_type"] == "collection.created" and created["subject"] == {"type": "collection", "id": "movies"}
    assert written["event_type"] == "collection.documents.written"
    assert written["subject"] == {"type": "collection", "id": "movies"}
    assert written["cache_scope"] == {"scope": "collection", "collection_id": "movies"}
    metadata = written["metadata"]
    assert metadata["collection_id"] == "movies" and metadata["document_ids"] == ["0", "1", "2"]
    assert (metadata["document_count"], metadata["created_count"], metadata["updated_count"]) == (3, 3, 0)
    assert metadata["document_ids_truncated"] is False
    assert batch["event_type"] == "batch.completed" and batch["subject"] == {"type": "batch", "id": str(task["batchUid"])}
    assert batch["metadata"] == {"batch_id": str(task["batchUid"]), "status": "COMPLETED", "collection_ids": ["movies"], "collection_count": 1,
                                 "task_count": 1, "succeeded_count": 1, "failed_count": 0, "canceled_count": 0,
                                 "document_count": 3, "deleted_count": 0}
    fill(server, "movies", 4, year=1999)
    again, _ = events(receiver, 2)
    assert (again["metadata"]["created_count"], again["metadata"]["updated_count"]) == (1, 3)
    assert again["metadata"]["index_signature"] != metadata["index_signature"]
    only(receiver, 5)


def test_one_event_for_all_tasks_of_a_batch(start_server, receiver):
    server = start_server(*STOPPED, *LOOPBACK)
    register(server, receiver.url, "collection.documents.written", "batch.completed")
    for i in range(5):
        server.post("/indexes/movies/documents", [{"id": i}, {"id": i + 1}])
    server.stop()
    server = start_server(*LOOPBACK)
    written, batch = events(receiver, 2)
    assert written["metadata"]["document_count"] == 6 and written["metadata"]["document_ids"] == [str(i) for i in range(6)]
    assert batch["metadata"]["task_count"] == 5
    only(receiver, 2)


def test_the_ids_of_many_documents_are_cut_and_their_number_is_not(server, receiver):
    register(server, receiver.url, "collection.documents.written")
    fill(server, "many", 1001)
    metadata = events(receiver, 1)[0]["metadata"]
    assert metadata["document_count"] == 1001 and metadata["document_ids_truncated"] is True
    assert len(metadata["document_ids"]) == 1000


def test_objects_are_told_by_what_became_of_them(server, receiver):
    fill(server, "movies", 3)
    register(server, receiver.url, "object.created", "object.updated", "object.deleted")
    server.done(server.post("/indexes/movies/documents", [{"id": 2, "title": "new"}, {"id": "x", "title": "first"}]))
    updated, created = events(receiver, 2)
    assert (updated["event_type"], updated["subject"]) == ("object.updated", {"type": "object", "id": "2"})
    assert (created["event_type"], created["subject"]) == ("object.created", {"type": "object", "id": "x"})
    assert created["metadata"]["object"] == {"id": "x", "title": "first"}
    assert created["metadata"]["bucket_id"] == "movies" and created["metadata"]["object_id"] == "x"
    assert created["cache_scope"] == {"scope": "key", "collection_id": "movies", "keys": ["x"]}
    server.done(server.delete("/indexes/movies/documents/x"))
    deleted, = events(receiver, 1)
    assert (deleted["event_type"], deleted["metadata"]["object_id"]) == ("object.deleted", "x")
    server.done(server.delete("/indexes/movies/documents"))
    assert {e["subject"]["id"] for e in events(receiver, 3)} == {"0", "1", "2"}
    only(receiver, 6)


def test_an_object_that_came_and_went_in_one_batch_is_not_told(start_server, receiver):
    server = start_server(*STOPPED, *LOOPBACK)
    register(server, receiver.url, "object.created", "object.updated", "object.deleted", "batch.completed")
    server.post("/indexes/movies/documents", [{"id": 1}])
    server.delete("/indexes/movies/documents/1")
    server.stop()
    server = start_server(*LOOPBACK)
    batch, = events(receiver, 1)
    assert batch["event_type"] == "batch.completed" and batch["metadata"]["task_count"] == 2
    only(receiver, 1)


def test_collections_are_told_by_what_became_of_them(server, receiver):
    register(server, receiver.url, "collection.created", "collection.updated", "collection.deleted")

    def told(n=1):
        return [(e["event_type"], e["subject"]["id"], e["metadata"].get("previous_collection_id")) for e in events(receiver, n)]
    server.done(server.post("/indexes", {"uid": "a", "primaryKey": "id"}))
    assert told() == [("collection.created", "a", None)]
    fill(server, "a", 1)
    fill(server, "b", 1)
    assert told() == [("collection.created", "b", None)]
    server.done(server.patch("/indexes/a/settings", {"filterableAttributes": ["title"]}))
    assert told() == [("collection.updated", "a", None)]
    server.done(server.post("/swap-indexes", [{"indexes": ["a", "b"]}]))
    assert told(2) == [("collection.updated", "b", "a"), ("collection.updated", "a", "b")]
    server.done(server.patch("/indexes/a", {"uid": "c"}))
    assert told() == [("collection.updated", "c", "a")]
    server.done(server.delete("/indexes/c"))
    assert told() == [("collection.deleted", "c", None)]
    only(receiver, 7)


def test_a_deploy_is_told(server, receiver):
    register(server, receiver.url, "index.deployed", "collection.documents.written", "collection.created")
    base = "/api/v1/webhooks/movies"
    for path, body in (("/snapshot", [{"id": "1"}, {"id": "2"}]), ("/notify", {"upsert": [{"id": "3"}], "remove": ["1"]}), ("/deploy", {})):
        answer = server.post(base + path, body)
        assert answer.status == 200, answer
    created, written, deployed = events(receiver, 3)
    assert (created["event_type"], deployed["event_type"]) == ("collection.created", "index.deployed")
    assert written["metadata"]["document_ids"] == ["2", "3"]
    assert deployed["subject"] == {"type": "collection", "id": "movies"}


def test_a_batch_with_failures_says_so(server, receiver):
    register(server, receiver.url, "batch.completed")
    failed = server.run("DELETE", "/indexes/nothing")
    assert failed["status"] == "failed"
    metadata = events(receiver, 1)[0]["metadata"]
    assert (metadata["status"], metadata["failed_count"], metadata["collection_ids"]) == ("FAILED", 1, ["nothing"])


def test_reports_are_told(server, receiver):
    fill(server)
    register(server, receiver.url, "report.completed")
    answer = server.post("/api/reports", {"reportType": "documents", "format": "json", "parameters": {"index": "movies"}})
    assert answer.status == 202, answer
    event, = events(receiver, 1)
    assert event["subject"] == {"type": "report", "id": answer.json["taskId"]}
    assert event["metadata"]["status"] == "completed"


def test_without_a_subscriber_nothing_is_stored(server, receiver):
    register(server, receiver.url, "cluster.created")
    fill(server)
    server.done(server.delete("/indexes/movies"))
    assert publish(server, "cluster.deleted")["deliveries"] == 0
    assert publish(server, "cluster.created")["deliveries"] == 1
    assert events(receiver, 1)[0]["event_type"] == "cluster.created"
    assert server.get("/deliveries/0").status == 404
    only(receiver, 1)


def test_a_paused_webhook_gets_it_later(server, receiver):
    hook = register(server, receiver.url, "cluster.created", is_active=False)
    assert server.get(f"{HOOKS}/{hook}").json["is_active"] is False
    published = publish(server, "cluster.created")
    only(receiver, 0)
    assert server.put(f"{HOOKS}/{hook}", webhook(receiver.url, "cluster.created")).status == 200
    assert events(receiver, 1)[0]["event_id"] == published["event_id"]


# --- channels alone

@pytest.mark.parametrize("how", ["delete", "put"])
def test_what_is_in_flight_to_a_channel_that_goes_is_not_tried_again(server, make_receiver, how):
    kept, gone = make_receiver(), make_receiver()
    gone.script = ["hang"]
    channels = [channel(kept.url), channel(gone.url)]
    hook = server.post(HOOKS, {**webhook(kept.url, "cluster.created"), "channels": channels}).json["webhook_id"]
    for _ in range(20):  # more than are in flight at a time
        publish(server, "cluster.created")
    gone.next()
    if how == "delete":
        assert server.delete(f"{HOOKS}/{hook}").status == 204
    else:
        assert server.put(f"{HOOKS}/{hook}", {**webhook(kept.url, "cluster.created"), "channels": channels[:1]}).status == 200

    def states():
        return {server.get(f"/deliveries/{n}").json["state"] for n in range(1, 41)}
    wait_until(lambda: states() <= {"delivered", "discarded"}, lambda: f"{states()}\n{server.log()}", server.process)
    n_tried = len(gone.requests)
    assert publish(server, "cluster.created")["deliveries"] == (0 if how == "delete" else 1)
    if how == "put":
        assert len(events(kept, 21)) == 21
    assert len(gone.requests) == n_tried < 20


def test_each_channel_fails_and_succeeds_alone(server, make_receiver):
    good, bad = make_receiver(), make_receiver()
    bad.script = [503]
    hook = register(server, good.url, "cluster.created", channels=[channel(bad.url), channel(good.url)])
    ids = [publish(server, "cluster.created")["event_id"] for _ in range(3)]
    assert [e["event_id"] for e in events(good, 3)] == sorted(ids)
    assert event_of(bad.next())["event_id"] in ids
    listed = server.get(f"{HOOKS}/{hook}/deliveries?limit=100")
    wait_until(lambda: [d["state"] for d in server.get(f"{HOOKS}/{hook}/deliveries?limit=100").json["results"]].count("delivered") == 3,
               lambda: server.log(), server.process)
    listed = server.get(f"{HOOKS}/{hook}/deliveries?limit=100").json
    assert listed["total"] == 6
    assert {(d["channel"], d["state"]) for d in listed["results"]} == {(0, "owed"), (1, "delivered")}
    assert {d["eventType"] for d in listed["results"]} == {"cluster.created"}
    assert [int(d["id"]) for d in listed["results"]] == sorted((int(d["id"]) for d in listed["results"]), reverse=True)


def test_a_delivery_keeps_its_event_id_over_retries_and_resends(server, receiver):
    hook = register(server, receiver.url, "cluster.created")
    receiver.script = [(503, {"Retry-After": "0"}, b""), 200]
    published = publish(server, "cluster.created")
    first, second = receiver.next(), receiver.next()
    assert first.body == second.body
    assert event_of(first)["event_id"] == event_of(second)["event_id"] == published["event_id"]
    wait_until(lambda: server.get(f"{HOOKS}/{hook}/deliveries?state=delivered").json["total"] == 1, lambda: server.log())
    delivery = server.get(f"{HOOKS}/{hook}/deliveries?event={published['event_id']}").json["results"][0]
    assert delivery["attemptCount"] == 2
    assert server.get(f"/deliveries/{delivery['id']}").json["attempts"][0]["status"] == 503
    assert server.post(f"/deliveries/{delivery['id']}/resend").status == 202
    assert receiver.next().body == first.body


def test_deliveries_are_listed_by_the_event_that_the_receiver_saw(server, receiver):
    hook = register(server, receiver.url, "object.created")
    fill(server, "movies", 3)
    seen = events(receiver, 3)
    assert len({e["event_id"] for e in seen}) == 3
    for event in seen:
        listed = server.get(f"{HOOKS}/{hook}/deliveries?event={event['event_id']}").json
        assert [d["eventId"] for d in listed["results"]] == [event["event_id"]]
    head = seen[0]["event_id"].partition(".")[0]
    assert server.get(f"{HOOKS}/{hook}/deliveries?event={head}").json["total"] == 3
    refused(server.get(f"{HOOKS}/wh_0123456789abcdef/deliveries"), 404, "NotFoundError", "webhook_not_found")


def test_pages_of_deliveries_of_several_channels_meet(server, receiver):
    hook = register(server, receiver.url, "cluster.created", channels=[channel(receiver.url)] * 3)
    for _ in range(4):
        publish(server, "cluster.created")
    events(receiver, 12)
    for reverse in ("", "&reverse=true"):
        found, path = [], f"{HOOKS}/{hook}/deliveries?limit=5{reverse}"
        page = server.get(path).json
        while True:
            assert page["total"] == 12
            found += [int(d["id"]) for d in page["results"]]
            if page["next"] is None:
                break
            page = server.get(f"{path}&from={page['next']}").json
        assert found == sorted(found, reverse=not reverse) and len(set(found)) == 12


# --- https

def test_plain_http_is_refused_outside_the_allowed_networks(start_server, receiver):
    server = start_server()
    refused(server.post(HOOKS, webhook(receiver.url)), 422, "ValidationError", location=["body", "channels", 0, "configs", "url"])
    refused(server.post(HOOKS, webhook("http://203.0.113.1/")), 422, "ValidationError")
    assert server.post(HOOKS, webhook("https://203.0.113.1/")).status == 201


def test_a_name_in_plain_http_is_judged_when_it_is_called(start_server, receiver):
    server = start_server("--experimental-allowed-ip-networks", "10.0.0.0/8")
    hook = register(server, f"http://localhost:{receiver.port}/", "cluster.created")
    publish(server, "cluster.created")

    def attempts():
        listed = server.get(f"{HOOKS}/{hook}/deliveries").json["results"]
        return server.get(f"/deliveries/{listed[0]['id']}").json["attempts"] if listed else []
    wait_until(lambda: len(attempts()) > 0, lambda: server.log(), server.process)
    assert attempts()[0]["outcome"] == "address_denied"
    only(receiver, 0)


# --- POST /v1/events

def publish(server, event_type, **fields):
    answer = server.post("/v1/events", {"event_type": event_type, "subject": {"type": "cluster", "id": "c1"}, **fields})
    assert answer.status == 202, answer
    assert uuid.UUID(answer.json["event_id"])
    return answer.json


def test_a_published_event_is_delivered_as_it_was_given(server, receiver):
    register(server, receiver.url, "taxonomy.materialized")
    given = {"namespace_id": "ns_1", "metadata": {"n": 1.10, "deep": {"a": [1, None]}},
             "cache_scope": {"scope": "key", "keys": ["k1", "k2"]}, "subject": {"type": "taxonomy", "id": "täx"}}
    published = publish(server, "taxonomy.materialized", **given)
    event = event_of(receiver.next())
    assert event == {**given, "event_id": published["event_id"], "event_type": "taxonomy.materialized", "occurred_at": event["occurred_at"]}
    assert publish(server, "taxonomy.materialized")["event_type"] == "taxonomy.materialized"
    least = event_of(receiver.next())
    assert (least["metadata"], least["cache_scope"], least["namespace_id"]) == ({}, None, "default")


@pytest.mark.parametrize("change, location", [
    ({"event_type": "x"}, ["body", "event_type"]),
    ({"event_type": "*"}, ["body", "event_type"]),
    ({"event_type": None}, ["body", "event_type"]),
    ({"subject": {"type": "x"}}, ["body", "subject", "id"]),
    ({"subject": {"type": "", "id": "1"}}, ["body", "subject", "type"]),
    ({"subject": {"type": "x", "id": "1" * 1025}}, ["body", "subject", "id"]),
    ({"metadata": []}, ["body", "metadata"]),
    ({"cache_scope": {"scope": "planet"}}, ["body", "cache_scope", "scope"]),
    ({"cache_scope": {"scope": "collection"}}, ["body", "cache_scope", "collection_id"]),
    ({"cache_scope": {"scope": "key", "keys": []}}, ["body", "cache_scope", "keys"]),
    ({"namespace_id": 7}, ["body", "namespace_id"]),
    ({"occurred_at": "now"}, ["body", "occurred_at"]),
])
def test_an_event_that_is_not_as_it_must_be_is_refused(shared, change, location):
    body = {"event_type": "cluster.created", "subject": {"type": "x", "id": "1"}, **change}
    refused(shared.post("/v1/events", body), 422, "ValidationError", location=location)


def test_an_events_metadata_has_a_limit(server, receiver):
    register(server, receiver.url, "cluster.created")
    room = 256 * 1024 - len('{"x":""}')
    publish(server, "cluster.created", metadata={"x": "y" * room})
    assert len(event_of(receiver.next())["metadata"]["x"]) == room
    body = {"event_type": "cluster.created", "subject": {"type": "x", "id": "1"}, "metadata": {"x": "y" * (room + 1)}}
    refused(server.post("/v1/events", body), 413, "PayloadTooLargeError")


def test_a_body_with_an_event_has_a_limit(server):
    event = {"event_type": "taxonomy.created", "subject": {"type": "taxonomy", "id": "t"}}
    text = json.dumps(event)
    assert server.post("/v1/events", text + " " * (1024 * 1024 - len(text)), headers={"Content-Type": "application/json"}).status == 202
    refused(server.post("/v1/events", text + " " * (1024 * 1024 - len(text) + 1), headers={"Content-Type": "application/json"}),
            413, "PayloadTooLargeError")


def test_the_namespace_of_an_event_may_be_in_a_header(server, receiver):
    register(server, receiver.url, "taxonomy.created")
    event = {"event_type": "taxonomy.created", "subject": {"type": "taxonomy", "id": "t"}}
    for body, expected in ((event, "shop"), ({**event, "namespace_id": "mine"}, "mine")):
        assert server.post("/v1/events", body, headers={"X-Namespace": "shop"}).status == 202
        assert event_of(receiver.next())["namespace_id"] == expected
    for wrong in ("", "x" * 1025, b"\xff"):
        refused(server.post("/v1/events", event, headers={"X-Namespace": wrong}), 422, "ValidationError")


def test_an_idempotency_key_publishes_once(server, receiver):
    register(server, receiver.url, "cluster.created")
    body = {"event_type": "cluster.created", "subject": {"type": "x", "id": "1"}}
    answers = [server.post("/v1/events", body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].json == answers[1].json and answers[1].headers["Idempotency-Replayed"] == "true"
    refused(server.post("/v1/events", {**body, "metadata": {"a": 1}}, headers={"Idempotency-Key": "k"}), 422, "ValidationError",
            "idempotency_key_mismatch")
    assert event_of(receiver.next())["event_id"] == answers[0].json["event_id"]
    only(receiver, 1)


# --- what a crash leaves

def test_a_kill_loses_no_event_and_invents_no_id(start_server, make_receiver):
    server, receiver = start_server(*LOOPBACK), make_receiver()
    receiver.script = [(503, {"Retry-After": "0"}, b""), 200]
    register(server, receiver.url, "object.created", "collection.documents.written", "cluster.created")
    tasks, published = {}, set()
    for life in range(6):
        for i in range(3):
            ids = {f"{life}-{i}-{k}" for k in range(7)}
            tasks[server.post("/indexes/movies/documents", [{"id": one} for one in ids]).json["taskUid"]] = ids
            published.add(publish(server, "cluster.created")["event_id"])
        server.kill()
        server = start_server(*LOOPBACK)
    # one that the server died of again and again fails in the end
    documents = set().union(*(ids for uid, ids in tasks.items() if server.wait_task(uid)["status"] == "succeeded"))
    assert documents

    def seen():
        found = {}
        for request in list(receiver.requests):
            event = json.loads(request.body)
            key = (event["event_type"], event["event_id"])
            assert found.setdefault(key, event) == event, "one id, two events"
        return found

    def objects():
        return [e["subject"]["id"] for (kind, _), e in seen().items() if kind == "object.created"]
    wait_until(lambda: set(objects()) == documents, lambda: f"{len(objects())} of {len(documents)}\n{server.log()}", server.process)
    assert len(objects()) == len(documents), "an object was told under two ids"
    wait_until(lambda: {i for kind, i in seen() if kind == "cluster.created"} == published, lambda: server.log(), server.process)
    written = [e["metadata"]["document_ids"] for (kind, _), e in seen().items() if kind == "collection.documents.written"]
    assert sorted(sum(written, [])) == sorted(documents)


def test_many_events_are_made_into_deliveries_over_a_restart(start_server, receiver):
    server = start_server(*LOOPBACK)
    hook = register(server, receiver.url, "object.created", channels=[channel(receiver.url)] * 2)
    fill(server, "movies", 3000)
    server.kill()
    server = start_server(*LOOPBACK)
    wait_until(lambda: server.get(f"{HOOKS}/{hook}/deliveries?limit=1").json["total"] == 6000,
               lambda: server.log(), server.process)
    listed = server.get(f"{HOOKS}/{hook}/deliveries?limit=6000").json["results"]
    for number in (0, 1):
        assert len({d["eventId"] for d in listed if d["channel"] == number}) == 3000
    assert server.delete(f"{HOOKS}/{hook}").status == 204


# --- tasks

def valid_task(task):
    """What strict client libraries insist on (contracts.md 3.5)."""
    assert isinstance(task["task_id"], str) and task["task_type"] in TASK_TYPES and task["status"] in TASK_STATUSES, task
    assert all(task[name] is None or isinstance(task[name], list) for name in ("inputs", "outputs")), task
    assert task["additional_data"] is None or isinstance(task["additional_data"], dict), task
    assert task["error"] is None or isinstance(task["error"], str), task
    return task


def test_a_task_is_shown_in_the_words_of_the_door(server):
    done = fill(server)
    task = valid_task(server.get(f"/v1/tasks/{done['uid']}").json)
    assert (task["task_type"], task["status"]) == ("api_collections_documents_create", "COMPLETED")
    assert task["inputs"] == ["movies"] and task["outputs"] == [done["details"]]
    assert task["additional_data"]["native_type"] == "documentAdditionOrUpdate"
    failed = server.run("DELETE", "/indexes/nothing")
    task = valid_task(server.get(f"/v1/tasks/{failed['uid']}").json)
    assert task["status"] == "FAILED" and task["error"] == failed["error"]["message"] == task["additional_data"]["error"]
    assert task["error_message"] == task["error"]
    for other in ("77", "task_abc", "99999999999999999999"):
        refused(server.get(f"/v1/tasks/{other}"), 404, "NotFoundError", "task_not_found")


def test_the_tasks_are_listed_filtered_searched_and_sorted(server):
    fill(server, "movies", 1)
    fill(server, "books", 1)
    server.run("DELETE", "/indexes/nothing")
    server.done(server.patch("/indexes/books/settings", {"filterableAttributes": ["title"]}))

    def found(body=None, query=""):
        answer = server.post(f"/v1/tasks/list{query}", body)
        assert answer.status == 200, answer
        return [valid_task(t)["task_id"] for t in answer.json["results"]]
    assert found() == ["3", "2", "1", "0"]
    assert found({"status": "FAILED"}) == ["2"] and found({"status": "COMPLETED"}) == ["3", "1", "0"]
    assert found({"status": "DRAFT"}) == []
    assert found({"task_type": "api_collections_documents_create"}) == ["1", "0"]
    assert found({"task_type": "engine_cluster_build"}) == []
    assert found({"search": "BOOKS"}) == ["3", "1"]
    assert found({"sort": {"field": "created_at", "direction": "asc"}}) == ["0", "1", "2", "3"]
    assert found({"filters": {"AND": [{"field": "additional_data.collection_id", "operator": "eq", "value": "books"},
                                      {"field": "status", "operator": "ne", "value": "FAILED"}]}}) == ["3", "1"]
    assert found({"filters": {"OR": [{"field": "task_id", "operator": "in", "value": ["0", 2]}]}}) == ["2", "0"]
    assert found({"filters": {"NOT": [{"field": "error", "operator": "exists", "value": True}]}}) == ["3", "1", "0"]
    assert found({"filters": {"status": "completed", "additional_data.native_type": "settingsUpdate"}}) == ["3"]
    assert found(query="?limit=2") == ["3", "2"] and found(query="?limit=2&offset=3") == ["0"]
    page = server.post("/v1/tasks/list?limit=3").json
    assert page["total"] == page["pagination"]["total"] == 4
    assert found(query=f"?limit=3&cursor={page['pagination']['next_cursor']}") == ["0"]


@pytest.mark.parametrize("body, location", [
    ({"status": "done"}, ["body", "status"]),
    ({"sort": {"field": "color"}}, ["body", "sort", "field"]),
    ({"sort": {"field": "created_at", "direction": "up"}}, ["body", "sort", "direction"]),
    ({"search": "x" * 257}, ["body", "search"]),
    ({"filters": {"AND": [{"field": "a", "operator": "like", "value": 1}]}}, ["body", "filters"]),
    ({"filters": {"AND": 7}}, ["body", "filters"]),
    ({"filters": {"AND": [{"field": "a", "value": 1}] * 101}}, ["body", "filters"]),
    ({"color": 1}, ["body", "color"]),
])
def test_a_list_of_tasks_that_cannot_be_is_refused(shared, body, location):
    refused(shared.post("/v1/tasks/list", body), 422, "ValidationError", location=location)


@pytest.mark.parametrize("method, suffix", [("DELETE", ""), ("POST", "/kill")])
def test_a_task_is_canceled_or_deleted(start_server, method, suffix):
    server = start_server(*STOPPED, *LOOPBACK)
    server.post("/indexes/movies/documents", [{"id": 1}])
    done = {"message": "Successfully deleted", "success": True}
    answer = server.request(method, f"/v1/tasks/0{suffix}")
    assert (answer.status, answer.json) == (200, done)
    assert server.request(method, f"/v1/tasks/77{suffix}").json == done
    server.stop()
    server = start_server(*LOOPBACK)
    wait_until(lambda: server.get("/v1/tasks/0").json["status"] == "CANCELED", lambda: server.log(), server.process)
    assert server.request(method, f"/v1/tasks/0{suffix}").json == done
    wait_until(lambda: server.get("/v1/tasks/0").status == 404, lambda: server.log(), server.process)


def test_a_key_of_some_indexes_sees_its_tasks_only(start_server):
    server = start_server("--master-key", "a-master-key-of-16+", *LOOPBACK)
    master = {"Authorization": "Bearer a-master-key-of-16+"}
    for index in ("movies", "books"):
        server.post(f"/indexes/{index}/documents", [{"id": 1}], headers=master)
    key = server.post("/keys", {"actions": ["tasks.get"], "indexes": ["books"], "expiresAt": None}, headers=master).json["key"]
    mine = {"Authorization": f"Bearer {key}"}
    answer = server.post("/v1/tasks/list", headers=mine).json
    assert [t["inputs"] for t in answer["results"]] == [["books"]] and answer["total"] == 1
    refused(server.get("/v1/tasks/0", headers=mine), 404, "NotFoundError")
    assert server.get("/v1/tasks/1", headers=mine).status == 200
    refused(server.delete("/v1/tasks/1", headers=mine), 403, "ForbiddenError")


def test_a_finished_task_is_deleted_only_with_the_right_to_delete(start_server):
    server = start_server("--master-key", "a-master-key-of-16+", *LOOPBACK)
    master = {"Authorization": "Bearer a-master-key-of-16+"}
    server.post("/indexes/movies/documents", [{"id": 1}], headers=master)
    wait_until(lambda: server.get("/tasks/0", headers=master).json["status"] == "succeeded", server.log, server.process)

    def with_key(*actions):
        key = server.post("/keys", {"actions": list(actions), "indexes": ["*"], "expiresAt": None}, headers=master).json["key"]
        return {"Authorization": f"Bearer {key}"}
    refused(server.delete("/v1/tasks/0", headers=with_key("tasks.cancel", "tasks.get")), 403, "ForbiddenError")
    assert server.delete("/v1/tasks/0", headers=with_key("tasks.cancel", "tasks.delete", "tasks.get")).status == 200
    wait_until(lambda: server.get("/tasks/0", headers=master).status == 404, server.log, server.process)
