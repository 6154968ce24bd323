"""The process: command line, start and end, signals, the data directory, TLS on the API side."""
import signal
import socket
import ssl
import stat
import threading

import pytest

from conftest import DEADLINE_S, LOOPBACK, make_certificate, run_binary, wait_until


def test_a_bad_webhook_url_is_one_clear_line_exit_2_and_leaves_nothing(tmp_path):
    run = run_binary(tmp_path, "--task-webhook-url", "nonsense", "--db-path", "data", "--http-addr", "127.0.0.1:0")
    assert run.returncode == 2
    first = run.stderr.splitlines()[0]
    assert "--task-webhook-url" in first and "'nonsense'" in first and "relative URL without a base" in first
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["MEILI_TASK_WEBHOOK_URL", "TASKHOOK_TASK_WEBHOOK_URL"])
def test_a_bad_webhook_url_from_the_environment_is_refused_too(tmp_path, name):
    run = run_binary(tmp_path, env={name: "http://"})
    assert run.returncode == 2 and "empty host" in run.stderr and list(tmp_path.iterdir()) == []


def test_a_bad_network_is_named(tmp_path):
    run = run_binary(tmp_path, "--experimental-allowed-ip-networks", "10.0.0.1/8")
    assert run.returncode == 2 and "10.0.0.1/8" in run.stderr and "--experimental-allowed-ip-networks" in run.stderr


def test_an_unknown_flag_names_the_nearest(tmp_path):
    run = run_binary(tmp_path, "--task-webhok-url", "http://example.com")
    assert run.returncode == 2 and "--task-webhook-url" in run.stderr


def test_a_feature_that_is_lacking_is_an_error(tmp_path):
    run = run_binary(tmp_path, "--import-dump", "x.dump")
    assert run.returncode == 2 and "--import-dump" in run.stderr


def test_production_needs_a_long_master_key(tmp_path):
    for flags in ((), ("--master-key", "short")):
        run = run_binary(tmp_path, "--env", "production", *flags)
        assert run.returncode == 1 and "master key" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_version_and_help(tmp_path):
    assert run_binary(tmp_path, "--version").stdout.startswith("taskhook ")
    help_text = run_binary(tmp_path, "--help").stdout
    for flag in ("--task-webhook-url", "--http-payload-size-limit", "MEILI_"):
        assert flag in help_text


def test_flag_beats_environment_beats_file(start_server, tmp_path):
    (tmp_path / "config.toml").write_text('http_addr = "nonsense"\nmaster_key = "from-the-file"\nlog_level = "DEBUG"\n')
    server = start_server(env={"MEILI_MASTER_KEY": "from-the-environment", "MEILI_LOG_LEVEL": "WARN"}, *(
        "--log-level", "INFO"))
    assert server.get("/stats", headers={"Authorization": "Bearer from-the-environment"}).status == 200
    assert server.get("/stats", headers={"Authorization": "Bearer from-the-file"}).status == 403
    assert " DEBUG " not in server.log()


def test_the_data_directory_is_private_and_belongs_to_one_process(start_server, tmp_path):
    server = start_server()
    assert stat.S_IMODE(server.db_path.stat().st_mode) == 0o700
    second = run_binary(tmp_path, "--db-path", str(server.db_path), "--http-addr", "127.0.0.1:0")
    assert second.returncode == 1
    assert "in use by another taskhook" in second.stderr and str(server.process.pid) in second.stderr
    assert server.get("/health").status == 200


def test_a_busy_port_is_a_clear_error(start_server, tmp_path):
    server = start_server()
    run = run_binary(tmp_path, "--db-path", "other", "--http-addr", server.address)
    assert run.returncode == 1 and server.address in run.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_0(start_server, number):
    server = start_server()
    server.request("POST", "/indexes/movies/documents", {"id": 1})
    assert server.stop(number) == 0


def test_a_signal_during_a_held_delivery_still_ends_at_once_and_the_delivery_stays_owed(start_server, receiver):
    receiver.script = ["hold"]
    server = start_server("--task-webhook-url", receiver.url, *LOOPBACK)
    server.post("/indexes/movies/documents", {"id": 1})
    receiver.next()
    assert server.stop() == 0
    receiver.script = [200]
    receiver.release()
    start_server("--task-webhook-url", receiver.url, *LOOPBACK)
    assert receiver.next().tasks[0]["uid"] == 0


def test_a_second_signal_exits_at_once(start_server):
    server = start_server()
    stuck = socket.create_connection(("127.0.0.1", server.port))
    stuck.sendall(b"POST /indexes/movies/documents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                  b"Content-Length: 100\r\n\r\n[")
    assert server.get("/health").status == 200  # the bytes above are there
    server.process.send_signal(signal.SIGTERM)
    server.wait_log("stopping signal=15")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(DEADLINE_S) in (128 + signal.SIGTERM, 0)
    stuck.close()


def test_requests_that_were_accepted_are_answered_during_a_stop(start_server):
    server = start_server()
    answers = []

    def post():
        answers.append(server.request("POST", "/indexes/movies/documents", [{"id": n} for n in range(20000)]).status)

    thread = threading.Thread(target=post)
    thread.start()
    wait_until(lambda: server.get("/tasks").json["total"] or answers or not thread.is_alive(), "no task", server.process)
    thread.join()
    assert server.stop() == 0
    assert answers == [202]


def test_a_unix_socket(start_server, tmp_path):
    path = tmp_path / "socket"
    server = start_server("--http-addr", f"unix:{path}", "--db-path", str(tmp_path / "data"), defaults=False)
    assert server.address == f"unix:{path}"
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        s.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := s.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b'{"status":"available"}')
    assert server.stop() == 0


def https_server(start_server, tmp_path, *flags):
    cert, key = make_certificate(tmp_path)
    server = start_server("--ssl-cert-path", str(cert), "--ssl-key-path", str(key), *flags)
    server.tls_context = ssl.create_default_context(cafile=str(cert))
    return server, cert


def test_the_api_over_tls(start_server, tmp_path):
    server, _ = https_server(start_server, tmp_path)
    assert server.get("/health").json == {"status": "available"}
    assert server.run("POST", "/indexes/movies/documents", [{"id": n, "x": "y" * 500} for n in range(1000)])["status"] == "succeeded"
    assert len(server.get("/indexes/movies/documents?limit=1000").json["results"]) == 1000


def test_a_client_certificate_is_required_when_asked_for(start_server, tmp_path):
    ca = make_certificate(tmp_path, "ca", host=None)
    client = make_certificate(tmp_path, "client", ca=ca)
    server, cert = https_server(start_server, tmp_path, "--ssl-auth-path", str(ca[0]), "--ssl-require-auth")
    with pytest.raises((ssl.SSLError, OSError)):
        server.get("/health")
    server.tls_context = ssl.create_default_context(cafile=str(cert))
    server.tls_context.load_cert_chain(*map(str, client))
    assert server.get("/health").status == 200


def test_sighup_reloads_the_certificate(start_server, tmp_path):
    server, cert = https_server(start_server, tmp_path)
    before = ssl.get_server_certificate(("127.0.0.1", server.port))
    make_certificate(tmp_path)
    server.process.send_signal(signal.SIGHUP)
    server.wait_log("reloaded certificates")
    assert ssl.get_server_certificate(("127.0.0.1", server.port)) != before


def test_the_master_key_guards_everything_but_health(start_server):
    server = start_server("--master-key", "a-long-enough-master-key")
    assert server.get("/health").status == 200
    assert server.get("/stats").json["code"] == "missing_authorization_header"
    assert server.get("/stats", headers={"Authorization": "Bearer wrong"}).json["code"] == "invalid_api_key"
    assert server.get("/stats", headers={"Authorization": "Bearer a-long-enough-master-key"}).status == 200
    assert "a-long-enough-master-key" not in server.log()
