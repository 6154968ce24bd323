"""Fixtures of the end-to-end tests. TASKHOOK_BIN names the binary (default: build/taskhook)."""
import pytest

from harness import (  # noqa: F401: tests import these from here
    BINARY, DEADLINE_S, LOOPBACK, Delivery, Receiver, Response, Server, count_answers, exchange, first_answer,
    make_certificate, run_binary, server_tls, wait_until)


@pytest.fixture
def start_server(tmp_path):
    """start_server(*flags, env=None, defaults=True): a server on tmp_path/data, started again on the same data when
    called again. Without defaults the flags name address and data directory. What still runs at the end must end well."""
    servers = []

    def start(*flags, env=None, defaults=True):
        own = ("--http-addr", "127.0.0.1:0", "--db-path", tmp_path / "data") if defaults else ()
        servers.append(Server(tmp_path / "data", (*own, *flags), env, cwd=tmp_path))
        return servers[-1].start()

    yield start
    running = [s for s in servers if s.process is not None and s.process.poll() is None]
    codes = [s.stop() for s in running]
    assert not any(codes), "\n".join(s.log() for s in running)


@pytest.fixture
def server(start_server):
    """A server of the test's own."""
    return start_server(*LOOPBACK)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One server for all tests of a module: for tests that leave each other alone."""
    directory = tmp_path_factory.mktemp("shared")
    running = Server(directory / "data", ("--http-addr", "127.0.0.1:0", "--db-path", directory / "data", *LOOPBACK))
    yield running.start()
    assert running.stop() == 0, running.log()


@pytest.fixture
def make_receiver():
    receivers = []

    def make(tls=None):
        receivers.append(Receiver(tls))
        return receivers[-1]

    yield make
    for receiver in receivers:
        receiver.close()


@pytest.fixture
def receiver(make_receiver):
    return make_receiver()


@pytest.fixture
def hooked(start_server, receiver):
    """A server whose command line names the receiver."""
    return start_server("--task-webhook-url", receiver.url, *LOOPBACK)
