"""Power losses over organisations' webhooks: as test_powerloss.py, which explains the method, with the clients and the
model of organizations_model.py.

TASKHOOK_POWERLOSS_ORGANIZATIONS_ROUNDS: how many losses (default 8)."""
import os
import random

import pytest

from organizations_model import HOOKS, Editor, Listener, Organization, Publisher
from test_powerloss import (JOURNAL, SHIM, STRICT, Loss, Recording, assert_loss_is_seen, choose_cut, without_syncs,
                            test_the_log_tells_everything_that_was_written)  # noqa: F401: of this recording too

ROUNDS = int(os.environ.get("TASKHOOK_POWERLOSS_ORGANIZATIONS_ROUNDS", "8"))
SEED = int(os.environ.get("TASKHOOK_POWERLOSS_SEED", "20260101"))
STEPS = 14

pytestmark = pytest.mark.skipif(not SHIM, reason="TASKHOOK_POWERLOSS_SHIM is not set")


class OrganizationRecording(Recording):
    def __init__(self, directory, rng, **how):
        self.listener = Listener(self.now)
        self.organization = Organization(self.listener)
        try:
            super().__init__(directory, rng, **how)
        except BaseException:
            self.listener.close()
            raise

    def now(self):
        return os.stat(self.log).st_size

    def clients(self, server, life):
        if life == 0:
            self.organization.register(server)
            self.registered = self.now()
        return [*(Editor(index, server, self.rng, self.now, STEPS) for index in ("left", "right")),
                *(Publisher(f"p{life}-{n}", self.organization, server, self.rng, self.now, STEPS) for n in range(2))]

    def loss(self, *arguments):
        self.organization.begin_round()
        return OrganizationLoss(self, *arguments)


class OrganizationLoss(Loss):
    def check_all(self):
        if self.at < self.recording.registered and self.server.get(HOOKS).json == []:
            self.recording.organization.register(self.server)
        self.recording.organization.check(self.server, self.at)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    made = OrganizationRecording(tmp_path_factory.mktemp("recording"), random.Random(SEED))
    yield made
    made.listener.close()


def test_no_event_of_organizations_is_lost_when_the_power_fails(recording, tmp_path):
    rng = random.Random(SEED)
    for number in range(ROUNDS):
        cut = choose_cut(recording.places, rng)
        recording.loss(tmp_path / f"round-{number}", (STRICT, JOURNAL)[number % 2], cut, rng.randrange(1 << 32)).check()


def test_the_syncs_of_the_journal_cannot_be_left_out(tmp_path):
    """Without them something is lost, and seen. Checkpoints are far apart: they make durable what the journal holds."""
    recording = OrganizationRecording(tmp_path, random.Random(SEED), checkpoints=(512,))
    try:
        assert_loss_is_seen(recording, tmp_path, without_syncs(recording.records, "/data/queue/journal"))
    finally:
        recording.listener.close()
