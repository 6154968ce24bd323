"""The real binary and a real receiver, for end-to-end tests (standard library only).

Server    a running taskhook with a data directory of its own; speaks HTTP to it.
Receiver  a webhook receiver on port 0 whose answers a test scripts.
Everything waits for events; only the end of a task, which has none, is polled.
"""
import gzip
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BINARY = os.path.abspath(
    os.environ.get("TASKHOOK_BIN") or pathlib.Path(__file__).resolve().parents[2] / "build" / "taskhook")
DEADLINE_S = 30  # for anything that should happen: only a broken server makes a test wait so long
POLL_S = 0.005
# Receivers listen on loopback, which the address policy refuses unless it is allowed.
LOOPBACK = ("--experimental-allowed-ip-networks", "127.0.0.0/8")


def wait_until(predicate, message="", process=None, timeout=DEADLINE_S):
    """Polls; fails with the message (text or a function) when time is up or the process has ended."""
    deadline = time.monotonic() + timeout
    while not predicate():
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() > deadline:
            text = message() if callable(message) else message
            raise AssertionError(f"{'the process ended' if ended else 'timeout'}: {text}")
        time.sleep(POLL_S)


def run_binary(directory, *flags, env=None):
    """The ended process, for starts that end by themselves."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MEILI_", "TASKHOOK_"))}
    return subprocess.run([BINARY, *map(str, flags)], cwd=directory, capture_output=True, text=True, timeout=DEADLINE_S,
                          env={**clean, **(env or {})})


# --- the server


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Server:
    """start() returns when it listens; then stop() or kill(). tls_context: set it to speak HTTPS."""

    def __init__(self, db_path, flags, env=None, cwd=None):
        self.db_path, self.flags, self.env = pathlib.Path(db_path), [str(f) for f in flags], env or {}
        self.cwd = cwd or self.db_path.parent
        self.process = self.address = self.tls_context = None
        self.lines, self.ended = [], False
        self.changed = threading.Condition()

    def start(self):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("MEILI_", "TASKHOOK_"))}
        self.process = subprocess.Popen([BINARY, *self.flags], cwd=self.cwd, env={**clean, **self.env},
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()
        self.address = re.search(r"listening address=\"?([^\s\"]+)", self.wait_log("listening address=")).group(1)
        return self

    def _read_log(self):
        for raw in self.process.stderr:
            with self.changed:
                self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def log(self):
        with self.changed:
            return "\n".join(self.lines)

    def wait_log(self, pattern, timeout=DEADLINE_S):
        """The first line that holds the regular expression."""
        def found():
            return next((line for line in self.lines if re.search(pattern, line)), None)
        with self.changed:
            self.changed.wait_for(lambda: found() or self.ended, timeout)
            line = found()
        assert line, f"no {pattern!r} in the log:\n{self.log()}"
        return line

    def stop(self, number=signal.SIGTERM):
        """Asks it to end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("it does not end:\n" + self.log())
        self._close()
        return code

    def kill(self):
        """SIGKILL, as a crash."""
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self):
        self.reader.join()
        self.process.stderr.close()

    # --- requests

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    @property
    def url(self):
        return f"{'https' if self.tls_context else 'http'}://{self.address}"

    def connect(self):
        """A kept-alive connection of http.client."""
        if self.tls_context:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=DEADLINE_S, context=self.tls_context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)

    def request(self, method, path, body=None, headers=None):
        """A body that is neither bytes nor str is sent as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        connection = self.connect()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body, **options)

    def put(self, path, body=None, **options):
        return self.request("PUT", path, body, **options)

    def patch(self, path, body=None, **options):
        return self.request("PATCH", path, body, **options)

    def delete(self, path, body=None, **options):
        return self.request("DELETE", path, body, **options)

    # --- tasks

    def task(self, uid):
        return self.get(f"/tasks/{uid}").json

    def wait_task(self, uid):
        """The finished task; uid may also be the answer that enqueued it."""
        if isinstance(uid, Response):
            assert uid.status in (200, 202), uid
            uid = uid.json["taskUid"]
        wait_until(lambda: self.task(uid)["status"] in ("succeeded", "failed", "canceled"),
                   lambda: f"task {uid} does not finish\n{self.log()}", self.process)
        return self.task(uid)

    def run(self, method, path, body=None, **options):
        """Sends a request that enqueues, and waits for its task."""
        return self.wait_task(self.request(method, path, body, **options))

    def done(self, answer):
        """Waits for the task of an answer, which must succeed."""
        task = self.wait_task(answer)
        assert task["status"] == "succeeded", task
        return task

    def documents(self, index, query=""):
        return self.get(f"/indexes/{index}/documents{query}").json["results"]


# --- raw HTTP, for what no client library sends


def exchange(server, *pieces):
    """Sends the pieces on one connection; everything the server says until it closes."""
    with socket.create_connection(("127.0.0.1", server.port), DEADLINE_S) as connection:
        said = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            while more := connection.recv(65536):
                said += more
        except (ConnectionResetError, BrokenPipeError):
            pass  # it has said what it wanted to say
        return said


def first_answer(said):
    head, _, rest = said.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = http.client.HTTPMessage()
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip()] = value.strip()
    return Response(int(lines[0].split()[1]), headers, rest[:int(headers.get("Content-Length") or 0)])


def count_answers(said):
    return len(re.findall(rb"HTTP/1\.1 \d\d\d ", said))


# --- the receiver


class Delivery:
    """One request that arrived: raw as sent, body decompressed, tasks its lines."""

    def __init__(self, method, path, headers, raw):
        self.method, self.path, self.headers, self.raw = method, path, headers, raw

    @property
    def body(self):
        return gzip.decompress(self.raw) if self.headers.get("Content-Encoding") == "gzip" else self.raw

    @property
    def tasks(self):
        return [json.loads(line) for line in self.body.splitlines()]


class Receiver:
    """script: the answers to come, one a request, of which the last one stays: a status; "hold" (200 once release() is
    called); "hang" (nothing, until close()); "reset" (the connection is reset); a tuple of status, headers, body."""

    def __init__(self, tls=None):
        self.script, self.requests, self.n_taken = [200], [], 0
        self.changed = threading.Condition()
        self.n_releases, self.closed = 0, False
        self.server = make_http_server(self, tls)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def next(self):
        """The next delivery that this method has not given yet."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.requests) > self.n_taken, DEADLINE_S), "nothing was delivered"
            self.n_taken += 1
            return self.requests[self.n_taken - 1]

    def wait_for_tasks(self, uids):
        """Task by uid as delivered, once all of them are."""
        def seen():
            return {task["uid"]: task for request in self.requests for task in request.tasks}
        with self.changed:
            assert self.changed.wait_for(lambda: set(uids) <= set(seen()), DEADLINE_S), f"only {sorted(seen())}"
            return seen()

    def release(self):
        with self.changed:
            self.n_releases += 1
            self.changed.notify_all()

    def close(self):
        if self.closed:
            return
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    # --- serving, on the threads of the HTTP server

    def arrived(self, delivery):
        """Notes it; the scripted answer, and what counts as a release of it."""
        with self.changed:
            answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            self.requests.append(delivery)
            self.changed.notify_all()
            return answer, self.n_releases

    def wait_out(self, answer, n_releases):
        with self.changed:
            self.changed.wait_for(lambda: self.closed or (answer == "hold" and self.n_releases > n_releases))


def make_http_server(receiver, tls):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            answer, n_releases = receiver.arrived(Delivery(self.command, self.path, self.headers, self.read_body()))
            if answer in ("hold", "hang"):
                receiver.wait_out(answer, n_releases)
            if answer == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if answer in ("reset", "hang"):
                self.close_connection = True
                return
            status, headers, body = answer if isinstance(answer, tuple) else (answer, {}, b"")
            self.send_response(200 if status == "hold" else status)
            if 300 <= (status if isinstance(status, int) else 0) < 400:
                self.send_header("Location", receiver.url + "/elsewhere")
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_PATCH = do_POST

        def read_body(self):
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *args):
            pass

    class HttpServer(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

        def finish_request(self, request, address):  # on the connection's own thread, where a handshake may wait
            if tls:
                request = tls.wrap_socket(request, server_side=True)
            try:
                super().finish_request(request, address)
            finally:
                if tls:
                    request.close()

        def handle_error(self, request, address):
            pass  # clients that leave and failed handshakes: tests look at the server's side

    return HttpServer(("127.0.0.1", 0), Handler)


# --- certificates


def make_certificate(directory, name="server", host="DNS:localhost,IP:127.0.0.1", ca=None):
    """(certificate, key) in PEM files; host None: an authority; signed by ca (such a pair), or by itself. Made again, the
    same files hold another certificate."""
    cert, key = directory / f"{name}.pem", directory / f"{name}.key"
    extensions = "basicConstraints=critical,CA:TRUE" if host is None else f"subjectAltName={host}"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-keyout", key, "-out", cert, "-days", "2", "-subj", f"/CN={name}", "-addext", extensions]
    if ca is None:
        subprocess.run(command, check=True, capture_output=True)
        return cert, key
    request, ext = directory / f"{name}.csr", directory / f"{name}.ext"
    ext.write_text(extensions)
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                    key, "-out", request, "-subj", f"/CN={name}"], check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", ca[0], "-CAkey", ca[1], "-CAcreateserial", "-out",
                    cert, "-days", "2", "-extfile", ext], check=True, capture_output=True)
    return cert, key


def server_tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, certificate))
    return context
