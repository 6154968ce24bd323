"""SIGKILL while tasks are added, canceled, deleted, swapped, indexes compacted and while keys change: what was acknowledged
holds, what was deleted stays deleted, all ends, and every filter still says what the tasks say. TASKHOOK_CRASH_QUEUE_ROUNDS
rounds (default 20)."""
import http.client
import json
import os
import random
import threading

import pytest

from conftest import wait_until
from test_keys import MASTER, As
from test_task_filters import INDEXES, compare, settle

ROUNDS = int(os.environ.get("TASKHOOK_CRASH_QUEUE_ROUNDS", "20"))
N_ROUNDS = max(1, ROUNDS // 2)  # of each of two lives
ROUNDS_WITH_ALL = 10  # of a life: from so many on every kind of change must have been acknowledged
EVERYTHING = {("POST", "indexes"), ("POST", "swap-indexes"), ("POST", "tasks"), ("DELETE", "tasks"),
              ("POST", "keys"), ("PATCH", "keys"), ("DELETE", "keys")}


class Client(threading.Thread):
    """Random requests until the server dies; remembers what was acknowledged and what may have happened."""

    def __init__(self, server, seed, last_uid, keys, dead):
        super().__init__(daemon=True)
        self.server, self.rng, self.last_uid, self.keys, self.dead = server, random.Random(seed), last_uid, keys, dead
        self.tasks, self.doomed, self.done, self.changed = set(), set(), 0, set()

    def run(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            while True:
                self.one()
                self.done += 1
        except (OSError, http.client.HTTPException):
            self.connection.close()

    def send(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body),
                                {"Content-Type": "application/json", "Authorization": f"Bearer {MASTER}"})
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status < 300, (method, path, text)
        self.changed.add((method, path.partition("?")[0].split("/")[1]))
        return json.loads(text) if text else None

    def add(self, method, path, body=None):
        uid = self.send(method, path, body)["taskUid"]
        self.tasks.add(uid)
        self.last_uid = max(self.last_uid, uid)

    def some_uids(self, n):
        return {self.rng.randint(0, self.last_uid + 3) for _ in range(n)}

    def one(self):
        index, other = self.rng.sample(INDEXES[:3], 2)
        what = self.rng.random()
        if what < 0.6:
            self.add("POST", f"/indexes/{index}/documents", [{"id": self.rng.randint(1, 50)}])
        elif what < 0.64:
            self.add("POST", f"/indexes/{index}/compact")
        elif what < 0.7:
            self.add("POST", "/swap-indexes", [{"indexes": [index, other]}])
        elif what < 0.8:
            uids = self.some_uids(3)
            self.add("POST", f"/tasks/cancel?uids={','.join(map(str, uids))}")
        elif what < 0.9:
            uids = self.some_uids(30)
            self.doomed |= uids  # before the answer: it may be lost
            self.add("DELETE", f"/tasks?uids={','.join(map(str, uids))}")
        else:
            self.change_keys()

    def change_keys(self):
        what = self.rng.random()
        if self.keys and what < 0.3:
            uid = self.rng.choice(sorted(self.keys))
            del self.keys[uid]
            self.send("DELETE", f"/keys/{uid}")
            self.dead.add(uid)
        elif self.keys and what < 0.5:
            self.send("PATCH", f"/keys/{self.rng.choice(sorted(self.keys))}", {"name": "renamed"})
        else:
            key = self.send("POST", "/keys", {"actions": ["tasks.get"], "indexes": ["*"], "expiresAt": None})
            self.keys[key["uid"]] = key["key"]


@pytest.mark.parametrize("life", range(2))
def test_what_was_acknowledged_survives(start_server, life):
    rng, seen, keys, dead_keys = random.Random(life), {}, {}, set()
    acknowledged, doomed, gone, last_uid, changed = set(), set(), set(), 0, set()
    for round_number in range(5 * N_ROUNDS):
        if round_number >= N_ROUNDS and (changed == EVERYTHING or N_ROUNDS < ROUNDS_WITH_ALL):
            break  # else chance has left something out: some more
        server = start_server("--master-key", MASTER, "--experimental-max-number-of-batched-tasks", 4)
        clients = [Client(server, rng.random(), last_uid, keys if n == 0 else {}, dead_keys if n == 0 else set())
                   for n in range(3)]
        for client in clients:
            client.start()
        target = rng.randint(5, 60)
        wait_until(lambda: sum(c.done for c in clients) >= target, server.log, server.process)
        server.kill()
        for client in clients:
            client.join()
            acknowledged |= client.tasks
            doomed |= client.doomed
            changed |= client.changed
            last_uid = max(last_uid, client.last_uid)
        server = start_server("--master-key", MASTER)
        master = As(server)
        settle(master)
        compare(master, rng, 12, seen)
        there = {t["uid"] for t in master.get("/tasks?limit=1000000").json["results"]}
        assert acknowledged - there <= doomed, acknowledged - there - doomed
        assert not gone & there, gone & there
        gone = set(range(max(there, default=0))) - there
        known = {k["uid"] for k in master.get("/keys?limit=1000").json["results"]}
        assert set(keys) <= known and not dead_keys & known, round_number
        for secret in list(keys.values())[:3]:
            assert As(server, secret).get("/tasks?limit=1").status == 200
        assert server.stop() == 0
    assert changed == EVERYTHING or N_ROUNDS < ROUNDS_WITH_ALL, EVERYTHING - changed
