"""The official JavaScript client, pinned and unmodified (tests/client/), against the real binary."""
import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest

CLIENT = pathlib.Path(__file__).resolve().parent.parent / "client"
MASTER_KEY = "a-master-key-of-enough-bytes"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_official_javascript_client_passes_unmodified(start_server, tmp_path):
    package = tmp_path / "node_modules" / "meilisearch"
    with tarfile.open(next(CLIENT.glob("meilisearch-*.tgz"))) as archive:
        archive.extractall(tmp_path)
    package.parent.mkdir()
    (tmp_path / "package").rename(package)
    shutil.copy(CLIENT / "contract.test.mjs", tmp_path)
    server = start_server("--master-key", MASTER_KEY)
    run = subprocess.run(
        ["node", "--test", "contract.test.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={**os.environ, "TASKHOOK_URL": server.url, "TASKHOOK_KEY": MASTER_KEY})
    assert run.returncode == 0, run.stdout + run.stderr
