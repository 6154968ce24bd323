"""Replays: kept events are sent once more, as a task that goes on after a crash, can be canceled and holds up nobody."""
import datetime
import time

import pytest

from conftest import LOOPBACK, wait_until

STOPPED = ("--experimental-max-number-of-batched-tasks", "0")
BEFORE = "2020-01-01T00:00:00Z"


def register(server, receiver, **fields):
    answer = server.post("/webhooks", {"url": receiver.url, **fields})
    assert answer.status == 201, answer
    return answer.json["uuid"]


def add(server, n=1, index="movies"):
    for i in range(n):
        server.done(server.post(f"/indexes/{index}/documents", {"id": i}))


def listed(server, hook, query="?limit=1000"):
    return server.get(f"/webhooks/{hook}/deliveries{query}").json


def wait_total(server, hook, total, state="delivered"):
    wait_until(lambda: listed(server, hook, f"?state={state}&limit=0")["total"] == total,
               lambda: str(listed(server, hook)))


def replay(server, hook, **body):
    body.setdefault("since", BEFORE)
    return server.post(f"/webhooks/{hook}/replay", body)


def counts(task):
    return task["details"]["matchedEvents"], task["details"]["queuedDeliveries"]


def test_everything_once_more_with_new_sequence_numbers(server, receiver):
    hook = register(server, receiver)
    add(server, 3)
    wait_total(server, hook, 3)
    sent = [receiver.next() for _ in range(3)]
    answer = replay(server, hook)
    assert answer.status == 202
    assert (answer.json["type"], answer.json["status"], answer.json["indexUid"]) == ("webhookReplay", "enqueued", None)
    task = server.done(answer)
    assert list(task["details"]) == ["webhookUuid", "since", "until", "filter", "totalEvents", "scannedEvents",
                                     "matchedEvents", "queuedDeliveries"]
    assert task["details"]["webhookUuid"] == hook and task["details"]["filter"] == {}
    assert task["details"]["since"] == BEFORE
    assert (task["details"]["totalEvents"], task["details"]["scannedEvents"]) == (3, 3)
    assert counts(task) == (3, 3)
    assert task["batchUid"] is None and task["duration"] is not None
    again = [receiver.next() for _ in range(3)]
    assert sorted(r.body for r in again) == sorted(r.body for r in sent)
    assert {r.headers["webhook-id"] for r in again} == {r.headers["webhook-id"] for r in sent}
    assert sorted(int(r.headers["webhook-sequence"]) for r in again) == [4, 5, 6]
    wait_total(server, hook, 6)
    assert [d["cause"] for d in listed(server, hook)["results"]] == ["replay"] * 3 + ["event"] * 3


def test_it_makes_no_batch_and_no_event(server, make_receiver):
    first, second = make_receiver(), make_receiver()
    hook = register(server, first)
    other = register(server, second)
    add(server)
    wait_total(server, other, 1)
    batches = server.get("/batches").json["total"]
    server.done(replay(server, hook))
    wait_total(server, hook, 2)
    assert server.get("/batches").json["total"] == batches
    assert listed(server, other)["total"] == 1


def test_a_webhook_that_is_new_gets_what_happened_before(server, make_receiver):
    old, new = make_receiver(), make_receiver()
    register(server, old)
    add(server, 2)
    hook = register(server, new)
    assert counts(server.done(replay(server, hook))) == (2, 2)
    assert {new.next().tasks[0]["uid"] for _ in range(2)} == {0, 1}


def ids(receiver, first=0):
    """The tasks of each request by its webhook-id."""
    return {r.headers["webhook-id"]: [task["uid"] for task in r.tasks] for r in receiver.requests[first:]}


@pytest.mark.parametrize("limit", ["100", "2"])  # in one request, in several
def test_a_replay_of_other_tasks_has_another_id_and_one_of_the_same_has_the_same(start_server, receiver, limit):
    flags = (*LOOPBACK, "--webhook-max-payload-tasks", limit)
    stopped = start_server(*flags, *STOPPED)
    hook = register(stopped, receiver, statuses=["failed"])
    for document in ({"id": 1}, {"id": "not valid!"}, {"id": 2}, {"id": "not either!"}, {"id": "nor this!"}, {"id": 3}):
        stopped.post("/indexes/movies/documents", document)
    assert stopped.stop() == 0
    server = start_server(*flags)

    def replayed(**fields):
        seen = len(receiver.requests)
        assert server.patch(f"/webhooks/{hook}", {"statuses": None, **fields}).status == 200
        queued = counts(server.done(replay(server, hook)))[1]
        wait_until(lambda: len(receiver.requests) == seen + queued, "all of them", server.process)
        return ids(receiver, seen)
    receiver.wait_for_tasks([1, 3, 4])
    first = ids(receiver)
    assert replayed(statuses=["failed"]) == first
    everything = replayed()
    assert set(everything).isdisjoint(first) and len(everything) == (1 if limit == "100" else 3)
    assert sorted(sum(everything.values(), [])) == [0, 1, 2, 3, 4, 5]
    succeeded = replayed(statuses=["succeeded"])
    assert set(succeeded).isdisjoint({**first, **everything})
    assert sorted(sum(succeeded.values(), [])) == [0, 2, 5]
    assert replayed() == everything and replayed(statuses=["succeeded"]) == succeeded


def test_the_range_of_time(server, receiver):
    hook = register(server, receiver)
    add(server, 3)
    times = [d["createdAt"] for d in reversed(listed(server, hook)["results"])]
    assert counts(server.done(replay(server, hook, since=times[1]))) == (2, 2)
    assert counts(server.done(replay(server, hook, until=times[1]))) == (1, 1)
    assert counts(server.done(replay(server, hook, since=times[1], until=times[2]))) == (1, 1)
    tomorrow = (datetime.date.today() + datetime.timedelta(days=2)).isoformat()
    assert counts(server.done(replay(server, hook, since=tomorrow, until="2100-01-01"))) == (0, 0)


def test_the_filter(server, receiver):
    receiver.script = [200, 500]
    hook = register(server, receiver, retrySchedule=[])
    add(server, 1, "movies")
    add(server, 1, "books")
    server.wait_task(server.delete("/indexes/unknown"))
    wait_total(server, hook, 2, "exhausted")
    receiver.script = [200]

    def matched(**filter):
        return counts(server.done(replay(server, hook, filter=filter)))[0]
    assert matched() == 3
    assert matched(states=["exhausted"]) == 2
    assert matched(states=["delivered"]) == 1
    assert matched(states=["owed", "expired"]) == 0
    assert matched(indexUids=["movies"]) == 1
    assert matched(indexUids=["mov*", "boo*"]) == 2
    assert matched(types=["indexDeletion"]) == 1
    assert matched(statuses=["succeeded"]) == 2
    assert matched(statuses=["succeeded"], indexUids=["books"], types=["documentAdditionOrUpdate"]) == 1
    assert matched(statuses=["failed"], indexUids=["books"]) == 0
    task = server.done(replay(server, hook, filter={"states": ["exhausted"], "indexUids": ["b*"], "types": ["indexSwap"],
                                                    "statuses": ["canceled"]}))
    assert task["details"]["filter"] == {"states": ["exhausted"], "indexUids": ["b*"], "types": ["indexSwap"],
                                         "statuses": ["canceled"]}


@pytest.mark.parametrize("body, code, text", [
    ({}, "missing_replay_since", "Missing field `since`"),
    ({"since": 7}, "invalid_replay_since", "Invalid value type at `.since`: expected a string"),
    ({"since": "yesterday"}, "invalid_replay_since", "Invalid value at `.since`: `yesterday` is an invalid date-time."),
    ({"since": BEFORE, "until": "x"}, "invalid_replay_until", "Invalid value at `.until`: `x` is an invalid date-time."),
    ({"since": BEFORE, "until": BEFORE}, "invalid_replay_until", "Invalid value at `.until`: it must be after `.since`."),
    ({"since": BEFORE, "filter": []}, "invalid_replay_filter", "Invalid value type at `.filter`: expected an object"),
    ({"since": BEFORE, "filter": {"states": ["late"]}}, "invalid_replay_filter",
     "Invalid value at `.filter.states[0]`: `late` is not a valid delivery state. Available states are `owed`, "),
    ({"since": BEFORE, "filter": {"types": []}}, "invalid_replay_filter",
     "Invalid value at `.filter.types`: expected at least one element."),
    ({"since": BEFORE, "filter": {"indexUids": []}}, "invalid_replay_filter",
     "Invalid value at `.filter.indexUids`: expected at least one element."),
    ({"since": BEFORE, "filter": {"types": ["x"]}}, "invalid_replay_filter",
     "Invalid value at `.filter.types[0]`: `x` is not a valid task type."),
    ({"since": BEFORE, "filter": {"statuses": ["enqueued"]}}, "invalid_replay_filter",
     "Invalid value at `.filter.statuses[0]`: `enqueued` is not the status of a finished task"),
    ({"since": BEFORE, "filter": {"indexUids": ["a b"]}}, "invalid_replay_filter",
     "Invalid value at `.filter.indexUids[0]`: `a b` is not a valid index uid pattern."),
    ({"since": BEFORE, "filter": {"x": 1}}, "invalid_replay_filter", "Unknown field `x` inside `.filter`"),
    ({"since": BEFORE, "x": 1}, "bad_request", "Unknown field `x`: expected one of `since`, `until`, `filter`"),
])
def test_bodies_that_are_wrong(shared, receiver, body, code, text):
    hook = register(shared, receiver)
    answer = shared.post(f"/webhooks/{hook}/replay", body)
    assert (answer.status, answer.json["code"]) == (400, code)
    assert answer.json["message"].startswith(text), answer.json["message"]
    assert shared.delete(f"/webhooks/{hook}").status == 204


def test_the_task_is_listed_like_every_other(server, receiver):
    hook = register(server, receiver)
    task = server.done(replay(server, hook))
    assert server.get("/tasks?types=webhookReplay").json["results"] == [task]
    assert server.get("/tasks?statuses=succeeded").json["results"] == [task]


def test_an_idempotency_key_makes_one_replay(server, receiver):
    hook = register(server, receiver)
    add(server)
    wait_total(server, hook, 1)
    answers = [server.post(f"/webhooks/{hook}/replay", {"since": BEFORE}, headers={"Idempotency-Key": "once"})
               for _ in range(2)]
    assert answers[0].json["taskUid"] == answers[1].json["taskUid"]
    server.done(answers[0])
    wait_total(server, hook, 2)


def test_a_replay_needs_no_batch_to_run(start_server, receiver):
    server = start_server(*LOOPBACK, *STOPPED)
    hook = register(server, receiver)
    assert counts(server.done(replay(server, hook))) == (0, 0)


def queue_batches(server, n):
    """n tasks, each of which is a batch of its own."""
    for i in range(n):
        assert server.post("/indexes", {"uid": f"index-{i}"}).status == 202


def test_a_crash_neither_loses_nor_doubles_anything(start_server, receiver):
    server = start_server(*LOOPBACK)
    hook = register(server, receiver, wait=False)
    events, rounds = 60, 8
    queue_batches(server, events)
    wait_total(server, hook, events)
    for i in range(rounds):
        task = replay(server, hook).json["taskUid"]
        time.sleep(0.0005 * i)  # the moment of the crash is what is tried out
        server.kill()
        server = start_server(*LOOPBACK)
        assert counts(server.wait_task(task)) == (events, events)
    results = listed(server, hook)["results"]
    assert [d["sequence"] for d in results] == list(range(events * (rounds + 1), 0, -1))
    for event in {d["eventId"] for d in results}:
        assert len([d for d in results if d["eventId"] == event]) == rounds + 1


def test_replays_that_are_canceled_say_so_and_what_they_queued(start_server, receiver):
    server = start_server(*LOOPBACK)
    hook = register(server, receiver, wait=False)
    queue_batches(server, 50)
    wait_total(server, hook, 50)
    tasks = [replay(server, hook).json["taskUid"] for _ in range(20)]
    cancelation = server.done(server.post("/tasks/cancel?types=webhookReplay&statuses=enqueued,processing"))
    ended = [server.wait_task(uid) for uid in tasks]
    canceled = [t for t in ended if t["status"] == "canceled"]
    assert len(canceled) == cancelation["details"]["canceledTasks"]
    assert {t["canceledBy"] for t in canceled} <= {cancelation["uid"]}
    assert {t["status"] for t in ended} <= {"canceled", "succeeded"}
    replayed = [d for d in listed(server, hook, "?limit=5000")["results"] if d["cause"] == "replay"]
    assert len(replayed) == sum(t["details"]["queuedDeliveries"] for t in ended)


def test_a_webhook_that_is_disabled_is_owed_what_is_replayed(server, receiver):
    hook = register(server, receiver)
    add(server, 2)
    wait_total(server, hook, 2)
    assert server.patch(f"/webhooks/{hook}", {"isActive": False}).status == 200
    assert counts(server.done(replay(server, hook))) == (2, 2)
    assert [d["state"] for d in listed(server, hook)["results"]] == ["owed", "owed", "delivered", "delivered"]
    assert server.patch(f"/webhooks/{hook}", {"isActive": True}).status == 200
    wait_total(server, hook, 4)


def test_a_queue_that_has_a_receiver_hanging_in_a_replay_goes_on(server, receiver):
    hook = register(server, receiver)
    add(server)
    wait_total(server, hook, 1)
    receiver.script = ["hold", 200]
    server.done(replay(server, hook))
    receiver.next(), receiver.next()
    add(server, 3)
    receiver.release()
    wait_total(server, hook, 5)
