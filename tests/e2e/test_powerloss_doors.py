"""Power losses over data sources and reports: as test_powerloss.py, which explains the method, with other clients.

TASKHOOK_POWERLOSS_DOORS_ROUNDS: how many losses (default 8)."""
import copy
import os
import random

import pytest

from doors import Callbacks, Reporter, Reports, Sources, Stager, fill
from test_crash import finished_tasks
from test_powerloss import (JOURNAL, SHIM, STRICT, Loss, Recording, assert_loss_is_seen, choose_cut, without_syncs,
                            test_the_log_tells_everything_that_was_written)  # noqa: F401: of this recording too

ROUNDS = int(os.environ.get("TASKHOOK_POWERLOSS_DOORS_ROUNDS", "8"))
SEED = int(os.environ.get("TASKHOOK_POWERLOSS_SEED", "20260101"))
STEPS, REPORTERS = 12, 2

pytestmark = pytest.mark.skipif(not SHIM, reason="TASKHOOK_POWERLOSS_SHIM is not set")


class DoorsRecording(Recording):
    def __init__(self, directory, rng):
        self.sources = Sources("left", "right")
        self.callbacks = Callbacks(self.now)
        self.reports = Reports(self.callbacks)
        try:
            super().__init__(directory, rng)
        except BaseException:
            self.callbacks.close()
            raise

    def now(self):
        return os.stat(self.log).st_size

    def clients(self, server, life):
        if life == 0:
            fill(server)
        return [*(Stager(s, server, self.rng, self.now, STEPS) for s in self.sources.all),
                *(Reporter(f"type-{n}", self.reports, server, self.rng, self.now, STEPS) for n in range(REPORTERS))]

    def loss(self, *arguments):
        self.reports.begin_round()
        return DoorsLoss(self, *arguments)


class DoorsLoss(Loss):
    def check_all(self):
        finished_tasks(self.server)
        copy.deepcopy(self.recording.sources).check(self.server, self.at)
        self.recording.reports.check(self.server, self.at)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    made = DoorsRecording(tmp_path_factory.mktemp("recording"), random.Random(SEED))
    yield made
    made.callbacks.close()


def test_nothing_acknowledged_by_the_doors_is_lost_when_the_power_fails(recording, tmp_path):
    rng = random.Random(SEED)
    for number in range(ROUNDS):
        cut = choose_cut(recording.places, rng)
        recording.loss(tmp_path / f"round-{number}", (STRICT, JOURNAL)[number % 2], cut, rng.randrange(1 << 32)).check()


@pytest.mark.parametrize("path", ["/data/queue/journal", "/data/reports", "/data/reports/UUID", "/data/updates",
                                  "/data/updates/UUID"])
def test_no_sync_of_the_doors_can_be_left_out(recording, tmp_path, path):
    """Without the syncs of this file or directory something is lost: each of them is needed, and tested."""
    assert_loss_is_seen(recording, tmp_path, without_syncs(recording.records, path))
