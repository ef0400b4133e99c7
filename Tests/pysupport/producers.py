# SPDX-License-Identifier: Apache-2.0
"""Applications that post numbered events of their own keys, each in its own way, while the agent comes and goes."""

import http.client
import json
import random
import socket
import threading
import time

from clients import Poster


class Producer(threading.Thread):
    """Sends numbered events of its own keys until it is told to stop. What is not acknowledged is not sent again, so
    every repeat is the agent's."""

    stream = "events"
    most = 30

    def __init__(self, agent, name, seed, keys=60, hot=0, pause=0, padding=0):
        """`hot` is the share of its events that have one and the same key, `pause` its mean rest in seconds, `padding`
        what some of its events have at most besides their number, in bytes."""
        super().__init__()
        self.agent = agent
        self.random = random.Random(f"{seed} {name}")
        self.following = {f"{name}-{number}": 0 for number in range(keys)}
        self.hot, self.pause, self.padding = hot, pause, padding
        self.acknowledged = {key: [] for key in self.following}
        self.ids = []
        self.cut = 0
        self.unexpected = []
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            try:
                self.talk()
            except TimeoutError:
                self.unexpected.append("no answer for 30 s")
                return
            except (OSError, http.client.HTTPException):
                # The agent is away.
                self.cut += 1
                time.sleep(0.005)
            except Exception as error:
                self.unexpected.append(repr(error))
                return

    def next_events(self):
        if self.pause:
            self.stopping.wait(self.random.uniform(0, 2 * self.pause))
        keys = list(self.following)
        events = []
        for _ in range(self.random.randint(1, self.most)):
            key = keys[0] if self.random.random() < self.hot else self.random.choice(keys)
            event = {"k": key, "n": self.following[key]}
            if self.padding and self.random.random() < 0.1:
                event["padding"] = "x" * self.random.randint(1, self.padding)
            events.append(event)
            self.following[key] += 1
        return events

    def acknowledge(self, events):
        for event in events:
            self.acknowledged[event["k"]].append(event["n"])


class HTTPProducer(Producer):
    """Events a line, their keys inside."""

    unix = False

    def talk(self):
        poster = Poster(self.agent, unix=self.unix)
        try:
            while not self.stopping.is_set():
                events = self.next_events()
                answer = self.post(poster, events)
                if answer.status == 503:
                    # It is stopping, and kept nothing.
                    raise ConnectionResetError
                assert answer.status in (200, 202), answer
                self.acknowledge(events)
                self.note_ids(answer.json, events)
        finally:
            poster.close()

    def post(self, poster, events):
        return poster.post_lines(self.stream, events)

    def note_ids(self, answer, events):
        assert answer["accepted"] == len(events), answer
        self.ids.append((answer["first_id"], answer["last_id"]))


class UnixHTTPProducer(HTTPProducer):
    unix = True


class SingleProducer(HTTPProducer):
    """One event a request, its key in a header."""

    most = 1

    def post(self, poster, events):
        (event,) = events
        return poster.post(self.stream, json.dumps(event).encode(), "application/json", key=event["k"])


class PutProducer(SingleProducer):
    """As an API Gateway in front of Kinesis."""

    def post(self, poster, events):
        (event,) = events
        body = json.dumps({"Data": event, "PartitionKey": event["k"]})
        return poster.request("PUT", f"/{self.stream}", body, {"Content-Type": "application/json"})

    def note_ids(self, answer, events):
        assert "SequenceNumber" in answer or answer["Status"] == "queued", answer


class LooseProducer(HTTPProducer):
    """Events without a key, to a stream of their own: they have no order."""

    stream = "loose"


class LineProducer(Producer):
    """Lines on the Unix socket."""

    def talk(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(self.agent.socket)
            answers = s.makefile("rb")
            sent = acked = 0
            while not self.stopping.is_set():
                events = self.next_events()
                lines = [
                    json.dumps({"stream": self.stream, "partition_key": e["k"], "event": e}) + "\n" for e in events
                ]
                s.sendall("".join(lines).encode())
                sent += len(events)
                while acked < sent:
                    line = answers.readline()
                    if not line.endswith(b"\n"):
                        raise ConnectionResetError
                    now = json.loads(line)["acked"]
                    self.acknowledge(events[len(events) - (sent - acked) :][: now - acked])
                    acked = now
