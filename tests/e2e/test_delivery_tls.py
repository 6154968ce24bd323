"""HTTPS receivers: certificates and host names are verified; private authorities by --webhook-ca-path."""
import pytest

from conftest import LOOPBACK, make_certificate, server_tls


@pytest.fixture
def deliver(start_server, make_receiver):
    """deliver(certificate, host, *flags) -> (server, receiver) after one finished task."""
    def run(certificate, host, *flags):
        receiver = make_receiver(tls=server_tls(certificate))
        server = start_server("--task-webhook-url", f"https://{host}:{receiver.port}/hook", *LOOPBACK, *flags)
        assert server.run("POST", "/indexes/movies/documents", {"id": 1})["status"] == "succeeded"
        return server, receiver
    return run


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_good_certificate_of_a_private_authority_is_accepted(deliver, tmp_path, host):
    ca = make_certificate(tmp_path, "ca", host=None)
    _, receiver = deliver(make_certificate(tmp_path, ca=ca), host, "--webhook-ca-path", str(ca[0]))
    assert receiver.next().tasks[0]["uid"] == 0


def test_a_certificate_for_another_host_is_refused(deliver, tmp_path):
    ca = make_certificate(tmp_path, "ca", host=None)
    server, receiver = deliver(make_certificate(tmp_path, "other", host="DNS:other.example", ca=ca), "localhost",
                               "--webhook-ca-path", str(ca[0]))
    server.wait_log("(?i)While sending data to the webhook.*(hostname|host name).*mismatch")
    assert receiver.requests == []


def test_a_self_signed_certificate_is_refused(deliver, tmp_path):
    server, receiver = deliver(make_certificate(tmp_path), "localhost")
    server.wait_log("(?i)While sending data to the webhook.*self.signed")
    assert receiver.requests == []


def test_a_certificate_of_an_unknown_authority_is_refused(deliver, tmp_path):
    ca = make_certificate(tmp_path, "ca", host=None)
    server, receiver = deliver(make_certificate(tmp_path, ca=ca), "localhost")
    server.wait_log("(?i)While sending data to the webhook.*certificate")
    assert receiver.requests == []


def test_plain_http_on_an_https_url_is_a_tls_error(start_server, receiver):
    server = start_server("--task-webhook-url", f"https://127.0.0.1:{receiver.port}/hook", *LOOPBACK)
    assert server.run("POST", "/indexes/movies/documents", {"id": 1})["status"] == "succeeded"
    server.wait_log("(?i)While sending data to the webhook.*tls")
