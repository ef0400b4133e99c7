# SPDX-License-Identifier: Apache-2.0
"""Links that are slow, dead or guarded, and servers that are not Kinesis: nothing is repeated without need, nothing is
given up, nothing private is shown, and what is to be done is said."""

import base64
import json
import os
import socket
import sqlite3
import ssl
import subprocess
import threading
import time

import pytest

from clients import Poster, curl
from programs import program
from scripted import Authority, accepted, drop_all_that_arrives, scripted
from waiting import wait_until

TOKEN = "IQoJb3JpZ2luX2VjEXAMPLETOKENwEaCXVzLWVhc3QtMSJHMEUCIQ"


def fault(agent, code, within=30):
    """The stream's last error once it has that code."""
    status = agent.wait_for_stream(lambda s: (s["last_error"] or {}).get("code") == code, f"says {code}", within=within)
    assert status["last_error"]["remedy"]
    return status["last_error"]


def post(agent, event=b"event", **options):
    answer = Poster(agent).post("events", event, **options)
    assert answer.status == 202, answer


def test_answers_that_take_long_are_waited_for(start_agent):
    def late(server, request):
        time.sleep(11)
        return accepted(request.body)

    with scripted(late) as server:
        # A third of this is the limit for silence while bytes should move.
        agent = start_agent(server.endpoint, delivery={"request_timeout": "24s"})
        post(agent)
        agent.wait_empty(within=60)
        assert len(server.requests) == 1
        assert agent.stream()["retries"] == 0


def test_a_slow_uplink_is_not_cut_while_bytes_move(start_agent):
    # Twelve seconds for a request, all of which the kernel hides: the stall limit is eight.
    with scripted(bytes_per_second=50_000) as server:
        agent = start_agent(server.endpoint, delivery={"request_timeout": "24s"})
        post(agent, os.urandom(450_000))
        agent.wait_empty(within=60)
        assert len(server.requests) == 1
        assert agent.stream()["retries"] == 0


def test_no_consent_is_asked_for_before_a_large_body(start_agent):
    def refuses_expect(server, request):
        return (417, {}, b"") if request.headers["Expect"] else accepted(request.body)

    with scripted(refuses_expect) as server:
        agent = start_agent(server.endpoint, listed=[{"name": "events", "max_record_bytes": "4 MiB"}],
                            listen={"max_event_bytes": "4 MiB"})
        post(agent, bytes(3_000_000))
        agent.wait_empty()
        assert [request.headers["Expect"] for request in server.requests] == [None]
        assert len(server.requests[0].body) > 4_000_000


def test_a_kept_connection_that_died_without_a_word(start_agent):
    # What the server's end of the connection gets is dropped by the kernel, so nothing is ever acknowledged.
    dead = []

    def dies_after_the_first(server, request):
        if not dead:
            threading.Timer(0.3, drop_all_that_arrives, [request.connection]).start()
            dead.append(request)
        return accepted(request.body)

    with scripted(dies_after_the_first) as server:
        agent = start_agent(server.endpoint, delivery={"workers": 1, "request_timeout": "30s"})
        post(agent, b"1")
        agent.wait_empty()
        time.sleep(0.6)
        post(agent, b"2")
        error = fault(agent, "no_answer")
        assert "not a byte moved for" in error["message"]
        # Not the 10 s that a body may stand still for on a connection that is known to live.
        assert float(error["message"].split("moved for ")[1].split(" ms")[0]) < 9000, error
        agent.wait_empty()


@pytest.mark.parametrize("status, remedy", [(413, "max_batch_bytes"), (403, "no_proxy"), (400, "repeating")])
def test_a_proxys_refusal_buries_nothing(start_agent, status, remedy):
    refuses = [True]

    def proxy(server, request):
        if refuses:
            return status, {"Via": "1.1 squid", "Content-Type": "text/html"}, b"<html>No.</html>"
        return accepted(request.body)

    with scripted(proxy) as server:
        agent = start_agent(server.endpoint)
        for n in range(5):
            post(agent, b"%d" % n)
        error = fault(agent, f"http_{status}")
        assert "Something else than Kinesis" in error["message"] and "squid" in error["message"], error
        assert remedy in error["remedy"], error
        wait_until(lambda: len(server.requests) >= 8, "it was tried again")
        refuses.clear()
        agent.wait_empty()
        assert agent.totals()["dead_lettered"] == 0


def test_a_proxy_that_wants_a_password(start_agent):
    def wants_password(server, request):
        return 407, {"Proxy-Authenticate": "Basic realm=x"}, b""

    with scripted(wants_password) as proxy:
        for endpoint, variable, code in [
            ("http://kinesis.example", "http_proxy", "http_407"),
            ("https://kinesis.example", "https_proxy", "proxy_auth"),
        ]:
            agent = start_agent(endpoint, environment={variable: proxy.endpoint})
            post(agent)
            assert "password" in fault(agent, code)["remedy"]
            agent.close()


def test_names_certificates_and_refusals_have_remedies_of_their_own(start_agent, tmp_path):
    authority, stranger = Authority("own"), Authority("stranger")
    (tmp_path / "ca.pem").write_bytes(stranger.pem())
    (tmp_path / "empty.pem").write_bytes(b"")
    with scripted(context=authority.server_context(tmp_path)) as server, scripted() as plain:
        for endpoint, ca_file, code, remedy in [
            ("https://no-such-host.invalid", "", "dns", "name servers"),
            (server.endpoint, "ca.pem", "tls_certificate", "aws.ca_file"),
            (server.endpoint, "empty.pem", "ca_file", "PEM"),
            (plain.endpoint.replace("http:", "https:"), "", "tls", "TLS 1.2"),
        ]:
            agent = start_agent(endpoint, aws={"ca_file": str(tmp_path / ca_file) if ca_file else ""})
            post(agent)
            assert remedy in fault(agent, code)["remedy"]
            agent.close()


def test_certificates_that_are_renewed_under_a_running_agent(start_agent, tmp_path):
    old, new = Authority("old"), Authority("new")
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(old.pem())
    def once(server, request):
        status, headers, body = accepted(request.body)
        return status, {**headers, "Connection": "close"}, body

    with scripted(once, context=old.server_context(tmp_path)) as first:
        agent = start_agent(first.endpoint, aws={"ca_file": str(ca_file)})
        post(agent)
        agent.wait_empty()
        port = first.port
    context = new.server_context(tmp_path)
    # The same address, another certificate.
    with scripted(context=context) as second:
        relay = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=serve_relay, args=(relay, second.port), daemon=True).start()
        post(agent)
        fault(agent, "tls_certificate")
        (tmp_path / "new").write_bytes(old.pem() + new.pem())
        (tmp_path / "new").rename(ca_file)
        agent.wait_empty()
        relay.close()


def serve_relay(listener, port):
    """Passes connections on to another port."""

    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        far = socket.create_connection(("127.0.0.1", port))
        for pair in [(near, far), (far, near)]:
            threading.Thread(target=pump, args=pair, daemon=True).start()


def test_a_check_of_the_configuration_looks_into_the_certificates(make_agent, tmp_path):
    for name, text in [("gone.pem", None), ("empty.pem", b""), ("good.pem", Authority("x").pem())]:
        if text is not None:
            (tmp_path / name).write_bytes(text)
        agent = make_agent("https://127.0.0.1:1", aws={"ca_file": str(tmp_path / name)})
        agent.write_config()
        done = subprocess.run(
            [program("agentd"), "--check-config", "--config", str(agent.config_path)], capture_output=True, timeout=20
        )
        assert done.returncode == (0 if name == "good.pem" else 78), done
        assert name == "good.pem" or b"aws.ca_file" in done.stderr


def test_old_tls_is_not_spoken_even_where_the_system_would(start_agent, tmp_path):
    lenient = tmp_path / "openssl.cnf"
    lenient.write_text(
        "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n"
        "MinProtocol = TLSv1\nCipherString = DEFAULT:@SECLEVEL=0\n"
    )
    authority = Authority("own")
    (tmp_path / "ca.pem").write_bytes(authority.pem())
    context = authority.server_context(tmp_path)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with scripted(context=context) as server:
        agent = start_agent(
            server.endpoint, aws={"ca_file": str(tmp_path / "ca.pem")}, environment={"OPENSSL_CONF": str(lenient)}
        )
        post(agent)
        fault(agent, "tls")
        assert server.requests == []


def test_an_endpoint_whose_clock_is_wrong_disturbs_no_other(start_kinesis_local, start_agent):
    odd, right = (start_kinesis_local("--stream", f"{name}:1") for name in ("odd", "right"))
    odd.add_faults({"action": "clock", "offset_seconds": 3600})
    agent = start_agent(
        right.endpoint, listed=[{"name": "odd", "endpoint": odd.endpoint}, {"name": "right"}]
    )
    poster = Poster(agent)
    for n in range(20):
        for stream in ("odd", "right"):
            assert poster.post(stream, b"%d" % n).status == 202
    agent.wait_empty()
    assert len(odd.journal()) == len(right.journal()) == 20
    healthy = agent.stream("right")
    assert healthy["last_error"] is None and healthy["retries"] == 0, healthy
    error = agent.stream("odd")["last_error"]
    assert error is None or error["code"] == "clock_learnt" and "clock" in error["remedy"], error


def test_what_a_server_echoes_is_not_shown(start_agent):
    payload = b"the customer's very private words"

    def echoes(server, request):
        sent = request.headers["x-amz-security-token"]
        text = f"Canonical headers: {sent}; body {request.body.decode()}"
        return 403, {"x-amzn-RequestId": "r"}, (
            '{"__type":"InvalidSignatureException","message":%s}' % json.dumps(text)
        ).encode()

    with scripted(echoes) as server:
        agent = start_agent(server.endpoint, environment={"AWS_SESSION_TOKEN": TOKEN})
        post(agent, payload)
        error = fault(agent, "InvalidSignatureException")
        assert "[left out]" in error["message"]
        everywhere = str(error) + agent.log() + agent.ctl("status").stdout.decode()
        for secret in (TOKEN, TOKEN[:20], payload.decode(), base64.b64encode(payload).decode()[:20]):
            assert secret not in everywhere


def test_an_endpoint_in_plain_text_is_warned_of(start_agent):
    agent = start_agent("http://192.0.2.1:9")
    wait_until(lambda: "cross the network unencrypted" in agent.log(), "it is said")


@pytest.mark.parametrize("region", ["x%40{host}%2F", "evil.example.com%2Fx", "us-east-1%0D%0AX-Evil:%201", "a%20b"])
def test_a_region_of_a_request_leads_nowhere_else(start_agent, region):
    with scripted() as stranger:
        # No endpoint: hosts come from the table of regions.
        agent = start_agent("", listed=(), streams={"accept": "any"})
        region = region.replace("{host}", f"127.0.0.1%3A{stranger.port}")
        answer = curl(
            f"http://127.0.0.1:{agent.port}/v1/streams/events/events?region={region}", data=b"event"
        )
        assert answer.status == 400 and answer.json["error"] == "invalid_region", answer
        assert stranger.requests == [] and agent.totals()["accepted"] == 0


def test_a_queue_with_a_region_that_is_none_is_parked_and_kept(start_agent):
    # As an older version may have left it, which did not look at the name.
    with scripted() as server:
        agent = start_agent("http://127.0.0.1:1", listed=(), streams={"accept": "any"})
        post(agent)
        assert agent.stop() == 0
        with sqlite3.connect(agent.database) as database:
            changed = database.execute(
                "UPDATE destination SET region = ?", (f"x@127.0.0.1:{server.port}/",)
            )
            assert changed.rowcount == 1
        database.close()
        for endpoint in ("", server.endpoint):
            agent.config["aws"]["endpoint"] = endpoint
            agent.start()
            error = agent.wait_for_stream(lambda s: s["state"] == "parked", "is parked")["last_error"]
            assert error["code"] == "invalid_region" and "endpoint for the region" in error["remedy"], error
            assert agent.stream()["queued_events"] == 1 and server.requests == []
            assert agent.stop() == 0


def test_a_region_that_is_misspelt_is_refused_with_the_right_one(make_agent):
    agent = make_agent("", aws={"region": "eu-cental-1"})
    agent.write_config()
    done = subprocess.run(
        [program("agentd"), "--check-config", "--config", str(agent.config_path)], capture_output=True, timeout=20
    )
    assert done.returncode == 78 and b"did you mean eu-central-1?" in done.stderr, done


def test_a_fifo_in_place_of_the_credentials_holds_nothing_up(kinesis_local, make_agent):
    none = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    agent = make_agent(kinesis_local.endpoint, environment=none)
    (agent.folder / ".aws").mkdir()
    os.mkfifo(agent.folder / ".aws" / "credentials")
    agent.start()
    post(agent)
    assert "not a regular file" in fault(agent, "no_credentials")["message"]
    os.remove(agent.folder / ".aws" / "credentials")
    keys = "[default]\n  aws_access_key_id = test\n  aws_secret_access_key = test\n"
    (agent.folder / ".aws" / "credentials").write_text(keys)
    agent.wait_empty()


def test_what_the_environment_says_in_vain_is_said_once(kinesis_local, start_agent):
    agent = start_agent(kinesis_local.endpoint, environment={"AWS_PROFILE": "edge", "HOME": None})
    post(agent)
    agent.wait_empty()
    assert agent.log().count("AWS_PROFILE ('edge') is not used") == 1
