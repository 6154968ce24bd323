"""The server ends at random moments while it delivers: SIGKILL, a sync that fails (EIO), a disk that is full for a while. Two
receivers count ids, one of an ordered webhook and one of a webhook that sends as soon as it can, and now and then they
refuse. Every event arrives and is accepted; an id comes again only when its request was in flight at an end; sequence
numbers have no gap; in the end the server says of every delivery that it was delivered.

TASKHOOK_CRASH_DELIVERIES_ROUNDS rounds in all (default 30) in several lives of one data directory,
TASKHOOK_FAULT_SHIM names the shim of the faults (meson sets it)."""
import http.client
import json
import os
import pathlib
import random
import threading

import pytest

from conftest import LOOPBACK, Receiver, wait_until
from test_backpressure import EACH_ALONE, register

SHIM = os.environ.get("TASKHOOK_FAULT_SHIM")
ROUNDS = int(os.environ.get("TASKHOOK_CRASH_DELIVERIES_ROUNDS", "30"))
SEED = 20260103
TASKS_MAX = 60
IN_FLIGHT = 8  # of a webhook that does not say otherwise

pytestmark = pytest.mark.skipif(not SHIM, reason="TASKHOOK_FAULT_SHIM is not set")


class Counter(Receiver):
    """Refuses one request in twenty. Of each id: the lives of the server in which it was accepted."""

    def __init__(self, rng, width):
        self.rng, self.width, self.life = rng, width, 0
        self.accepted, self.sequences, self.uids, self.order = {}, {}, set(), []
        self.again = set()  # (life of the acceptance before, life, id)
        self.n_connections = 0
        super().__init__()
        self.accept, self.server.process_request = self.server.process_request, self.accept_counted
        self.serve, self.server.process_request_thread = self.server.process_request_thread, self.serve_counted

    def accept_counted(self, request, address):
        with self.changed:
            self.n_connections += 1
        self.accept(request, address)

    def serve_counted(self, request, address):
        try:
            self.serve(request, address)
        finally:
            with self.changed:
                self.n_connections -= 1
                self.changed.notify_all()

    def next_life(self):
        """Once everything that the ended process had sent was read: whoever connected before us was accepted before us."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/flush")
        connection.getresponse().read()
        connection.close()
        with self.changed:
            assert self.changed.wait_for(lambda: self.n_connections == 0, 30)
            self.life += 1

    def arrived(self, delivery):
        with self.changed:
            if delivery.path == "/flush":
                return 200, 0
            answer = self.rng.choice([200] * 38 + [500, "reset"])
            id_, sequence = delivery.headers["webhook-id"], int(delivery.headers["webhook-sequence"])
            assert self.sequences.setdefault(id_, sequence) == sequence
            if id_ in self.accepted:
                self.again.add((self.accepted[id_][-1], self.life, id_))
            self.order.append(sequence)
            if answer == 200:
                self.accepted.setdefault(id_, []).append(self.life)
                self.uids.update(task["uid"] for task in delivery.tasks)
            self.changed.notify_all()
            return answer, 0

    def check(self, n_events):
        """Of all that was accepted in one life, no more than what was in flight at its end came again."""
        assert len(self.accepted) == n_events
        assert sorted(self.sequences.values()) == list(range(1, n_events + 1))
        assert all(before < now for before, now, _ in self.again), "accepted, and sent again by the same process"
        for life in range(self.life + 1):
            doubled = {id_ for before, _, id_ in self.again if before == life}
            assert len(doubled) <= self.width, f"life {life}: {len(doubled)} came again"


class Poster(threading.Thread):
    """One task after the other until the server ends; remembers the acknowledged ones."""

    def __init__(self, server, n):
        super().__init__(daemon=True)
        self.server, self.n, self.acknowledged, self.refused = server, n, [], 0

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            for n in range(self.n):
                connection.request("POST", "/indexes/crash/documents?primaryKey=id", json.dumps({"id": n}),
                                   {"Content-Type": "application/json"})
                answer = connection.getresponse()
                body = json.loads(answer.read())
                if answer.status == 202:
                    self.acknowledged.append(body["taskUid"])
                else:
                    self.refused += 1
        except (OSError, http.client.HTTPException):
            pass
        connection.close()


class Lives:
    """One data directory and what has happened to it."""

    def __init__(self, start_server, directory, rng):
        self.start_server, self.fault, self.rng = start_server, directory / "fault", rng
        self.receivers = [Counter(random.Random(SEED + 1), IN_FLIGHT), Counter(random.Random(SEED + 2), 1)]
        self.acknowledged, self.registered = set(), None

    def start(self):
        options = [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]
        server = self.start_server(*LOOPBACK, *EACH_ALONE, "--checkpoint-commits", self.rng.choice([1, 7, 50, 512]),
                                   env={"LD_PRELOAD": SHIM, "TASKHOOK_FAULT": str(self.fault),
                                        "ASAN_OPTIONS": ":".join(filter(None, options))})
        if self.registered is None:
            self.registered = [register(server, receiver, ordered=receiver.width == 1, wait=False,
                                        retrySchedule=[0.001] * 100) for receiver in self.receivers]
        return server

    def n_arrived(self):
        return sum(len(receiver.order) for receiver in self.receivers)

    def round(self, end):
        server = self.start()
        poster = Poster(server, self.rng.randrange(10, TASKS_MAX))
        target = self.n_arrived() + self.rng.randrange(1, TASKS_MAX)
        poster.start()
        wait_until(lambda: self.n_arrived() >= target or not poster.is_alive(), server.log, server.process)
        end(server)
        poster.join()
        self.acknowledged.update(poster.acknowledged)
        for receiver in self.receivers:
            receiver.next_life()

    def end(self):
        """Until nothing is owed, then all checks."""
        server = self.start()

        def is_done():
            unfinished = server.get("/tasks?limit=1&statuses=enqueued,processing").json["total"]
            return unfinished == 0 and not any(self.owed(server, uuid) for uuid in self.registered)
        wait_until(is_done, server.log, server.process, timeout=30 + ROUNDS)  # queues grow while it is killed
        tasks = server.get("/tasks?limit=1000000").json["results"]
        uids, n_events = {t["uid"] for t in tasks}, len({t["batchUid"] for t in tasks})
        assert {t["status"] for t in tasks} == {"succeeded"}
        assert self.acknowledged <= uids
        for uuid, receiver in zip(self.registered, self.receivers):
            receiver.check(n_events)
            assert receiver.uids == uids
            kept = server.get(f"/webhooks/{uuid}/deliveries?limit=1000000").json["results"]
            assert {d["state"] for d in kept} == {"delivered"}
            assert sorted(d["sequence"] for d in kept) == list(range(1, n_events + 1))
        assert_in_order(self.receivers[1].order)

    @staticmethod
    def owed(server, uuid):
        return server.get(f"/webhooks/{uuid}/deliveries?state=owed&limit=1").json["results"]


def assert_in_order(sequences):
    """Each the next one, or the last one again."""
    for before, now in zip(sequences, sequences[1:]):
        assert now - before in (0, 1), (before, now)


@pytest.fixture
def lives(start_server, tmp_path):
    made = Lives(start_server, tmp_path, random.Random(SEED))
    yield made
    for receiver in made.receivers:
        receiver.close()


def kill(server):
    server.kill()


def fail_syncs(lives):
    def end(server):
        """Whoever cannot tell any more what the disk holds says so and ends."""
        flag = pathlib.Path(f"{lives.fault}.eio")
        flag.touch()
        try:
            server.post("/indexes/crash/documents?primaryKey=id", {"id": "last"})
        except (OSError, http.client.HTTPException):
            pass
        assert server.process.wait(30) != 0, server.log()
        server.kill()  # its pipes
        flag.unlink()
    return end


def fill_disk(lives):
    def end(server):
        """Nothing is lost, and it goes on by itself; then it is killed."""
        flag = pathlib.Path(f"{lives.fault}.full")
        flag.touch()
        arrived, large = lives.n_arrived(), {"id": "large", "pad": "p" * 200000}  # in a file of its own

        def post():
            answer = server.post("/indexes/crash/documents?primaryKey=id", large)
            assert answer.status == 202 or answer.json["code"] == "no_space_left_on_device", answer
            return answer.status
        wait_until(lambda: post() != 202, server.log, server.process)
        flag.unlink()
        wait_until(lambda: post() == 202, server.log, server.process)
        wait_until(lambda: lives.n_arrived() > arrived, server.log, server.process)
        server.kill()
    return end


def test_every_event_arrives_and_only_what_was_in_flight_comes_again(lives):
    ends = [kill, kill, kill, fail_syncs(lives), fill_disk(lives)]
    for number in range(ROUNDS):
        lives.round(ends[number % len(ends)])
    lives.end()
