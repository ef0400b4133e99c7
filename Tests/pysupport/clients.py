# SPDX-License-Identifier: Apache-2.0
"""Clients of the agent: curl, HTTP with keep-alive, bare sockets, lines on the Unix socket."""

import http.client
import json
import socket
import subprocess


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def curl(url, *arguments, data=None, unix_socket=None):
    """A request by curl; `data` is its body, byte for byte."""
    command = ["curl", "-sS", "-i", "--http1.1", "--max-time", "30", *arguments]
    if unix_socket:
        command += ["--unix-socket", unix_socket]
    if data is not None:
        command += ["--data-binary", "@-"]
    done = subprocess.run([*command, url], input=data or b"", capture_output=True, timeout=40)
    assert done.returncode == 0, done.stderr.decode()
    # The last: others are interim ones.
    return parse_answers(done.stdout)[-1]


def parse_answers(data):
    """All answers in what a server sent, interim ones too."""
    answers = []
    while data:
        head, separator, rest = data.partition(b"\r\n\r\n")
        assert separator, f"no whole answer: {data[:300]!r}"
        first, *fields = head.decode("latin-1").split("\r\n")
        version, status = first.split(" ")[:2]
        assert version == "HTTP/1.1", first
        headers = [tuple(part.strip() for part in field.split(":", 1)) for field in fields]
        length = int(dict((name.lower(), value) for name, value in headers).get("content-length", 0))
        assert len(rest) >= length, f"the answer is cut off: {data[:300]!r}"
        answers.append(Answer(int(status), headers, rest[:length]))
        data = rest[length:]
    return answers


class UnixHTTPConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Poster:
    """Posts over one connection that stays open."""

    def __init__(self, agent, unix=False, timeout=30):
        self.connection = (
            UnixHTTPConnection(agent.socket, timeout)
            if unix
            else http.client.HTTPConnection("127.0.0.1", agent.port, timeout=timeout)
        )

    def request(self, method, path, body=b"", headers=None):
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())

    def post(self, stream, body, content_type="application/octet-stream", key=None):
        headers = {"Content-Type": content_type}
        if key is not None:
            headers["X-Partition-Key"] = key.encode()
        return self.request("POST", f"/v1/streams/{stream}/events", body, headers)

    def post_lines(self, stream, events):
        """Events as values, one JSON text a line."""
        body = b"".join(json.dumps(event).encode() + b"\n" for event in events)
        return self.post(stream, body, "application/x-ndjson")

    def close(self):
        self.connection.close()


def exchange(address, data, half_close=True, within=30):
    """Sends bytes and returns all that comes until the other side closes. A reset ends it as a close does."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as s:
        s.settimeout(within)
        s.connect(address)
        received = b""
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            while chunk := s.recv(65536):
                received += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
        return received


def send_lines(path, data):
    """Answers to lines on the Unix socket, after a half-close."""
    return [json.loads(line) for line in exchange(path, data).splitlines()]
