"""Receivers that do what receivers do at their worst: what GET /deliveries/{id} says of it, and that the deadline holds."""
import contextlib
import gzip
import socket
import struct
import threading

import pytest

from conftest import DEADLINE_S, wait_until

DEADLINE_MS = 600  # of an attempt here
SLACK_MS = 3000  # what a loaded machine may be late
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """One connection at the receiver."""

    def __init__(self, receiver, connection):
        self.receiver, self.connection = receiver, connection

    def read(self, n=65536):
        try:
            return self.connection.recv(n)
        except OSError:
            return b""

    def read_head(self):
        """Only the head: byte by byte, so that the body stays unread."""
        head = b""
        while not head.endswith(b"\r\n\r\n") and (byte := self.read(1)):
            head += byte
        return head

    def read_request(self):
        head = self.read_head().lower()
        if b"transfer-encoding: chunked" in head:
            self.read_until(b"0\r\n\r\n")
        elif b"content-length: " in head:
            left = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            while left > 0 and (piece := self.read(left)):
                left -= len(piece)
        return head

    def read_until(self, end):
        said = b""
        while not said.endswith(end) and (piece := self.read()):
            said += piece

    def say(self, data):
        with contextlib.suppress(OSError):
            self.connection.sendall(data)

    def hang(self):
        """Until the sender gives up."""
        while self.read():
            pass

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def trickle(self, data, every_s=0.1):
        for i in range(len(data)):
            if self.receiver.closed.wait(every_s):
                return
            self.say(data[i:i + 1])


class RawReceiver:
    """Plain TCP on a free port; script(peer) is run for each connection, which is closed behind it."""

    def __init__(self, script):
        self.script, self.closed, self.n_connections = script, threading.Event(), 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections, self.threads = [], []
        self.acceptor = threading.Thread(target=self.accept, daemon=True)
        self.acceptor.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def tls_url(self):
        return f"https://127.0.0.1:{self.port}/hook"

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.n_connections += 1
            self.connections.append(connection)
            self.threads.append(threading.Thread(target=self.serve, args=(connection,), daemon=True))
            self.threads[-1].start()

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            self.script(Peer(self, connection))

    def close(self):
        if self.closed.is_set():
            return
        self.closed.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in [self.acceptor, *self.threads]:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


@pytest.fixture
def raw():
    """raw(script) -> RawReceiver"""
    receivers = []

    def make(script):
        receivers.append(RawReceiver(script))
        return receivers[-1]

    yield make
    for receiver in receivers:
        receiver.close()


@pytest.fixture
def deliver(shared):
    """deliver(url) -> the delivery of a ping after its one attempt."""
    hooks = []

    def run(url, timeout_ms=DEADLINE_MS, **fields):
        answer = shared.post("/webhooks", {"url": url, "timeoutMs": timeout_ms, "retrySchedule": [], **fields})
        assert answer.status == 201, answer
        hooks.append(answer.json["uuid"])
        answer = shared.post(f"/webhooks/{hooks[-1]}/ping")
        assert answer.status == 202, answer
        path = f"/deliveries/{answer.json['id']}"
        wait_until(lambda: shared.get(path).json["state"] != "owed", lambda: shared.get(path), shared.process)
        delivery = shared.get(path).json
        assert delivery["attemptCount"] == 1, delivery
        return delivery

    yield run
    for hook in hooks:
        assert shared.delete(f"/webhooks/{hook}").status == 204


def check_failed(delivery, outcome, detail=""):
    [attempt] = delivery["attempts"]
    assert delivery["state"] == "exhausted", delivery
    assert attempt["outcome"] == attempt["errorClass"] and attempt["status"] is None, attempt
    assert attempt["outcome"] in ([outcome] if isinstance(outcome, str) else outcome), attempt
    assert detail in attempt["detail"], attempt
    return attempt


def check_answered(delivery, status, body=None, is_cut=False):
    [attempt] = delivery["attempts"]
    assert (attempt["outcome"], attempt["status"]) == ("answered", status), attempt
    assert delivery["state"] == ("delivered" if status < 300 else "exhausted"), delivery
    assert attempt["responseBodyIsTruncated"] is is_cut, attempt
    assert body is None or attempt["responseBody"] == body, attempt
    return attempt


def check_deadline(attempt):
    """Its timer goes by a coarse clock."""
    took_ms = attempt["timings"]["totalUs"] / 1000
    assert DEADLINE_MS - 20 <= took_ms <= DEADLINE_MS + SLACK_MS, attempt["timings"]


def check_at_once(attempt):
    assert attempt["timings"]["totalUs"] / 1000 < DEADLINE_MS + SLACK_MS, attempt["timings"]


# --- hanging, phase by phase


def test_a_receiver_that_does_not_accept(deliver):
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # its queue is full: further connections get no answer
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        attempt = check_failed(deliver("http://127.0.0.1:%d/" % listener.getsockname()[1]), "timeout", "(connecting)")
        check_deadline(attempt)
        assert attempt["timings"]["connectUs"] is None


def test_a_receiver_that_is_not_there(deliver, raw):
    receiver = raw(Peer.hang)
    receiver.close()
    check_failed(deliver(receiver.url), "connect", "Connection refused")


def test_a_receiver_that_hangs_in_the_handshake(deliver, raw):
    attempt = check_failed(deliver(raw(Peer.hang).tls_url), "timeout", "(in the TLS handshake)")
    check_deadline(attempt)
    assert attempt["timings"]["connectUs"] is not None and attempt["timings"]["tlsUs"] is None


def after_head(then):
    def script(peer):
        peer.read_head()
        then(peer)
    return script


def after_request(then):
    def script(peer):
        peer.read_request()
        then(peer)
    return script


def saying(data, then=None):
    def script(peer):
        peer.read_request()
        peer.say(data)
        if then is not None:
            then(peer)
    return script


SILENT = {
    "at once": Peer.hang,
    "after the head": after_head(lambda peer: peer.receiver.closed.wait(DEADLINE_S)),
    "after the request": after_request(Peer.hang),
    "in the status line": saying(b"HTTP/1.1 20", Peer.hang),
    "in the headers": saying(b"HTTP/1.1 200 OK\r\nContent-Le", Peer.hang),
    "before the empty line": saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", Peer.hang),
    "after an interim answer": saying(b"HTTP/1.1 103 Early Hints\r\n\r\n", Peer.hang),
}


@pytest.mark.parametrize("phase", SILENT)
def test_a_receiver_that_hangs(deliver, raw, phase):
    check_deadline(check_failed(deliver(raw(SILENT[phase]).url), "timeout", f"no answer within {DEADLINE_MS} ms"))


BODIES = {
    "with a length": b"Content-Length: 100\r\n\r\n0123456789",
    "in chunks": b"Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n",
    "without a length": b"\r\n0123456789",
}


@pytest.mark.parametrize("body", BODIES)
def test_a_receiver_that_hangs_in_the_body_has_answered(deliver, raw, body):
    receiver = raw(saying(b"HTTP/1.1 200 OK\r\n" + BODIES[body], Peer.hang))
    check_deadline(check_answered(deliver(receiver.url), 200, "0123456789", is_cut=True))


def test_a_receiver_that_trickles_its_head(deliver, raw):
    receiver = raw(after_request(lambda peer: peer.trickle(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000)))
    check_deadline(check_failed(deliver(receiver.url), "timeout", "(waiting for the answer)"))


def test_a_receiver_that_trickles_its_body(deliver, raw):
    receiver = raw(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", lambda peer: peer.trickle(b"x" * 1000)))
    attempt = check_answered(deliver(receiver.url), 200, is_cut=True)
    check_deadline(attempt)
    assert 0 < len(attempt["responseBody"]) < 1000


def test_a_receiver_that_trickles_its_handshake(deliver, raw):
    receiver = raw(lambda peer: peer.trickle(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + b"x" * 1000))
    check_deadline(check_failed(deliver(receiver.tls_url), "timeout", "(in the TLS handshake)"))


# --- leaving, phase by phase


def test_a_receiver_that_resets_in_the_handshake(deliver, raw):
    def script(peer):
        peer.read()
        peer.reset()
    check_at_once(check_failed(deliver(raw(script).tls_url), "tls"))


LEAVES = {
    "at once": lambda peer: None,
    "after the head": after_head(lambda peer: None),
    "after the request": after_request(lambda peer: None),
    "in the status line": saying(b"HTTP/1.1 20"),
    "in the headers": saying(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "before the empty line": saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"),
    "after an interim answer": saying(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
}


@pytest.mark.parametrize("way", ["close", "reset"])
@pytest.mark.parametrize("phase", LEAVES)
def test_a_receiver_that_leaves(deliver, raw, phase, way):
    def script(peer):
        LEAVES[phase](peer)
        if way == "reset":
            peer.reset()
    # A reset at once may come before the client has noticed that it was connected.
    outcome = ("protocol", "connect") if (phase, way) == ("at once", "reset") else "protocol"
    check_at_once(check_failed(deliver(raw(script).url), outcome))


@pytest.mark.parametrize("body", BODIES)
def test_a_receiver_that_resets_in_the_body_has_answered(deliver, raw, body):
    receiver = raw(saying(b"HTTP/1.1 200 OK\r\n" + BODIES[body], Peer.reset))
    check_at_once(check_answered(deliver(receiver.url), 200, is_cut=True))


# --- statuses


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_interim_answers_are_not_the_answer(deliver, raw, status):
    interim = b"HTTP/1.1 %d Wait\r\nLink: </x>; rel=preload\r\n\r\n" % status
    check_answered(deliver(raw(saying(interim * 2 + OK, Peer.hang)).url), 200, "ok")


def test_switching_protocols_is_no_answer(deliver, raw):
    receiver = raw(saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Peer.hang))
    check_at_once(check_failed(deliver(receiver.url), "protocol", "status 101"))


@pytest.mark.parametrize("status, error_class", [
    (200, None), (201, None), (202, None), (204, None), (299, None), (304, "redirect"), (400, "client_error"),
    (404, "client_error"), (429, "rate_limited"), (500, "server_error"), (503, "unavailable"), (599, "server_error")])
def test_statuses(deliver, raw, status, error_class):
    length = b"" if status in (204, 304) else b"Content-Length: 0\r\n"
    receiver = raw(saying(b"HTTP/1.1 %d Whatever\r\n%s\r\n" % (status, length), Peer.hang))
    attempt = check_answered(deliver(receiver.url), status, "")
    assert attempt["errorClass"] == error_class
    check_at_once(attempt)


def test_410_is_gone(deliver, raw):
    delivery = deliver(raw(saying(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")).url)
    assert delivery["attempts"][0]["errorClass"] == "gone"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_failures_and_never_followed(deliver, raw, status):
    target = raw(saying(OK))
    receiver = raw(saying(b"HTTP/1.1 %d Over There\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (
        status, target.url.encode())))
    assert check_answered(deliver(receiver.url), status)["errorClass"] == "redirect"
    assert (receiver.n_connections, target.n_connections) == (1, 0)


@pytest.mark.parametrize("line", [b"HTTP/1.1 0 x", b"HTTP/1.1 99 x", b"HTTP/1.1 1000 x", b"HTTP/1.1 -200 x",
                                  b"HTTP/1.1 2OO x", b"HTTP/1.1", b"HTTP/1.1 x 200"])
def test_statuses_that_are_none(deliver, raw, line):
    receiver = raw(saying(line + b"\r\nContent-Length: 0\r\n\r\n", Peer.hang))
    check_at_once(check_failed(deliver(receiver.url), "protocol"))


# --- bodies and framing


def test_no_more_than_16_kib_of_10_mib_are_kept(deliver, raw):
    receiver = raw(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n" + b"y" * 10485760))
    check_answered(deliver(receiver.url, timeout_ms=20000), 200, "y" * 16384, is_cut=True)


def test_no_more_than_16_kib_of_endless_chunks_are_kept(deliver, raw):
    chunk = b"%x\r\n%s\r\n" % (8192, b"y" * 8192)
    receiver = raw(saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 1280, Peer.hang))
    check_answered(deliver(receiver.url, timeout_ms=20000), 200, "y" * 16384, is_cut=True)


def test_a_body_without_a_length_ends_with_the_connection(deliver, raw):
    check_answered(deliver(raw(saying(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")).url), 200, "until the end")


def test_a_body_shorter_than_its_length(deliver, raw):
    receiver = raw(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"))
    check_answered(deliver(receiver.url), 200, is_cut=True)


def test_a_body_longer_than_its_length(deliver, raw):
    receiver = raw(saying(OK + b"HTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n", Peer.hang))
    check_answered(deliver(receiver.url), 200, "ok")


@pytest.mark.parametrize("head", [b"Content-Length: -1", b"Content-Length: x", b"Content-Length: 99999999999999999999",
                                  b"Content-Length: 2\r\nContent-Length: 3", b"Transfer-Encoding: pigeon"])
def test_lengths_that_make_no_sense(deliver, raw, head):
    receiver = raw(saying(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\nok"))
    [attempt] = deliver(receiver.url)["attempts"]
    assert (attempt["outcome"], attempt["status"]) in (("answered", 200), ("protocol", None))


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n", b"\r\n\r\n", b"5\r\nabcdefgh"])
def test_chunks_that_are_garbage(deliver, raw, chunk):
    receiver = raw(saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk))
    check_at_once(check_answered(deliver(receiver.url), 200, is_cut=True))


def test_a_compressed_body_is_kept_as_it_came(deliver, raw):
    body = gzip.compress(b"thanks")
    receiver = raw(saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body))
    attempt = check_answered(deliver(receiver.url), 200)
    assert attempt["responseBodyIsBase64"] is True
    assert {"name": "Content-Encoding", "value": "gzip"} in attempt["responseHeaders"]


GARBAGE = {
    "an SSH server": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a mail server": b"220 mail.example ESMTP\r\n",
    "zeros": b"\0" * 1000,
    "HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00\x00\x05",
    "HTML": b"<!doctype html>\n<p>hello\n",
    "bad bytes": bytes(range(128, 256)) + b"\r\n\r\n",
    "an empty line": b"\r\n\r\n",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_instead_of_an_answer(deliver, raw, kind):
    check_at_once(check_failed(deliver(raw(saying(GARBAGE[kind])).url), "protocol"))


@pytest.mark.parametrize("head", [b"X-Long: " + b"x" * 70000, b"X-Many: x\r\n" * 8000, b"x" * 70000])
def test_a_head_that_is_too_long(deliver, raw, head):
    receiver = raw(saying(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n", Peer.hang))
    check_at_once(check_failed(deliver(receiver.url), "protocol", "longer than 64 KiB"))


@pytest.mark.parametrize("header", [b"no colon", b": no name", b" folded: first", b"bad\x00byte: x"])
def test_headers_that_are_garbage(deliver, raw, header):
    [attempt] = deliver(raw(saying(b"HTTP/1.1 200 OK\r\n" + header + b"\r\nContent-Length: 2\r\n\r\nok")).url)["attempts"]
    assert (attempt["outcome"], attempt["status"]) in (("answered", 200), ("protocol", None))


def test_an_answer_before_the_request_is_read(deliver, raw):
    def script(peer):
        peer.read_head()
        peer.say(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    check_answered(deliver(raw(script).url), 413)


def test_a_flood_instead_of_an_answer(deliver, raw):
    def script(peer):
        for _ in range(200):
            peer.say(b"x" * 65536)
    check_failed(deliver(raw(script).url), "protocol")


# --- URLs


@pytest.mark.parametrize("url, outcome, detail", [
    ("ftp://127.0.0.1/x", "bad_url", "the scheme `ftp` cannot be requested"),
    ("file:///etc/passwd", "bad_url", "the scheme `file` cannot be requested"),
    ("javascript:1", "bad_url", "the scheme `javascript` cannot be requested"),
    ("localhost:8080", "bad_url", "the scheme `localhost` cannot be requested"),
    ("http://127.0.0.1:0/", "bad_url", "no host and port"),
    ("http://10.0.0.1/", "address_denied", "10.0.0.1 is refused: private"),
    ("http://0xa.1/", "address_denied", "10.0.0.1 is refused: private"),
    ("http://167772161:8080/", "address_denied", "10.0.0.1 is refused: private"),
    ("http://012.0.0.1/", "address_denied", "10.0.0.1 is refused: private"),
    ("http://%31%30.0.0.1/", "address_denied", "10.0.0.1 is refused: private"),
    ("http://169.254.169.254/latest/meta-data", "address_denied", "169.254.169.254 is refused: link-local"),
    ("http://[::ffff:10.0.0.1]/", "address_denied", "refused: private"),
    ("http://[64:ff9b::10.0.0.1]/", "address_denied", "refused: private"),
    ("http://[2002:a00:1::]/", "address_denied", "refused: 6to4"),
    ("http://[fe80::1]/", "address_denied", "refused: link-local"),
    ("http://[::]/", "address_denied", "refused: unspecified"),
    ("http://0/", "address_denied", "0.0.0.0 is refused: unspecified"),
])
def test_urls_that_cannot_or_must_not_be_requested(deliver, url, outcome, detail):
    check_failed(deliver(url), outcome, detail)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "%31%32%37.0.0.1",
                                  "[::ffff:127.0.0.1]", "localhost", "LOCALHOST.", "127\u30020\u30020\u30021"])
def test_every_spelling_of_an_allowed_address_is_connected_to(deliver, raw, host):
    receiver = raw(saying(OK))
    attempt = check_answered(deliver(f"http://{host}:{receiver.port}/"), 200)
    assert attempt["address"] in ("127.0.0.1", "::ffff:127.0.0.1")


def test_credentials_in_a_url_become_basic_authorization(deliver, raw):
    heads = []

    def script(peer):
        heads.append(peer.read_request())
        peer.say(OK)
    receiver = raw(script)
    check_answered(deliver(f"http://aladdin:open%20sesame@127.0.0.1:{receiver.port}/hook"), 200)
    assert b"authorization: basic ywxhzgrpbjpvcgvuihnlc2ftzq==" in heads[0]
    assert f"host: 127.0.0.1:{receiver.port}\r\n".encode() in heads[0]
    assert b"aladdin" not in heads[0]
