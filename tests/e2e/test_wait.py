"""GET /tasks/{uid} with Prefer: wait (RFC 7240)."""
import http.client
import signal
import socket
import time

import pytest

from conftest import DEADLINE_S, count_answers, wait_until


@pytest.fixture
def paused(start_server):
    """A server that runs no batch: tasks stay enqueued."""
    return start_server("--experimental-max-number-of-batched-tasks", "0")


def wait(server, uid, seconds=30, **headers):
    return server.get(f"/tasks/{uid}", headers={"Prefer": f"wait={seconds}", **headers})


def begin_wait(server, uid, prefer="wait=30"):
    """A socket on which the answer will come."""
    connection = socket.create_connection(("127.0.0.1", server.port), 30)
    connection.sendall(f"GET /tasks/{uid} HTTP/1.1\r\nHost: x\r\nPrefer: {prefer}\r\n\r\n".encode())
    return connection


def read_answer(connection):
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer, answer.read()


def n_waits(server):
    """How many requests wait now, by the metrics."""
    line = next(l for l in server.get("/metrics").body.decode().splitlines() if l.startswith("taskhook_waits "))
    return int(line.split()[1])


def test_a_wait_is_answered_when_the_task_has_ended(server):
    uid = server.post("/indexes", {"uid": "a"}).json["taskUid"]
    answer = wait(server, uid)
    assert answer.status == 200
    assert answer.json["status"] == "succeeded"
    assert answer.headers["Preference-Applied"] == "wait=30"


def test_a_wait_for_an_ended_task_is_answered_at_once(server):
    uid = server.done(server.post("/indexes", {"uid": "a"}))["uid"]
    began = time.monotonic()
    assert wait(server, uid, 60).json["status"] == "succeeded"
    assert time.monotonic() - began < 5


def test_a_wait_ends_when_its_time_is_up(paused):
    uid = paused.post("/indexes", {"uid": "a"}).json["taskUid"]
    began = time.monotonic()
    answer = wait(paused, uid, 1)
    assert 0.9 < time.monotonic() - began < 10
    assert (answer.status, answer.json["status"]) == (200, "enqueued")
    assert answer.headers["Preference-Applied"] == "wait=1"


def test_waits_are_capped(server):
    uid = server.done(server.post("/indexes", {"uid": "a"}))["uid"]
    assert wait(server, uid, 100000).headers["Preference-Applied"] == "wait=60"


@pytest.mark.parametrize("prefer", ["respond-async", "wait", "wait=", "wait=soon", "wait=-1", "", "waiting=5"])
def test_other_preferences_are_ignored(paused, prefer):
    uid = paused.post("/indexes", {"uid": "a"}).json["taskUid"]
    answer = paused.get(f"/tasks/{uid}", headers={"Prefer": prefer})
    assert answer.json["status"] == "enqueued"
    assert "Preference-Applied" not in answer.headers


def test_a_wait_among_other_preferences(paused):
    uid = paused.post("/indexes", {"uid": "a"}).json["taskUid"]
    answer = paused.get(f"/tasks/{uid}", headers={"Prefer": 'respond-async, x="a,b"; y=1 , WAIT="1"; z=2'})
    assert answer.headers["Preference-Applied"] == "wait=1"


def test_a_wait_has_the_errors_of_the_plain_route(shared):
    assert wait(shared, "doggo").json["code"] == "invalid_task_uids"
    assert wait(shared, 4000000000).json["code"] == "task_not_found"


def test_a_wait_needs_the_rights_of_the_plain_route(start_server):
    server = start_server("--master-key", "a-master-key-long-enough")
    master = {"Authorization": "Bearer a-master-key-long-enough"}
    key = server.post("/keys", {"actions": ["tasks.get"], "indexes": ["other"], "expiresAt": None}, headers=master).json["key"]
    uid = server.post("/indexes", {"uid": "a"}, headers=master).json["taskUid"]
    assert wait(server, uid).json["code"] == "missing_authorization_header"
    assert wait(server, uid, Authorization=f"Bearer {key}").json["code"] == "task_not_found"
    assert wait(server, uid, Authorization=master["Authorization"]).json["status"] == "succeeded"


def test_a_canceled_task_ends_its_wait(hooked, receiver):
    receiver.script = ["hold", 200]
    hooked.post("/indexes", {"uid": "first"})
    receiver.next()
    uid = hooked.post("/indexes", {"uid": "second"}).json["taskUid"]
    with begin_wait(hooked, uid) as connection:
        hooked.post(f"/tasks/cancel?uids={uid}")
        _, body = read_answer(connection)
    assert b'"status":"canceled"' in body
    receiver.release()


def test_many_wait_for_one_task(hooked, receiver):
    receiver.script = ["hold", 200]
    hooked.post("/indexes", {"uid": "first"})
    receiver.next()
    uid = hooked.post("/indexes", {"uid": "second"}).json["taskUid"]
    connections = [begin_wait(hooked, uid) for _ in range(300)]
    receiver.release()
    for connection in connections:
        answer, body = read_answer(connection)
        assert answer.status == 200 and b'"status":"succeeded"' in body
        connection.close()


def test_requests_behind_a_wait_on_its_connection_come_after_it(hooked, receiver):
    receiver.script = ["hold", 200]
    hooked.post("/indexes", {"uid": "first"})
    receiver.next()
    uid = hooked.post("/indexes", {"uid": "second"}).json["taskUid"]
    with begin_wait(hooked, uid) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        receiver.release()
        said = b""
        while count_answers(said) < 2:
            said += connection.recv(65536)
    assert said.index(b'"status":"succeeded"') < said.index(b'"status":"available"')


def test_a_client_that_leaves_is_forgotten_at_once(start_server):
    server = start_server("--experimental-max-number-of-batched-tasks", "0", "--experimental-enable-metrics")
    uid = server.post("/indexes", {"uid": "a"}).json["taskUid"]
    connections = [begin_wait(server, uid, "wait=60") for _ in range(20)]
    wait_until(lambda: n_waits(server) == 20, "they do not wait")
    for connection in connections:
        connection.close()
    wait_until(lambda: n_waits(server) == 0, "they are not forgotten", timeout=10)


def test_a_stop_answers_who_waits(paused):
    uid = paused.post("/indexes", {"uid": "a"}).json["taskUid"]
    with begin_wait(paused, uid, "wait=60") as connection:
        paused.get("/health")  # behind the wait in the server's order
        paused.process.send_signal(signal.SIGTERM)
        answer, body = read_answer(connection)
    assert answer.status == 200 and b'"status":"enqueued"' in body
    paused.process.wait(DEADLINE_S)
    assert paused.stop() == 0
