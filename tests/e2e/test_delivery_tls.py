"""HTTPS receivers: certificates and host names are verified; private authorities by --webhook-ca-path or a webhook's own
`ca`; client certificates a webhook."""
import signal
import ssl
import subprocess

import pytest

from conftest import LOOPBACK, make_certificate, server_tls, wait_until


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


# --- one webhook's own authorities and certificate


@pytest.fixture
def ca(tmp_path):
    """An authority that only a webhook's `ca` makes known."""
    return make_certificate(tmp_path, "ca", host=None)


@pytest.fixture
def secure(make_receiver, tmp_path, ca):
    """A receiver with a certificate of that authority."""
    return make_receiver(tls=server_tls(make_certificate(tmp_path, ca=ca)))


def read(*paths):
    return "".join(path.read_text() for path in paths)


def register(server, receiver, host="127.0.0.1", **fields):
    answer = server.post("/webhooks", {"url": f"https://{host}:{receiver.port}/hook", "retrySchedule": [], **fields})
    assert answer.status == 201, answer
    return answer.json["uuid"]


def ping(server, hook):
    """The attempt."""
    path = f"/deliveries/{server.post(f'/webhooks/{hook}/ping').json['id']}"
    wait_until(lambda: server.get(path).json["state"] != "owed", lambda: server.get(path), server.process)
    return server.get(path).json["attempts"][0]


def check_refused(attempt, why):
    assert (attempt["outcome"], attempt["errorClass"], attempt["status"]) == ("tls", "tls", None), attempt
    assert why in attempt["detail"], attempt


def check_accepted(attempt):
    assert (attempt["outcome"], attempt["status"]) == ("answered", 200), attempt


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost.", "0x7f.1"])
def test_the_authorities_of_a_webhook_are_trusted_for_it_alone(server, secure, ca, host):
    attempt = ping(server, register(server, secure, host, ca=read(ca[0])))
    check_accepted(attempt)
    assert attempt["timings"]["tlsUs"] >= attempt["timings"]["connectUs"]
    check_refused(ping(server, register(server, secure, host)), "certificate verify failed: unknown CA")


def test_the_authorities_of_a_webhook_replace_those_of_the_option(start_server, secure, ca, tmp_path):
    server = start_server(*LOOPBACK, "--webhook-ca-path", ca[0])
    other = make_certificate(tmp_path, "other", host=None)
    check_accepted(ping(server, register(server, secure)))
    check_refused(ping(server, register(server, secure, ca=read(other[0]))), "unknown CA")
    check_accepted(ping(server, register(server, secure, ca=read(other[0], ca[0]))))


def test_a_changed_authority_acts_on_the_next_attempt(server, secure, ca, tmp_path):
    other = make_certificate(tmp_path, "other", host=None)
    hook = register(server, secure, ca=read(ca[0]))
    check_accepted(ping(server, hook))  # and its connection is kept
    assert server.patch(f"/webhooks/{hook}", {"ca": read(other[0])}).status == 200
    check_refused(ping(server, hook), "unknown CA")
    assert server.patch(f"/webhooks/{hook}", {"ca": read(ca[0])}).status == 200
    check_accepted(ping(server, hook))
    assert server.patch(f"/webhooks/{hook}", {"ca": None}).status == 200
    check_refused(ping(server, hook), "unknown CA")


def test_a_self_signed_certificate_can_be_trusted_by_itself(server, make_receiver, tmp_path):
    certificate = make_certificate(tmp_path)
    receiver = make_receiver(tls=server_tls(certificate))
    check_refused(ping(server, register(server, receiver)), "self-signed certificate")
    check_accepted(ping(server, register(server, receiver, ca=read(certificate[0]))))


def test_the_host_name_is_checked_with_own_authorities_too(server, make_receiver, tmp_path, ca):
    receiver = make_receiver(tls=server_tls(make_certificate(tmp_path, "other", host="DNS:other.example", ca=ca)))
    check_refused(ping(server, register(server, receiver, "localhost", ca=read(ca[0]))), "hostname mismatch")
    check_refused(ping(server, register(server, receiver, ca=read(ca[0]))), "IP address mismatch")


def make_expired(directory, ca):
    """As make_certificate, but valid in 2020 only."""
    cert, key = make_certificate(directory, "expired", ca=ca)
    (directory / "index.txt").touch()
    (directory / "ca.conf").write_text(
        f"[ca]\ndefault_ca=d\n[d]\ndatabase={directory}/index.txt\nnew_certs_dir={directory}\ndefault_md=sha256\n"
        "policy=p\nrand_serial=yes\n[p]\ncommonName=supplied\n")
    subprocess.run(["openssl", "ca", "-batch", "-notext", "-config", directory / "ca.conf", "-in", directory / "expired.csr",
                    "-cert", ca[0], "-keyfile", ca[1], "-extfile", directory / "expired.ext", "-out", cert,
                    "-startdate", "20200101000000Z", "-enddate", "20200201000000Z"], check=True, capture_output=True)
    return cert, key


def test_an_expired_certificate_is_refused(server, make_receiver, tmp_path, ca):
    receiver = make_receiver(tls=server_tls(make_expired(tmp_path, ca)))
    check_refused(ping(server, register(server, receiver, ca=read(ca[0]))), "certificate has expired")
    assert receiver.requests == []


def test_a_receiver_that_only_speaks_tls_1_1_is_refused(server, make_receiver, tmp_path, ca):
    context = server_tls(make_certificate(tmp_path, ca=ca))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    check_refused(ping(server, register(server, make_receiver(tls=context), ca=read(ca[0]))), "1.2 or later")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_server_name_is_told(server, make_receiver, tmp_path, ca, version):
    names = []
    context = server_tls(make_certificate(tmp_path, ca=ca))
    context.minimum_version = context.maximum_version = version
    context.sni_callback = lambda connection, name, context: names.append(name)
    receiver = make_receiver(tls=context)
    for host in ("localhost", "LocalHost.", "127.0.0.1"):
        check_accepted(ping(server, register(server, receiver, host, ca=read(ca[0]))))
    assert names == ["localhost", "localhost", None]


def test_plain_http_on_a_tls_port_is_told_from_both_sides(server, make_receiver, secure):
    check_refused(ping(server, register(server, make_receiver())), "the receiver does not speak TLS on this port")
    answer = server.post("/webhooks", {"url": f"http://127.0.0.1:{secure.port}/", "retrySchedule": []})
    attempt = ping(server, answer.json["uuid"])
    assert attempt["outcome"] == "protocol", attempt


@pytest.fixture
def demanding(make_receiver, tmp_path, ca):
    """demanding(version) -> a receiver that asks for certificates of the authority, and notes their names."""
    def make(version):
        context = server_tls(make_certificate(tmp_path, ca=ca))
        context.minimum_version = context.maximum_version = version
        context.load_verify_locations(ca[0])
        context.verify_mode = ssl.CERT_REQUIRED
        return make_receiver(tls=context)
    return make


VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@VERSIONS
def test_a_client_certificate_is_given(server, demanding, tmp_path, ca, version):
    client = make_certificate(tmp_path, "client", ca=ca)
    receiver = demanding(version)
    check_accepted(ping(server, register(server, receiver, ca=read(ca[0]), clientCertificate=read(*client))))
    assert len(receiver.requests) == 1


@VERSIONS
def test_a_client_certificate_is_missing(server, demanding, ca, version):
    attempt = ping(server, register(server, demanding(version), ca=read(ca[0])))
    check_refused(attempt, "certificate required" if version == ssl.TLSVersion.TLSv1_3 else "handshake failure")


@VERSIONS
def test_a_client_certificate_of_another_authority_is_told(server, demanding, tmp_path, ca, version):
    stranger = make_certificate(tmp_path, "stranger")
    attempt = ping(server, register(server, demanding(version), ca=read(ca[0]), clientCertificate=read(*stranger)))
    check_refused(attempt, "the receiver does not know the client certificate's CA")


def test_webhooks_to_one_receiver_keep_their_identities_apart(server, demanding, tmp_path, ca):
    client = make_certificate(tmp_path, "client", ca=ca)
    receiver = demanding(ssl.TLSVersion.TLSv1_3)
    known = register(server, receiver, ca=read(ca[0]), clientCertificate=read(*client))
    unknown = register(server, receiver, ca=read(ca[0]))
    for _ in range(2):
        check_accepted(ping(server, known))
        check_refused(ping(server, unknown), "certificate required")


def test_identities_survive_restart_and_sighup(start_server, demanding, tmp_path, ca):
    client = make_certificate(tmp_path, "client", ca=ca)
    receiver = demanding(ssl.TLSVersion.TLSv1_3)
    server = start_server(*LOOPBACK)
    hook = register(server, receiver, ca=read(ca[0]), clientCertificate=read(*client))
    check_accepted(ping(server, hook))
    server.process.send_signal(signal.SIGHUP)
    server.wait_log("(?i)reload")
    check_accepted(ping(server, hook))
    assert server.stop() == 0
    check_accepted(ping(start_server(*LOOPBACK), hook))


def test_sighup_reads_the_authorities_of_the_option_again(start_server, make_receiver, tmp_path):
    ca = make_certificate(tmp_path, "ca", host=None)
    server = start_server(*LOOPBACK, "--webhook-ca-path", ca[0])
    hook = register(server, make_receiver(tls=server_tls(make_certificate(tmp_path, ca=ca))))
    check_accepted(ping(server, hook))
    make_certificate(tmp_path, "ca", host=None)  # the same file holds another authority now
    server.process.send_signal(signal.SIGHUP)
    server.wait_log("(?i)reload")
    check_refused(ping(server, hook), "certificate verify failed")
