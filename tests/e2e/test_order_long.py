"""Sequence and order over many batches with random failures: TASKHOOK_ORDER_LONG_BATCHES (default 1000; 100,000 in the soak
suite), each an event to an ordered webhook and to one that sends as soon as it can. The receivers refuse one request in
fifty, at random; they run on one thread, as bare as they can be, because they are what takes the time."""
import asyncio
import gzip
import http.client
import json
import os
import random
import re
import threading
import time

import pytest

from conftest import LOOPBACK, wait_until
from test_backpressure import EACH_ALONE

BATCHES = int(os.environ.get("TASKHOOK_ORDER_LONG_BATCHES", "1000"))
POSTERS = 4
DEADLINE_S = 60 + BATCHES // 20
REFUSES_ONE_IN = 50


class Ledger:
    """What arrived, in order: [(sequence, uid of its only task, whether it was accepted)]."""

    def __init__(self, seed):
        self.rng, self.rows, self.n_accepted, self.port = random.Random(seed), [], 0, None
        self.connections = 0

    def note(self, head, body):
        sequence = int(re.search(rb"(?i)\r\nwebhook-sequence: (\d+)", head).group(1))
        uids = re.findall(rb'\{"uid":(\d+),', gzip.decompress(body))
        assert len(uids) == 1, uids
        is_accepted = self.rng.randrange(REFUSES_ONE_IN) > 0
        self.n_accepted += is_accepted
        self.rows.append((sequence, int(uids[0]), is_accepted))
        return is_accepted


class Connection(asyncio.Protocol):
    def __init__(self, ledger):
        self.ledger, self.data = ledger, b""

    def connection_made(self, transport):
        self.transport = transport
        self.ledger.connections += 1

    def data_received(self, data):
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end + 2]
            length = int(re.search(rb"(?i)\r\ncontent-length: (\d+)", head).group(1))
            if len(self.data) < end + 4 + length:
                return
            body, self.data = self.data[end + 4:end + 4 + length], self.data[end + 4 + length:]
            status = b"200 OK" if self.ledger.note(head, body) else b"500 No"
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def ledgers():
    """One for an ordered webhook, one for the other."""
    made, loop = [Ledger(1), Ledger(2)], asyncio.new_event_loop()
    for ledger in made:
        server = loop.run_until_complete(loop.create_server(lambda ledger=ledger: Connection(ledger), "127.0.0.1", 0))
        ledger.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield made
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def post(server, n):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for number in range(n):
        connection.request("POST", "/indexes/order/documents?primaryKey=id", json.dumps({"id": number % 100}),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 202
    connection.close()


def post_all(server):
    threads = [threading.Thread(target=post, args=(server, BATCHES // POSTERS)) for _ in range(POSTERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_order_and_sequence_hold_over_many_batches(start_server, ledgers):
    server = start_server(*LOOPBACK, *EACH_ALONE)
    for ledger, ordered in zip(ledgers, (True, False)):
        answer = server.post("/webhooks", {"url": f"http://127.0.0.1:{ledger.port}/", "ordered": ordered, "wait": False,
                                           "retrySchedule": [0.001] * 100})
        assert answer.status == 201, answer
    began = time.monotonic()
    post_all(server)
    wait_until(lambda: all(ledger.n_accepted >= BATCHES for ledger in ledgers),
               lambda: f"{[ledger.n_accepted for ledger in ledgers]}\n{server.log()[-3000:]}", server.process, DEADLINE_S)
    print(f"{BATCHES} batches in {time.monotonic() - began:.0f} s; requests: {[len(ledger.rows) for ledger in ledgers]}")
    every = list(range(BATCHES))
    ordered, other = ledgers
    accepted = [(sequence, uid) for sequence, uid, is_accepted in ordered.rows if is_accepted]
    assert accepted == [(uid + 1, uid) for uid in every], "each once, in the order of the batches"
    tried = [sequence for sequence, _, _ in ordered.rows]
    assert all(now - before in (0, 1) for before, now in zip(tried, tried[1:])), "the head was passed"
    assert sorted(uid for _, uid, is_accepted in other.rows if is_accepted) == every
    assert all(sequence == uid + 1 for sequence, uid, _ in other.rows), "a retry changed its number, or a number is twice"


def test_as_many_connections_as_requests_in_flight_are_kept(start_server, ledgers):
    """However many a webhook has at the same time: none is closed that the next request needs."""
    server = start_server(*LOOPBACK, *EACH_ALONE)
    ledger = ledgers[0]
    answer = server.post("/webhooks", {"url": f"http://127.0.0.1:{ledger.port}/", "wait": False, "maxInFlight": 32,
                                       "isActive": False, "retrySchedule": [0.001] * 100})
    for number in range(400):
        last = server.post("/indexes/order/documents?primaryKey=id", {"id": number})
    server.done(last)  # the backlog of a webhook that is switched on goes out at full width
    assert server.patch(f"/webhooks/{answer.json['uuid']}", {"isActive": True}).status == 200
    wait_until(lambda: ledger.n_accepted >= 400, server.log, server.process)
    assert 8 < ledger.connections <= 32
