"""Errors are JSON, always; routing; authentication; and what a front proxy and this server might read differently."""
import gzip
import json

import pytest

from conftest import count_answers, exchange, first_answer

JSON = {"Content-Type": "application/json"}


def is_error(answer, status, code):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json
    assert list(body) == ["message", "code", "type", "link"]
    assert body["code"] == code
    assert body["link"] == f"https://docs.meilisearch.com/errors#{code}"
    return body["message"]


# --- routing


def test_unknown_paths_are_404_without_a_body(shared):
    for path in ("/doggo", "/indexes/a/doggo", "/tasks/1/2/3"):
        answer = shared.get(path)
        assert (answer.status, answer.body) == (404, b"")


def test_other_methods_are_405_without_a_body(shared):
    for method, path in (("PUT", "/tasks"), ("DELETE", "/health"), ("PATCH", "/indexes"), ("GET", "/swap-indexes"),
                         ("OPTIONS", "/tasks")):
        answer = shared.request(method, path)
        assert (answer.status, answer.body) == (405, b""), (method, path)


def test_slashes_are_normalised(shared):
    assert shared.get("/tasks/").status == 200
    said = exchange(shared, b"GET //tasks//// HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert first_answer(said).status == 200


def test_a_body_and_content_type_on_get_and_delete_are_ignored(server):
    assert server.get("/tasks", headers=JSON).status == 200
    assert server.request("GET", "/tasks", "{broken", headers=JSON).status == 200
    server.done(server.post("/indexes", {"uid": "a"}))
    server.done(server.delete("/indexes/a", "{broken", headers=JSON))


# --- bodies of JSON routes


def test_content_type_of_json_routes(shared):
    accepted = "Accepted values for the Content-Type header are: `application/json`"
    assert is_error(shared.post("/indexes", "{}"), 415, "missing_content_type") == (
        "A Content-Type header is missing. " + accepted)
    assert is_error(shared.post("/indexes", "{}", headers={"Content-Type": "text/plain"}), 415, "invalid_content_type") == (
        "The Content-Type `text/plain` is invalid. " + accepted)


@pytest.mark.parametrize("body, code, message", [
    ("", "missing_payload", "A json payload is missing."),
    ("{", "malformed_payload",
     "The json payload provided is malformed. `EOF while parsing an object at line 1 column 1`."),
    ('{"uid": "a",}', "malformed_payload",
     "The json payload provided is malformed. `trailing comma at line 1 column 13`."),
    ('{"uid": "a"} x', "malformed_payload",
     "The json payload provided is malformed. `trailing characters at line 1 column 14`."),
    ("{'uid': 1}", "malformed_payload",
     "The json payload provided is malformed. `key must be a string at line 1 column 2`."),
])
def test_bad_json(shared, body, code, message):
    assert is_error(shared.post("/indexes", body, headers=JSON), 400, code) == message


def test_compressed_json(server):
    packed = gzip.compress(b'{"uid": "packed"}')
    headers = {**JSON, "Content-Encoding": "gzip"}
    server.done(server.post("/indexes", packed, headers=headers))
    assert is_error(server.post("/indexes", packed[:-9], headers=headers), 400, "bad_request") == (
        "The provided payload is incomplete and cannot be parsed")
    is_error(server.post("/indexes", packed, headers={**JSON, "Content-Encoding": "zstd"}), 415, "unsupported_media_type")


def test_json_bodies_have_a_limit(shared):
    limit = 4 * 1024 * 1024
    large = b'{"uid": "' + b"a" * limit + b'"}'
    message = is_error(shared.post("/indexes", large, headers=JSON), 413, "payload_too_large")
    assert message == f"JSON payload ({len(large)} bytes) is larger than allowed (limit: {limit} bytes)."
    packed = gzip.compress(large)
    message = is_error(shared.post("/indexes", packed, headers={**JSON, "Content-Encoding": "gzip"}), 413,
                       "payload_too_large")
    assert message == f"JSON payload has exceeded limit ({limit} bytes)."


def test_a_bomb_is_stopped_at_the_limit(shared):
    bomb = gzip.compress(b" " * (256 * 1024 * 1024))
    is_error(shared.post("/indexes", bomb, headers={**JSON, "Content-Encoding": "gzip"}), 413, "payload_too_large")


# --- authentication


@pytest.fixture
def locked(start_server):
    return start_server("--master-key", "a-master-key-of-enough-bytes")


def test_authentication(locked):
    missing = "The Authorization header is missing. It must use the bearer authorization method."
    invalid = "The provided API key is invalid."
    for headers, status, code, message in (
            ({}, 401, "missing_authorization_header", missing),
            ({"Authorization": "Basic x"}, 401, "missing_authorization_header", missing),
            ({"Authorization": "bearer a-master-key-of-enough-bytes"}, 401, "missing_authorization_header", missing),
            ({"Authorization": "Bearer"}, 403, "invalid_api_key", invalid),
            ({"Authorization": "Bearer nope"}, 403, "invalid_api_key", invalid)):
        assert is_error(locked.get("/tasks", headers=headers), status, code) == message
    assert locked.get("/tasks", headers={"Authorization": "Bearer a-master-key-of-enough-bytes"}).status == 200


def test_open_routes_and_unknown_ones_need_no_key(locked):
    assert locked.get("/health").status == 200
    assert locked.get("/").status == 200
    assert locked.get("/doggo").status == 404


def test_authentication_comes_before_everything_else(locked):
    is_error(locked.post("/indexes/a%20b/documents?doggo=1", "{"), 401, "missing_authorization_header")
    is_error(locked.patch("/webhooks/x", "{"), 401, "missing_authorization_header")


def test_a_stranger_is_refused_before_the_body_is_sent(locked):
    said = exchange(locked, b"POST /indexes/a/documents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                            b"Content-Length: 50000000\r\n\r\n")
    is_error(first_answer(said), 401, "missing_authorization_header")


def test_without_a_master_key_another_scheme_is_still_refused(shared):
    is_error(shared.get("/tasks", headers={"Authorization": "Basic x"}), 401, "missing_authorization_header")
    assert shared.get("/tasks", headers={"Authorization": "Bearer anything"}).status == 200


# --- malformed requests: refused as JSON, and the connection ends

REFUSED = {
    "no version": b"GET /health\r\n\r\n",
    "unknown version": b"GET /health HTTP/3.7\r\nHost: x\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "space before the colon": b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n",
    "folded header": b"GET /health HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    "empty header name": b"GET /health HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
    "no colon": b"GET /health HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
    "NUL in a value": b"GET /health HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "unknown method": b"BREW /health HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", REFUSED.values(), ids=REFUSED.keys())
def test_malformed_requests(shared, request_bytes):
    said = exchange(shared, request_bytes)
    answer = first_answer(said)
    assert 400 <= answer.status <= 505
    if answer.body:
        assert answer.headers["Content-Type"] == "application/json"
        assert list(answer.json) == ["message", "code", "type", "link"]
    assert count_answers(said) == 1 and b"<html" not in said.lower()


SMUGGLED = b"GET /tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
START = b"POST /indexes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
SMUGGLING = {
    "two lengths": START + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED),
    "list of lengths": START + b"Content-Length: 0, 5\r\n\r\n",
    "signed length": START + b"Content-Length: +5\r\n\r\n",
    "negative length": START + b"Content-Length: -1\r\n\r\n",
    "hexadecimal length": START + b"Content-Length: 0x10\r\n\r\n",
    "length beyond numbers": START + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "length and encoding": START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown encoding": START + b"Transfer-Encoding: gzip\r\n\r\n",
    "chunked not last": START + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "two encodings": START + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "hidden encoding": START + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "space before the colon": START + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "bad chunk size": START + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "signed chunk size": START + b"Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
    "junk after a chunk": START + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx\r\n0\r\n\r\n",
    "body on HEAD": b"HEAD /health HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED),
}


@pytest.mark.parametrize("request_bytes", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_no_second_request_hides_in_a_body(shared, request_bytes):
    said = exchange(shared, request_bytes + SMUGGLED)
    assert count_answers(said) <= 1, said
    assert b'"results"' not in said
    assert b"<html" not in said.lower()
    if said:
        assert first_answer(said).status >= 400 or request_bytes.startswith(b"HEAD")


def test_pipelined_requests_are_answered_in_order(shared):
    one = b"GET /tasks/%d HTTP/1.1\r\nHost: x\r\n\r\n"
    said = exchange(shared, one % 4001 + one % 4002 + b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert count_answers(said) == 3
    assert said.index(b"4001") < said.index(b"4002") < said.index(b"available")


def test_a_request_in_single_bytes_is_answered(shared):
    request = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    said = exchange(shared, *(request[i:i + 1] for i in range(len(request))))
    assert first_answer(said).json == {"status": "available"}


def test_a_chunked_body_is_a_body(server):
    body = json.dumps({"uid": "chunked"}).encode()
    said = exchange(server, START + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\n" + body[:5] + b"\r\n",
                    b"%X\r\n" % len(body[5:]) + body[5:] + b"\r\n0\r\n\r\n")
    assert first_answer(said).status == 202


def test_a_long_uri_and_long_headers_are_refused(shared):
    said = exchange(shared, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    is_error(first_answer(said), 414, "uri_too_long")
    said = exchange(shared, b"GET /health HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 1_000_000 + b"\r\n\r\n")
    is_error(first_answer(said), 431, "headers_too_large")


# --- CORS and compression


def test_cors_headers_only_for_origins(shared):
    plain = shared.get("/health")
    assert "Access-Control-Allow-Origin" not in plain.headers
    assert "Origin" in plain.headers["Vary"]
    assert shared.get("/health", headers={"Origin": "https://x.com"}).headers["Access-Control-Allow-Origin"] == "*"


def test_preflight_comes_before_routing_and_authentication(locked):
    answer = locked.request("OPTIONS", "/tasks", headers={
        "Origin": "https://x.com", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-A, X-B"})
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "X-A, X-B"
    assert answer.headers["Access-Control-Max-Age"] == "86400"


def test_long_answers_are_compressed_when_asked_for(server):
    server.done(server.post("/indexes/a/documents", [{"id": i, "t": "x" * 100} for i in range(200)]))
    path = "/indexes/a/documents?limit=200"
    plain = server.get(path)
    assert "Content-Encoding" not in plain.headers
    packed = server.get(path, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body


# --- sizes


def test_json_bodies_obey_a_lower_payload_limit(start_server):
    small = start_server("--http-payload-size-limit", "100 B")
    body = json.dumps({"uid": "x" * 200})
    expected = f"JSON payload ({len(body)} bytes) is larger than allowed (limit: 100 bytes)."
    assert is_error(small.post("/indexes", body, headers=JSON), 413, "payload_too_large") == expected
    packed = small.post("/indexes", gzip.compress(body.encode()), headers={**JSON, "Content-Encoding": "gzip"})
    assert is_error(packed, 413, "payload_too_large") == "JSON payload has exceeded limit (100 bytes)."


def test_delete_batch_names_the_limit_as_a_json_route(start_server):
    small = start_server("--http-payload-size-limit", "100 B")
    body = json.dumps(["x" * 200])
    expected = f"JSON payload ({len(body)} bytes) is larger than allowed (limit: 100 bytes)."
    path = "/indexes/a/documents/delete-batch"
    assert is_error(small.post(path, body, headers=JSON), 413, "payload_too_large") == expected
    packed = small.post(path, gzip.compress(body.encode()), headers={**JSON, "Content-Encoding": "gzip"})
    assert is_error(packed, 413, "payload_too_large") == "JSON payload has exceeded limit (100 bytes)."


def test_texts_with_nul_are_refused(shared):
    nul = "NUL characters are not accepted"
    for name, code in (("customMetadata", "invalid_index_custom_metadata"), ("primaryKey", "invalid_index_primary_key")):
        answer = shared.post(f"/indexes/a/documents?{name}=a%00b", "[]", headers=JSON)
        assert is_error(answer, 400, code) == f"Invalid value in parameter `{name}`: {nul}"
    answer = shared.post("/indexes", {"uid": "a", "primaryKey": "a\0b"})
    assert is_error(answer, 400, "invalid_index_primary_key") == f"Invalid value at `.primaryKey`: {nul}"
