"""Order by sequence, and gapless sequence numbers, with a receiver that fails at random."""
import os
import random

from conftest import LOOPBACK
from test_backpressure import EACH_ALONE, add, register

BATCHES = int(os.environ.get("TASKHOOK_ORDER_BATCHES", "150"))


def flaky(seed, n):
    """So many answers, a quarter of them failures, and success ever after."""
    choice = random.Random(seed)
    return [choice.choice([200, 200, 200, 500]) for _ in range(n)] + [200]


def accepted(receiver, answers):
    """The requests that were answered with success, in the order of their arrival."""
    answers = answers + [200] * (len(receiver.requests) - len(answers))
    return [request for request, answer in zip(receiver.requests, answers) if answer == 200]


def test_an_ordered_webhook_sees_batches_in_order_whatever_fails(start_server, receiver):
    answers = flaky(1, BATCHES)
    receiver.script = list(answers)
    server = start_server(*LOOPBACK, *EACH_ALONE)
    register(server, receiver, ordered=True, retrySchedule=[0.001] * 50)
    uids = add(server, BATCHES)
    receiver.wait_for_tasks(uids)
    seen = accepted(receiver, answers)
    assert [request.tasks[0]["uid"] for request in seen] == uids
    assert [int(request.headers["webhook-sequence"]) for request in seen] == list(range(1, BATCHES + 1))


def test_order_survives_crashes(start_server, receiver):
    answers = flaky(2, 40)
    receiver.script = list(answers)
    server = start_server(*LOOPBACK, *EACH_ALONE)
    register(server, receiver, ordered=True, retrySchedule=[0.001] * 50)
    uids = []
    for crash in range(3):
        uids += [server.post("/indexes/movies/documents", {"id": n}).json["taskUid"] for n in range(20)]
        receiver.wait_for_tasks(uids[: 20 * crash + 5])
        server.kill()
        server = start_server(*LOOPBACK, *EACH_ALONE)
    receiver.wait_for_tasks(uids)
    order = [request.tasks[0]["uid"] for request in receiver.requests]
    assert all(later - earlier in (0, 1) for earlier, later in zip(order, order[1:])), order


def test_an_unordered_webhook_shows_no_gap_in_its_sequence(start_server, receiver):
    receiver.script = flaky(3, 40)
    server = start_server(*LOOPBACK, *EACH_ALONE)
    register(server, receiver, retrySchedule=[0.001] * 50)
    uids = add(server, 40)
    receiver.wait_for_tasks(uids)
    assert {int(request.headers["webhook-sequence"]) for request in receiver.requests} == set(range(1, 41))


def test_a_given_up_head_does_not_stop_an_ordered_webhook(start_server, receiver):
    receiver.script = [500, 500, 200]
    server = start_server(*LOOPBACK, *EACH_ALONE)
    register(server, receiver, ordered=True, retrySchedule=[0.001])
    uids = add(server, 5)
    receiver.wait_for_tasks(uids)
    server.wait_log("a delivery is given up.*sequence=1 attempts=2")
    assert [request.tasks[0]["uid"] for request in receiver.requests] == [0, 0, 1, 2, 3, 4]
