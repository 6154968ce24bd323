"""Data sources (/api/v1/webhooks/...): what is staged is durable and invisible, a deploy applies it as a whole."""
import concurrent.futures
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import tarfile
import threading
import uuid

import pytest

from conftest import LOOPBACK, exchange, first_answer, wait_until

CLIENT = pathlib.Path(__file__).resolve().parent.parent / "client"
MASTER_KEY = "a-master-key-of-enough-bytes"
ROUNDS = int(os.environ.get("TASKHOOK_CRASH_ROUNDS", "100")) // 5
OK = {"success": True}


class Source:
    """A data source of a server; every call must be answered with 200."""

    def __init__(self, server, index, headers=None):
        self.server, self.index, self.headers = server, index, headers or {}

    def ask(self, operation, body=None, method="POST", headers=None):
        return self.server.request(method, f"/api/v1/webhooks/{self.index}/{operation}", body,
                                   headers={**self.headers, **(headers or {})})

    def tell(self, operation, body=None):
        answer = self.ask(operation, body)
        assert answer.status == 200, answer
        return answer.json

    def snapshot(self, documents):
        assert self.tell("snapshot", documents) == OK

    def notify(self, **operations):
        assert self.tell("notify", operations) == OK

    def deploy(self):
        """The uid of its task."""
        answer = self.tell("deploy")
        assert answer["success"] is True and set(answer) == {"success", "deploymentId"}
        return int(re.fullmatch(r"dep_(\d+)", answer["deploymentId"]).group(1))

    def deployed(self):
        """Deploys, and waits for it; the task."""
        task = self.server.wait_task(self.deploy())
        assert task["status"] == "succeeded", task
        return task

    def has_data(self):
        return self.tell("has-data")["hasData"]

    def live(self):
        answer = self.server.get(f"/indexes/{self.index}/documents?limit=100000", headers=self.headers)
        return answer.json["results"] if answer.status == 200 else None


@pytest.fixture
def source(shared):
    return Source(shared, f"s{uuid.uuid4().hex}")


def files(server):
    return os.listdir(server.db_path / "updates")


def block(server, receiver):
    """Enqueues a batch whose pause holds the queue until receiver.release()."""
    receiver.script = ["hold"]
    server.put("/indexes/blocker/documents", [{"id": 1}])
    receiver.next()
    receiver.script = ["hold", 200]


# --- what is staged


def test_staged_documents_show_after_the_deploy(source):
    source.snapshot([{"id": "1", "name": "A"}, {"id": "2"}])
    assert source.live() is None
    task = source.deployed()
    assert source.live() == [{"id": "1", "name": "A"}, {"id": "2"}]
    assert (task["type"], task["indexUid"]) == ("indexDeploy", source.index)
    assert task["details"] == {"stagedOperations": 1, "replaceAll": True, "indexedDocuments": 2, "deletedDocuments": 0}


def test_each_staged_operation_is_a_succeeded_task(source):
    source.snapshot([{"id": "1"}])
    source.notify(upsert=[{"id": "2"}], remove=["1", "3"])
    tasks = source.server.get(f"/tasks?indexUids={source.index}").json["results"]
    assert [(t["type"], t["status"], t["details"]) for t in tasks] == [
        ("indexStage", "succeeded", {"operation": "notify", "receivedDocuments": 1, "providedIds": 2}),
        ("indexStage", "succeeded", {"operation": "snapshot", "receivedDocuments": 1, "providedIds": 0})]


def test_notify_replaces_adds_and_removes(source):
    source.snapshot([{"id": "1", "a": 1, "b": 2}, {"id": "2"}])
    source.deployed()
    source.notify(upsert=[{"id": "1", "a": 3}, {"id": "4"}], remove=["2", "unknown"])
    assert [d["id"] for d in source.live()] == ["1", "2"]
    task = source.deployed()
    assert {d["id"]: d for d in source.live()} == {"1": {"id": "1", "a": 3}, "4": {"id": "4"}}
    assert task["details"] == {"stagedOperations": 1, "replaceAll": False, "indexedDocuments": 2, "deletedDocuments": 1}


def test_in_one_request_removals_come_first(source):
    source.tell("notify", '{"upsert":[{"id":"1"}],"remove":["1"]}')
    source.deployed()
    assert source.live() == [{"id": "1"}]


def test_requests_apply_in_their_order(source):
    source.notify(upsert=[{"id": "1", "n": 1}])
    source.notify(remove=["1"])
    source.notify(upsert=[{"id": "2", "n": 1}])
    source.notify(upsert=[{"id": "2", "n": 2}])
    source.deployed()
    assert source.live() == [{"id": "2", "n": 2}]


def test_snapshot_discards_what_is_queued(source):
    source.snapshot([{"id": "old"}])
    source.notify(upsert=[{"id": "older"}])
    source.snapshot([{"id": "new"}])
    source.notify(upsert=[{"id": "newer"}])
    source.deployed()
    assert [d["id"] for d in source.live()] == ["new", "newer"]


@pytest.mark.parametrize("empty", [("snapshot", []), ("empty", None)])
def test_empty_snapshot_empties_with_the_deploy(source, empty):
    source.snapshot([{"id": "1"}])
    source.deployed()
    source.tell(*empty)
    assert source.live() == [{"id": "1"}]
    source.deployed()
    assert source.live() == []


def test_integers_and_texts_are_one_id(source):
    source.snapshot([{"id": 1, "v": 1}, {"id": -7}])
    source.notify(upsert=[{"id": "1", "v": 2}], remove=[-7])
    source.deployed()
    assert source.live() == [{"id": "1", "v": 2}]
    source.notify(upsert=[{"id": 1, "v": 3}])
    source.deployed()
    assert source.live() == [{"id": 1, "v": 3}]


def test_document_without_id_gets_one(source):
    source.snapshot([{"name": "A"}, {}])
    source.deployed()
    first, second = source.live()
    assert (first["name"], len(first)) == ("A", 2) and set(second) == {"id"}
    assert {uuid.UUID(first["id"]).version, uuid.UUID(second["id"]).version} == {4}


def test_ids_may_be_paths(source):
    source.snapshot([{"id": "/docs/a#b"}, {"id": "@scope/é"}])
    source.notify(remove=["/docs/a#b"])
    source.deployed()
    assert source.live() == [{"id": "@scope/é"}]
    assert source.server.get(f"/indexes/{source.index}/documents/@scope%2F%C3%A9").json == {"id": "@scope/é"}


def test_removals_may_be_objects_and_the_aliases_work(source):
    source.snapshot([{"id": 1}, {"id": "2"}, {"id": "3"}])
    source.notify(remove=[{"id": 1}], delete=["2"], insert=[{"id": "4"}])
    source.deployed()
    assert sorted(d["id"] for d in source.live()) == ["3", "4"]


def test_documents_go_by_the_primary_key_that_the_index_has(source):
    source.server.run("POST", "/indexes", {"uid": source.index, "primaryKey": "isbn"})
    source.notify(upsert=[{"isbn": "a", "id": "x"}, {"id": "y"}])
    source.deployed()
    first, second = source.live()
    assert first == {"isbn": "a", "id": "x"} and uuid.UUID(second["isbn"])


def test_both_doors_write_one_index(source):
    source.snapshot([{"id": "1"}])
    source.deployed()
    source.notify(upsert=[{"id": "2"}])
    source.server.run("POST", f"/indexes/{source.index}/documents", [{"id": "3"}])
    assert [d["id"] for d in source.live()] == ["1", "3"]
    source.deployed()
    assert sorted(d["id"] for d in source.live()) == ["1", "2", "3"]


def test_parallel_notifies_are_all_there(source):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: source.notify(upsert=[{"id": f"{n}-{i}"} for i in range(50)]), range(40)))
    source.deployed()
    assert len(source.live()) == 2000


def test_large_requests_are_read_in_pieces(source):
    pad = "é\\\"]}," * 20
    source.snapshot([{"id": n, "pad": pad, "nested": [{"a": [n]}]} for n in range(20000)])
    source.notify(upsert=[{"id": n, "pad": "new"} for n in range(10000, 20000)], remove=list(range(5000)))
    task = source.deployed()
    assert task["details"]["indexedDocuments"] == 20000
    live = source.live()
    assert len(live) == 15000 and live[0] == {"id": 5000, "pad": pad, "nested": [{"a": [5000]}]}
    wait_until(lambda: files(source.server) == [], "payload files stay", source.server.process)


# --- has-data


def test_has_data_until_the_deploy_is_accepted(source):
    source.notify(upsert=[{"id": "1"}])
    assert source.has_data() is True
    assert source.ask("has-data", method="GET").json == {"hasData": True}
    source.deploy()
    assert source.has_data() is False


def test_an_empty_snapshot_and_a_schema_are_data(source):
    source.snapshot([])
    assert source.has_data() is True
    source.deployed()
    source.tell("update-schema", {"schema": {"a": "string"}})
    assert source.has_data() is True
    source.deployed()
    assert source.has_data() is False


# --- deploys


def test_deploy_of_nothing_succeeds(source):
    source.snapshot([{"id": "1"}])
    source.deployed()
    assert source.deployed()["details"]["stagedOperations"] == 0
    assert source.live() == [{"id": "1"}]


def test_deploy_is_a_batch_of_its_own_and_announced(hooked, receiver):
    source = Source(hooked, "own")
    source.snapshot([{"id": "1"}])
    uid = source.deploy()
    task = receiver.wait_for_tasks([uid])[uid]
    assert (task["type"], task["status"]) == ("indexDeploy", "succeeded")
    batch = hooked.get(f"/batches/{hooked.task(uid)['batchUid']}").json
    assert batch["stats"]["types"] == {"indexDeploy": 1}


def test_what_arrives_during_a_deploy_belongs_to_the_next(hooked, receiver):
    block(hooked, receiver)
    source = Source(hooked, "later")
    source.snapshot([{"id": "1"}])
    first = source.deploy()
    source.notify(upsert=[{"id": "2"}])
    assert source.has_data() is True
    receiver.script = [200]
    receiver.release()
    assert hooked.wait_task(first)["status"] == "succeeded"
    assert source.live() == [{"id": "1"}] and source.has_data() is True
    source.deployed()
    assert source.live() == [{"id": "1"}, {"id": "2"}]


def test_a_snapshot_behind_an_accepted_deploy_leaves_it_alone(hooked, receiver):
    block(hooked, receiver)
    source = Source(hooked, "behind")
    source.snapshot([{"id": "1"}])
    first = source.deploy()
    source.snapshot([{"id": "2"}])
    second = source.deploy()
    receiver.script = [200]
    receiver.release()
    assert hooked.wait_task(first)["details"]["indexedDocuments"] == 1
    assert hooked.wait_task(second)["details"]["deletedDocuments"] == 1
    assert source.live() == [{"id": "2"}]


def test_canceled_deploy_puts_its_operations_back_in_front(hooked, receiver):
    block(hooked, receiver)
    source = Source(hooked, "canceled")
    source.notify(upsert=[{"id": "1", "n": 1}, {"id": "2"}])
    uid = source.deploy()
    source.notify(upsert=[{"id": "1", "n": 2}])
    cancelation = hooked.post(f"/tasks/cancel?uids={uid}").json["taskUid"]
    receiver.script = [200]
    receiver.release()
    hooked.wait_task(cancelation)
    assert hooked.task(uid)["status"] == "canceled"
    assert source.live() is None and source.has_data() is True
    assert source.deployed()["details"]["stagedOperations"] == 2
    assert sorted(source.live(), key=lambda d: d["id"]) == [{"id": "1", "n": 2}, {"id": "2"}]


def test_failed_deploy_changes_nothing_and_keeps_what_was_staged(source):
    server = source.server
    source.snapshot([{"id": "1"}])
    source.deployed()
    server.done(server.patch(f"/indexes/{source.index}/settings", {"filterableAttributes": ["_geo"]}))
    source.snapshot([{"id": "2"}, {"id": "3", "_geo": "nowhere"}])
    task = server.wait_task(source.deploy())
    assert (task["status"], task["error"]["code"]) == ("failed", "invalid_document_geo_field")
    assert source.live() == [{"id": "1"}] and source.has_data() is True
    source.notify(remove=["3"], upsert=[{"id": "4"}])
    server.done(server.delete(f"/indexes/{source.index}/settings/filterable-attributes"))
    source.deployed()
    assert [d["id"] for d in source.live()] == ["2", "4"]


def test_more_deploys_than_may_wait_are_refused(hooked, receiver):
    block(hooked, receiver)
    source = Source(hooked, "many")
    source.snapshot([{"id": "1"}])
    uids = [source.deploy() for _ in range(100)]
    refused = source.ask("deploy")
    assert refused.status == 429 and b"100 unfinished deployments" in refused.body
    receiver.script = [200]
    receiver.release()
    assert {hooked.wait_task(uid)["status"] for uid in uids} == {"succeeded"}
    source.deployed()


def test_progress_of_a_deploy_is_seen(source):
    source.snapshot([{"id": n, "pad": "p" * 100} for n in range(30000)])
    uid, seen = source.deploy(), set()
    while source.server.task(uid)["status"] in ("enqueued", "processing"):
        for batch in source.server.get("/batches?limit=1").json["results"]:
            seen |= {step["currentStep"] for step in (batch["progress"] or {"steps": []})["steps"]}
    assert "applying what is staged" in seen


# --- indexes


def test_swap_takes_what_is_staged_along(shared):
    a, b = (Source(shared, f"{name}{uuid.uuid4().hex}") for name in "ab")
    for source in (a, b):
        source.snapshot([{"id": source.index[0]}])
        source.deployed()
    a.notify(upsert=[{"id": "staged"}])
    shared.done(shared.post("/swap-indexes", [{"indexes": [a.index, b.index]}]))
    assert (a.has_data(), b.has_data()) == (False, True)
    b.deployed()
    assert [d["id"] for d in b.live()] == ["a", "staged"] and [d["id"] for d in a.live()] == ["b"]


def test_rename_takes_what_is_staged_along(source):
    source.snapshot([{"id": "1"}])
    source.deployed()
    source.notify(upsert=[{"id": "2"}])
    renamed = Source(source.server, source.index + "-new")
    source.server.done(source.server.patch(f"/indexes/{source.index}", {"uid": renamed.index}))
    assert source.ask("has-data").status == 404
    renamed.deployed()
    assert [d["id"] for d in renamed.live()] == ["1", "2"]


def test_deleting_the_index_drops_what_is_staged(source):
    source.snapshot([{"id": "1"}])
    source.deployed()
    source.notify(upsert=[{"id": "2", "pad": "p" * 40000}])
    source.server.done(source.server.delete(f"/indexes/{source.index}"))
    assert source.ask("has-data").status == source.ask("deploy").status == 404
    wait_until(lambda: files(source.server) == [], "the payload stays", source.server.process)
    source.snapshot([{"id": "3"}])
    source.deployed()
    assert source.live() == [{"id": "3"}]


def test_what_is_staged_behind_a_deletion_survives_it(hooked, receiver):
    source = Source(hooked, "reborn")
    source.snapshot([{"id": "1"}])
    source.deployed()
    receiver.next()
    block(hooked, receiver)
    hooked.delete("/indexes/reborn")
    source.snapshot([{"id": "2"}])
    uid = source.deploy()
    receiver.script = [200]
    receiver.release()
    assert hooked.wait_task(uid)["status"] == "succeeded"
    assert source.live() == [{"id": "2"}]


def test_schema_names_the_searchable_fields_from_the_deploy_on(source):
    schema = {"title": "string", "meta": {"author": "string", "tags": "string[]"}, "n": "number"}
    source.snapshot([{"id": "1"}])
    source.deployed()
    source.tell("update-schema", {"schema": schema, "embeddings": {"any": "thing"}})
    source.snapshot([{"id": "2"}])
    path = f"/indexes/{source.index}/settings/searchable-attributes"
    assert source.server.get(path).json == ["*"]
    source.deployed()
    assert source.server.get(path).json == ["title", "meta.author", "meta.tags", "n"]
    source.deployed()
    assert source.live() == [{"id": "2"}]


def test_get_index_says_where_it_is_read_also_before_the_first_snapshot(source):
    """Docusaurus' plugins ask before they stage anything; nothing is begun by asking."""
    server = source.server
    before = server.get(f"/api/v1/indexes/get-index?id={source.index}")
    assert before.json == {"api_endpoint": f"{server.url}/indexes/{source.index}", "api_key": ""}
    assert source.ask("has-data").status == source.ask("deploy").status == 404
    source.snapshot([])
    assert server.get(f"/api/v1/indexes/get-index?id={source.index}").json == before.json


def test_get_index_of_what_may_not_be_begun_is_not_found(start_server):
    server = start_server("--master-key", MASTER_KEY)
    key = make_key(server, ["mine"], "documents.*", "indexes.get")
    missing = server.get("/api/v1/indexes/get-index?id=mine", headers=key)
    assert (missing.status, missing.body) == (404, b"Index `mine` not found.\n")
    assert missing.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("query, says", [
    ("", "`id` is missing"), ("?id=", "not a valid index uid"), ("?id=a%20b", "not a valid index uid"),
    ("?idd=a", "Unknown parameter `idd`: expected one of `id`")])
def test_get_index_needs_an_index_uid(shared, query, says):
    answer = shared.get(f"/api/v1/indexes/get-index{query}")
    assert answer.status == 400 and says in answer.body.decode(), answer
    assert answer.headers["Content-Type"].startswith("text/plain")


# --- bytes


def test_the_lines_of_the_manual_as_printed(shared):
    """curl sends a form content type with -d, and no length at all without."""
    index = f"curl{uuid.uuid4().hex}"
    base = f"{shared.url}/api/v1/webhooks/{index}"

    def curl(*arguments):
        run = subprocess.run(["curl", "-sS", "-w", "\n%{http_code}", "-X", "POST", *arguments,
                              "-H", "Authorization: Bearer any"], capture_output=True, text=True, check=True)
        body, status = run.stdout.rsplit("\n", 1)
        return int(status), json.loads(body)

    assert curl(f"{base}/snapshot", "-d", '[{ "id": "1", "name": "John Doe" }]') == (200, OK)
    assert curl(f"{base}/notify", "-d", '{ "upsert": [{ "id": "1", "name": "Jane Doe" }], "remove": ["2"] }') == (200, OK)
    status, answer = curl(f"{base}/deploy")
    assert status == 200
    assert shared.wait_task(int(answer["deploymentId"][4:]))["status"] == "succeeded"
    assert shared.documents(index) == [{"id": "1", "name": "Jane Doe"}]


@pytest.mark.parametrize("head", [
    "", "Content-Length: 0\r\n", "Content-Type: application/json\r\nContent-Length: 0\r\n",
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 2\r\n\r\n[]",
    "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"])
def test_deploy_takes_any_body_and_none(source, head):
    source.snapshot([])
    head = head if "\r\n\r\n" in head else head + "\r\n"
    end = "\r\n" if "chunked" in head else ""
    said = exchange(source.server, f"POST /api/v1/webhooks/{source.index}/deploy HTTP/1.1\r\nHost: h\r\n"
                                   f"Connection: close\r\n{head}{end}".encode())
    assert first_answer(said).status == 200, said


@pytest.mark.parametrize("operation, body, says", [
    ("snapshot", "", "missing"),
    ("snapshot", "{}", "array of documents"),
    ("snapshot", "[1]", "Element 0 of `documents` is no document"),
    ("snapshot", '[{"id":1},', "EOF"),
    ("snapshot", '[{"id":1},]', "trailing comma"),
    ("snapshot", '[{"id":1}{"id":2}]', "expected `,` or `]`"),
    ("snapshot", '[{"id":}]', "in element 0 of `documents`"),
    ("snapshot", "[] x", "trailing characters"),
    ("snapshot", '[{"id":1.5}]', "Document identifier `1.5`"),
    ("snapshot", '[{"id":null}]', "Document identifier `null`"),
    ("snapshot", '[{"id":""}]', "Document identifier"),
    ("snapshot", json.dumps([{"id": "i" * 512}]), "1 to 511 bytes"),
    ("snapshot", json.dumps([{"id": 1, **{f"f{n}": 0 for n in range(65535)}}]), "65,535 fields"),
    ("notify", "", "missing"),
    ("notify", "[]", "object with `upsert` or `remove`"),
    ("notify", "{}", "needs `upsert` or `remove`"),
    ("notify", '{"upsert":{}}', "`upsert` must be an array"),
    ("notify", '{"remove":null}', "`remove` must be an array"),
    ("notify", '{"upsert":[],"more":1}', "Unknown field `more`"),
    ("notify", '{"upsert":[] "remove":[]}', "expected `,` or `}`"),
    ("notify", '{"upsert" []}', "expected `:`"),
    ("notify", '{upsert:[]}', "key must be a string"),
    ("notify", '{"remove":[true]}', "Document identifier `true`"),
    ("notify", '{"remove":[{"x":1}]}', "Element 0 of `remove`"),
    ("notify", '{"upsert":[]', "EOF"),
    ("update-schema", "", "missing"),
    ("update-schema", "[]", "Invalid schema"),
    ("update-schema", '{"schema":[]}', "Invalid schema"),
    ("update-schema", '{"schema":{"a":1}}', "Invalid schema"),
    ("update-schema", '{"schema":{},"x":1}', "Invalid schema"),
])
def test_bad_bodies_are_refused_in_plain_text_and_stage_nothing(source, operation, body, says):
    answer = source.ask(operation, body)
    assert answer.status == 400 and says in answer.body.decode(), answer
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert source.ask("has-data").status == 404


def test_limits_at_their_edge(source):
    source.snapshot([{"id": "i" * 511}, {"id": 1, **{f"f{n}": 0 for n in range(65534)}}])
    name = "n" * 65400
    source.tell("update-schema", {"schema": {name: "string"}})
    refused = source.ask("update-schema", {"schema": {name + "n" * 200: "string"}})
    assert (refused.status, b"65536 bytes" in refused.body) == (413, True)
    source.deployed()
    assert len(source.live()) == 2


def test_payload_limit_holds_for_snapshots(start_server):
    server = start_server("--http-payload-size-limit", "2000")
    source = Source(server, "limit")
    body = json.dumps([{"id": 1, "pad": ""}])
    body = body.replace('""', '"' + "p" * (2000 - len(body)) + '"')
    source.tell("snapshot", body)
    refused = source.ask("snapshot", body + " ")
    assert refused.status == 413 and refused.headers["Content-Type"].startswith("text/plain"), refused


def test_errors_are_json_when_asked_for(source):
    answer = source.ask("deploy", headers={"Accept": "application/json"})
    assert (answer.status, answer.json["code"]) == (404, "index_not_found")
    for accept in ("*/*", "text/html, application/*"):
        assert source.ask("deploy", headers={"Accept": accept}).headers["Content-Type"].startswith("text/plain")


def test_unknown_index_is_not_deployed(source):
    assert source.ask("deploy").status == source.ask("has-data").status == 404
    assert source.ask("deploy").body == f"Index `{source.index}` not found.\n".encode()
    assert source.server.get(f"/indexes/{source.index}").status == 404


def test_idempotency_key_stages_once(source):
    first = source.ask("notify", {"upsert": [{"id": 1}]}, headers={"Idempotency-Key": source.index})
    again = source.ask("notify", {"upsert": [{"id": 1}]}, headers={"Idempotency-Key": source.index})
    assert first.json == again.json == OK and again.headers["Idempotency-Replayed"] == "true"
    assert source.deployed()["details"]["stagedOperations"] == 1


# --- keys


def make_key(server, indexes, *actions):
    body = {"actions": list(actions), "indexes": indexes, "expiresAt": None}
    answer = server.post("/keys", body, headers={"Authorization": f"Bearer {MASTER_KEY}"})
    assert answer.status == 201, answer
    return {"Authorization": f"Bearer {answer.json['key']}"}


def test_rights_are_those_of_the_key(start_server):
    server = start_server("--master-key", MASTER_KEY)
    master = Source(server, "mine", {"Authorization": f"Bearer {MASTER_KEY}"})
    assert Source(server, "mine").ask("snapshot", "[]").status == 401
    for name in ("snapshot", "deploy"):
        wrong = Source(server, "mine", {"Authorization": "Bearer wrong"}).ask(name, "[]")
        assert (wrong.status, wrong.body) == (401, b"The provided API key is invalid.\n")
    owner = Source(server, "mine", make_key(server, ["mine"], "documents.*", "indexes.*"))
    assert Source(server, "other", owner.headers).ask("snapshot", "[]").status == 403
    owner.snapshot([{"id": "1"}])
    assert owner.deploy() == 1
    wait_until(lambda: master.live() == [{"id": "1"}], server.log, server.process)
    assert server.get("/api/v1/indexes/get-index?id=mine", headers=owner.headers).status == 200
    assert server.get("/api/v1/indexes/get-index?id=other", headers=owner.headers).status == 403


def test_removing_needs_the_right_to_delete(start_server):
    server = start_server("--master-key", MASTER_KEY)
    adder = Source(server, "mine", make_key(server, ["mine"], "documents.add", "indexes.create"))
    adder.notify(upsert=[{"id": "1"}])
    assert adder.ask("notify", {"remove": ["1"]}).status == 403
    assert adder.ask("snapshot", "[]").status == adder.ask("empty").status == 403
    assert adder.ask("update-schema", {"schema": {}}).status == 403


def test_an_index_is_begun_only_by_who_may_create_it(start_server):
    server = start_server("--master-key", MASTER_KEY)
    key = make_key(server, ["mine"], "documents.*")
    assert Source(server, "mine", key).ask("notify", {"upsert": []}).status == 404
    creator = Source(server, "mine", make_key(server, ["mine"], "documents.*", "indexes.create"))
    creator.notify(upsert=[{"id": "1"}])
    Source(server, "mine", key).notify(upsert=[{"id": "2"}])
    uid = Source(server, "mine", key).deploy()
    master = {"Authorization": f"Bearer {MASTER_KEY}"}
    wait_until(lambda: server.get(f"/tasks/{uid}", headers=master).json["status"] == "succeeded", "no end", server.process)
    assert len(server.get("/indexes/mine/documents", headers=master).json["results"]) == 2


# --- crashes


def test_what_is_staged_survives_a_restart(start_server):
    server = start_server()
    source = Source(server, "kept")
    source.snapshot([{"id": n, "pad": "p" * 100} for n in range(1000)])
    source.notify(remove=[1])
    server.kill()
    source.server = server = start_server()
    assert source.has_data() is True
    source.deployed()
    assert len(source.live()) == 999
    wait_until(lambda: files(server) == [], "payload files stay", server.process)


class Editor(threading.Thread):
    """Stages and deploys until the server dies. staged: the state after what was acknowledged; lost: the request whose
    answer was lost, as a function from state to state."""

    def __init__(self, server, staged, rng):
        super().__init__(daemon=True)
        self.source, self.staged, self.rng = Source(server, "crash"), staged, rng
        self.lost, self.n_done, self.deployments = None, 0, []

    def run(self):
        try:
            while True:
                self.one()
                self.n_done += 1
        except OSError:
            pass
        except Exception as e:  # http.client's
            assert "Incomplete" in repr(e) or "RemoteDisconnected" in repr(e) or "BadStatusLine" in repr(e), e

    def one(self):
        documents = [{"id": f"d{self.rng.randrange(30)}", "v": self.rng.randrange(1 << 30), "pad": "p" * 50}
                     for _ in range(self.rng.choice([1, 2, 1000]))]
        removed = [f"d{self.rng.randrange(30)}" for _ in range(self.rng.randrange(3))]
        kind = self.rng.choice(["notify", "notify", "notify", "snapshot", "deploy"])
        new = {d["id"]: d for d in documents}
        if kind == "deploy":
            self.source.deploy()
            self.deployments.append(dict(self.staged))
            return
        if kind == "snapshot":
            self.lost = dict(new)
            self.source.snapshot(documents)
        else:
            self.lost = {**{k: v for k, v in self.staged.items() if k not in removed}, **new}
            self.source.notify(upsert=documents, remove=removed)
        self.staged, self.lost = self.lost, None


def read_whole(source):
    """A listing is read in pieces, and a deploy may come between two of them: what two listings in a row agree on."""
    live, before = source.live(), None
    while live != before:
        live, before = source.live(), live
    return {d["id"]: d for d in live or []}


def test_staging_and_deploys_survive_sigkill_at_any_moment(start_server):
    rng = random.Random(20260505)
    staged = {}
    for _ in range(ROUNDS):
        server = start_server()
        editor = Editor(server, staged, rng)
        editor.start()
        target = rng.randrange(1, 30)
        wait_until(lambda: editor.n_done >= target, server.log, server.process)
        server.kill()
        editor.join()
        source = Source(start_server(), "crash")
        live = read_whole(source)
        assert live in [staged, *editor.deployments, editor.staged]  # as a whole, whatever deploy has run
        if source.ask("has-data").status == 404:  # nothing was acknowledged yet
            assert editor.staged == {}
            source.server.kill()
            continue
        source.deployed()
        live = {d["id"]: d for d in source.live()}
        assert live == editor.staged or live == editor.lost
        staged = live
        wait_until(lambda: files(source.server) == [], "payload files stay", source.server.process)
        source.server.kill()


# --- the clients


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_official_clients_pass_unmodified(start_server, tmp_path):
    for archive, name in (("oramacloud-client", "@oramacloud/client"), ("fumadocs-core", "fumadocs-core")):
        target = tmp_path / "node_modules" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(next(CLIENT.glob(f"{archive}-*.tgz"))) as packed:
            packed.extractall(tmp_path / archive)
        (tmp_path / archive / "package").rename(target)
    shutil.copy(CLIENT / "orama.test.mjs", tmp_path)
    server = start_server("--master-key", MASTER_KEY)
    run = subprocess.run(["node", "--test", "orama.test.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=120,
                         env={**os.environ, "TASKHOOK_URL": server.url, "TASKHOOK_KEY": MASTER_KEY})
    assert run.returncode == 0, run.stdout + run.stderr
