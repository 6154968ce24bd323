"""What is in a request: the three formats, compression, parts of large payloads, and the headers of every request."""
import json
import re

import pytest

from conftest import LOOPBACK, Server  # noqa: F401

STOPPED = ("--experimental-max-number-of-batched-tasks", "0")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def register(server, receiver, **fields):
    answer = server.post("/webhooks", {"url": receiver.url, **fields})
    assert answer.status == 201, answer
    return answer.json["uuid"]


def batch_of(start_server, receiver, n, *flags, **fields):
    """n tasks of one batch, delivered to one webhook."""
    stopped = start_server(*LOOPBACK, *STOPPED)
    register(stopped, receiver, **fields)
    for number in range(n):
        assert stopped.post("/indexes/movies/documents", {"id": number}).status == 202
    assert stopped.stop() == 0
    return start_server(*LOOPBACK, *flags)


def test_json_is_one_document_of_all_tasks(start_server, receiver):
    server = batch_of(start_server, receiver, 3, format="json")
    request = receiver.next()
    assert request.headers["Content-Type"] == "application/json"
    assert "Content-Encoding" not in request.headers
    document = json.loads(request.raw)
    assert list(document) == ["id", "type", "time", "batchUid", "tasks"]
    assert document["id"] == request.headers["webhook-id"] and UUID.fullmatch(document["id"])
    assert (document["type"], document["batchUid"]) == ("batch.finished", 0)
    assert document["tasks"] == [server.get(f"/tasks/{uid}").json for uid in range(3)]
    assert document["time"] >= document["tasks"][0]["finishedAt"]


def test_cloudevents_is_a_batch_with_one_event_a_task(start_server, receiver):
    server = batch_of(start_server, receiver, 3, format="cloudevents")
    request = receiver.next()
    assert request.headers["Content-Type"] == "application/cloudevents-batch+json"
    events = json.loads(request.raw)
    assert [event["data"] for event in events] == [server.get(f"/tasks/{uid}").json for uid in range(3)]
    assert len({event["id"] for event in events}) == 3
    for event in events:
        assert (event["specversion"], event["source"], event["type"], event["subject"]) == (
            "1.0", "urn:taskhook", "taskhook.task.succeeded", "movies")
        assert event["datacontenttype"] == "application/json"
        assert event["id"].startswith(request.headers["webhook-id"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", event["time"])


@pytest.mark.parametrize("fields, is_gzipped", [
    ({}, True), ({"compression": "none"}, False), ({"compression": "gzip"}, True), ({"format": "json"}, False),
    ({"format": "json", "compression": "gzip"}, True), ({"format": "cloudevents", "compression": "gzip"}, True)])
def test_compression_is_as_chosen(server, receiver, fields, is_gzipped):
    register(server, receiver, **fields)
    server.post("/indexes/movies/documents", {"id": 1})
    request = receiver.next()
    assert (request.headers.get("Content-Encoding") == "gzip") is is_gzipped
    assert b'"indexUid":"movies"' in request.body


def test_large_batch_is_split_into_numbered_parts(start_server, receiver):
    server = batch_of(start_server, receiver, 7, "--webhook-max-payload-tasks", "3")
    requests = sorted((receiver.next() for _ in range(3)), key=lambda r: r.headers["webhook-part"])
    assert [r.headers["webhook-part"] for r in requests] == ["1/3", "2/3", "3/3"]
    event = requests[0].headers["webhook-id"].rsplit(".", 1)[0]
    assert [r.headers["webhook-id"] for r in requests] == [f"{event}.{part}" for part in (1, 2, 3)]
    assert [r.headers["webhook-sequence"] for r in requests] == ["1", "2", "3"]
    assert [[t["uid"] for t in r.tasks] for r in requests] == [[0, 1, 2], [3, 4, 5], [6]]
    server.wait_task(6)


def test_payload_above_the_limit_of_bytes_is_split(start_server, receiver):
    batch_of(start_server, receiver, 6, "--webhook-max-payload-size", "1 KiB", format="json")
    sizes, uids = [], []
    while len(uids) < 6:
        request = receiver.next()
        document = json.loads(request.raw)
        assert (document["part"], document["parts"]) == tuple(map(int, request.headers["webhook-part"].split("/")))
        sizes.append(len(request.raw))
        uids += [task["uid"] for task in document["tasks"]]
    assert sorted(uids) == list(range(6)) and len(sizes) > 1
    assert max(sizes) < 1024 + 200  # the tasks, and the document around them


def test_sequence_numbers_have_no_gaps_and_are_repeated_on_retries(server, receiver):
    register(server, receiver, retrySchedule=[0.01])
    receiver.script = [200, 500, 200]
    seen = []
    for number in range(3):
        server.run("POST", "/indexes/movies/documents", {"id": number})
    while len(seen) < 4:
        request = receiver.next()
        seen.append((int(request.headers["webhook-sequence"]), request.headers["webhook-id"]))
    assert sorted({sequence for sequence, _ in seen}) == [1, 2, 3]
    assert len(set(seen)) == 3


def test_user_headers_stay_and_cannot_take_the_place_of_ours(server, receiver):
    register(server, receiver, headers={"X-Mine": "1", "Webhook-Id": "forged", "webhook-sequence": "forged",
                                        "webhook-signature": "mine"})
    server.post("/indexes/movies/documents", {"id": 1})
    headers = receiver.next().headers
    assert headers["X-Mine"] == "1"
    assert UUID.fullmatch(headers["webhook-id"]) and headers.get_all("webhook-id") == [headers["webhook-id"]]
    assert headers.get_all("webhook-sequence") == ["1"]
    assert headers["webhook-signature"] == "mine"  # nothing is signed here, so it is the user's


def test_format_can_be_changed_at_run_time(server, receiver):
    uuid = register(server, receiver)
    server.run("POST", "/indexes/movies/documents", {"id": 1})
    assert receiver.next().headers["Content-Type"] == "application/x-ndjson"
    assert server.patch(f"/webhooks/{uuid}", {"format": "json"}).status == 200
    server.post("/indexes/movies/documents", {"id": 2})
    assert receiver.next().headers["Content-Type"] == "application/json"
    assert server.patch(f"/webhooks/{uuid}", {"format": None}).status == 200
    server.post("/indexes/movies/documents", {"id": 3})
    assert receiver.next().headers["Content-Type"] == "application/x-ndjson"
