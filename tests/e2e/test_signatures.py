"""Signatures, judged by the packages that receivers use (standardwebhooks, svix: vendored in tests/client/, unmodified),
and what becomes of secrets: shown once, rotated, old ones valid for a time."""
import base64
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tarfile

import pytest

from conftest import LOOPBACK

CLIENT = pathlib.Path(__file__).resolve().parent.parent / "client"
PACKAGES = {"standardwebhooks": "standardwebhooks", "svix": "svix", "fast-sha256": "fast-sha256",
            "stablelib-base64": "@stablelib/base64"}
GIVEN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A directory where node finds the packages."""
    directory = tmp_path_factory.mktemp("packages")
    for archive_name, package in PACKAGES.items():
        place = directory / "node_modules" / package
        place.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(next(CLIENT.glob(f"{archive_name}-[0-9]*.tgz"))) as archive:
            archive.extractall(directory)
        (directory / "package").rename(place)
    shutil.copy(CLIENT / "webhook.verify.mjs", directory)
    return directory


@pytest.fixture(scope="module")
def verifier(packages):
    """verifier(request, secret): what each package returns for a request, or its error as a string."""
    def verify(request, secret, body=None):
        asked = {"secret": secret, "body": (request.body if body is None else body).decode(),
                 "headers": {name.lower(): value for name, value in request.headers.items()}}
        run = subprocess.run(["node", "webhook.verify.mjs"], cwd=packages, input=json.dumps(asked), text=True,
                             capture_output=True, timeout=60)
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    return verify


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def register(server, receiver, **fields):
    answer = server.post("/webhooks", {"url": receiver.url, **fields})
    assert answer.status == 201, answer
    return answer.json


def deliver(server, receiver):
    server.post("/indexes/movies/documents", {"id": 1, "title": "Zoë 🎬"})
    return receiver.next()


def assert_accepted(answers):
    assert set(answers) == {"standardwebhooks", "svix"}
    for answer in answers.values():
        assert not isinstance(answer, str), answer


def assert_refused(answers):
    for answer in answers.values():
        assert "WebhookVerificationError" in str(answer), answer


@needs_node
def test_both_packages_accept_a_delivery_signed_with_a_generated_secret(server, receiver, verifier):
    webhook = register(server, receiver, format="json", secret="generate")
    answers = verifier(deliver(server, receiver), webhook["secret"])
    assert_accepted(answers)
    assert answers["standardwebhooks"]["tasks"][0]["indexUid"] == "movies"


@needs_node
def test_both_packages_accept_a_compressed_delivery_by_its_uncompressed_body(server, receiver, verifier):
    register(server, receiver, format="json", compression="gzip", secret=GIVEN)
    request = deliver(server, receiver)
    assert request.headers["Content-Encoding"] == "gzip"
    assert_accepted(verifier(request, GIVEN))


@needs_node
def test_both_packages_accept_one_line_of_ndjson(server, receiver, verifier):
    register(server, receiver, secret=GIVEN)
    assert_accepted(verifier(deliver(server, receiver), GIVEN))


@needs_node
def test_both_packages_accept_a_large_body_signed_in_pieces(start_server, receiver, verifier):
    stopped = start_server(*LOOPBACK, "--experimental-max-number-of-batched-tasks", "0")
    register(stopped, receiver, format="json", secret=GIVEN)
    for number in range(200):
        stopped.post(f"/indexes/movies/documents?customMetadata={'m' * 500}", {"id": number})
    assert stopped.stop() == 0
    start_server(*LOOPBACK)
    request = receiver.next()
    assert len(request.body) > 100_000
    assert_accepted(verifier(request, GIVEN))


@needs_node
def test_both_packages_refuse_a_changed_body_and_another_secret(server, receiver, verifier):
    register(server, receiver, format="json", secret=GIVEN)
    request = deliver(server, receiver)
    assert_refused(verifier(request, GIVEN, body=request.body.replace(b"movies", b"moviez")))
    assert_refused(verifier(request, "whsec_" + base64.b64encode(b"k" * 32).decode()))


@needs_node
def test_ed25519_signature_is_verified_with_the_shown_public_key(server, receiver, verifier):
    webhook = register(server, receiver, secret="generate:ed25519")
    assert webhook["secret"].startswith("whpk_")
    request = deliver(server, receiver)
    assert request.headers["webhook-signature"].startswith("v1a,")
    assert verifier(request, webhook["secret"]) == {"ed25519": True}
    assert verifier(request, webhook["secret"], body=request.body + b" ") == {"ed25519": False}


@needs_node
def test_ed25519_seed_can_be_given(server, receiver, verifier):
    seed = base64.b64encode(bytes(range(32))).decode()
    webhook = register(server, receiver, secret="whsk_" + seed)
    assert verifier(deliver(server, receiver), webhook["secret"]) == {"ed25519": True}


@needs_node
def test_each_attempt_is_signed_with_its_own_time(server, receiver, verifier):
    receiver.script = [500, 200]
    register(server, receiver, format="json", secret=GIVEN, retrySchedule=[1.1])
    first, second = deliver(server, receiver), receiver.next()
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(first.headers["webhook-timestamp"]) < int(second.headers["webhook-timestamp"])
    assert_accepted(verifier(second, GIVEN))


def test_secret_is_shown_once(server, receiver):
    webhook = register(server, receiver, secret="generate")
    assert webhook["secret"].startswith("whsec_") and len(webhook["secret"]) > 40
    shown = server.get(f"/webhooks/{webhook['uuid']}").json["secret"]
    assert shown == "whsec_XXX..."
    key = webhook["secret"].removeprefix("whsec_")
    deliver(server, receiver)
    assert key not in server.get("/webhooks").body.decode() and key not in server.log()


def test_webhook_without_a_secret_is_not_signed(server, receiver):
    register(server, receiver)
    request = deliver(server, receiver)
    assert "webhook-id" in request.headers and request.headers["webhook-sequence"] == "1"
    assert "webhook-signature" not in request.headers and "webhook-timestamp" not in request.headers


# --- rotation


@needs_node
def test_rotation_answers_the_new_secret_and_both_sign(server, receiver, verifier):
    uuid = register(server, receiver, format="json", secret=GIVEN)["uuid"]
    answer = server.post(f"/webhooks/{uuid}/secret/rotate")
    assert answer.status == 200, answer
    new = answer.json["secret"]
    assert new.startswith("whsec_") and new != GIVEN and "..." not in new
    request = deliver(server, receiver)
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    assert_accepted(verifier(request, new))
    assert_accepted(verifier(request, GIVEN))
    assert server.get(f"/webhooks/{uuid}").json["secret"] == "whsec_XXX..."


@needs_node
def test_rotation_without_a_grace_period_ends_the_old_secret_at_once(server, receiver, verifier):
    uuid = register(server, receiver, format="json", secret="generate")["uuid"]
    answer = server.post(f"/webhooks/{uuid}/secret/rotate", {"secret": GIVEN, "gracePeriod": 0})
    assert answer.status == 200 and answer.json["secret"] == "whsec_XXX...", answer  # given, so not shown
    request = deliver(server, receiver)
    assert len(request.headers["webhook-signature"].split(" ")) == 1
    assert_accepted(verifier(request, GIVEN))


@needs_node
def test_rotation_survives_a_restart(start_server, receiver, verifier):
    first = start_server(*LOOPBACK)
    uuid = register(first, receiver, format="json", secret=GIVEN)["uuid"]
    new = first.post(f"/webhooks/{uuid}/secret/rotate").json["secret"]
    assert first.stop() == 0
    request = deliver(start_server(*LOOPBACK), receiver)
    assert_accepted(verifier(request, new))
    assert_accepted(verifier(request, GIVEN))


@needs_node
def test_old_secret_ends_with_its_grace_period(server, receiver, verifier):
    uuid = register(server, receiver, format="json", secret=GIVEN)["uuid"]
    receiver.script = [500, 500, 500, 200]
    new = server.post(f"/webhooks/{uuid}/secret/rotate", {"gracePeriod": 1}).json["secret"]
    assert server.patch(f"/webhooks/{uuid}", {"retrySchedule": [0.1, 0.1, 1.5]}).status == 200
    deliver(server, receiver)
    receiver.next(), receiver.next()
    request = receiver.next()
    assert_accepted(verifier(request, new))
    assert_refused(verifier(request, GIVEN))


def test_rotation_gives_a_webhook_its_first_secret(server, receiver):
    uuid = register(server, receiver)["uuid"]
    assert server.post(f"/webhooks/{uuid}/secret/rotate").json["secret"].startswith("whsec_")
    assert "webhook-signature" in deliver(server, receiver).headers


@pytest.mark.parametrize("body, code", [
    ({"gracePeriod": 604801}, "invalid_webhook_grace_period"),
    ({"gracePeriod": -1}, "invalid_webhook_grace_period"),
    ({"gracePeriod": "1"}, "invalid_webhook_grace_period"),
    ({"secret": "whsec_short"}, "invalid_webhook_secret"),
    ({"secret": "whsec_XXX..."}, "invalid_webhook_secret"),
    ({"grace": 1}, "bad_request"),
    ([], "bad_request"),
])
def test_rotation_refuses_what_it_does_not_understand(server, receiver, body, code):
    uuid = register(server, receiver, secret=GIVEN)["uuid"]
    answer = server.post(f"/webhooks/{uuid}/secret/rotate", body)
    assert (answer.status, answer.json["code"]) == (400, code)


def test_the_command_lines_secret_is_not_rotated_over_the_api(hooked):
    answer = hooked.post("/webhooks/00000000-0000-0000-0000-000000000000/secret/rotate")
    assert (answer.status, answer.json["code"]) == (400, "immutable_webhook")


def test_rotation_of_an_unknown_webhook_is_not_found(server):
    answer = server.post("/webhooks/7c9e6679-7425-40de-944b-e07fc1f90ae7/secret/rotate")
    assert (answer.status, answer.json["code"]) == (404, "webhook_not_found")


# --- the README's receivers


def readme_block(language):
    text = (CLIENT.parent.parent / "README.md").read_text()
    section = text.split("#### Signatures\n")[1].split("\n#### ")[0]
    return section.split(f"```{language}\n")[1].split("```")[0]


def run_readme_receiver(directory, command, language, secret, port):
    program = directory / f"receiver.{'mjs' if language == 'js' else 'py'}"
    program.write_text(readme_block(language).replace("9001", str(port)))
    return subprocess.Popen([command, program.name], cwd=directory, text=True, stdout=subprocess.PIPE,
                            env={**os.environ, "WEBHOOK_SECRET": secret})


@needs_node
@pytest.mark.parametrize("command, language", [("node", "js"), ("python3", "python")])
def test_the_receivers_of_the_readme_accept_what_is_signed(server, packages, command, language):
    port = free_port()
    fields = {"url": f"http://127.0.0.1:{port}/hook", "format": "json", "retrySchedule": [0.2] * 50}
    secret = server.post("/webhooks", {**fields, "secret": "generate"}).json["secret"]
    with run_readme_receiver(packages, command, language, secret, port) as receiver:
        server.post("/indexes/movies/documents", {"id": 1})
        line = receiver.stdout.readline()
        receiver.kill()
    assert "0 succeeded" in line if language == "js" else line.endswith(" valid\n")
