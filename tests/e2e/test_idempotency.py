"""Idempotency-Key: a repeated request is answered again and done once."""
import gzip

import pytest

MOVIES = "/indexes/movies/documents"


def key(value):
    return {"Idempotency-Key": value, "Content-Type": "application/json"}


def total(server):
    return server.get("/tasks").json["total"]


@pytest.mark.parametrize("method, path, body, status", [
    ("POST", MOVIES, '[{"id": 1}]', 202),
    ("PUT", MOVIES, '[{"id": 1}]', 202),
    ("POST", MOVIES + "/delete-batch", "[1]", 202),
    ("POST", "/indexes", '{"uid": "movies"}', 202),
    ("POST", "/swap-indexes", "[]", 202),
    ("POST", "/tasks/cancel?uids=0", None, 200),
    ("POST", "/tasks/cancel?statuses=failed", None, 200),
])
def test_the_same_request_is_answered_again(server, method, path, body, status):
    first = server.request(method, path, body, headers=key("k1"))
    assert first.status == status and "Idempotency-Replayed" not in first.headers
    second = server.request(method, path, body, headers=key("k1"))
    assert (second.status, second.body) == (first.status, first.body)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.headers["Content-Type"] == "application/json"
    assert total(server) == 1


def test_a_quoted_key_is_the_same_key(server):
    first = server.post(MOVIES, "[]", headers=key("abc-123"))
    second = server.post(MOVIES, "[]", headers=key('"abc-123"'))
    assert second.body == first.body and second.headers["Idempotency-Replayed"] == "true"


def test_another_body_is_a_mismatch(server):
    assert server.post(MOVIES, '[{"id": 1}]', headers=key("k")).status == 202
    answer = server.post(MOVIES, '[{"id": 2}]', headers=key("k"))
    assert (answer.status, answer.json["code"]) == (422, "idempotency_key_mismatch")
    answer = server.post("/indexes", '{"uid": "a"}', headers=key("k"))
    assert answer.status == 202
    assert server.post("/indexes", '{"uid": "b"}', headers=key("k")).status == 422
    assert total(server) == 2


def test_method_path_and_query_are_part_of_the_key(server):
    for method, path in (("POST", MOVIES), ("PUT", MOVIES), ("POST", MOVIES + "?primaryKey=id"),
                         ("POST", "/indexes/other/documents")):
        answer = server.request(method, path, "[]", headers=key("k"))
        assert answer.status == 202 and "Idempotency-Replayed" not in answer.headers
    assert total(server) == 4


def test_a_key_survives_a_restart(start_server):
    first = start_server()
    answer = first.post(MOVIES, '[{"id": 1}]', headers=key("k"))
    first.done(answer)
    assert first.stop() == 0
    second = start_server()
    again = second.post(MOVIES, '[{"id": 1}]', headers=key("k"))
    assert again.body == answer.body and again.headers["Idempotency-Replayed"] == "true"
    assert total(second) == 1


def test_a_large_upload_is_recognised(server):
    body = "[" + ",".join(f'{{"id":{i},"t":"{"x" * 200}"}}' for i in range(20000)) + "]"
    first = server.post(MOVIES, body, headers=key("large"))
    second = server.post(MOVIES, body, headers=key("large"))
    assert first.status == 202 and second.body == first.body
    assert second.headers["Idempotency-Replayed"] == "true"
    assert server.post(MOVIES, body[:-1] + " ]", headers=key("large")).status == 422


def test_the_digest_is_of_the_body_as_sent(server):
    packed = gzip.compress(b"[]", mtime=0)
    headers = {**key("k"), "Content-Encoding": "gzip"}
    first = server.post(MOVIES, packed, headers=headers)
    assert server.post(MOVIES, packed, headers=headers).body == first.body
    assert server.post(MOVIES, "[]", headers=key("k")).status == 422


def test_a_refused_request_leaves_the_key_free(server):
    assert server.post(MOVIES, "{", headers=key("k")).status == 400
    answer = server.post(MOVIES, "[]", headers=key("k"))
    assert answer.status == 202 and "Idempotency-Replayed" not in answer.headers


def test_requests_without_a_key_are_not_remembered(server):
    headers = {"Content-Type": "application/json"}
    assert server.post(MOVIES, "[]", headers=headers).json["taskUid"] == 0
    assert server.post(MOVIES, "[]", headers=headers).json["taskUid"] == 1


@pytest.mark.parametrize("value", ["", "a b", "caf\xe9", "k" * 256, '"open', '""'])
def test_invalid_keys(shared, value):
    answer = shared.post(MOVIES, "[]", headers=key(value))
    assert (answer.status, answer.json["code"]) == (400, "invalid_idempotency_key")


def test_reads_ignore_the_header(shared):
    assert shared.get("/tasks", headers=key("a b")).status == 200


def test_the_key_of_a_running_request_is_in_use(server):
    """The first upload is still arriving; its key belongs to it only once its body is there, so both are sent whole at
    the same time: one is done, the other replays it or is told to wait."""
    body = "[" + ",".join(f'{{"id":{i},"t":"{"x" * 200}"}}' for i in range(50000)) + "]"
    first, second = server.connect(), server.connect()
    for connection in (first, second):
        connection.request("POST", MOVIES, body, key("twice"))
    answers = [c.getresponse() for c in (first, second)]
    bodies = [a.read() for a in answers]
    first.close(), second.close()
    assert sorted(a.status for a in answers) in ([202, 202], [202, 409])
    if answers[0].status == answers[1].status:
        assert bodies[0] == bodies[1]
    assert total(server) == 1
