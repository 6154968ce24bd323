"""What the server makes of its machine's clock and name servers: weeks of failure in seconds, names that change their address.

TASKHOOK_SURROUNDINGS_SHIM names the shim that gives it a wall clock and a resolv.conf of the test's own (meson sets it)."""
import os
import socket
import struct
import threading

import pytest

from conftest import LOOPBACK, wait_until

SHIM = os.environ.get("TASKHOOK_SURROUNDINGS_SHIM")
EACH_ALONE = ("--experimental-max-number-of-batched-tasks", "1")
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400

pytestmark = pytest.mark.skipif(not SHIM, reason="TASKHOOK_SURROUNDINGS_SHIM is not set")


def shimmed(**env):
    options = [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]
    return {"LD_PRELOAD": SHIM, "ASAN_OPTIONS": ":".join(filter(None, options)), **{k: str(v) for k, v in env.items()}}


def register(server, receiver, **fields):
    answer = server.post("/webhooks", {"url": receiver.url, **fields})
    assert answer.status == 201, answer
    return answer.json["uuid"]


def add(server, n):
    answers = [server.post("/indexes/movies/documents", {"id": number}) for number in range(n)]
    server.done(answers[-1])


# --- the clock


class Clock:
    """The server's time, which passes as fast as a test wants."""

    def __init__(self, directory):
        self.path, self.ahead_s = directory / "clock", 0
        os.mkfifo(self.path)
        self.fifo = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    def env(self):
        return shimmed(TASKHOOK_WALLCLOCK=self.path, TASKHOOK_WALLCLOCK_PASSES=1)

    def advance(self, seconds):
        self.ahead_s += seconds
        os.write(self.fifo, struct.pack("=q", self.ahead_s * 10**9))


@pytest.fixture
def clock(tmp_path):
    clock = Clock(tmp_path)
    yield clock
    os.close(clock.fifo)


def n_attempts(server, uuid):
    return sum(d["attemptCount"] for d in server.get(f"/webhooks/{uuid}/deliveries?limit=100").json["results"])


def told(watcher):
    """The events that it was told, each once: an hour that passes ends what is in flight, which comes again."""
    return list({r.headers["webhook-id"]: r.tasks[0] for r in list(watcher.requests)}.values())


def fail_on(server, clock, uuid, step_s, until):
    """Time passes in steps, each of which brings an attempt that fails, until something is true."""
    while not until():
        n = n_attempts(server, uuid)
        clock.advance(step_s)
        wait_until(lambda: n_attempts(server, uuid) > n or until(), "the next attempt", server.process)


def test_five_days_of_failure_are_warned_of_then_disable_and_a_daily_probe_ends_them(start_server, make_receiver, clock):
    failing, watcher = make_receiver(), make_receiver()
    failing.script = [500]
    server = start_server(*LOOPBACK, *EACH_ALONE, env=clock.env())
    uuid = register(server, failing, wait=False, retrySchedule=[60] * 20)
    register(server, watcher, events=["webhook.failing", "webhook.disabled", "webhook.recovered"], format="json", wait=False)
    add(server, 10)
    fail_on(server, clock, uuid, 2 * MINUTE_S, lambda: len(failing.requests) >= 20)
    assert watcher.requests == []  # often, but not for long
    began_s = clock.ahead_s

    fail_on(server, clock, uuid, 6 * HOUR_S, lambda: told(watcher))
    warning = told(watcher)[0]
    assert warning["type"] == "webhook.failing" and warning["data"]["webhook"] == uuid
    assert 3.9 * DAY_S < clock.ahead_s - began_s < 4.6 * DAY_S
    assert "disabledReason" not in server.get(f"/webhooks/{uuid}").json

    warned_s = clock.ahead_s
    # The webhook shows it with the attempt; the watcher hears of it a moment later, in which no time passes.
    fail_on(server, clock, uuid, 6 * HOUR_S, lambda: "disabledReason" in server.get(f"/webhooks/{uuid}").json)
    wait_until(lambda: len(told(watcher)) > 1, "the watcher hears of it", server.process)
    disabled = told(watcher)[1]
    assert disabled["type"] == "webhook.disabled" and disabled["data"]["reason"] == "failing"
    assert clock.ahead_s - warned_s >= DAY_S - 6 * HOUR_S and clock.ahead_s - began_s > 4.9 * DAY_S
    shown = server.get(f"/webhooks/{uuid}").json
    assert shown["isActive"] is False and shown["disabledReason"] == "failing"

    # What GET showed, put back, changes nothing: a day later there is one probe, and not before.
    assert server.patch(f"/webhooks/{uuid}", {"isActive": shown["isActive"]}).json == shown
    n = len(failing.requests)
    clock.advance(23 * HOUR_S)
    server.done(server.post("/indexes/movies/documents", {"id": 99}))
    assert len(failing.requests) == n
    clock.advance(HOUR_S + MINUTE_S)
    wait_until(lambda: len(failing.requests) == n + 1, "the daily probe", server.process)
    wait_until(lambda: n_attempts(server, uuid) == n + 1, "its record", server.process)
    server.done(server.post("/indexes/movies/documents", {"id": 100}))
    assert len(failing.requests) == n + 1

    failing.script = [200]
    clock.advance(DAY_S + MINUTE_S)
    wait_until(lambda: len(told(watcher)) > 2, "the recovery is told", server.process)
    assert told(watcher)[2]["type"] == "webhook.recovered"
    wait_until(lambda: server.get(f"/webhooks/{uuid}/deliveries?state=owed").json["total"] == 0, "the backlog", server.process)
    assert "disabledReason" not in server.get(f"/webhooks/{uuid}").json


# --- the name server


class NameServer:
    """answers: name -> what it says to each question for A, one after another, of which the last stays: a list of addresses,
    "nothing" (no such name), "silence". Of AAAA it knows none. Nothing may be remembered (TTL 0)."""

    def __init__(self):
        self.answers, self.asked = {}, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            if not query:
                return
            if answer := self.answer(query):
                self.socket.sendto(answer, client)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        question = query[12:at + 5]
        kind, = struct.unpack("!H", query[at + 1:at + 3])
        said = self.take(".".join(labels)) if kind == 1 else []
        if said == "silence":
            return None
        rows = [] if said == "nothing" else said
        head = query[:2] + struct.pack("!HHHHH", 0x8183 if said == "nothing" else 0x8180, 1, len(rows), 0, 0)
        return head + question + b"".join(b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + socket.inet_aton(a) for a in rows)

    def take(self, name):
        self.asked.append(name)
        script = self.answers.get(name, ["nothing"])
        return script.pop(0) if len(script) > 1 else script[0]

    def close(self):
        self.socket.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join()
        self.socket.close()


@pytest.fixture
def names():
    names = NameServer()
    yield names
    names.close()


@pytest.fixture
def named(start_server, names, tmp_path):
    """A server that asks the test's name server."""
    conf = tmp_path / "resolv.conf"
    conf.write_text(f"nameserver 127.0.0.1:{names.port}\noptions timeout:1 attempts:1\n")
    return start_server(*LOOPBACK, *EACH_ALONE, env=shimmed(TASKHOOK_RESOLV_CONF=conf))


def register_name(server, receiver, name, **fields):
    answer = server.post("/webhooks", {"url": f"http://{name}:{receiver.port}/hook", "wait": False, **fields})
    assert answer.status == 201, answer
    return answer.json["uuid"]


def attempts(server, uuid, query=""):
    """All attempts of its newest delivery, once there is one."""
    def newest():
        found = server.get(f"/webhooks/{uuid}/deliveries?limit=1{query}").json["results"]
        return found and found[0]["attemptCount"] > 0 and found[0]["id"]
    wait_until(newest, "an attempt", server.process)
    return server.get(f"/deliveries/{newest()}").json["attempts"]


def test_a_name_is_asked_of_the_name_server_and_connected_to(named, names, receiver):
    names.answers["hook.test"] = [["127.0.0.1"]]
    uuid = register_name(named, receiver, "hook.test")
    add(named, 1)
    assert receiver.next().headers["Host"] == f"hook.test:{receiver.port}"
    assert attempts(named, uuid, "&state=delivered")[0]["address"].startswith("127.0.0.1")


def test_a_name_that_turns_to_a_private_address_is_refused_though_its_connection_is_open(named, names, receiver):
    names.answers["rebinding.test"] = [["127.0.0.1"], ["10.0.0.1"]]
    uuid = register_name(named, receiver, "rebinding.test")
    add(named, 1)
    receiver.next()
    attempts(named, uuid, "&state=delivered")
    add(named, 1)
    refused = attempts(named, uuid, "&state=owed")[0]
    assert refused["outcome"] == "address_denied" and "10.0.0.1" in refused["detail"]
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("mixed", [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["127.0.0.1", "169.254.169.254"],
                                   ["93.184.216.34", "192.168.1.1"]])
def test_one_private_address_among_others_refuses_the_name(named, names, receiver, mixed):
    names.answers["mixed.test"] = [mixed]
    uuid = register_name(named, receiver, "mixed.test")
    add(named, 1)
    refused = attempts(named, uuid)[0]
    assert refused["outcome"] == "address_denied"
    assert any(address in refused["detail"] for address in mixed if address != "127.0.0.1")
    assert receiver.requests == []


def test_a_name_that_does_not_exist_is_tried_again_and_works_when_it_does(named, names, receiver):
    names.answers["late.test"] = ["nothing", ["127.0.0.1"]]
    uuid = register_name(named, receiver, "late.test", retrySchedule=[0.1] * 5)
    add(named, 1)
    receiver.next()
    tried = attempts(named, uuid, "&state=delivered")
    assert tried[0]["outcome"] == "dns" and tried[-1]["outcome"] == "answered"


def test_a_name_server_that_is_silent_costs_the_deadline_of_that_webhook_only(named, names, make_receiver):
    names.answers["silent.test"], names.answers["good.test"] = ["silence"], [["127.0.0.1"]]
    silent, good = make_receiver(), make_receiver()
    uuid = register_name(named, silent, "silent.test", timeoutMs=500)
    register_name(named, good, "good.test")
    add(named, 3)
    good.wait_for_tasks(range(3))
    tried = attempts(named, uuid)[0]
    assert tried["outcome"] in ("timeout", "dns") and tried["timings"]["totalUs"] < 5_000_000
