"""/indexes and /swap-indexes."""

import json

import pytest

INVALID_UID = (
    "is not a valid index uid. Index uid can be an integer or a string containing only "
    "alphanumeric characters, hyphens (-) and underscores (_), and can not be more than 512 bytes."
)


def error(answer):
    body = answer.json
    assert list(body) == ["message", "code", "type", "link"]
    assert body["link"] == "https://docs.meilisearch.com/errors#" + body["code"]
    return answer.status, body["code"], body["message"]


def test_create_answers_with_a_summary(server):
    answer = server.post("/indexes", {"uid": "movies", "primaryKey": "id"})
    assert answer.status == 202
    summary = answer.json
    assert list(summary) == ["taskUid", "indexUid", "status", "type", "enqueuedAt"]
    assert (summary["indexUid"], summary["status"]) == ("movies", "enqueued")
    assert summary["type"] == "indexCreation"
    task = server.done(answer)
    assert task["details"] == {"primaryKey": "id"}


def test_created_index_has_four_keys(server):
    server.done(server.post("/indexes", {"uid": "movies"}))
    index = server.get("/indexes/movies").json
    assert list(index) == ["uid", "createdAt", "updatedAt", "primaryKey"]
    assert index["createdAt"] == index["updatedAt"]
    assert index["primaryKey"] is None


def test_create_of_an_existing_index_fails(server):
    server.done(server.post("/indexes", {"uid": "movies"}))
    task = server.wait_task(server.post("/indexes", {"uid": "movies"}))
    assert task["status"] == "failed"
    assert task["error"]["code"] == "index_already_exists"
    assert task["error"]["message"] == "Index `movies` already exists."


@pytest.mark.parametrize(
    "body, code, message",
    [
        ({}, "missing_index_uid", "Missing field `uid`"),
        (
            {"uid": True},
            "invalid_index_uid",
            "Invalid value type at `.uid`: expected a string, but found a boolean: `true`",
        ),
        (
            {"uid": "the best doggo"},
            "invalid_index_uid",
            "Invalid value at `.uid`: `the best doggo` " + INVALID_UID,
        ),
        (
            {"uid": "a", "primaryKey": [1]},
            "invalid_index_primary_key",
            "Invalid value type at `.primaryKey`: expected a string, but found an array: `[1]`",
        ),
        (
            {"uid": "a", "primarykey": "x"},
            "bad_request",
            "Unknown field `primarykey`: did you mean `primaryKey`? expected one of `uid`, "
            "`primaryKey`",
        ),
        (
            "hello",
            "bad_request",
            'Invalid value type: expected an object, but found a string: `"hello"`',
        ),
    ],
)
def test_create_refuses(shared, body, code, message):
    answer = shared.post(
        "/indexes",
        '"hello"' if body == "hello" else body,
        headers={"Content-Type": "application/json"},
    )
    assert error(answer) == (400, code, message)


def test_uids_end_at_400_bytes(server):
    server.done(server.post("/indexes", {"uid": "a" * 400}))
    assert server.post("/indexes", {"uid": "a" * 401}).json["code"] == "invalid_index_uid"


def test_list_is_sorted_and_paged(server):
    for uid in ("c", "a", "b"):
        last = server.post("/indexes", {"uid": uid})
    server.done(last)
    page = server.get("/indexes?offset=1&limit=1").json
    assert list(page) == ["results", "offset", "limit", "total"]
    assert [index["uid"] for index in page["results"]] == ["b"]
    assert (page["offset"], page["limit"], page["total"]) == (1, 1, 3)
    everything = server.get("/indexes").json
    assert [index["uid"] for index in everything["results"]] == ["a", "b", "c"]
    assert everything["limit"] == 20


def test_a_long_list_comes_whole(server):
    uids = [f"index-{i:03}-{'x' * 380}" for i in range(300)]
    for uid in uids:
        last = server.post("/indexes", {"uid": uid})
    server.done(last)
    listed = server.get("/indexes?limit=1000").json
    assert [index["uid"] for index in listed["results"]] == uids
    assert listed["total"] == 300


def test_list_refuses_bad_parameters(shared):
    assert error(shared.get("/indexes?limit=-1")) == (
        400,
        "invalid_index_limit",
        "Invalid value in parameter `limit`: could not parse `-1` as a positive integer",
    )
    assert error(shared.get("/indexes?doggo=1")) == (
        400,
        "bad_request",
        "Unknown parameter `doggo`: expected one of `offset`, `limit`",
    )


def test_unknown_index(shared):
    assert error(shared.get("/indexes/none")) == (
        404,
        "index_not_found",
        "Index `none` not found.",
    )


def test_bad_uid_in_the_path(shared):
    assert error(shared.get("/indexes/the%20doggo")) == (
        400,
        "invalid_index_uid",
        "`the doggo` " + INVALID_UID,
    )


def test_primary_key_of_an_empty_index_can_be_set(server):
    server.done(server.post("/indexes", {"uid": "movies"}))
    server.done(server.patch("/indexes/movies", {"primaryKey": "id"}))
    assert server.get("/indexes/movies").json["primaryKey"] == "id"


def test_primary_key_of_a_filled_index_cannot_change(server):
    server.done(server.post("/indexes/movies/documents", [{"id": 1}]))
    task = server.wait_task(server.patch("/indexes/movies", {"primaryKey": "other"}))
    assert task["error"]["code"] == "index_primary_key_already_exists"
    assert task["error"]["message"] == "Index `movies`: Index already has a primary key: `id`."


def test_rename_keeps_documents_and_creation_date(server):
    server.done(server.post("/indexes/old/documents", [{"id": 1}]))
    before = server.get("/indexes/old").json
    task = server.done(server.patch("/indexes/old", {"uid": "new"}))
    assert task["indexUid"] in ("old", "new")
    assert task["details"]["newIndexUid"] == "new"
    after = server.get("/indexes/new").json
    assert after["createdAt"] == before["createdAt"]
    assert after["updatedAt"] > before["updatedAt"]
    assert server.documents("new") == [{"id": 1}]
    assert server.get("/indexes/old").status == 404


def test_rename_onto_an_existing_index_fails(server):
    server.post("/indexes", {"uid": "a"})
    server.done(server.post("/indexes", {"uid": "b"}))
    task = server.wait_task(server.patch("/indexes/a", {"uid": "b"}))
    assert task["error"]["code"] == "index_already_exists"


@pytest.mark.parametrize(
    "field, code",
    [("createdAt", "immutable_index_created_at"), ("updatedAt", "immutable_index_updated_at")],
)
def test_update_refuses_immutable_fields(shared, field, code):
    assert error(shared.patch("/indexes/movies", {field: "x"})) == (
        400,
        code,
        f"Immutable field `{field}`: expected one of `primaryKey`, `uid`",
    )


def test_update_judges_its_body_before_the_uid(shared):
    answer = shared.patch("/indexes/bad%20uid", {"doggo": 1})
    assert answer.json["code"] == "bad_request"
    answer = shared.patch("/indexes/bad%20uid", {})
    assert answer.json["code"] == "invalid_index_uid"


def test_delete_removes_the_index(server):
    server.done(server.post("/indexes/movies/documents", [{"id": 1}, {"id": 2}]))
    task = server.done(server.delete("/indexes/movies"))
    assert task["type"] == "indexDeletion"
    assert task["details"] == {"deletedDocuments": 2}
    assert server.get("/indexes/movies").status == 404


def test_delete_of_an_unknown_index_fails(server):
    task = server.wait_task(server.delete("/indexes/none"))
    assert task["status"] == "failed"
    assert task["error"]["message"] == "Index `none` not found."
    assert task["details"] == {"deletedDocuments": 0}


# --- swap


def test_swap_exchanges_documents(server):
    server.post("/indexes/a/documents", [{"id": "from-a"}])
    server.done(server.post("/indexes/b/documents", [{"id": "from-b"}]))
    answer = server.post("/swap-indexes", [{"indexes": ["a", "b"]}])
    assert answer.json["indexUid"] is None
    task = server.done(answer)
    assert task["details"] == {"swaps": [{"indexes": ["a", "b"], "rename": False}]}
    assert server.documents("a") == [{"id": "from-b"}]
    assert server.documents("b") == [{"id": "from-a"}]


def test_swap_exchanges_the_past(server):
    old = server.post("/indexes/a/documents", [{"id": 1}])
    server.done(server.post("/indexes", {"uid": "b"}))
    server.done(server.post("/swap-indexes", [{"indexes": ["a", "b"]}]))
    assert server.task(old.json["taskUid"])["indexUid"] == "b"


def test_a_long_past_is_exchanged_at_once_and_over_stops_and_kills(start_server):
    """The rows of some thousand tasks follow in pieces: nobody sees them half done, and a start goes on with them."""
    paused = start_server("--experimental-max-number-of-batched-tasks", "0")
    connection, sent = paused.connect(), {"a": [], "b": []}
    for number in range(2400):
        index = "ab"[number % 2]
        connection.request("POST", f"/indexes/{index}/documents", '[{"id":1}]', {"Content-Type": "application/json"})
        sent[index].append(json.loads(connection.getresponse().read())["taskUid"])
    connection.close()
    swap = paused.post("/swap-indexes", [{"indexes": ["a", "b"]}]).json["taskUid"]
    assert paused.stop() == 0

    def assert_exchanged(server):
        for index, before in (("a", "b"), ("b", "a")):
            seen = server.get(f"/tasks?indexUids={index}&limit=100000&reverse=true").json["results"]
            assert [task["uid"] for task in seen] == sent[before]
            assert {task["indexUid"] for task in seen} == {index}
    server = start_server()
    assert server.wait_task(swap)["status"] == "succeeded"
    assert server.stop() == 0  # in the middle, if it is quick enough
    server = start_server()
    assert_exchanged(server)
    server.kill()
    server = start_server()
    assert_exchanged(server)
    server.done(server.post("/indexes/a/documents", [{"id": 2}]))


def test_swap_of_missing_indexes_fails_whole(server):
    server.done(server.post("/indexes", {"uid": "a"}))
    task = server.wait_task(
        server.post("/swap-indexes", [{"indexes": ["a", "doggos"]}, {"indexes": ["x", "cattos"]}])
    )
    assert task["error"]["code"] == "index_not_found"
    assert task["error"]["message"] == "Indexes `cattos`, `doggos`, `x` not found."


def test_an_empty_swap_succeeds(server):
    server.done(server.post("/swap-indexes", []))


@pytest.mark.parametrize(
    "body, code, message",
    [
        (
            [{"indexes": ["doggo"]}],
            "invalid_swap_indexes",
            'Two indexes must be given for each swap. The list `["doggo"]` contains 1 indexes.',
        ),
        ([{}], "missing_swap_indexes", "Missing field `indexes` inside `[0]`"),
        (
            ["doggo"],
            "bad_request",
            'Invalid value type at `[0]`: expected an object, but found a string: `"doggo"`',
        ),
        (
            {"a": 1},
            "bad_request",
            'Invalid value type: expected an array, but found an object: `{"a":1}`',
        ),
        (
            [{"indexes": ["a", "b c"]}],
            "invalid_swap_indexes",
            "Invalid value at `[0].indexes[1]`: `b c` " + INVALID_UID,
        ),
        (
            [{"indexes": ["a", "b"], "rename": 1}],
            "invalid_swap_rename",
            "Invalid value type at `[0].rename`: expected a boolean, but found a positive "
            "integer: `1`",
        ),
        (
            [{"indexes": ["doggo", "a"]}, {"indexes": ["b", "doggo"]}],
            "invalid_swap_duplicate_index_found",
            "Indexes must be declared only once during a swap. `doggo` was specified several "
            "times.",
        ),
        (
            [{"indexes": ["b", "a"]}, {"indexes": ["a", "b"]}],
            "invalid_swap_duplicate_index_found",
            "Indexes must be declared only once during a swap. `a`, `b` were specified several "
            "times.",
        ),
    ],
)
def test_swap_refuses(shared, body, code, message):
    assert error(shared.post("/swap-indexes", body)) == (400, code, message)
