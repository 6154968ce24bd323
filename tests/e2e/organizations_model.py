"""Clients of organisations' webhooks, and what must be true of the events after a crash or a power loss: each event that
was acknowledged and each that a batch makes has come, under one id and with one content; none tells of a batch that is not
there; and put together in the order of their batches they are the documents. A moment is as in doors.py."""
import collections
import json

from conftest import Receiver, wait_until
from doors import Client
from test_crash import finished_tasks

HOOKS, SUBJECT = "/v1/organizations/webhooks", "run"
DOCUMENTS = ("documentAdditionOrUpdate", "documentDeletion")
OBJECTS = ("object.created", "object.updated", "object.deleted")


class Listener(Receiver):
    """Notes what came and when: [(moment, event)]."""

    def __init__(self, clock):
        self.clock, self.told = clock, []
        super().__init__()

    def arrived(self, delivery):
        event = json.loads(delivery.body)
        assert delivery.headers["webhook-id"] == event["event_id"]
        self.told.append((self.clock(), event))
        return super().arrived(delivery)


class Publisher(Client):
    """Publishes events, each with an Idempotency-Key."""

    def __init__(self, name, organization, *arguments):
        super().__init__(*arguments)
        self.name_, self.organization = name, organization

    def step(self):
        subject = f"{self.name_}-{len(self.organization.published)}"
        event = {"event_type": self.rng.choice(["cluster.completed", "alert.triggered"]),
                 "subject": {"type": SUBJECT, "id": subject}, "namespace_id": "elsewhere",
                 "metadata": {"pad": "p" * self.rng.choice([1, 100, 100, 40000])}}
        self.organization.published[subject] = [event, None, None]
        event_id, moment = publish(self, self.server, event)
        self.organization.published[subject][1:] = [event_id, moment]


def publish(client, server, event):
    """Once, however often it is tried: (event_id, moment of the answer)."""
    answer = server.post("/v1/events", event, headers={"Idempotency-Key": event["subject"]["id"]})
    assert answer.status == 202, answer
    return answer.json["event_id"], client.clock() if client else None


class Editor(Client):
    """Changes an index of its own: documents, a few or so many that their events are told in pieces; settings; the end
    of the index, which the next documents make anew."""

    def __init__(self, index, *arguments):
        super().__init__(*arguments)
        self.index = index

    def step(self):
        path, kind = f"/indexes/{self.index}", self.rng.randrange(12)
        ids = [f"d{self.rng.randrange(400)}" for _ in range(self.rng.choice([1, 1, 1, 3, 3, 300]))]
        if kind == 0:
            self.ask("DELETE", path, statuses=(202,))
        elif kind == 1:
            self.ask("PATCH", f"{path}/settings", {"rankingRules": ["words", f"a{self.rng.randrange(99)}:asc"]}, (202,))
        elif kind < 4:
            self.ask("POST", f"{path}/documents/delete-batch", ids, (202,))
        else:
            documents = [{"id": i, "v": self.rng.randrange(1 << 30)} for i in ids]
            self.ask("POST", f"{path}/documents?primaryKey=id", documents, (202,))


class Organization:
    """published: subject to [event, id, moment of the answer]; None while there is no answer."""

    def __init__(self, listener):
        self.listener, self.published = listener, {}
        self.n_recorded = self.n_before = None  # what was told before the life that is checked; None: all is of one life

    def register(self, server):
        channels = [{"channel": "webhook", "configs": {"url": self.listener.url}}]
        answer = server.post(HOOKS, {"webhook_name": "all", "event_types": ["*"], "channels": channels})
        assert answer.status == 201, answer

    def begin_round(self):
        """From here on events belong to another life, which goes on from some moment of the recorded one."""
        self.n_before = len(self.listener.told)
        if self.n_recorded is None:
            self.n_recorded = self.n_before

    def told(self, moment):
        told = list(self.listener.told)
        before = [e for then, e in told[:self.n_recorded] if then <= moment]
        return before + [e for _, e in told[self.n_before:]] if self.n_recorded is not None else before

    def check(self, server, moment):
        """Publishes again what was not acknowledged by then; returns the events."""
        expected = {}
        for subject, (event, event_id, then) in self.published.items():
            known = then is not None and then <= moment
            expected[subject] = publish(None, server, event)[0]
            assert not known or expected[subject] == event_id, f"{subject} was acknowledged, and is unknown"
        tasks = finished_tasks(server)
        wait_until(lambda: Story(self.told(moment)).lacks(server, tasks, expected) is None,
                   lambda: f"{Story(self.told(moment)).lacks(server, tasks, expected)}\n{server.log()}", server.process)
        story = Story(self.told(moment))
        story.check(tasks, expected)
        return story


class Story:
    """Events, put together."""

    def __init__(self, events):
        self.events = events
        self.by_batch = collections.defaultdict(list)
        seen = set()
        for event in events:
            if event["event_id"] not in seen and "batch_id" in event["metadata"]:
                self.by_batch[int(event["metadata"]["batch_id"])].append(event)
            seen.add(event["event_id"])

    def of(self, batch, *types):
        return [e for e in self.by_batch[batch] if e["event_type"] in types]

    def documents(self):
        """{index: {id: document}} as the events tell it."""
        indexes = {}
        for batch in sorted(self.by_batch):
            for event in self.of(batch, "collection.created"):
                indexes[event["subject"]["id"]] = {}
            for event in self.of(batch, *OBJECTS):
                documents = indexes.setdefault(event["metadata"]["collection_id"], {})
                if event["event_type"] == "object.deleted":
                    documents.pop(event["subject"]["id"], None)
                else:
                    documents[event["subject"]["id"]] = event["metadata"]["object"]
            for event in self.of(batch, "collection.deleted"):
                indexes.pop(event["subject"]["id"], None)
        return indexes

    def lacks(self, server, tasks, expected):
        """What has not come yet, or None."""
        missing = set(expected.values()) - {e["event_id"] for e in self.events}
        if missing:
            return f"published, and not told: {missing}"
        for task in tasks.values():
            if not self.of(task["batchUid"], "batch.completed"):
                return f"no batch.completed of {task}"
            if task["type"] == "settingsUpdate" and task["status"] == "succeeded" and not self.of(
                    task["batchUid"], "collection.updated", "collection.deleted"):
                return f"no collection.updated of {task}"
        for batch in self.by_batch:
            for written in self.of(batch, "collection.documents.written"):
                ids = {*written["metadata"]["document_ids"], *written["metadata"]["deleted_document_ids"]}
                lacking = ids - {e["subject"]["id"] for e in self.of(batch, *OBJECTS)}
                if lacking:
                    return f"batch {batch} wrote {lacking}"
        live = {i["uid"]: {d["id"]: d for d in server.documents(i["uid"], "?limit=100000")}
                for i in server.get("/indexes?limit=1000").json["results"]}
        return None if self.documents() == live else "the events do not make up the documents"

    def check(self, tasks, expected):
        ids, contents = collections.defaultdict(set), collections.defaultdict(set)
        batches = {t["batchUid"] for t in tasks.values()}
        for event in self.events:
            batch = event["metadata"].get("batch_id")
            assert batch is None or int(batch) in batches, f"of a batch that is not there: {event}"
            about = (event["event_type"], batch, event["subject"]["type"], event["subject"]["id"])
            ids[about].add(event["event_id"])
            contents[event["event_id"]].add(json.dumps(event, sort_keys=True))
            if event["subject"]["type"] == SUBJECT:
                assert expected[event["subject"]["id"]] == event["event_id"], event
        assert not (twice := {a: i for a, i in ids.items() if len(i) > 1}), f"under several ids: {twice}"
        assert not (changed := [c for c in contents.values() if len(c) > 1]), f"told differently: {changed[:1]}"
        for batch in batches:
            [completed] = self.of(batch, "batch.completed")
            members = [t for t in tasks.values() if t["batchUid"] == batch]
            assert completed["metadata"]["task_count"] == len(members)
            written = self.of(batch, "collection.documents.written")
            assert not written or any(t["type"] in DOCUMENTS for t in members), written
            changes = self.of(batch, *OBJECTS)
            counts = completed["metadata"]
            assert len(changes) == counts["document_count"] + counts["deleted_count"], (batch, len(changes), counts)
            assert bool(written) == bool(changes), (batch, written, changes)
