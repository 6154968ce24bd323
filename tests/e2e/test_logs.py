"""The /logs routes (contract 9)."""
import json

import pytest

from conftest import wait_until


@pytest.fixture
def logged(start_server):
    return start_server("--experimental-enable-logs-route", "--log-level", "INFO")


class Reader:
    def __init__(self, server, body):
        self.connection = server.connect()
        self.connection.request("POST", "/logs/stream", json.dumps(body), {"Content-Type": "application/json"})
        self.answer = self.connection.getresponse()

    def line(self):
        return self.answer.readline().decode()

    def close(self):
        self.answer.close()
        self.connection.close()


@pytest.fixture
def read(logged):
    readers = []

    def begin(**body):
        readers.append(Reader(logged, body))
        return readers[-1]

    yield begin
    for reader in readers:
        reader.close()


def error(answer):
    return answer.status, answer.json["code"], answer.json["message"]


def test_the_log_is_read_along(logged, read):
    reader = read()
    logged.done(logged.post("/indexes", {"uid": "a"}))
    assert " INFO queue: batch finished batch_uid=0 " in reader.line()


def test_in_json_and_with_a_target(logged, read):
    reader = read(mode="json", target="off,queue=debug")
    logged.done(logged.post("/indexes", {"uid": "a"}))
    line = json.loads(reader.line())
    assert (line["level"], line["target"]) == ("DEBUG", "queue")
    assert "DEBUG" not in logged.log()  # stderr stays as it was


def test_one_reader_at_a_time(logged, read):
    read()
    second = logged.post("/logs/stream", {})
    assert error(second) == (400, "bad_request", "The `/logs/stream` route is currently in use by someone else.")


def test_a_reader_is_stopped(logged, read):
    reader = read(target="off")
    assert logged.delete("/logs/stream").status == 204
    assert reader.answer.read() == b""
    assert read(target="off").answer.status == 200


def test_a_reader_that_leaves_makes_room(logged, read):
    read().close()
    wait_until(lambda: read(target="off").answer.status == 200, "still in use", timeout=10)


def test_what_stderr_shows_is_changed(logged):
    assert logged.post("/logs/stderr", {"target": "queue=debug"}).status == 204
    logged.done(logged.post("/indexes", {"uid": "a"}))
    logged.wait_log("DEBUG queue: batch starts")
    assert logged.post("/logs/stderr", {}).status == 204  # info again
    assert logged.post("/logs/stderr", {"target": "off"}).status == 204


def test_without_the_feature(shared):
    expected = (400, "feature_not_enabled",
                "Modifying logs through the `/logs/*` routes requires enabling the `logs route` experimental feature. "
                "See https://github.com/orgs/meilisearch/discussions/721")
    assert error(shared.post("/logs/stream", {})) == expected
    assert error(shared.delete("/logs/stream")) == expected
    assert error(shared.post("/logs/stderr", {})) == expected


@pytest.mark.parametrize("body, message", [
    ({"target": True}, "Invalid value type at `.target`: expected a string, but found a boolean: `true`"),
    ({"target": []}, "Invalid value type at `.target`: expected a string, but found an array: `[]`"),
    ({"target": ""}, "Invalid value at `.target`: Empty string is not a valid target. If you want to get no logs use "
     "`OFF`. Usage: `info`, `meilisearch=info`, or you can write multiple filters in one target: "
     "`index_scheduler=info,milli=trace`"),
    ({"target": "=="}, "Invalid value at `.target`: invalid filter directive: too many '=' in filter directive, expected "
     "0 or 1"),
    ({"mode": True}, "Invalid value type at `.mode`: expected a string, but found a boolean: `true`"),
    ({"mode": "tamo"}, "Unknown value `tamo` at `.mode`: expected one of `human`, `json`, `profile`"),
    ({"profileMemory": "tamo"}, "Invalid value type at `.profileMemory`: expected a boolean, but found a string: `\"tamo\"`"),
])
def test_bad_bodies(shared, body, message):
    assert error(shared.post("/logs/stream", body)) == (400, "bad_request", message)


def test_memory_is_profiled_while_profiling_only(shared):
    assert error(shared.post("/logs/stream", {"profileMemory": True})) == (
        400, "invalid_settings_typo_tolerance",
        "Invalid value: `profile_memory` can only be used while profiling code and is not compatible with the Human mode.")


def test_a_stop_ends_the_reader(logged, read):
    reader = read()
    logged.process.terminate()
    while reader.line():
        pass
    logged.process.wait(30)
    assert logged.stop() == 0
