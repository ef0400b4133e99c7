# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 without TLS, frame by frame: a client that does as it is told, and one that need not behave."""

import socket

import h2.config
import h2.connection
import h2.events

from clients import Answer


class HTTP2Client:
    """A connection with prior knowledge. `strict=False` sends what the protocol forbids."""

    def __init__(self, address, strict=True, within=30):
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.settimeout(within)
        self.socket.connect(address)
        self.connection = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding="utf-8",
                validate_outbound_headers=strict,
                normalize_outbound_headers=strict,
            )
        )
        self.connection.initiate_connection()
        self.heads, self.bodies = {}, {}
        # The code of each stream that was reset, and of the connection's end.
        self.resets, self.goaway = {}, None
        self.ended = set()
        self.interim = {}
        self.is_open = True
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        self.socket.sendall(self.connection.data_to_send())

    def begin(self, method, path, headers=(), end=False, authority="localhost"):
        stream = self.connection.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", authority), *headers]
        self.connection.send_headers(stream, fields, end_stream=end)
        self.flush()
        return stream

    def send(self, stream, data, end=True):
        """Sends as much at a time as the agent's windows allow."""
        while data:
            room = min(
                self.connection.local_flow_control_window(stream), self.connection.max_outbound_frame_size, len(data)
            )
            if room == 0:
                self.receive()
                continue
            self.connection.send_data(stream, data[:room])
            self.flush()
            data = data[room:]
        if end:
            self.connection.end_stream(stream)
            self.flush()

    def request(self, method, path, body=b"", headers=()):
        stream = self.begin(method, path, headers, end=not body)
        if body:
            self.send(stream, body)
        return self.answer(stream)

    def receive(self):
        """Takes what comes next; False at the end of the connection."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.is_open = False
            return False
        for event in self.connection.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.heads[event.stream_id] = event.headers
            elif isinstance(event, h2.events.InformationalResponseReceived):
                self.interim.setdefault(event.stream_id, []).append(dict(event.headers)[":status"])
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self.resets[event.stream_id] = event.error_code
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.goaway = event.error_code
        pending = self.connection.data_to_send()
        if pending:
            try:
                self.socket.sendall(pending)
            except OSError:
                pass
        return True

    def answer(self, stream):
        """The answer on a stream; None where the stream or the connection ended without one."""
        while stream not in self.ended and stream not in self.resets:
            if not self.receive():
                break
        if stream not in self.ended:
            return None
        head = dict(self.heads[stream])
        return Answer(int(head.pop(":status")), head.items(), self.bodies.get(stream, b""))

    def wait_for_end(self):
        while self.receive():
            pass
