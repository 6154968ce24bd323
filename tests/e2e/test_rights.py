"""Every route of the table (as openapi.json tells it) against its own action: a key that has just this one is let in, a key
that has all the others is not, nobody without a key is."""
import re

import pytest

from conftest import Server
from test_keys import ACTIONS, MASTER, As

OPEN = {("get", "/"), ("get", "/health"), ("get", "/openapi.json"), ("post", "/v1/webhooks/{provider}/{connectionId}")}
ALSO = {("post", "/api/v1/webhooks/{indexUid}/snapshot"): ["documents.delete"]}  # it discards what was staged
READS = {"documents.get", "indexes.get", "tasks.get", "settings.get", "stats.get", "metrics.get", "version",
         "experimental.get", "webhooks.get"}  # of those that routes have, what *.get grants


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    directory = tmp_path_factory.mktemp("rights")
    running = Server(directory / "data", ("--http-addr", "127.0.0.1:0", "--db-path", directory / "data",
                                          "--master-key", MASTER, "--experimental-max-number-of-batched-tasks", "0"))
    yield As(running.start())
    assert running.stop() == 0, running.log()


@pytest.fixture(scope="module")
def routes(master):
    """[(method, path, action or None, whether it is open)]"""
    paths = master.get("/openapi.json").json["paths"]
    return [(method, path, operation.get("x-action"), operation["security"] == [])
            for path, item in paths.items() for method, operation in item.items()]


def status(server, method, path, key=None):
    """Only the head is read: some answers do not end."""
    connection = server.connect()
    try:
        connection.request(method.upper(), re.sub(r"{\w+}", "1", path),
                           headers={} if key is None else {"Authorization": f"Bearer {key}"})
        return connection.getresponse().status
    finally:
        connection.close()


def granting(action):
    """Every action that opens what this one opens."""
    wildcards = {"*", action.partition(".")[0] + ".*"} | ({"*.get"} if action in READS else set())
    return (wildcards | {action}) & set(ACTIONS)


def test_every_route_declares_its_action_or_is_known_to_be_open(routes):
    assert {(method, path) for method, path, _, is_open in routes if is_open} == OPEN
    assert {(method, path) for method, path, action, _ in routes if action is None} == OPEN
    assert {action for _, _, action, _ in routes} - {None} <= set(ACTIONS)


def test_the_declared_action_alone_opens_the_route(master, routes):
    keys = {action: master.make([action])["key"] for action in {a for _, _, a, _ in routes} - {None}}
    found = {(method, path): status(master.server, method, path, keys[action]) for method, path, action, _ in routes if action}
    assert {route for route, code in found.items() if code in (401, 403)} == set(ALSO)
    for method, path, action, _ in routes:
        if (method, path) in ALSO:
            key = master.make([action, *ALSO[method, path]])["key"]
            assert status(master.server, method, path, key) not in (401, 403), (method, path)


def test_all_the_other_actions_together_do_not_open_it(master, routes):
    keys = {action: master.make([a for a in ACTIONS if a not in granting(action)])["key"]
            for action in {a for _, _, a, _ in routes} - {None}}
    found = {(method, path): status(master.server, method, path, keys[action]) for method, path, action, _ in routes if action}
    assert {route: code for route, code in found.items() if code != 403} == {}


def test_every_action_that_includes_it_opens_the_route(master, routes):
    keys = {action: master.make([action])["key"] for action in ("*", "*.get")}
    for method, path, action, _ in routes:
        for wildcard in ({"*", "*.get"} & granting(action) if action else ()):
            assert status(master.server, method, path, keys[wildcard]) not in (401, 403), (method, path, wildcard)


def test_nobody_without_a_key_is_let_in(master, routes):
    found = {(method, path): status(master.server, method, path) for method, path, _, is_open in routes if not is_open}
    assert {route: code for route, code in found.items() if code != 401} == {}
