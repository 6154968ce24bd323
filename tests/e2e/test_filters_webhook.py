"""Filters of webhooks: indexUids, types, statuses. A batch without a matching task sends nothing; a payload holds the
matching tasks only."""
from conftest import LOOPBACK

STOPPED = ("--experimental-max-number-of-batched-tasks", "0")


def register(server, receiver, **fields):
    answer = server.post("/webhooks", {"url": receiver.url, **fields})
    assert answer.status == 201, answer
    return answer.json["uuid"]


def add(server, index, document=None):
    return server.run("POST", f"/indexes/{index}/documents", document or {"id": 1})


def test_index_uids_choose_indexes_by_name_and_by_pattern(server, make_receiver):
    plain, named, pattern = make_receiver(), make_receiver(), make_receiver()
    register(server, plain)
    register(server, named, indexUids=["movies"])
    register(server, pattern, indexUids=["mov*", "books"])
    for index in ("books", "movies", "people", "movers"):
        add(server, index)
    assert [plain.next().tasks[0]["indexUid"] for _ in range(4)] == ["books", "movies", "people", "movers"]
    assert named.next().tasks[0]["indexUid"] == "movies"
    assert [pattern.next().tasks[0]["indexUid"] for _ in range(3)] == ["books", "movies", "movers"]
    add(server, "movies", {"id": 2})
    assert [t["uid"] for t in named.next().tasks] == [4]  # and nothing in between


def test_types_choose_kinds_of_tasks(server, receiver):
    register(server, receiver, types=["indexDeletion"])
    add(server, "movies")
    server.run("DELETE", "/indexes/movies")
    assert [t["type"] for t in receiver.next().tasks] == ["indexDeletion"]


def test_statuses_choose_how_tasks_ended(server, receiver):
    register(server, receiver, statuses=["failed"])
    add(server, "movies")
    add(server, "movies", {"id": "not valid!"})
    assert [(t["uid"], t["status"]) for t in receiver.next().tasks] == [(1, "failed")]


def test_all_filters_must_match(server, receiver):
    register(server, receiver, indexUids=["movies"], statuses=["failed"], types=["documentAdditionOrUpdate"])
    add(server, "books", {"id": "not valid!"})
    add(server, "movies")
    server.run("DELETE", "/indexes/missing")
    add(server, "movies", {"id": "not valid!"})
    assert [t["uid"] for t in receiver.next().tasks] == [3]


def test_payload_holds_the_matching_tasks_of_a_batch_only(start_server, make_receiver):
    everything, failed = make_receiver(), make_receiver()
    stopped = start_server(*LOOPBACK, *STOPPED)
    register(stopped, everything)
    register(stopped, failed, statuses=["failed"])
    for document in ({"id": 1}, {"id": "not valid!"}, {"id": 2}, {"id": "not either!"}, {"id": 3}):
        stopped.post("/indexes/movies/documents", document)
    assert stopped.stop() == 0
    start_server(*LOOPBACK)
    assert [t["uid"] for t in everything.next().tasks] == [0, 1, 2, 3, 4]
    assert [t["uid"] for t in failed.next().tasks] == [1, 3]


def test_sequence_counts_what_is_sent_to_the_webhook(server, receiver):
    register(server, receiver, indexUids=["movies"])
    for index in ("movies", "books", "books", "movies"):
        add(server, index)
    assert [receiver.next().headers["webhook-sequence"] for _ in range(2)] == ["1", "2"]


def test_queue_does_not_wait_for_a_webhook_that_a_batch_does_not_concern(server, receiver):
    receiver.script = ["hang"]
    register(server, receiver, indexUids=["movies"])
    for number in range(3):
        add(server, "books", {"id": number})
    assert not receiver.requests


def test_filter_can_be_changed_at_run_time(server, receiver):
    uuid = register(server, receiver, indexUids=["movies"])
    assert server.patch(f"/webhooks/{uuid}", {"indexUids": ["books"]}).status == 200
    add(server, "movies")
    add(server, "books")
    assert receiver.next().tasks[0]["indexUid"] == "books"
    assert server.patch(f"/webhooks/{uuid}", {"indexUids": None}).status == 200
    add(server, "movies")
    assert receiver.next().tasks[0]["indexUid"] == "movies"


def test_task_without_an_index_is_wanted_by_who_wants_every_index(server, make_receiver):
    plain, movies = make_receiver(), make_receiver()
    register(server, plain)
    register(server, movies, indexUids=["movies"])
    server.run("POST", "/tasks/cancel?uids=4711")
    assert plain.next().tasks[0]["type"] == "taskCancelation"
    add(server, "movies")
    assert movies.next().tasks[0]["uid"] == 1
