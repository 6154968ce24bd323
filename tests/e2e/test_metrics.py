"""GET /metrics, read with a strict parser of the text format 0.0.4."""
import re

import pytest

from conftest import LOOPBACK

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?|[+-]Inf|NaN")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


def parse_labels(text):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, text
        assert match.group(1) not in labels, text
        labels[match.group(1)] = re.sub(r"\\(.)", lambda m: "\n" if m.group(1) == "n" else m.group(1), match.group(2))
        at = match.end()
        if at < len(text):
            assert text[at] == ",", text
            at += 1
    return labels


def parse(text):
    """{name: (type, {sample: {labels: value}})}; fails for what a Prometheus server would not read, and for families that
    are not in one piece."""
    assert text.endswith("\n")
    families, current = {}, None
    for line in text.split("\n")[:-1]:
        head = re.fullmatch(rf"# (HELP|TYPE) ({NAME}) (.+)", line)
        if head and head.group(1) == "HELP":
            current = head.group(2)
            assert current not in families, f"{current} comes twice"
            families[current] = (None, {})
            continue
        if head:
            assert head.group(2) == current and families[current] == (None, {}), line
            families[current] = (head.group(3), {})
            assert head.group(3) in SUFFIXES, line
            continue
        sample = re.fullmatch(rf"({NAME})(?:{{(.*)}})? (\S+)", line)
        assert sample and NUMBER.fullmatch(sample.group(3)), line
        kind, samples = families[current]
        assert sample.group(1) in [current + suffix for suffix in SUFFIXES[kind]], line
        labels = frozenset(parse_labels(sample.group(2) or "").items())
        of_name = samples.setdefault(sample.group(1), {})
        assert labels not in of_name, f"twice: {line}"
        of_name[labels] = float(sample.group(3))
    for name, (kind, samples) in families.items():
        if kind == "histogram":
            check_histogram(name, samples)
    return families


def check_histogram(name, samples):
    series = {}
    for labels, value in samples.get(name + "_bucket", {}).items():
        labels = dict(labels)
        le = float(labels.pop("le").replace("+Inf", "inf"))
        series.setdefault(frozenset(labels.items()), []).append((le, value))
    assert set(series) == set(samples.get(name + "_sum", {})) == set(samples.get(name + "_count", {}))
    for labels, buckets in series.items():
        assert buckets == sorted(buckets) and buckets[-1][0] == float("inf"), name
        counts = [n for _, n in buckets]
        assert counts == sorted(counts) and counts[-1] == samples[name + "_count"][labels], name


@pytest.fixture
def metered(start_server):
    return start_server("--experimental-enable-metrics", *LOOPBACK)


def scrape(server, **options):
    answer = server.get("/metrics", **options)
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(answer.body.decode())


def value(families, sample, **labels):
    for kind, samples in families.values():
        if sample in samples:
            return samples[sample][frozenset(labels.items())]
    raise KeyError(sample)


UPSTREAM = [
    "degraded_search_requests", "personalized_search_requests", "db_size_bytes", "used_db_size_bytes", "index_count",
    "index_docs_count", "nb_tasks", "is_indexing", "search_queue_size", "searches_running",
    "searches_waiting_to_be_processed", "task_queue_latency_seconds", "task_queue_used_size", "http_requests_total",
    "http_response_time_seconds", "task_queue_max_size", "task_queue_size_until_stop_registering",
]
OURS = [
    "queue_is_paused", "batch_tasks", "batch_seconds", "commit_seconds", "failed_commits_total", "store_is_healthy",
    "slice_seconds", "loop_latency_seconds", "connections", "refused_requests_total", "buffered_body_bytes", "waits",
    "streams", "queue_pause_seconds_total", "events_total", "webhook_pending", "webhook_in_flight",
    "webhook_oldest_owed_seconds", "webhook_state", "webhook_attempts_total", "webhook_exhausted_total",
    "webhook_expired_total", "webhook_attempt_seconds",
]


def test_the_names(metered):
    families = scrape(metered)
    for name in [f"meilisearch_{n}" for n in UPSTREAM] + [f"taskhook_{n}" for n in OURS]:
        assert name in families, name


def test_without_the_feature(shared):
    answer = shared.get("/metrics")
    assert (answer.status, answer.json["code"]) == (400, "feature_not_enabled")
    assert answer.json["message"] == (
        "Getting metrics requires enabling the `metrics` experimental feature. See "
        "https://github.com/meilisearch/product/discussions/625")


def test_the_feature_is_enabled_at_run_time(server):
    assert server.patch("/experimental-features", {"metrics": True}).status == 200
    scrape(server)
    server.patch("/experimental-features", {"metrics": False})
    assert server.get("/metrics").status == 400


def test_figures_follow_the_tasks(metered):
    metered.done(metered.post("/indexes/a/documents", [{"id": i} for i in range(5)]))
    metered.wait_task(metered.post("/indexes", {"uid": "a"}))
    families = scrape(metered)
    assert value(families, "meilisearch_index_docs_count", index="a") == 5
    assert value(families, "meilisearch_index_count") == 1
    assert value(families, "meilisearch_nb_tasks", kind="statuses", value="succeeded") == 1
    assert value(families, "meilisearch_nb_tasks", kind="statuses", value="failed") == 1
    assert value(families, "meilisearch_nb_tasks", kind="types", value="indexCreation") == 1
    assert value(families, "meilisearch_nb_tasks", kind="indexes", value="a") == 2
    assert value(families, "meilisearch_last_update") > 1.7e9
    assert value(families, "taskhook_batch_tasks_count") == 2
    assert value(families, "taskhook_commit_seconds_count") >= 2
    assert value(families, "meilisearch_task_queue_latency_seconds") == 0


def test_the_last_batches_are_told(metered):
    metered.done(metered.post("/indexes/a/documents", [{"id": i} for i in range(5)]))
    documents = metered.get("/batches?limit=1").json["results"][0]
    metered.done(metered.post("/indexes", {"uid": "b"}))
    last = metered.get("/batches?limit=1").json["results"][0]
    families = scrape(metered)
    labels = {"batch_uid": str(documents["uid"]), "index": "a"}
    assert value(families, "meilisearch_last_indexed_documents_count", **labels) == 5
    assert value(families, "meilisearch_last_indexed_documents_duration_ms", **labels) >= 0
    trace = families["meilisearch_last_finished_batches_progress_trace_ms"][1][
        "meilisearch_last_finished_batches_progress_trace_ms"]
    assert {dict(of)["step_name"] for of in trace} == set(last["stats"]["progressTrace"])
    assert {dict(of)["batch_uid"] for of in trace} == {str(last["uid"])}


def test_a_fresh_server_tells_of_no_batches(metered):
    families = scrape(metered)
    assert "meilisearch_last_indexed_documents_count" not in families
    assert "meilisearch_last_finished_batches_progress_trace_ms" not in families


def test_the_size_of_the_queue_is_told(start_server):
    server = start_server("--experimental-enable-metrics", "--max-task-db-size", "1 GiB", *LOOPBACK)
    server.done(server.post("/indexes", {"uid": "a"}))
    families = scrape(server)
    used = value(families, "meilisearch_task_queue_used_size")
    assert value(families, "meilisearch_task_queue_max_size") == 2**30 and 0 < used < 2**20
    assert value(families, "meilisearch_task_queue_size_until_stop_registering") == 2**30 - used


def test_waiting_tasks_are_counted(start_server):
    server = start_server("--experimental-enable-metrics", "--experimental-max-number-of-batched-tasks", "0")
    for i in range(3):
        server.post("/indexes", {"uid": f"i{i}"})
    families = scrape(server)
    assert value(families, "meilisearch_nb_tasks", kind="statuses", value="enqueued") == 3
    assert value(families, "meilisearch_task_queue_latency_seconds") > 0


def test_requests_are_counted_by_route(metered):
    metered.get("/tasks/7")
    metered.get("/indexes/a/documents/1")
    metered.get("/nowhere")
    families = scrape(metered)
    assert value(families, "meilisearch_http_requests_total", method="GET", path="/tasks/{task_id}", status="404") == 1
    assert value(families, "meilisearch_http_requests_total", method="GET", status="404",
                 path="/indexes/{index_uid}/documents/{document_id}") == 1
    assert value(families, "meilisearch_http_response_time_seconds_count", method="GET", path="/tasks/{task_id}") == 1
    assert all("nowhere" not in str(labels) for labels in families["meilisearch_http_requests_total"][1][
        "meilisearch_http_requests_total"])


def test_webhooks_are_counted(start_server, receiver):
    receiver.script = [500]
    server = start_server("--experimental-enable-metrics", "--task-webhook-url", receiver.url, *LOOPBACK)
    server.done(server.post("/indexes", {"uid": "a"}))
    receiver.next()
    server.done(server.post("/indexes", {"uid": "b"}))  # the first attempt is recorded by then
    families = scrape(server)
    (labels, _), = [item for item in families["taskhook_webhook_state"][1]["taskhook_webhook_state"].items()]
    webhook = dict(labels)["webhook"]
    assert dict(labels)["state"] == "failing"
    assert value(families, "taskhook_webhook_pending", webhook=webhook) == 2
    attempts = value(families, "taskhook_webhook_attempts_total", webhook=webhook, outcome="http_status")
    assert attempts >= 1
    assert value(families, "taskhook_webhook_attempt_seconds_count", webhook=webhook) == attempts


def test_what_a_webhook_is_owed_and_what_was_given_up_is_counted(metered, make_receiver):
    failing, asking = make_receiver(), make_receiver()
    failing.script, asking.script = [500], [(429, {"Retry-After": "600"}, b"")]
    given_up = metered.post("/webhooks", {"url": failing.url, "retrySchedule": []}).json["uuid"]
    held = metered.post("/webhooks", {"url": asking.url}).json["uuid"]
    metered.done(metered.post("/indexes", {"uid": "a"}))
    metered.done(metered.post("/indexes", {"uid": "b"}))  # the first attempts are recorded by then
    families = scrape(metered)
    assert value(families, "taskhook_webhook_exhausted_total", webhook=given_up) >= 1
    assert value(families, "taskhook_webhook_state", webhook=held, state="held") == 1
    assert value(families, "taskhook_webhook_pending", webhook=held) == 2
    assert 0 < value(families, "taskhook_webhook_oldest_owed_seconds", webhook=held) < 60
    assert value(families, "taskhook_queue_pause_seconds_total") > 0
    assert value(families, "taskhook_events_total") == 2


def test_rights(start_server):
    server = start_server("--experimental-enable-metrics", "--master-key", "a-master-key-long-enough")
    master = {"Authorization": "Bearer a-master-key-long-enough"}
    assert server.get("/metrics").status == 401
    scrape(server, headers=master)
    key = server.post("/keys", {"actions": ["*"], "indexes": ["a"], "expiresAt": None}, headers=master).json["key"]
    answer = server.get("/metrics", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status, answer.json["code"]) == (403, "invalid_api_key")


def test_many_indexes(metered):
    last = None
    for i in range(300):
        last = metered.post("/indexes", {"uid": f"index-{i}"})
    metered.done(last)
    families = scrape(metered)
    assert len(families["meilisearch_index_docs_count"][1]["meilisearch_index_docs_count"]) == 300
