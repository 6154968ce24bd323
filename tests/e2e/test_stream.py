"""GET /tasks/stream: server-sent events of what becomes of tasks."""
import json
import signal
import socket
import ssl

import pytest

from conftest import DEADLINE_S, make_certificate, wait_until


class Stream:
    """One client; next() gives the next event as (id, name, data)."""

    def __init__(self, server, query="", last_id=None, headers=None, receive_bytes=None, raw=False):
        self.connection = server.connect()
        if receive_bytes:
            self.connection.sock = socket.socket()
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            self.connection.sock.settimeout(DEADLINE_S)
            self.connection.sock.connect(("127.0.0.1", server.port))
        headers = dict(headers or {})
        if last_id is not None:
            headers["Last-Event-ID"] = str(last_id)
        self.connection.request("GET", "/tasks/stream" + query, headers=headers)
        self.answer = self.connection.getresponse()
        self.last_id = last_id
        if self.answer.status == 200 and not raw:
            assert self.block() is None  # the greeting

    def lines(self):
        fields = {}
        while line := self.answer.readline().decode():
            if line == "\n":
                return fields
            name, _, value = line.rstrip("\n").partition(":")
            fields[name] = value.strip()
        raise EOFError

    def block(self):
        """One block as an EventSource reads it: None when it holds no event."""
        fields = self.lines()
        self.last_id = int(fields.get("id", self.last_id or 0))
        if "data" not in fields:
            return None
        return self.last_id, fields["event"], json.loads(fields["data"])

    def next(self):
        while (event := self.block()) is None:
            pass
        return event

    def take(self, n):
        return [self.next() for _ in range(n)]

    def close(self):
        self.answer.close()
        self.connection.close()


@pytest.fixture
def stream():
    """stream(server, ...): closed at the end."""
    streams = []

    def begin(*args, **options):
        streams.append(Stream(*args, **options))
        return streams[-1]

    yield begin
    for s in streams:
        s.close()


def brief(events):
    return [(name, task["uid"]) for _, name, task in events]


def test_the_life_of_a_task(server, stream):
    s = stream(server)
    assert s.answer.headers["Content-Type"] == "text/event-stream"
    uid = server.post("/indexes", {"uid": "a"}).json["taskUid"]
    events = s.take(3)
    assert [name for _, name, _ in events] == ["enqueued", "processing", "succeeded"]
    assert [task["status"] for _, _, task in events] == ["enqueued", "processing", "succeeded"]
    assert events[2][2] == server.task(uid)
    ids = [id for id, _, _ in events]
    assert ids == list(range(ids[0], ids[0] + 3))


def test_an_event_shows_the_task_as_it_was_then(server, stream):
    first = stream(server)
    server.done(server.post("/indexes/a/documents", [{"id": 1}]))
    live = first.take(3)
    replayed = stream(server, last_id=live[0][0] - 1).take(3)
    assert replayed == live
    enqueued = replayed[0][2]
    assert enqueued["details"] == {"receivedDocuments": 1, "indexedDocuments": None}
    assert (enqueued["batchUid"], enqueued["startedAt"], enqueued["finishedAt"]) == (None, None, None)
    processing = replayed[1][2]
    assert processing["batchUid"] is not None and processing["finishedAt"] is None


def test_failures_and_cancelations(hooked, receiver, stream):
    receiver.script = ["hold", 200]
    hooked.post("/indexes", {"uid": "a"})
    receiver.next()
    s = stream(hooked, "?statuses=failed,canceled")
    failing = hooked.post("/indexes", {"uid": "a"}).json["taskUid"]
    waiting = hooked.post("/indexes", {"uid": "b"}).json["taskUid"]
    hooked.run("POST", f"/tasks/cancel?uids={waiting}")
    receiver.release()
    events = s.take(2)
    assert brief(events) == [("canceled", waiting), ("failed", failing)]
    assert events[1][2]["error"]["code"] == "index_already_exists"


def test_a_rolled_back_batch_is_enqueued_again(server, stream):
    s = stream(server, "?uids=0")
    large = [{"id": i, "pad": "x" * 50} for i in range(150000)]
    uid = server.post("/indexes/a/documents", large).json["taskUid"]
    assert [name for name, _ in brief(s.take(2))] == ["enqueued", "processing"]
    assert server.run("POST", f"/tasks/cancel?uids={uid}")["details"]["canceledTasks"] == 1, "it ran too fast"
    assert [name for name, _ in brief(s.take(2))] == ["enqueued", "canceled"]


def test_a_stream_resumes_exactly(server, stream):
    s = stream(server)
    server.done(server.post("/indexes", {"uid": "a"}))
    last = s.take(3)[-1][0]
    s.close()
    for i in range(30):
        server.done(server.post(f"/indexes/a/documents", [{"id": i}]))
    again = stream(server, last_id=last)
    ids = [id for id, _, _ in again.take(90)]
    assert ids == list(range(last + 1, last + 91))
    server.post("/indexes", {"uid": "b"})
    assert again.next()[0] == last + 91  # and is live


def test_a_stream_resumes_after_a_restart(start_server, stream):
    server = start_server()
    s = stream(server)
    server.done(server.post("/indexes", {"uid": "a"}))
    events = s.take(3)
    server.stop()
    again = stream(start_server(), last_id=events[0][0])
    assert again.take(2) == events[1:]


def test_a_stream_begins_now_and_can_resume_from_there(server, stream):
    server.done(server.post("/indexes", {"uid": "a"}))
    s = stream(server)
    began = s.last_id
    s.close()
    uid = server.done(server.post("/indexes", {"uid": "b"}))["uid"]
    assert brief(stream(server, last_id=began).take(3)) == [
        ("enqueued", uid), ("processing", uid), ("succeeded", uid)]


def test_an_id_that_was_never_given_out_is_a_gap(server, stream):
    server.done(server.post("/indexes", {"uid": "a"}))
    s = stream(server, last_id=10 ** 12, raw=True)
    id, name, data = s.next()
    assert (name, data["lost"]) == ("gap", None)
    assert data["next"] == id + 1
    server.post("/indexes", {"uid": "b"})
    assert s.next()[:2] == (id + 1, "enqueued")


def test_a_bad_last_event_id(shared, stream):
    s = stream(shared, last_id="doggo")
    assert s.answer.status == 400
    assert json.loads(s.answer.read())["code"] == "bad_request"


def test_filters_are_those_of_the_listing(server, stream):
    by_index = stream(server, "?indexUids=b")
    by_type = stream(server, "?types=documentAdditionOrUpdate&statuses=succeeded")
    server.done(server.post("/indexes", {"uid": "a"}))
    created = server.done(server.post("/indexes", {"uid": "b"}))["uid"]
    added = server.done(server.post("/indexes/b/documents", [{"id": 1}]))["uid"]
    assert brief(by_index.take(6)) == [
        (name, uid) for uid in (created, added) for name in ("enqueued", "processing", "succeeded")]
    assert brief(by_type.take(1)) == [("succeeded", added)]


@pytest.mark.parametrize("query, code", [("?statuses=doggo", "invalid_task_statuses"), ("?uids=x", "invalid_task_uids"),
                                         ("?limit=1", "bad_request"), ("?indexUids=a%20b", "invalid_index_uid")])
def test_bad_filters(shared, query, code):
    assert shared.get("/tasks/stream" + query).json["code"] == code


def test_a_stream_shows_what_the_key_may_see(start_server, stream):
    server = start_server("--master-key", "a-master-key-long-enough")
    master = {"Authorization": "Bearer a-master-key-long-enough"}
    key = server.post("/keys", {"actions": ["tasks.get"], "indexes": ["b*"], "expiresAt": None}, headers=master).json["key"]
    assert stream(server).answer.status == 401
    s = stream(server, headers={"Authorization": f"Bearer {key}"})
    for uid in ("a", "b1", "c", "b2"):
        server.post("/indexes", {"uid": uid}, headers=master)
    assert {task["indexUid"] for _, _, task in s.take(6)} == {"b1", "b2"}


def test_a_stream_ends_when_its_key_is_removed(start_server, stream):
    master = {"Authorization": "Bearer a-master-key-long-enough"}
    server = start_server("--master-key", "a-master-key-long-enough")
    body = {"actions": ["tasks.get"], "indexes": ["*"], "expiresAt": None}
    key = server.post("/keys", body, headers=master).json["key"]
    s = stream(server, headers={"Authorization": f"Bearer {key}"})
    assert server.delete(f"/keys/{key}", headers=master).status == 204
    while (fields := s.lines()).get("event") != "end":
        assert "data" not in fields
    assert json.loads(fields["data"]) == {"reason": "the API key is not valid any more"}
    with pytest.raises(EOFError):
        s.lines()


def test_events_over_tls(start_server, stream, tmp_path):
    cert, key = make_certificate(tmp_path)
    server = start_server("--ssl-cert-path", cert, "--ssl-key-path", key)
    server.tls_context = ssl.create_default_context(cafile=cert)
    s = stream(server)
    server.post("/indexes", {"uid": "a"})
    assert [name for name, _ in brief(s.take(3))] == ["enqueued", "processing", "succeeded"]


def test_a_slow_reader_loses_nothing_and_holds_up_nobody(server, stream):
    slow, quick = stream(server, receive_bytes=4096), stream(server, "?statuses=succeeded")
    first = slow.last_id
    n = 400
    pad = "x" * 2000
    uids = [server.post(f"/indexes/a/documents?customMetadata={pad}", [{"id": i}]).json["taskUid"] for i in range(n)]
    assert sorted(task["uid"] for _, _, task in quick.take(n)) == uids
    events = slow.take(3 * n)
    assert [id for id, _, _ in events] == list(range(first + 1, first + 3 * n + 1))


def test_hundreds_of_streams_see_the_same(server, stream):
    streams = [stream(server) for _ in range(200)]
    server.post("/indexes", {"uid": "a"})
    seen = [s.take(3) for s in streams]
    assert all(events == seen[0] for events in seen)


def test_clients_that_leave_are_forgotten(start_server, stream):
    server = start_server("--experimental-enable-metrics")
    streams = [stream(server) for _ in range(20)]

    def n_streams():
        line = next(l for l in server.get("/metrics").body.decode().splitlines() if l.startswith("taskhook_streams "))
        return int(line.split()[1])

    assert n_streams() == 20
    for s in streams:
        s.close()
    wait_until(lambda: n_streams() == 0, "they are not forgotten", timeout=10)


def test_a_stop_ends_streams_in_good_order(server, stream):
    s = stream(server)
    server.process.send_signal(signal.SIGTERM)
    assert s.answer.read() == b""  # with the last chunk: no IncompleteRead
    server.process.wait(DEADLINE_S)
    assert server.stop() == 0


def test_head_has_no_stream(shared):
    answer = shared.request("HEAD", "/tasks/stream")
    assert (answer.status, answer.body) == (200, b"")
