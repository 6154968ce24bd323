"""The disk fills up in the middle of enqueues, batches and deliveries: clear errors, nothing acknowledged is lost, and the
server recovers by itself once there is space again. Needs a file system of a few MB: a tmpfs, mounted here or, without
the right to, in a user namespace of the server's own."""
import contextlib
import http.client
import json
import os
import pathlib
import subprocess
import threading

import pytest

from conftest import BINARY, LOOPBACK, Server, wait_until

SIZE = "192m"
FLOOR = ("--min-free-disk", "64 MiB")
FULL = (422, "no_space_left_on_device")
# What is met on the way to the last byte, before the floor is noticed: nothing of the request took effect.
REFUSED = {FULL, (422, "io_error"), (500, "database_size_limit_reached"), (503, "internal")}


def works(*command):
    return subprocess.run(command, capture_output=True).returncode == 0


@contextlib.contextmanager
def small_disk(directory):
    """How to start a server that sees a small file system at directory: a prefix of its command line."""
    directory.mkdir()
    if works("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(directory)):
        try:
            yield []
        finally:
            subprocess.run(["umount", "-l", str(directory)], check=True)
        return
    script = f"mount -t tmpfs -o size={SIZE} tmpfs '{directory}' && exec \"$@\""
    prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    if not works(*prefix, "true"):
        pytest.skip("NOT PROVEN HERE: neither mount nor unshare may make a tmpfs, so no disk can be filled")
    yield prefix


class Small(Server):
    """A server whose data directory is on the small disk."""

    def __init__(self, directory, prefix, *flags):
        super().__init__(directory / "data", ("--http-addr", "127.0.0.1:0", "--db-path", directory / "data", *flags),
                         cwd=directory.parent)
        self.prefix = prefix

    def start(self):
        import harness
        binary, harness.BINARY = harness.BINARY, (self.prefix or [BINARY])[0]
        flags = self.flags
        self.flags = [*self.prefix[1:], BINARY, *flags] if self.prefix else flags
        try:
            return super().start()
        finally:
            harness.BINARY, self.flags = binary, flags

    def ballast(self):
        """The file that fills the disk, as the server's mount namespace has it."""
        return pathlib.Path(f"/proc/{self.process.pid}/root{self.db_path.parent}/ballast")


class Writer(threading.Thread):
    """Sends documents, counts what was acknowledged, and keeps what else it was told."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.server, self.number, self.uids, self.errors, self.sent, self.stop = server, number, [], [], 0, False

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        while not self.stop:
            self.sent += 1
            document = {"id": f"{self.number}-{self.sent}", "pad": "p" * 3000}
            connection.request("POST", "/indexes/full/documents?primaryKey=id", json.dumps([document]),
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = json.loads(answer.read())
            if answer.status == 202:
                self.uids.append(body["taskUid"])
            else:
                self.errors.append((answer.status, body["code"]))
        connection.close()


def fill(path, leave):
    """Writes the file until so many bytes are left; 0: to the last."""
    with open(path, "wb", buffering=0) as out, contextlib.suppress(OSError):
        while True:
            room = os.fstatvfs(out.fileno())
            free = room.f_bavail * room.f_frsize - leave
            if free <= 0 and leave:
                return
            out.write(b"x" * max(4096, min(1 << 20, free)))


@pytest.mark.parametrize("leave", [48 << 20, 0], ids=["below-the-floor", "to-the-last-byte"])
def test_nothing_acknowledged_is_lost_when_the_disk_fills_up(tmp_path, receiver, leave):
    with small_disk(tmp_path / "small") as prefix:
        server = Small(tmp_path / "small", prefix, *FLOOR, "--task-webhook-url", receiver.url, *LOOPBACK,
                       "--experimental-max-number-of-batched-tasks", 5).start()
        try:
            fill_and_recover(server, receiver, leave)
        finally:
            server.kill()


def fill_and_recover(server, receiver, leave):
    writers = [Writer(server, n) for n in range(3)]
    for writer in writers:
        writer.start()
    wait_until(lambda: sum(len(w.uids) for w in writers) > 100, server.log, server.process)
    fill(server.ballast(), leave)  # tasks are being written, batches run, deliveries are under way
    wait_until(lambda: all(len(w.errors) > 3 for w in writers), server.log, server.process)
    codes = {error for w in writers for error in w.errors}
    assert codes <= ({FULL} if leave else REFUSED), codes
    assert server.get("/tasks?limit=1").status == 200  # reading goes on
    assert server.get("/indexes/full/documents?limit=1").status == 200
    for writer in writers:
        writer.stop = True
    for writer in writers:
        writer.join()
    if leave:  # what makes room is accepted below the floor
        assert server.request("POST", "/tasks/cancel?uids=0").status == 200
        assert server.request("DELETE", "/tasks?uids=0").status == 200
    server.ballast().unlink()
    last = []

    def accepts():
        last[:] = [server.request("POST", "/indexes/full/documents", [{"id": "after"}])]
        return last[0].status == 202
    wait_until(accepts, server.log, server.process)  # without a restart
    uids = {uid for w in writers for uid in w.uids} | {last[0].json["taskUid"]}
    wait_until(lambda: server.get("/tasks?statuses=enqueued,processing&limit=0").json["total"] == 0,
               server.log, server.process)
    tasks = {t["uid"]: t for t in server.get("/tasks?limit=1000000").json["results"]}
    missing = uids - set(tasks)
    assert missing <= {0}, missing  # 0 was deleted on purpose
    failed = [t for uid, t in tasks.items() if uid in uids and t["status"] != "succeeded"]
    assert not failed, failed
    receiver.wait_for_tasks(uids)
    assert server.get("/indexes/full/documents?limit=0").json["total"] == len(uids)
