"""GET /openapi.json: what it says, and that it says it of every route."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture(scope="module")
def document(shared):
    answer = shared.get("/openapi.json")
    assert answer.status == 200
    return answer.json


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def test_it_needs_no_key(start_server):
    server = start_server("--master-key", "a-master-key-long-enough")
    assert server.get("/openapi.json").status == 200


def test_the_frame_of_the_document(document):
    assert document["openapi"].startswith("3.1.")
    assert {"title", "version"} <= set(document["info"])
    assert set(document["components"]) <= {"schemas", "responses", "securitySchemes"}


def test_every_operation_is_well_formed(document):
    ids = set()
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert method in METHODS and path.startswith("/"), where
        assert operation["operationId"] not in ids, where
        ids.add(operation["operationId"])
        assert operation["summary"] and operation["tags"], where
        answers = operation["responses"]
        assert answers and all(re.fullmatch(r"[1-5]\d\d|default", status) for status in answers), where
        assert all("description" in answer or "$ref" in answer for answer in answers.values()), where
        for parameter in operation["parameters"]:
            assert parameter["in"] in ("path", "query", "header"), where
            assert "schema" in parameter and isinstance(parameter["required"], bool), where
        named = [(p["in"], p["name"]) for p in operation["parameters"]]
        assert len(named) == len(set(named)), where
        in_path = [name for place, name in named if place == "path"]
        assert in_path == re.findall(r"{(\w+)}", path), where
        assert all(p["required"] for p in operation["parameters"] if p["in"] == "path"), where
        if "requestBody" in operation:
            assert all("schema" in media for media in operation["requestBody"]["content"].values()), where


def test_every_reference_leads_somewhere(document):
    def walk(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                if key == "$ref":
                    target = document
                    for part in inner.removeprefix("#/").split("/"):
                        target = target[part]
                yield from walk(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner)

    list(walk(document))


def test_every_operation_is_a_route(shared, document):
    """No 404 or 405 without a body: the server knows the method on the path."""
    for method, path, _ in operations(document):
        concrete = re.sub(r"{\w+}", "1", path)
        if (method, path) in (("get", "/tasks/stream"), ("post", "/logs/stream")):
            continue  # they do not end
        answer = shared.request("HEAD" if method == "get" else method.upper(), concrete)
        known = answer.status not in (404, 405) or method == "get" or answer.body
        assert known and answer.status != 405, (method, path, answer)


def test_known_details(document):
    tasks = document["paths"]["/tasks"]["get"]
    names = [p["name"] for p in tasks["parameters"]]
    assert names[:4] == ["limit", "from", "reverse", "batchUids"]
    assert tasks["security"] == [{"bearer": []}] and tasks["x-action"] == "tasks.get"
    assert document["paths"]["/health"]["get"]["security"] == []
    create = document["paths"]["/indexes"]["post"]
    schema = create["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"uid", "primaryKey"} and schema["required"] == ["uid"]
    assert list(create["responses"]) == ["202", "default"]
    upload = document["paths"]["/indexes/{indexUid}/documents"]["post"]["requestBody"]["content"]
    assert list(upload) == ["application/json", "application/x-ndjson", "text/csv"]
    assert "text/event-stream" in document["paths"]["/tasks/stream"]["get"]["responses"]["200"]["content"]
