"""Power losses while tasks are deleted, indexes compacted and keys changed: as test_powerloss.py, which explains the
method, with more clients. What was deleted stays deleted, what was not is there, and every filter says what the tasks say.

TASKHOOK_POWERLOSS_QUEUE_ROUNDS: how many losses (default 8)."""
import json
import os
import random
import uuid

import pytest

from conftest import wait_until
from test_crash import finished_tasks
from test_keys import MASTER
from test_powerloss import (JOURNAL, SEED, SHIM, STRICT, Administrator, Client, Loss, Recording, Writer,
                            assert_loss_is_seen, choose_cut, expected_indexes, start,
                            test_the_log_tells_everything_that_was_written)  # noqa: F401: of this recording too
from test_task_filters import compare
from rebuild import RENAME, SYNC  # on the path since test_powerloss

ROUNDS = int(os.environ.get("TASKHOOK_POWERLOSS_QUEUE_ROUNDS", "8"))
HEADERS = {"Authorization": f"Bearer {MASTER}"}

pytestmark = pytest.mark.skipif(not SHIM, reason="TASKHOOK_POWERLOSS_SHIM is not set")


def with_key(server):
    """Its requests carry the master key."""
    plain = server.request
    server.request = lambda method, path, body=None, headers=None: plain(method, path, body, {**HEADERS, **(headers or {})})
    return server


class QueueRecording(Recording):
    headers = HEADERS

    def __init__(self, directory, rng):
        self.keys = []  # [(log length when it was acknowledged, {uid: name} then)]
        super().__init__(directory, rng)

    def start(self, root, receiver, env=None, *arguments):
        return with_key(start(root, receiver, {**(env or {}), "MEILI_MASTER_KEY": MASTER}, *arguments))

    def clients(self, server, life):
        administrator = Administrator(self, server, f"{life}")
        if life == 0:
            administrator.create("left", "right")
        return [administrator, KeyChanger(self, server, f"{life}-keys"),
                *(Forgetter(self, server, f"{life}-{n}") for n in range(3))]

    def loss(self, *arguments):
        return QueueLoss(self, *arguments)


class Forgetter(Writer):
    """Also deletes tasks that nobody cancels, and compacts."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.lasting = []

    def step(self, step):
        super().step(step)
        index = self.rng.choice(("left", "right"))
        self.lasting += [self.put(index, [f"{self.name_}-{self.rng.randrange(30)}"], 60) for _ in range(2)]
        if step % 2 == 0:
            doomed = self.rng.sample(self.lasting, 2)
            self.send(("forget", doomed), "DELETE", f"/tasks?uids={','.join(map(str, doomed))}")
        if step % 5 == 4:
            self.send(("compact", index), "POST", f"/indexes/{index}/compact")


class KeyChanger(Client):
    """Creates, renames and deletes keys, one after the other."""

    def step(self, step):
        keys = dict(self.recording.keys[-1][1]) if self.recording.keys else {}
        for change in range(3):
            if change == 0 or not keys:
                uid = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
                keys[uid] = f"key {step}"
                self.ask("POST", "/keys", {"uid": uid, "name": keys[uid], "actions": ["tasks.get"], "indexes": ["*"],
                                           "expiresAt": None})
            elif change == 1:
                uid = self.rng.choice(sorted(keys))
                keys[uid] = f"renamed {step}"
                self.ask("PATCH", f"/keys/{uid}", {"name": keys[uid]})
            elif step % 2 == 0:
                uid = self.rng.choice(sorted(keys))
                del keys[uid]
                self.ask("DELETE", f"/keys/{uid}")
            self.recording.keys.append((os.stat(self.recording.log).st_size, dict(keys)))

    def ask(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body),
                                {"Content-Type": "application/json", **HEADERS})
        answer = self.connection.getresponse()
        said = answer.read()
        assert answer.status < 300, said


class QueueLoss(Loss):
    def check_tasks(self):
        """Of the uids below the greatest, those are missing that a deletion, which is there, says that it deleted."""
        self.tasks = finished_tasks(self.server)
        requests, end = self.recording.requests, max(self.tasks, default=-1) + 1
        self.gone = set(range(end)) - set(self.tasks)
        deletions = [t for t in self.tasks.values() if t["type"] == "taskDeletion"]
        assert self.gone <= {uid for t in deletions for uid in requests[t["uid"]][1]}
        assert len(self.gone) == sum(t["details"]["deletedTasks"] for t in deletions)
        missing = [u for u, at in self.recording.acknowledged.items() if at <= self.at and u >= end]
        assert not missing, f"acknowledged, and lost: {missing}"
        may_be_canceled = {r[1] for r in requests.values() if r[0] == "cancel"}
        for uid, task in self.tasks.items():
            assert task["status"] == "succeeded" or (uid in may_be_canceled and task["status"] == "canceled"), task

    def check_all(self):
        self.check_tasks()
        self.check_filters()
        self.check_documents()
        self.check_deliveries()
        self.check_keys()
        self.check_usable()

    def check_filters(self):
        compare(self.server, random.Random(self.at), 10, {})

    def check_documents(self):
        """Deleted tasks had succeeded: nothing else is deleted here."""
        done = [self.recording.requests[u] for u in range(max(self.tasks, default=-1) + 1)
                if u in self.gone or self.tasks[u]["status"] == "succeeded"]
        self.expect(expected_indexes([r for r in done if r[0] not in ("forget", "compact")]))

    def check_deliveries(self):
        told_before = [t for at, tasks in self.recording.told if at <= self.at for t in tasks]
        for line in told_before:
            now = self.tasks.get(line["uid"], line)
            assert (now["batchUid"], now["status"]) == (line["batchUid"], line["status"]), (line, now)
        expected, told = {t["uid"] for t in self.tasks.values()}, {t["uid"] for t in told_before}

        def all_told():
            return expected <= told | {t["uid"] for r in list(self.receiver.requests) for t in r.tasks}
        wait_until(all_told, "a finished batch does not reach the receiver", self.server.process)

    def check_keys(self):
        """As after one of the changes: the last one acknowledged, or one of those that followed."""
        there = {k["uid"]: k["name"] for k in self.server.get("/keys?limit=1000").json["results"]
                 if not (k["name"] or "").startswith("Default ")}
        sure = sum(at <= self.at for at, _ in self.recording.keys)
        states = [{}] + [keys for _, keys in self.recording.keys]
        assert there in states[sure:], (there, states[sure])

    def check_usable(self):
        task = self.server.done(self.server.post("/indexes/new/documents?primaryKey=id", [{"id": "after"}]))
        assert task["uid"] == max(self.tasks, default=-1) + 1


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return QueueRecording(tmp_path_factory.mktemp("recording"), random.Random(SEED))


def test_the_recording_holds_everything_that_may_be_lost(recording):
    """Cancelations, deletions, swaps, compactions; keys that come, change and go."""
    assert {"put", "cancel", "forget", "swap", "compact"} <= {request[0] for request in recording.requests.values()}
    states = [keys for _, keys in recording.keys]
    changes = list(zip(states, states[1:]))
    assert any(set(after) > set(before) for before, after in changes)
    assert any(set(after) < set(before) for before, after in changes)
    assert any(set(after) == set(before) and after != before for before, after in changes)


def test_what_was_deleted_or_changed_outlives_a_power_loss(recording, tmp_path):
    rng = random.Random(SEED)
    for number in range(ROUNDS):
        cut = choose_cut(recording.places, rng)
        recording.loss(tmp_path / f"round-{number}", (STRICT, JOURNAL)[number % 2], cut, rng.randrange(1 << 32)).check()


def test_a_finished_recording_passes_its_own_checks(recording, tmp_path):
    """At the very end, when nothing is lost: every acknowledged task, deletion and key."""
    recording.loss(tmp_path / "whole", STRICT, ("at the end", len(recording.records)), 0).check()


def test_a_compacted_index_is_synced_before_it_takes_its_place(recording, tmp_path):
    """Without the syncs of the copy, when the power fails behind the sync of its new name."""
    kept = [r for r in recording.records if r.op != SYNC or not r.path.endswith("/copy.mdb")]
    assert len(kept) < len(recording.records)
    places = []
    for i, record in enumerate(kept):
        if record.op == RENAME and record.name == "copy.mdb":
            index = os.path.dirname(record.path)
            places.append(next(n for n in range(i, len(kept)) if kept[n].op == SYNC and kept[n].path == index) + 1)
    assert_loss_is_seen(recording, tmp_path, kept, places={"behind a new name": places})
