"""SIGKILL under load at random moments, over data sources and reports: what was acknowledged is there, what was
downloaded is the same file, what is live is a deployed state as a whole, every report that is over is told of, and
nothing is left over. TASKHOOK_CRASH_DOORS_ROUNDS rounds (default 12) in lives of one data directory."""
import os
import random

import pytest

from conftest import LOOPBACK, wait_until
from doors import Callbacks, Reporter, Reports, Sources, Stager, fill
from test_crash import finished_tasks

ROUNDS = int(os.environ.get("TASKHOOK_CRASH_DOORS_ROUNDS", "12"))
SEED = 20260707
STEPS_MAX = 25
NOW = 0  # one moment is enough: a killed process acknowledges nothing more


@pytest.fixture
def callbacks():
    receiver = Callbacks(lambda: NOW)
    yield receiver
    receiver.close()


def test_staging_deploys_and_reports_survive_sigkill_at_any_moment(start_server, callbacks):
    rng = random.Random(SEED)
    sources, reports = Sources("left", "right"), Reports(callbacks)
    server = start_server(*LOOPBACK)
    fill(server)
    for _ in range(ROUNDS):
        clients = [*(Stager(s, server, rng, lambda: NOW) for s in sources.all),
                   *(Reporter(f"type-{n}", reports, server, rng, lambda: NOW) for n in range(2))]
        for client in clients:
            client.start()
        target = rng.randrange(1, STEPS_MAX)
        wait_until(lambda: sum(c.n_done for c in clients) >= target or any(c.failure for c in clients),
                   server.log, server.process)
        failures = [c.failure for c in clients if c.failure]
        assert not failures, f"{failures}\n{server.log()}"
        server.kill()
        for client in clients:
            client.join()
        server = start_server(*LOOPBACK)
        finished_tasks(server)
        sources.check(server, NOW)
        reports.check(server, NOW)
