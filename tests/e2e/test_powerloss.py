"""Power losses: the server runs under a shim that records what it does to its directory (tests/powerloss/record.c); the
directory is made again as a disk may hold it when the power fails at some moment (tests/powerloss/rebuild.py); a server
starts on it. It must start; everything acknowledged before that moment is there and finishes; documents equal a model of
the tasks that are there; what a receiver was told stays true, and every finished batch reaches it.

TASKHOOK_POWERLOSS_SHIM names the shim (meson sets it), TASKHOOK_POWERLOSS_ROUNDS how many losses (default 30),
TASKHOOK_POWERLOSS_SEED the choices (the timing of a recording is another one each time)."""
import copy
import filecmp
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import threading

import pytest

from conftest import LOOPBACK, Receiver, Server, wait_until
from test_crash import finished_tasks

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "powerloss"))
from rebuild import (CREATE, DATA, JOURNAL, NAMES, STRICT, SYNC, choose_cut, cut_places, is_durable_record,  # noqa: E402
                     is_index, is_journal, journal_headers, read_log, rebuild, replay)

SHIM = os.environ.get("TASKHOOK_POWERLOSS_SHIM")
ROUNDS = int(os.environ.get("TASKHOOK_POWERLOSS_ROUNDS", "30"))
SEED = int(os.environ.get("TASKHOOK_POWERLOSS_SEED", "20260101"))
ROUNDS_A_RECORDING = 25
LIVES, WRITERS, STEPS = 2, 3, 10
SHARED = ("left", "right")  # the two indexes that everybody writes to and that change places now and then
CONTROL_ROUNDS = 100  # many cuts hide a loss; a few are enough as a rule
CHECKPOINTS = (1, 4, 10, 30, 512)  # commits between two: each generation of the journal is cut somewhere
COMMITS_LATE = 8  # of a control: the clients are slower than the commits of a running batch
IDLE_S = 2
IN_FLIGHT = 8  # of a webhook that does not say otherwise

pytestmark = pytest.mark.skipif(not SHIM, reason="TASKHOOK_POWERLOSS_SHIM is not set")


class Witness(Receiver):
    """Also notes how long the log was when a delivery came: [(length, its tasks)], and by id."""

    def __init__(self, log):
        self.log, self.told, self.ids = log, [], []
        super().__init__()

    def arrived(self, delivery):
        at = os.stat(self.log).st_size if self.log.exists() else 0
        self.told.append((at, delivery.tasks))
        self.ids.append((at, delivery.headers["webhook-id"]))
        return super().arrived(delivery)


class Recording:
    """What happened: records of the shim, the request of each task, and when its answer was there."""

    def __init__(self, directory, rng, env=None, checkpoints=CHECKPOINTS, lives=LIVES):
        self.root, self.log, self.env = directory / "recorded", directory / "log", env or {}
        self.acknowledged, self.requests, self.rng = {}, {}, rng
        self.checkpoints, self.lives = checkpoints, lives
        self.receiver = Witness(self.log)
        self.root.mkdir()
        try:
            for life in range(lives):
                self.live(life)
        finally:
            self.receiver.close()
        self.records, self.told, self.ids = read_log(self.log), self.receiver.told, self.receiver.ids
        self.places = cut_places(self.records)

    def live(self, life):
        """Work until all writers have their answers; then every life but the last is killed with the queue half done."""
        options = [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]
        env = {"LD_PRELOAD": SHIM, "TASKHOOK_POWERLOSS_DIR": str(self.root.resolve()),
               "TASKHOOK_POWERLOSS_LOG": str(self.log), "ASAN_OPTIONS": ":".join(filter(None, options)), **self.env}
        server = self.start(self.root, self.receiver, env, self.rng.choice(self.checkpoints))
        try:
            assert self.log.exists(), f"the shim does not run\n{server.log()}"
            threads = self.clients(server, life)
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for thread in threads:
                assert thread.failure is None, f"{thread.failure}\n{server.log()}"
            if life < self.lives - 1:
                self.kill_between_records(server)
            else:
                finished_tasks(server)
                assert server.stop() == 0, server.log()
        finally:
            server.kill()

    headers = {}  # of every request

    def start(self, *arguments):
        return start(*arguments)

    def clients(self, server, life):
        """Threads that end by themselves; failure: what they died of."""
        administrator = Administrator(self, server, f"{life}")
        if life == 0:
            administrator.create(*SHARED)
        return [administrator, *(Writer(self, server, f"{life}-{n}") for n in range(WRITERS))]

    def loss(self, *arguments):
        return Loss(self, *arguments)

    def kill_between_records(self, server):
        stop = pathlib.Path(f"{self.log}.stop")
        stop.touch()
        try:
            server.process.wait(IDLE_S)
        except subprocess.TimeoutExpired:
            pass  # it has nothing more to write: any moment is between two records
        server.kill()
        stop.unlink()


def start(root, receiver, env=None, checkpoint=5):
    """A server on root/data: the creation of its own directory is part of what is recorded."""
    flags = ("--http-addr", "127.0.0.1:0", "--db-path", root / "data", "--task-webhook-url", receiver.url,
             "--checkpoint-commits", checkpoint, *LOOPBACK)
    server = Server(root / "data", flags, env)
    try:
        return server.start()
    except AssertionError:
        server.kill()
        raise


class Client(threading.Thread):
    """One connection, one request after the other; every answer is noted with the length of the log at that moment."""

    def __init__(self, recording, server, name):
        super().__init__(daemon=True)
        self.recording, self.name_, self.failure = recording, name, None
        self.rng = random.Random(recording.rng.random())
        self.connection = server.connect()

    def run(self):
        try:
            for step in range(STEPS):
                self.step(step)
        except (AssertionError, OSError, http.client.HTTPException) as failure:
            self.failure = failure
        self.connection.close()

    def send(self, request, method, path, body=None):
        """request: what it does to the model. The uid of the task."""
        self.connection.request(method, path, None if body is None else json.dumps(body),
                                {"Content-Type": "application/json", **self.recording.headers})
        answer = self.connection.getresponse()
        said = answer.read()
        assert answer.status in (200, 202), said
        uid = json.loads(said)["taskUid"]
        self.recording.acknowledged[uid] = os.stat(self.recording.log).st_size
        self.recording.requests[uid] = request
        return uid


class Writer(Client):
    """Documents with ids of its own: small ones, payloads that are files, merges, deletions, cancelations."""

    def step(self, step):
        index, kind = self.rng.choice(SHARED), self.rng.randrange(8)
        ids = [f"{self.name_}-{self.rng.randrange(30)}" for _ in range(self.rng.choice([1, 1, 3]))]
        if kind == 0:
            self.send(("delete", index, ids), "POST", f"/indexes/{index}/documents/delete-batch", ids)
        elif kind == 1:
            documents = [{"id": i, "merged": self.rng.randrange(1 << 30)} for i in ids]
            self.send(("merge", index, documents), "PUT", f"/indexes/{index}/documents?primaryKey=id", documents)
        elif kind < 5:
            self.put(index, ids, 60)
        else:  # payloads that are files; of the larger ones most bodies go to segment files
            n_bytes = self.rng.choice([800, 6000])
            uid = self.put(index, [f"{self.name_}-{n}" for n in range(self.rng.randrange(80, 300))], n_bytes)
            if kind == 7:
                self.send(("cancel", uid), "POST", f"/tasks/cancel?uids={uid}")

    def put(self, index, ids, n_bytes):
        documents = [{"id": i, "version": self.rng.randrange(1 << 30), "pad": "p" * self.rng.randrange(n_bytes)}
                     for i in ids]
        return self.send(("put", index, documents), "POST", f"/indexes/{index}/documents?primaryKey=id", documents)


class Administrator(Client):
    """Indexes: creation (with and without documents in it), clearing, deletion, swaps."""

    def create(self, *indexes):
        for index in indexes:
            self.send(("create", index), "POST", "/indexes", {"uid": index, "primaryKey": "id"})

    def step(self, step):
        index = f"index-{self.name_}-{step}"
        if step % 2 == 0:
            self.create(index)
        for n_documents in self.rng.choice([[1], [100], [1500], [1500, 0, 1200]]):
            documents = [{"id": n, "pad": "q" * 500} for n in range(n_documents)]
            if documents:
                self.send(("put", index, documents), "POST", f"/indexes/{index}/documents?primaryKey=id", documents)
            else:
                self.send(("clear", index), "DELETE", f"/indexes/{index}/documents")
        if step % 3 == 0:
            self.send(("swap", *SHARED), "POST", "/swap-indexes", [{"indexes": list(SHARED)}])
        if step % 3 == 1:
            self.send(("drop", index), "DELETE", f"/indexes/{index}")


# --- the model


def expected_indexes(requests):
    """{index: {id: document}} after the requests, in the order of their tasks."""
    indexes = {}
    for kind, *what in requests:
        if kind == "create":
            indexes[what[0]] = {}
        elif kind == "drop":
            del indexes[what[0]]
        elif kind == "clear":
            indexes[what[0]].clear()
        elif kind == "swap":
            indexes[what[0]], indexes[what[1]] = indexes[what[1]], indexes[what[0]]
        elif kind == "delete":
            for i in what[1]:
                indexes[what[0]].pop(i, None)
        elif kind != "cancel":
            documents = indexes.setdefault(what[0], {})
            for document in what[1]:
                old = documents.get(document["id"], {}) if kind == "merge" else {}
                documents[document["id"]] = {**old, **document}
    return indexes


# --- the checks


class Loss:
    """One power loss: the rebuilt directory and what must be true on it."""

    def __init__(self, recording, path, model, cut, seed, ignore=(), records=None):
        self.recording, self.path = recording, path
        records = records or recording.records
        how, n = cut
        self.at = records[n - 1].end if n > 0 else 0
        self.about = f"{model} disk, cut {how} at record {n} of {len(records)}, byte {self.at}, seed {seed}"
        self.build = lambda to: rebuild(records, n, to, model, random.Random(seed), ignore)
        self.build(path)
        self.receiver, self.server = Receiver(), None

    def check(self):
        """Fails with what was lost; the directory is gone afterwards, or there as it was found in PATH.found."""
        try:
            self.server = self.recording.start(self.path, self.receiver)
            self.check_all()
        except (AssertionError, OSError, http.client.HTTPException, ValueError, KeyError) as failure:
            self.build(f"{self.path}.found")
            log = self.server.log() if self.server else ""
            raise AssertionError(f"{self.about}, {self.path}.found\n{failure!r}\n{log}") from failure
        finally:
            if self.server is not None:
                self.server.kill()
            self.receiver.close()
            shutil.rmtree(self.path)

    def check_all(self):
        self.check_tasks()
        self.check_documents()
        self.check_deliveries()
        self.check_usable()

    def check_tasks(self):
        """Tasks were added one after the other: those that are there are the first ones."""
        self.tasks = finished_tasks(self.server)
        missing = [u for u, at in self.recording.acknowledged.items() if at <= self.at and u not in self.tasks]
        assert not missing, f"acknowledged, and lost: {missing}"
        assert sorted(self.tasks) == list(range(len(self.tasks)))
        may_be_canceled = {r[1] for r in self.recording.requests.values() if r[0] == "cancel"}
        for uid, task in self.tasks.items():
            assert task["status"] == "succeeded" or (uid in may_be_canceled and task["status"] == "canceled"), task

    def check_documents(self):
        done = [self.recording.requests[u] for u in sorted(self.tasks) if self.tasks[u]["status"] == "succeeded"]
        self.expect(expected_indexes(done))

    def expect(self, expected):
        found = {i["uid"] for i in self.server.get("/indexes?limit=1000").json["results"]}
        assert found == set(expected)
        for index, documents in expected.items():
            there = {d["id"]: d for d in self.server.documents(index, "?limit=100000")}
            assert there == documents, f"index {index}: {differences(there, documents)}"
            assert self.server.get(f"/indexes/{index}/stats").json["numberOfDocuments"] == len(documents)

    def check_deliveries(self):
        told_before = [t for at, tasks in self.recording.told if at <= self.at for t in tasks]
        for line in told_before:
            now = self.tasks[line["uid"]]
            assert (now["batchUid"], now["status"]) == (line["batchUid"], line["status"]), (line, now)
        expected = {(t["uid"], t["batchUid"]) for t in self.tasks.values()}
        told = {(t["uid"], t["batchUid"]) for t in told_before}

        def all_told():
            return expected <= told | {(t["uid"], t["batchUid"]) for r in list(self.receiver.requests) for t in r.tasks}
        wait_until(all_told, "a finished batch does not reach the receiver", self.server.process)
        self.check_states()

    def check_states(self):
        """What was recorded of a delivery stays true: of those that had come, only what was in flight comes again; in the
        end each is there, delivered, with a number of its own."""
        webhook = self.server.get("/webhooks").json["results"][0]["uuid"]

        def listed(query):
            return self.server.get(f"/webhooks/{webhook}/deliveries?{query}").json["results"]
        wait_until(lambda: not listed("state=owed&limit=1"), "it stays owed", self.server.process)
        came = {i for at, i in self.recording.ids if at <= self.at}
        again = came & {r.headers["webhook-id"] for r in list(self.receiver.requests)}
        assert len(again) <= IN_FLIGHT, f"recorded as delivered, and sent again: {again}"
        kept = listed("limit=1000000")
        assert {d["state"] for d in kept} <= {"delivered"}
        assert sorted(d["sequence"] for d in kept) == list(range(1, len(kept) + 1))
        assert len(kept) == len({t["batchUid"] for t in self.tasks.values()})

    def check_usable(self):
        for index in ("new", *sorted(i["uid"] for i in self.server.get("/indexes").json["results"])[:3]):
            task = self.server.done(self.server.post(f"/indexes/{index}/documents?primaryKey=id", [{"id": "after"}]))
            assert task["uid"] >= len(self.tasks)


def differences(there, expected):
    return [(there.get(i), expected.get(i)) for i in {*there, *expected} if there.get(i) != expected.get(i)][:3]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return Recording(tmp_path_factory.mktemp("recording"), random.Random(SEED))


def test_the_log_tells_everything_that_was_written(recording, tmp_path):
    """A replay without any loss equals the directory, so nothing is written by a way that the shim does not know."""
    replay(recording.records, tmp_path / "replayed")

    def files(path):  # lock.mdb is written through its mapping, the lock file holds a process id that nobody needs
        return {f.relative_to(path) for f in path.rglob("*") if f.name not in ("lock", "lock.mdb")}
    assert files(tmp_path / "replayed") == files(recording.root)
    names = [f for f in files(recording.root) if (recording.root / f).is_file()]
    assert len(names) > 2
    assert filecmp.cmpfiles(tmp_path / "replayed", recording.root, names, shallow=False)[0] == names


def test_nothing_acknowledged_is_lost_when_the_power_fails(recording, tmp_path):
    rng = random.Random(SEED)
    for number in range(ROUNDS):
        if number > 0 and number % ROUNDS_A_RECORDING == 0:
            shutil.rmtree(tmp_path / f"recording-{number - ROUNDS_A_RECORDING}", ignore_errors=True)
            (tmp_path / f"recording-{number}").mkdir()
            recording = Recording(tmp_path / f"recording-{number}", rng)
        cut = choose_cut(recording.places, rng)
        recording.loss(tmp_path / f"round-{number}", (STRICT, JOURNAL)[number % 2], cut, rng.randrange(1 << 32)).check()


# --- controls: the same checks must see a loss where one is made


def assert_loss_is_seen(recording, tmp_path, records, ignore=(), places=None):
    rng, places = random.Random(SEED), places or cut_places(records)
    assert_one_is_seen(recording, tmp_path, ((records, choose_cut(places, rng)) for _ in range(CONTROL_ROUNDS)), ignore)


def assert_one_is_seen(recording, tmp_path, losses, ignore=()):
    rng = random.Random(SEED)
    for number, (records, cut) in enumerate(losses):
        try:
            recording.loss(tmp_path / f"round-{number}", STRICT, cut, rng.randrange(1 << 32), ignore, records).check()
        except AssertionError:
            return
    pytest.fail("so many power losses, and nobody noticed")


UUID = "[0-9a-f-]{36}"


def without_syncs(records, path):
    """What is left without the syncs of the files of that path, and without what was written durably by itself."""
    pattern = path.replace("UUID", UUID).replace("NUMBER", "[0-9]+")
    kept = [r for r in records if not (r.op == SYNC or is_durable_record(r)) or not re.fullmatch(pattern, r.path)]
    assert len(kept) < len(records)
    return kept


@pytest.mark.parametrize("ignored", [DATA, NAMES])
def test_a_disk_whose_syncs_do_nothing_is_found_out(recording, tmp_path, ignored):
    assert_loss_is_seen(recording, tmp_path, recording.records, (ignored,))


@pytest.mark.parametrize("path", ["", "/data", "/data/queue", "/data/queue/data.mdb", "/data/queue/journal",
                                  "/data/indexes", "/data/indexes/UUID", "/data/indexes/UUID/segment-NUMBER",
                                  "/data/updates", "/data/updates/UUID"])
def test_no_sync_can_be_left_out(recording, tmp_path, path):
    """Without the syncs of this file or directory something is lost: each of them is needed, and tested."""
    assert_loss_is_seen(recording, tmp_path, without_syncs(recording.records, path))


def test_who_is_told_before_a_commit_is_durable_is_found_out(tmp_path):
    """Each record of the journal is written when it was, but durable only some commits later."""
    recording = Recording(tmp_path, random.Random(SEED), checkpoints=(512,), lives=1)
    records, late, places = [], [], []
    for record in recording.records:
        if record.durable and is_journal(record):
            late.append(record)
            places.append(len(records))
            if len(late) > COMMITS_LATE:
                records.append(late.pop(0))
        else:
            records.append(record)
    if not places:
        pytest.skip("the system refuses direct writes: there is nothing between a write and its sync")
    assert_loss_is_seen(recording, tmp_path, records, places={"before it is durable": places[COMMITS_LATE:]})


@pytest.fixture(scope="module")
def with_generations(tmp_path_factory):
    """Records, and where they begin a generation of the journal."""
    directory = tmp_path_factory.mktemp("generations")
    records = Recording(directory, random.Random(SEED), checkpoints=(10,))
    return records, journal_headers(records.records)


def test_a_checkpoint_waits_for_its_header(with_generations, tmp_path):
    """A header that was lost, and the first record behind it that was not: the old generation's records are destroyed."""
    recording, headers = with_generations

    def without(write, sync):
        kept = [r for i, r in enumerate(recording.records) if i not in (write, sync)]
        first = next(i for i in range(write, len(kept)) if is_durable_record(kept[i]))
        return kept, ("behind a header", first + 1)
    assert_one_is_seen(recording, tmp_path, (without(*header) for header in headers[1:-2]))


def test_a_header_waits_for_the_database(with_generations, tmp_path):
    """Without the syncs of the database, when the power fails behind a header: it promises pages that are not there."""
    recording, _ = with_generations
    kept = [r for r in recording.records if r.op != SYNC or not r.path.endswith("/queue/data.mdb")]
    behind = [sync + 1 for _, sync in journal_headers(kept)]
    assert_loss_is_seen(recording, tmp_path, kept, places={"behind a header": behind})


def test_pages_of_the_last_checkpoint_are_pinned(tmp_path):
    """When they are not, LMDB uses them again, and what a start puts back is not there. (Nor is it after a kill.)"""
    recording = Recording(tmp_path, random.Random(SEED), {"TASKHOOK_POWERLOSS_UNPIN": "1"}, (30,), lives=1)
    assert_loss_is_seen(recording, tmp_path, recording.records)


def test_the_names_of_segments_are_synced(recording, tmp_path):
    """The directory of an index is synced when it is made, and again for each segment: the latter alone is left out."""
    kept, with_segments = [], set()
    for record in recording.records:
        if record.op == CREATE and re.fullmatch(f"/data/indexes/{UUID}/segment-[0-9]+", record.path):
            with_segments.add(os.path.dirname(record.path))
        if record.op != SYNC or record.path not in with_segments:
            kept.append(record)
    assert len(kept) < len(recording.records)
    assert_loss_is_seen(recording, tmp_path, kept)


def test_a_commit_before_its_bodies_is_found_out(recording, tmp_path):
    """The syncs of segments come behind the commit that refers to them, and the power fails in between."""
    records, held, places = [], {}, []
    for record in recording.records:
        index = os.path.dirname(record.path or "")
        if record.op == SYNC and re.fullmatch(f"/data/indexes/{UUID}/segment-[0-9]+", record.path):
            held.setdefault(index, []).append(record)
            continue
        records.append(record)
        if record.durable and is_index(record) and index in held:
            places.append(len(records))
            for late in held.pop(index):
                late = copy.copy(late)
                late.end = record.end
                records.append(late)
    assert places
    assert_loss_is_seen(recording, tmp_path, records, places={"before the bodies": places})
