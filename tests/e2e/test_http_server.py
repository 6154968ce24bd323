"""The HTTP server under clients that libraries do not play: raw sockets and curl against the real binary."""
import gzip
import http.client
import json
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import struct
import subprocess

import pytest

from conftest import DEADLINE_S, count_answers, exchange, first_answer, make_certificate, wait_until

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
GET_ROUTES = ("/health", "/version", "/stats", "/indexes", "/indexes/movies", "/indexes/movies/stats",
              "/indexes/movies/documents", "/indexes/movies/documents/1", "/tasks", "/tasks/0", "/batches", "/batches/0",
              "/webhooks")


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), DEADLINE_S)


def read_until(connection, end):
    said = b""
    while not said.endswith(end):
        more = connection.recv(65536)
        assert more, said
        said += more
    return said


def read_all(connection):
    said = b""
    while more := connection.recv(65536):
        said += more
    return said


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


@pytest.fixture(scope="module")
def movies(shared):
    shared.done(shared.post("/indexes/movies/documents", [{"id": 1, "title": "Carol"}]))
    return shared


# --- methods


@pytest.mark.parametrize("path", GET_ROUTES)
def test_head_of_every_route_is_its_get_without_a_body(movies, path):
    get = movies.get(path)
    said = exchange(movies, f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n"
                            "Connection: close\r\n\r\n".encode())
    head, _, rest = said.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {get.status} ".encode())
    if path != "/stats":  # whose counters move
        assert f"Content-Length: {len(get.body)}\r\n".encode() in head + b"\r\n"
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")  # nothing between the two answers


@pytest.mark.parametrize("path", GET_ROUTES)
def test_preflight_of_every_route(movies, path):
    answer = movies.request("OPTIONS", path, headers={"Origin": "http://a", "Access-Control-Request-Method": "POST",
                                                      "Access-Control-Request-Headers": "authorization"})
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization"
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]


# --- connections


def test_a_connection_is_kept_until_a_request_asks_for_its_end(shared):
    request = b"GET /health HTTP/1.1\r\nHost: x\r\n%s\r\n"
    said = exchange(shared, *[request % b""] * 50, request % b"Connection: close\r\n", request % b"")
    assert count_answers(said) == 51


def test_http_1_0_closes_unless_asked_to_keep(shared):
    keep = b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    said = exchange(shared, keep, keep, b"GET /health HTTP/1.0\r\n\r\n", keep)
    assert count_answers(said) == 3
    assert said.count(b"Connection: keep-alive\r\n") == 2


def test_a_half_closed_client_gets_all_its_answers(server):
    body = b'[{"id": 1}]'
    post = (b"POST /indexes/half/documents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    with connect(server) as connection:
        connection.sendall(post * 3 + b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        said = read_all(connection)
    assert re.findall(rb"HTTP/1\.1 (\d+)", said) == [b"202", b"202", b"202", b"200"]


def test_clients_that_reset_at_any_moment_leave_nothing_behind(server):
    body = b'[{"id": 1}]'
    post = (b"POST /indexes/gone/documents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    server.get("/health")
    wait_until(lambda: server.get("/health").status == 200)
    before = descriptors(server)
    for cut in (0, 1, 20, len(post) - 1, len(post)):
        for pipelined in (1, 3):
            with connect(server) as connection:
                connection.sendall(post * (pipelined - 1) + post[:cut])
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.done(server.post("/indexes/gone/documents", [{"id": 2}]))
    wait_until(lambda: descriptors(server) <= before + 8, lambda: f"{descriptors(server)} descriptors, {before} before")


def test_a_full_descriptor_table_is_survived(start_server):
    server = start_server()
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (descriptors(server) + 10,) * 2)
    crowd = [connect(server) for _ in range(40)]
    wait_until(lambda: "cannot accept" in server.log(), server.log, server.process)
    for connection in crowd:
        connection.close()
    wait_until(lambda: healthy(server), "it does not recover", server.process)
    assert server.log().count("cannot accept") < 100


def healthy(server):
    try:
        return server.get("/health").status == 200
    except (OSError, http.client.HTTPException):
        return False


# --- bodies


def test_an_expectation_is_answered_before_the_body_also_behind_another_request(server):
    body = b'[{"id": 1}]'
    head = (b"POST /indexes/expected/documents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
    with connect(server) as connection:
        for before in (b"", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"):
            connection.sendall(before + head)
            read_until(connection, CONTINUE)
            connection.sendall(body)
            assert b" 202 " in read_until(connection, b"}")


@pytest.mark.skipif(not shutil.which("curl"), reason="curl")
@pytest.mark.parametrize("over", ["plain", "tls", "unix"])
def test_curl_uploads_100_megabytes(start_server, tmp_path, over):
    line = json.dumps({"id": 0, "text": "x" * 1000}).encode()
    file = tmp_path / "big.ndjson"
    with open(file, "wb") as out:
        for i in range(97_000):  # just below the limit of 100 MB
            out.write(line.replace(b'"id": 0', b'"id": %d' % i, 1) + b"\n")
    flags, extra = (), []
    if over == "tls":
        cert, key = make_certificate(tmp_path)
        flags, extra = ("--ssl-cert-path", cert, "--ssl-key-path", key), ["--cacert", cert]
    if over == "unix":
        server = start_server("--http-addr", f"unix:{tmp_path}/s", "--db-path", tmp_path / "data", defaults=False)
        base, extra = "http://localhost", ["--unix-socket", tmp_path / "s"]
    else:
        server = start_server(*flags)
        base = f"{'https' if over == 'tls' else 'http'}://127.0.0.1:{server.port}"
    done = subprocess.run(["curl", "-sS", "-v", "--http1.1", *map(str, extra), "-H", "Content-Type: application/x-ndjson",
                           "-H", "Expect: 100-continue", "-X", "POST", "--data-binary", f"@{file}",
                           f"{base}/indexes/big/documents"], capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert b"HTTP/1.1 100 Continue" in done.stderr
    assert json.loads(done.stdout)["status"] == "enqueued"


def test_long_answers_arrive_whole_over_tls(start_server, tmp_path):
    """Many long chains wait in the output at a time."""
    cert, key = make_certificate(tmp_path)
    server = start_server("--ssl-cert-path", cert, "--ssl-key-path", key)
    server.tls_context = ssl.create_default_context(cafile=str(cert))
    documents = [{"id": i, "text": f"{i:06d}" * 100} for i in range(5000)]
    server.done(server.post("/indexes/long/documents", documents))
    for headers in ({}, {"Accept-Encoding": "gzip"}):
        answer = server.get("/indexes/long/documents?limit=5000", headers=headers)
        body = gzip.decompress(answer.body) if answer.headers["Content-Encoding"] == "gzip" else answer.body
        assert json.loads(body)["results"] == documents


# --- the end


def test_a_stop_during_a_long_answer_lets_it_end_and_closes(start_server):
    server = start_server()
    documents = [{"id": i, "text": f"{i:06d}" * 100} for i in range(20000)]
    server.done(server.post("/indexes/long/documents", documents))
    with connect(server) as connection:
        connection.sendall(b"GET /indexes/long/documents?limit=20000 HTTP/1.1\r\nHost: x\r\n\r\n")
        said = connection.recv(1)
        server.process.send_signal(signal.SIGTERM)
        server.wait_log("stopping")
        said += read_all(connection)  # the server closes: the client would keep the connection
    assert said.endswith(b"0\r\n\r\n")
    assert server.stop() == 0


def test_a_reload_during_a_request_does_it_no_harm(start_server, tmp_path):
    cert, key = make_certificate(tmp_path)
    server = start_server("--ssl-cert-path", cert, "--ssl-key-path", key)
    context = ssl.create_default_context(cafile=str(cert))
    body = b'[{"id": 1}]'
    with connect(server) as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        connection.sendall(b"POST /indexes/a/documents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                           b"Content-Length: %d\r\n\r\n%s" % (len(body), body[:4]))
        for _ in range(3):
            server.process.send_signal(signal.SIGHUP)
        server.wait_log("reloaded")
        connection.sendall(body[4:])
        assert first_answer(read_until(connection, b"}")).status == 202
