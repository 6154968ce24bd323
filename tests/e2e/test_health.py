"""The small routes: health, version, stats."""

import re

import pytest

from conftest import exchange, first_answer


def test_health_is_available(shared):
    answer = shared.get("/health")
    assert answer.status == 200
    assert answer.body == b'{"status":"available"}'
    assert answer.headers["Content-Type"] == "application/json"


def test_root_says_that_it_runs(shared):
    assert shared.get("/").json["status"] == "Meilisearch is running"


def test_version_has_three_strings(shared):
    version = shared.get("/version").json
    assert list(version) == ["commitSha", "commitDate", "pkgVersion"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version["pkgVersion"])


def test_stats_of_an_empty_server(server):
    stats = server.get("/stats").json
    assert list(stats) == ["databaseSize", "usedDatabaseSize", "lastUpdate", "indexes"]
    assert stats["lastUpdate"] is None
    assert stats["indexes"] == {}
    assert stats["databaseSize"] > 0


def test_stats_count_documents_and_fields(server):
    server.done(server.post("/indexes/movies/documents", [{"id": 1, "a": 1}, {"id": 2}]))
    stats = server.get("/stats").json
    index = stats["indexes"]["movies"]
    assert list(index) == [
        "numberOfDocuments",
        "rawDocumentDbSize",
        "avgDocumentSize",
        "isIndexing",
        "numberOfEmbeddings",
        "numberOfEmbeddedDocuments",
        "fieldDistribution",
    ]
    assert index["numberOfDocuments"] == 2
    assert index["isIndexing"] is False
    assert index["fieldDistribution"] == {"a": 1, "id": 2}
    assert stats["lastUpdate"] == server.get("/indexes/movies").json["updatedAt"]
    assert server.get("/indexes/movies/stats").json == index


def test_stats_in_human_sizes(server):
    server.done(server.post("/indexes", {"uid": "movies"}))
    stats = server.get("/stats?sizeFormat=human").json
    assert re.fullmatch(r"[\d.]+ (B|KiB|MiB)", stats["databaseSize"])
    index = server.get("/indexes/movies/stats?sizeFormat=human&showInternalDatabaseSizes=true")
    assert index.json["rawDocumentDbSize"] == "0 B"
    assert "internalDatabaseSizes" in index.json


@pytest.mark.parametrize(
    "query, code, message",
    [
        (
            "sizeFormat=humn",
            "invalid_stats_size_format",
            "Unknown value `humn` for parameter `sizeFormat`: did you mean `human`? expected one "
            "of `raw`, `human`",
        ),
        (
            "showInternalDatabaseSizes=yes",
            "invalid_stats_show_internal_database_sizes",
            "Invalid value in parameter `showInternalDatabaseSizes`: could not parse `yes` as a "
            "boolean, expected either `true` or `false`",
        ),
    ],
)
def test_stats_refuses_bad_parameters(shared, query, code, message):
    error = shared.get(f"/stats?{query}").json
    assert (error["code"], error["message"]) == (code, message)


def test_the_stats_of_an_index_are_those_of_the_list(server):
    server.done(server.post("/indexes/movies/documents", [{"id": 1, "a": 1}, {"id": 2}]))
    server.done(server.post("/indexes", {"uid": "empty"}))
    listed = server.get("/stats").json["indexes"]
    assert list(listed) == ["empty", "movies"]
    assert {uid: server.get(f"/indexes/{uid}/stats").json for uid in listed} == listed
    assert listed["empty"] == {"numberOfDocuments": 0, "rawDocumentDbSize": 0, "avgDocumentSize": 0, "isIndexing": False,
                               "numberOfEmbeddings": 0, "numberOfEmbeddedDocuments": 0, "fieldDistribution": {}}
    refused = server.get("/indexes/movies/stats?showInternalDatabaseSizes=yes").json
    assert refused["code"] == "invalid_stats_show_internal_database_sizes"


def test_an_index_is_indexing_while_its_batch_runs(server):
    server.done(server.post("/indexes", {"uid": "other"}))
    answer = server.post("/indexes/movies/documents", [{"id": i, "pad": "x" * 50} for i in range(100000)])
    seen = []
    while server.task(answer.json["taskUid"])["status"] in ("enqueued", "processing"):
        stats = server.get("/stats").json["indexes"]
        seen.append({uid: stats[uid]["isIndexing"] for uid in stats})
    assert {"movies": True, "other": False} in seen, "it ran too fast"
    assert not any(one["other"] for one in seen)
    assert server.get("/indexes/movies/stats").json["isIndexing"] is False


def test_index_stats_of_an_unknown_index(shared):
    answer = shared.get("/indexes/unknown/stats")
    assert answer.status == 404
    assert answer.json["message"] == "Index `unknown` not found."


def test_data_survive_a_restart(start_server):
    first = start_server()
    first.done(first.post("/indexes/movies/documents", [{"id": 1, "title": "Carol"}]))
    assert first.stop() == 0
    second = start_server()
    assert second.documents("movies") == [{"id": 1, "title": "Carol"}]


def test_head_has_no_body(shared):
    said = exchange(shared, b"HEAD /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert first_answer(said).status == 200
    assert said.endswith(b"\r\n\r\n")
