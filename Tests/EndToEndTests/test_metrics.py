# SPDX-License-Identifier: Apache-2.0
"""GET /metrics, and the alert rules and the dashboard that are made of it."""

import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from clients import Poster, UnixHTTPConnection, curl, send_lines
from waiting import wait_until

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "agentd.json"

# Shown only where there is something to show.
CONDITIONAL = {"agentd_problem", "agentd_credentials_expiry_timestamp_seconds", "agentd_endpoint_clock_offset_seconds"}


class Scrape:
    """One answer to GET /metrics."""

    def __init__(self, agent):
        connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=30)
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        self.text = answer.read().decode()
        assert answer.status == 200, self.text
        assert answer.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
        connection.close()
        self.families = {family.name: family for family in text_string_to_metric_families(self.text)}
        self.names = {sample.name for family in self.families.values() for sample in family.samples}

    def samples(self, name, **labels):
        return [
            sample
            for family in self.families.values()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]

    def value(self, name, **labels):
        """The sum of all samples that have these labels."""
        samples = self.samples(name, **labels)
        assert samples, f"{name}{labels} is missing"
        return sum(sample.value for sample in samples)


def scrape_when(agent, condition, what):
    """A scrape for which the condition holds; asked for less often than is refused."""

    def look():
        scrape = Scrape(agent)
        return scrape if condition(scrape) else None

    return wait_until(look, what, within=30, every=0.25)


def lines(streams):
    """A small event for each of the streams, as lines."""
    return b"".join(b'{"stream":"%s","event":%d}\n' % (name.encode(), number) for number, name in enumerate(streams))


@pytest.fixture
def busy(start_agent, kinesis_local):
    """An agent that took events through several front doors, and delivered them."""
    agent = start_agent(kinesis_local.endpoint, listed=("events", "quiet"))
    poster = Poster(agent)
    for number in range(20):
        assert poster.post("events", b'{"n":%d}' % number, "application/json").status == 202
    assert poster.post("events", b"{", "application/json").status == 400
    assert poster.post("nothing", b"1").status == 404
    send_lines(agent.socket, lines("events" for _ in range(5)))
    agent.wait_empty()
    return agent


def test_values_are_those_of_status(busy):
    status = busy.status()
    scrape = scrape_when(
        busy, lambda scrape: scrape.value("agentd_stream_in_flight_events") == 0, "nothing is in flight"
    )
    for word in ("accepted", "delivered", "expired", "evicted", "lost", "refused"):
        assert scrape.value(f"agentd_{word}_events_total") == status["totals"][word], word
    assert scrape.value("agentd_dead_lettered_events") == status["totals"]["dead_lettered"]
    assert scrape.value("agentd_queue_events") == status["queue"]["events"] == 0
    assert scrape.value("agentd_queue_bytes") == status["queue"]["bytes"]
    assert scrape.value("agentd_queue_max_bytes") == status["queue"]["max_bytes"]
    assert scrape.value("agentd_dead_letters") == status["queue"]["dead_letters"]
    for stream in status["streams"]:
        labels = {"stream": stream["name"], "region": stream["region"]}
        assert scrape.value("agentd_delivered_events_total", **labels) == stream["delivered"]
        assert scrape.value("agentd_stream_retried_events_total", **labels) == stream["retries"]
        assert scrape.value("agentd_stream_throttled_events_total", **labels) == stream["throttled"]
        for state in ("ok", "backing_off", "parked", "paused"):
            assert scrape.value("agentd_stream_state", state=state, **labels) == (stream["state"] == state)
    assert scrape.value("agentd_state", state=status["agent"]["state"]) == 1
    assert scrape.value("agentd_state") == 1
    assert scrape.value("agentd_build_info", version=status["agent"]["version"]) == 1
    codes = {sample.labels["code"] for sample in scrape.samples("agentd_problem")}
    assert codes == {problem["code"] for problem in status["agent"].get("problems", [])}


def test_what_came_in_and_went_out_is_counted(busy):
    scrape = Scrape(busy)
    assert scrape.value("agentd_ingest_requests_total", door="events") == 20
    assert scrape.value("agentd_ingest_events_total", door="events") == 20
    assert scrape.value("agentd_ingest_bytes_total", door="events") == sum(len(b'{"n":%d}' % n) for n in range(20))
    assert scrape.value("agentd_ingest_events_total", door="lines") == 5
    assert scrape.value("agentd_ingest_refusals_total", reason="malformed_json") == 1
    assert scrape.value("agentd_ingest_refusals_total", reason="stream_not_listed") == 1
    assert scrape.value("agentd_ingest_connections", listener="tcp") >= 1
    assert scrape.value("agentd_kinesis_records_total", outcome="accepted") == 25
    assert scrape.value("agentd_kinesis_sent_records_total") == 25
    assert scrape.value("agentd_kinesis_requests_total") == scrape.value("agentd_kinesis_requests_total", outcome="accepted")
    assert scrape.value("agentd_kinesis_request_duration_seconds_count") == scrape.value("agentd_kinesis_requests_total")
    assert scrape.value("agentd_kinesis_requests_in_flight") == 0
    # 20 requests, and lines in at least one group.
    assert 21 <= scrape.value("agentd_ingest_append_duration_seconds_count") <= 25
    # Each event once when it came, and once when it went.
    assert scrape.value("agentd_commit_rows_sum") == 50
    assert scrape.value("agentd_commit_duration_seconds_count") == scrape.value("agentd_commit_rows_count")
    assert 0 < scrape.value("agentd_delivery_duration_seconds_count") <= 25
    assert scrape.value("agentd_commit_failures_total") == 0


def test_the_process_is_described(busy):
    scrape = Scrape(busy)
    assert abs(scrape.value("agentd_process_start_time_seconds") - time.time()) < 120
    assert 4 << 20 < scrape.value("agentd_process_resident_memory_bytes") < 1 << 30
    assert 0 < scrape.value("agentd_process_cpu_seconds_total") < 100
    open_now = len(os.listdir(f"/proc/{busy.process.pid}/fd"))
    assert abs(scrape.value("agentd_process_open_fds") - open_now) < 8
    assert scrape.value("agentd_process_max_fds") >= 256
    assert scrape.value("agentd_queue_file_bytes") == busy.database.stat().st_size
    assert scrape.value("agentd_queue_wal_bytes") >= 0
    assert scrape.value("agentd_credentials_available", identity="agent") == 1
    assert scrape.value("agentd_log_dropped_lines_total") == 0


def test_the_text_is_well_formed(busy):
    scrape = Scrape(busy)
    assert scrape.text.endswith("\n")
    for name, family in scrape.families.items():
        assert name.startswith("agentd_"), name
        assert family.documentation.endswith("."), f"{name}: {family.documentation}"
        assert family.type in ("counter", "gauge", "histogram"), name
        if family.type == "counter":
            assert f"# TYPE {name}_total counter" in scrape.text
    series = [(sample.name, tuple(sorted(sample.labels.items()))) for f in scrape.families.values() for sample in f.samples]
    assert len(series) == len(set(series))
    for _, labels in series:
        assert {name for name, _ in labels} <= {
            "stream", "region", "state", "door", "reason", "listener", "result", "outcome", "identity", "endpoint",
            "code", "version", "le",
        }  # fmt: skip


def test_head_and_the_unix_socket_and_foreign_pages(agent):
    url = f"http://127.0.0.1:{agent.port}/metrics"
    head = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=30)
    head.request("HEAD", "/metrics")
    answer = head.getresponse()
    assert answer.status == 200 and int(answer.getheader("Content-Length")) > 1000 and answer.read() == b""
    local = UnixHTTPConnection(agent.socket)
    local.request("GET", "/metrics")
    assert b"agentd_build_info" in local.getresponse().read()
    assert curl(url, "-X", "POST", data=b"").status == 405
    assert curl(url, "-H", "Host: evil.example").status == 403
    assert curl(url, "-H", "Origin: https://evil.example").status == 403


def test_counters_of_the_file_outlive_a_restart(busy):
    before = Scrape(busy)
    busy.restart()
    after = Scrape(busy)
    for name in ("agentd_accepted_events_total", "agentd_delivered_events_total"):
        assert after.value(name) == before.value(name) == 25
    assert after.value("agentd_ingest_events_total") == 0
    assert after.value("agentd_process_start_time_seconds") > before.value("agentd_process_start_time_seconds")


def test_trouble_shows(start_agent, kinesis_local):
    """A stream that Kinesis does not know is parked; its events wait and grow old."""
    agent = start_agent(kinesis_local.endpoint, listed=("events", "missing"))
    assert Poster(agent).post("missing", b"x").status == 202
    scrape = scrape_when(
        agent, lambda scrape: scrape.value("agentd_stream_state", stream="missing", state="parked"), "it is parked"
    )
    assert scrape.value("agentd_queue_events", stream="missing") == 1
    assert scrape.value("agentd_queue_events", stream="events") == 0
    assert scrape.value("agentd_kinesis_requests_total", outcome="refused") >= 1
    time.sleep(1)
    assert Scrape(agent).value("agentd_queue_oldest_age_seconds", stream="missing") >= 1


@pytest.mark.slow
def test_five_thousand_streams_neither_make_a_huge_text_nor_stall_intake(start_agent, kinesis_local):
    agent = start_agent(
        kinesis_local.endpoint, listed=(), streams={"accept": "any", "max_destinations": 5000}, queue={"max_bytes": "1 GiB"}
    )
    poster = Poster(agent)
    send_lines(agent.socket, lines(f"s{number}" for number in range(5000)))
    scrape = scrape_when(
        agent, lambda scrape: scrape.value("agentd_accepted_events_total") == 5000, "all streams are counted"
    )
    assert len(scrape.text) < 1 << 20
    assert scrape.value("agentd_stream_state") >= 5000
    assert len({sample.labels["stream"] for sample in scrape.samples("agentd_queue_events")}) == 201
    slowest = 0
    for number in range(300):
        if number % 30 == 0:
            pending = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=30)
            pending.request("GET", "/metrics")
        began = time.monotonic()
        assert poster.post("s1", b"x").status == 202
        slowest = max(slowest, time.monotonic() - began)
    # A loose bound: what else this machine does counts too.
    assert slowest < 1, slowest


# The rules and the dashboard.


def names_in(expression):
    return set(re.findall(r"\bagentd_\w+", expression))


def rules():
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def dashboard_expressions():
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["definition"]


def test_rules_and_dashboard_use_what_exists(busy):
    exists = Scrape(busy).names | CONDITIONAL
    used = set()
    for expression in [rule["expr"] for rule in rules()] + list(dashboard_expressions()):
        names = names_in(expression)
        assert names or "up{" in expression or "agentd:" in expression, expression
        assert names <= exists, f"{names - exists} in {expression}"
        used |= names
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in exists}
    unused = families - {re.sub("_(bucket|sum|count)$", "", name) for name in used}
    assert not unused, "neither alerts nor the dashboard show these"


def test_every_alert_says_how_bad_it_is_and_what_to_do():
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len({rule["alert"] for rule in alerts}) == len(alerts)
    for rule in alerts:
        assert rule["labels"]["severity"] in ("critical", "warning"), rule
        assert rule["annotations"]["summary"].endswith(".") and rule["annotations"]["description"].endswith((".", "?"))
        # What has no `for` looks back over a time by itself.
        assert "for" in rule or re.search(r"(increase|changes|delta)\(", rule["expr"]), rule
        assert set(re.findall(r"agentd:[\w:]+", rule["expr"])) <= recorded, rule


def test_promtool_has_nothing_to_say(busy):
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed (Debian: package prometheus)")
    done = subprocess.run([promtool, "check", "rules", str(ALERTS)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(
        [promtool, "check", "metrics"], input=Scrape(busy).text, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
