"""Every error of data sources (plain text, or Meilisearch's object where JSON is accepted) and of reports (RFC 9457) that
the tests of their behaviour (test_orama.py, test_reports.py) do not meet."""
import gzip
import json
import uuid

import pytest

from conftest import LOOPBACK
from test_orama import MASTER_KEY, Source, make_key
from test_reports import STOPPED, define, fill, problem, submit

JSON = {"Content-Type": "application/json"}
MASTER = {"Authorization": f"Bearer {MASTER_KEY}"}
FULL = ("--min-free-disk", "1000000 GiB")  # as if the disk were full
DEEP = '{"a":' * 200 + "1" + "}" * 200


@pytest.fixture
def source(shared):
    return Source(shared, f"s{uuid.uuid4().hex}")


def refused(source, operation, status, code, body=None, headers=None, method="POST"):
    """The same error in both forms."""
    said = source.ask(operation, body, method, headers)
    assert (said.status, said.headers["Content-Type"]) == (status, "text/plain; charset=utf-8"), said
    as_json = source.ask(operation, body, method, {**(headers or {}), "Accept": "application/json"})
    assert (as_json.status, as_json.json["code"]) == (status, code), as_json
    assert as_json.json["message"] + "\n" == said.body.decode()
    assert set(as_json.json) == {"message", "code", "type", "link"}


# --- data sources


@pytest.mark.parametrize("operation, body, code", [
    ("snapshot", "", "missing_payload"),
    ("snapshot", "[1]", "bad_request"),
    ("snapshot", '[{"id":1.5}]', "invalid_document_id"),
    ("snapshot", json.dumps([{"id": 1, **{f"f{n}": 0 for n in range(65535)}}]), "max_fields_limit_exceeded"),
    ("snapshot", f"[{DEEP}]", "malformed_payload"),
    ("notify", "{}", "bad_request"),
    ("notify", '{"more":1}', "bad_request"),
    ("notify", '{"remove":[{"x":1}]}', "bad_request"),
    ("update-schema", "", "missing_payload"),
    ("update-schema", "{", "malformed_payload"),
    ("update-schema", '{"schema":[]}', "invalid_schema"),
    ("update-schema", f'{{"schema":{DEEP}}}', "malformed_payload")])
def test_bodies_of_data_sources(source, operation, body, code):
    refused(source, operation, 400, code, body)


def test_what_data_sources_refuse_beside_bodies(source):
    for operation in ("deploy", "has-data"):
        refused(source, operation, 404, "index_not_found")
    refused(source, "undeploy", 404, "route_not_found")
    refused(source, "deploy", 405, "method_not_allowed", method="GET")
    refused(source, "snapshot", 415, "unsupported_media_type", "[]", {"Content-Encoding": "br"})
    refused(source, "snapshot", 400, "bad_request", b"\x1f\x8bno gzip", {"Content-Encoding": "gzip"})
    refused(source, "notify", 400, "invalid_idempotency_key", '{"upsert":[]}', {"Idempotency-Key": ""})
    for operation in ("snapshot", "notify", "deploy", "empty", "has-data", "update-schema"):
        refused(Source(source.server, "no%20uid"), operation, 400, "invalid_index_uid", "[]")


def test_an_idempotency_key_of_another_request_is_refused(source):
    key = {"Idempotency-Key": source.index}
    assert source.ask("notify", '{"upsert":[]}', headers=key).status == 200
    refused(source, "notify", 422, "idempotency_key_mismatch", '{"upsert":[{}]}', key)


def test_data_sources_take_gzip_up_to_the_payload_limit(start_server):
    source = Source(start_server("--http-payload-size-limit", "2000"), "packed")
    packed = {"Content-Encoding": "gzip"}
    assert source.ask("snapshot", gzip.compress(b'[{"id":"1"}]'), headers=packed).status == 200
    refused(source, "snapshot", 413, "payload_too_large", gzip.compress(b" " * 3000 + b"[]"), packed)
    refused(source, "snapshot", 413, "payload_too_large", b" " * 3000 + b"[]")


def test_keys_of_data_sources(start_server):
    server = start_server("--master-key", MASTER_KEY)
    operations = ("snapshot", "notify", "deploy", "empty", "has-data", "update-schema")
    reader = make_key(server, ["mine"], "documents.get")
    other = make_key(server, ["other"], "*")
    for operation in operations:
        refused(Source(server, "mine"), operation, 401, "missing_authorization_header", "[]")
        refused(Source(server, "mine", {"Authorization": "Bearer wrong"}), operation, 401, "unknown_api_key", "[]")
        refused(Source(server, "mine", reader), operation, 403, "invalid_api_key", "[]")
        refused(Source(server, "mine", other), operation, 403, "invalid_api_key", "[]")


def test_a_full_disk_refuses_what_data_sources_write_and_nothing_else(start_server):
    server = start_server()
    Source(server, "full").snapshot([{"id": 1}])
    assert server.stop() == 0
    source = Source(start_server(*FULL), "full")
    for operation, body in (("snapshot", "[]"), ("notify", '{"upsert":[]}'), ("empty", None), ("deploy", None),
                            ("update-schema", '{"schema":{}}')):
        refused(source, operation, 422, "no_space_left_on_device", body)
    assert source.has_data() is True


# --- reports


def test_bodies_of_reports(shared):
    def post(body, status, code, path="/api/reports", **headers):
        problem(shared.post(path, body, headers={name.replace("_", "-"): v for name, v in headers.items()}), status, code)
    for path in ("/api/reports", "/api/webhooks"):
        post("", 400, "missing_payload", path, Content_Type="application/json")
        post("{}", 415, "missing_content_type", path)
        post("{}", 415, "invalid_content_type", path, Content_Type="text/csv")
        post("{}", 415, "unsupported_media_type", path, Content_Type="application/json", Content_Encoding="br")
        post(DEEP, 400, "malformed_payload", path, Content_Type="application/json")
        post("[]", 400, "bad_request", path, Content_Type="application/json")
    post('{"reportType":"tasks"}', 400, "invalid_idempotency_key", Content_Type="application/json", Idempotency_Key="")


@pytest.mark.parametrize("path, code", [
    ("/api/reports?limit=x", "invalid_task_limit"), ("/api/reports?from=-1", "invalid_task_from"),
    ("/api/reports?state=done", "bad_request"),
    ("/api/webhooks/{id}/deliveries?limit=x", "invalid_delivery_limit"),
    ("/api/webhooks/{id}/deliveries?from=x", "invalid_delivery_from")])
def test_parameters_of_reports(shared, receiver, path, code):
    hook = shared.post("/api/webhooks", {"event": "*", "callbackUrl": receiver.url}).json["id"]
    problem(shared.get(path.format(id=hook)), 400, code)
    assert shared.delete(f"/api/webhooks/{hook}").status == 204


def test_what_is_not_there(shared):
    nobody = str(uuid.uuid4())
    for answer in (shared.get(f"/api/webhooks/{nobody}"), shared.patch(f"/api/webhooks/{nobody}", {"active": True}),
                   shared.delete(f"/api/webhooks/{nobody}"), shared.get(f"/api/webhooks/{nobody}/deliveries")):
        problem(answer, 404, "webhook_not_found")
    for path in ("", "/status", "/download"):
        problem(shared.get(f"/api/reports/4294967295{path}"), 404, "report_not_found")
        problem(shared.get(f"/api/reports/4294967296{path}"), 404, "report_not_found")
    problem(shared.delete("/api/reports/4294967295"), 404, "report_not_found")
    shared.done(shared.post("/indexes", {"uid": f"i{uuid.uuid4().hex}"}))
    problem(shared.get("/api/reports/0"), 404, "report_not_found")  # a task, and no report
    problem(shared.put("/api/report-definitions/no%2Fname", {"index": "a"}), 400, "invalid_report_type")
    for method in (shared.put, shared.delete):
        problem(method("/api/report-definitions/documents", {}), 409, "immutable_report_definition")


def test_keys_of_reports(start_server):
    server = start_server("--master-key", MASTER_KEY, *LOOPBACK)
    reader = make_key(server, ["mine"], "documents.get")
    for path in ("/api/reports", "/api/webhooks", "/api/report-definitions"):
        problem(server.get(path), 401, "missing_authorization_header")
        problem(server.get(path, headers={"Authorization": "Bearer wrong"}), 403, "invalid_api_key")
    for path in ("/api/webhooks", "/api/report-definitions"):
        problem(server.get(path, headers=reader), 403, "invalid_api_key")


def test_more_reports_than_may_wait_are_refused(start_server):
    server = start_server(*LOOPBACK, *STOPPED)
    define(server)
    for _ in range(1000):
        submit(server)
    problem(server.post("/api/reports", {"reportType": "monthly_sales"}), 429, "too_many_reports")


def test_more_definitions_than_may_be_stored_are_refused(start_server):
    server = start_server()
    for number in range(1000):
        define(server, f"type-{number}")
    problem(server.put("/api/report-definitions/more", {"index": "a"}), 429, "too_many_report_definitions")
    assert define(server, "type-7", index="b").status == 200
    assert server.delete("/api/report-definitions/type-7").status == 204
    define(server, "more")


def test_more_webhooks_of_reports_than_may_be_are_refused(start_server):
    server = start_server(*LOOPBACK)
    hook = {"event": "*", "callbackUrl": "http://127.0.0.1:9/"}
    for _ in range(1000):
        assert server.post("/api/webhooks", hook).status == 201
    problem(server.post("/api/webhooks", hook), 429, "too_many_callbacks")


def test_a_full_disk_refuses_what_reports_write_and_nothing_else(start_server, receiver):
    server = start_server(*LOOPBACK)
    define(fill(server))
    task = server.wait_task(int(submit(server)))["uid"]
    hook = server.post("/api/webhooks", {"event": "*", "callbackUrl": receiver.url}).json["id"]
    assert server.stop() == 0
    server = start_server(*LOOPBACK, *FULL)
    for answer in (server.post("/api/reports", {"reportType": "monthly_sales"}),
                   server.post("/api/webhooks", {"event": "*", "callbackUrl": receiver.url}),
                   server.patch(f"/api/webhooks/{hook}", {"active": False}),
                   server.put("/api/report-definitions/more", {"index": "a"})):
        problem(answer, 422, "no_space_left_on_device")
    assert server.get(f"/api/reports/{task}/download").status == 200
    assert server.delete(f"/api/reports/{task}").status == 204  # gives space back
    assert server.delete(f"/api/webhooks/{hook}").status == 204
