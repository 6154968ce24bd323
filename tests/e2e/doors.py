"""Clients of two doors, data sources and reports, that note what was acknowledged and when, and what must be true after
a crash or a power loss. A moment is whatever the caller's clock says; what was acknowledged by then must be there."""
import hashlib
import http.client
import json
import os
import random
import threading

from conftest import Receiver, wait_until

DATA = "data"  # the index that reports read; its documents stay as they are
DOCUMENTS = [{"id": n, "rank": n * 7919 % 10007, "pad": "p" * (n % 200)} for n in range(3000)]
FORMATS = ("ndjson", "ndjson", "csv", "json", "html")
OVER = ("completed", "failed", "canceled")


class Client(threading.Thread):
    """Steps until the server dies, or so many."""

    def __init__(self, server, rng, clock, steps=None):
        super().__init__(daemon=True)
        self.server, self.rng, self.clock, self.steps = server, random.Random(rng.random()), clock, steps
        self.n_done, self.failure = 0, None

    def run(self):
        try:
            while self.steps is None or self.n_done < self.steps:
                self.step()
                self.n_done += 1
        except (OSError, http.client.HTTPException, ValueError, AssertionError) as failure:
            self.failure = failure

    def ask(self, method, path, body=None, statuses=(200,)):
        """The answer with its moment in it."""
        answer = self.server.request(method, path, body, headers={"Prefer": "wait=0"})
        answer.moment = self.clock()
        assert answer.status in statuses, f"{method} {path}: {answer}"
        return answer


# --- data sources


class Source:
    """What one index was sent, in the order of its tasks: [kind, what, moment of the answer or None]."""

    def __init__(self, index):
        self.index, self.requests = index, []


def apply(documents, operations):
    for kind, what in operations:
        if kind == "snapshot":
            documents = {d["id"]: d for d in what}
        elif kind == "notify":
            upserts, removes = what
            documents = {i: d for i, d in documents.items() if i not in removes}
            documents.update({d["id"]: d for d in upserts})
    return documents


class Stager(Client):
    """The only one who stages for its source, one request after the other."""

    def __init__(self, source, *arguments):
        super().__init__(*arguments)
        self.source = source

    def send(self, kind, what, path, body=None):
        request = [kind, what, None]
        self.source.requests.append(request)
        answer = self.ask("POST", f"/api/v1/webhooks/{self.source.index}/{path}", body)
        request[2] = answer.moment
        return answer.json

    def documents(self):
        n, pad = self.rng.choice([(1, 50), (3, 50), (40, 50), (300, 400)])  # the last: a file of its own
        return [{"id": f"d{self.rng.randrange(400)}", "v": self.rng.randrange(1 << 30), "pad": "p" * pad}
                for _ in range(n)]

    def step(self):
        kind = self.rng.choice(["notify", "notify", "notify", "snapshot", "schema", "deploy", "deploy"])
        if kind == "snapshot":
            documents = self.documents()
            self.send(kind, documents, "snapshot", documents)
        elif kind == "notify":
            upserts, removes = self.documents(), [f"d{self.rng.randrange(400)}" for _ in range(self.rng.randrange(9))]
            self.send(kind, (upserts, removes), "notify", {"upsert": upserts, "remove": removes})
        elif kind == "schema":
            fields = sorted({self.rng.choice("abcdef") for _ in range(3)})
            self.send(kind, fields, "update-schema", {"schema": {field: "string" for field in fields}})
        elif self.source.requests:
            uid = int(self.send(kind, None, "deploy")["deploymentId"][4:])
            if self.rng.randrange(4) == 0:
                self.ask("POST", f"/tasks/cancel?uids={uid}", statuses=(200, 202))


class Sources:
    """The model of all sources, compared to a server whose tasks have all finished."""

    def __init__(self, *indexes):
        self.all = [Source(index) for index in indexes]

    def check(self, server, moment):
        for source in self.all:
            self.check_one(server, source, moment)
        wait_until(lambda: os.listdir(server.db_path / "updates") == [], "payload files stay", server.process)

    def check_one(self, server, source, moment):
        tasks = server.get(f"/tasks?indexUids={source.index}&limit=1000000").json["results"][::-1]
        acknowledged = [r for r in source.requests if r[2] is not None and r[2] <= moment]
        assert len(tasks) >= len(acknowledged), f"{source.index}: {len(acknowledged)} acknowledged, {len(tasks)} there"
        there = source.requests[:len(tasks)]
        assert len(there) == len(tasks)
        live, staged, schema, staged_schema = None, [], None, None
        for (kind, what, _), task in zip(there, tasks, strict=True):
            assert task["type"] == ("indexDeploy" if kind == "deploy" else "indexStage"), (kind, task)
            assert task["status"] in (("succeeded", "canceled") if kind == "deploy" else ("succeeded",)), task
            if kind == "schema":
                staged_schema = what
            elif kind != "deploy":
                staged.append((kind, what))
            elif task["status"] == "succeeded":
                live, schema, staged, staged_schema = apply(live or {}, staged), staged_schema or schema, [], None
        if live is None and any(task["status"] == "canceled" for task in tasks):
            self.check_begun(server, source.index)
        else:
            self.check_index(server, source.index, live, schema)
        if there:
            waits = bool(staged or staged_schema)
            assert server.get(f"/api/v1/webhooks/{source.index}/has-data").json == {"hasData": waits}
            self.check_deploy(server, source, apply(live or {}, staged))
            there.append(["deploy", None, moment])
        source.requests = there  # a request whose answer was lost is one of them, or never was

    @staticmethod
    def check_begun(server, index):
        """A deploy that was canceled while it ran may have begun its index (the contract's 4.3): it is empty."""
        answer = server.get(f"/indexes/{index}/documents")
        assert answer.status == 404 or answer.json["total"] == 0, answer

    @staticmethod
    def check_index(server, index, live, schema):
        answer = server.get(f"/indexes/{index}/documents?limit=100000")
        assert (answer.status == 404) == (live is None), (index, answer)
        if live is not None:
            assert {d["id"]: d for d in answer.json["results"]} == live, f"documents of {index}"
            fields = server.get(f"/indexes/{index}/settings/searchable-attributes").json
            assert fields == (schema or ["*"])

    @staticmethod
    def check_deploy(server, source, expected):
        """What was staged is there: another deploy brings it."""
        uid = int(server.post(f"/api/v1/webhooks/{source.index}/deploy").json["deploymentId"][4:])
        assert server.wait_task(uid)["status"] == "succeeded"
        assert {d["id"]: d for d in server.documents(source.index, "?limit=100000")} == expected


# --- reports


class Callbacks(Receiver):
    """Also notes the moment at which each came: [(moment, document)]."""

    def __init__(self, clock):
        self.clock, self.told = clock, []
        super().__init__()

    def arrived(self, delivery):
        self.told.append((self.clock(), json.loads(delivery.raw)))
        return super().arrived(delivery)


class Report:
    """submitted, completed (etag, digest: as downloaded), removed: moments of answers, None while there is none."""

    def __init__(self, definition, format, submitted):
        self.definition, self.format, self.submitted = definition, format, submitted
        self.completed = self.etag = self.digest = None
        self.delete_sent, self.removed = False, None


class Reports:
    def __init__(self, callbacks):
        self.callbacks, self.by_id, self.definitions = callbacks, {}, {}
        self.n_recorded = self.n_before = None  # callbacks; None: all belong to the one life that is checked

    def begin_round(self):
        """From here on callbacks belong to another life, which goes on from some moment of the recorded one."""
        self.n_before = len(self.callbacks.told)
        if self.n_recorded is None:
            self.n_recorded = self.n_before

    def told(self, moment):
        """Documents of callbacks: what came until then, and what came since."""
        told = list(self.callbacks.told)
        return [d for then, d in told[:self.n_recorded] if then <= moment], [d for _, d in told[self.n_before or 0:]]

    def check(self, server, moment):
        """All tasks have finished. Reports whose answer was lost may be there too."""
        self.check_definitions(server, moment)
        found = {r["taskId"]: r for r in server.get("/api/reports?limit=100000").json["results"]}
        missing = [i for i, r in self.by_id.items() if r.submitted <= moment and i not in found]
        assert not missing, f"acknowledged, and lost: {missing}"
        kept = 0
        for report_id, document in found.items():
            assert document["status"] in OVER, document
            answer = server.get(f"/api/reports/{report_id}/download")
            kept += answer.status == 200
            if report_id in self.by_id:
                self.check_one(self.by_id[report_id], document, answer, moment)
        assert len(os.listdir(server.db_path / "reports")) == kept, "files that no report has"
        self.check_callbacks(server, found, moment)

    @staticmethod
    def check_one(report, document, answer, moment):
        def was(then):
            return then is not None and then <= moment
        if was(report.completed):
            assert document["status"] == "completed", document
        if document["status"] == "canceled":
            assert report.delete_sent and answer.status == 410, document
            return
        assert document["status"] == "completed", document
        if was(report.removed) or answer.status == 410:
            assert report.delete_sent and answer.status == 410, (document, answer)
            return
        digest = hashlib.sha256(answer.body).hexdigest()
        assert answer.status == 200 and answer.headers["ETag"] == f'"{digest[:32]}"'
        assert len(answer.body) == document["bytes"]
        if was(report.completed):
            assert (answer.headers["ETag"], digest) == (report.etag, report.digest)
        if report.format == "ndjson":
            assert [json.loads(line) for line in answer.body.splitlines()] == expected_rows(report.definition)

    def check_definitions(self, server, moment):
        for name, sent in self.definitions.items():
            acknowledged = [n for n, (_, then) in enumerate(sent) if then is not None and then <= moment]
            answer = server.get(f"/api/report-definitions/{name}")
            if acknowledged or answer.status == 200:
                later = [body for body, _ in sent[acknowledged[-1] if acknowledged else 0:]]
                assert answer.status == 200 and answer.json["definition"] in later, (name, answer)

    def check_callbacks(self, server, found, moment):
        """What a receiver was told stays true, and each report that is over is told of."""
        for document in self.told(moment)[0]:
            assert found[document["taskId"]]["status"] == document["status"], document
        over = {i for i in found if i in self.by_id}

        def all_told():
            before, since = self.told(moment)
            return over <= {document["taskId"] for document in before + since}
        wait_until(all_told, lambda: f"callbacks are missing\n{server.log()}", server.process)


def expected_rows(definition):
    name, order = definition["sort"][0].split(":")
    rows = sorted(DOCUMENTS, key=lambda d: d[name], reverse=order == "desc")[:definition["limit"]]
    return [{field: row[field] for field in definition["fields"]} for row in rows]


class Reporter(Client):
    """Defines, submits, waits, downloads, deletes; with a report type of its own."""

    def __init__(self, name, reports, *arguments):
        super().__init__(*arguments)
        self.type, self.reports = name, reports
        self.reports.definitions.setdefault(name, [])

    def step(self):
        definition = {"index": DATA, "limit": self.rng.choice([1, 50, 3000]), "fields": ["id", "rank", "pad"],
                      "sort": [self.rng.choice(["rank:asc", "rank:desc", "id:desc"])]}
        sent = self.reports.definitions[self.type]
        sent.append([definition, None])
        sent[-1][1] = self.ask("PUT", f"/api/report-definitions/{self.type}", definition, (200, 201)).moment
        format = self.rng.choice(FORMATS)
        answer = self.ask("POST", "/api/reports", {
            "reportType": self.type, "format": format, "webhookUrl": self.reports.callbacks.url}, (200, 202))
        report_id = answer.json["taskId"]
        report = self.reports.by_id[report_id] = Report(definition, format, answer.moment)
        what = self.rng.randrange(6)
        if what == 0:
            self.delete(report_id, report)
        elif what < 5:
            self.download(report_id, report)
        if what == 1:
            self.delete(report_id, report)

    def download(self, report_id, report):
        def is_over():
            return self.ask("GET", f"/api/reports/{report_id}/status").json["status"] in OVER
        wait_until(is_over, "a report does not end", self.server.process)
        answer = self.ask("GET", f"/api/reports/{report_id}/download")
        report.etag, report.digest = answer.headers["ETag"], hashlib.sha256(answer.body).hexdigest()
        report.completed = answer.moment

    def delete(self, report_id, report):
        report.delete_sent = True
        answer = self.ask("DELETE", f"/api/reports/{report_id}", statuses=(202, 204))
        if answer.status == 204:
            report.removed = answer.moment


def fill(server):
    server.done(server.post(f"/indexes/{DATA}/documents?primaryKey=id", DOCUMENTS))
