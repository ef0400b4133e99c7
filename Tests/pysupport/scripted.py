# SPDX-License-Identifier: Apache-2.0
"""Small servers that answer as a test wants, read as slowly, or die without a word; and certificates for them."""

import contextlib
import datetime
import http.server
import ipaddress
import json
import socket
import ssl
import struct
import threading
import time


def accepted(body, start=0):
    """Kinesis's answer to a PutRecords body that stores all."""
    records = json.loads(body)["Records"]
    entries = [{"SequenceNumber": str(start + n + 1), "ShardId": "shardId-000000000000"} for n in range(len(records))]
    return 200, {"x-amzn-RequestId": "r"}, json.dumps({"FailedRecordCount": 0, "Records": entries}).encode()


class Request:
    def __init__(self, headers, body, connection):
        self.headers, self.body, self.connection = headers, body, connection


class Scripted:
    """A server whose `answer(server, request)` gives status, headers and body; `requests` are those that came whole."""

    def __init__(self, answer=None, context=None, bytes_per_second=None):
        self.requests = []
        self.answer = answer or (lambda server, request: accepted(request.body))
        self.bytes_per_second = bytes_per_second
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                request = Request(self.headers, outer.read(self.rfile, int(self.headers["Content-Length"])), self.connection)
                outer.requests.append(request)
                status, headers, body = outer.answer(outer, request)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_CONNECT(self):
                self.headers["Content-Length"] = "0"
                self.do_POST()

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            # A small window, so that the sender feels how slowly it is read.
            def server_bind(self):
                if bytes_per_second:
                    self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
                super().server_bind()

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.endpoint = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def read(self, stream, length):
        if not self.bytes_per_second:
            return stream.read(length)
        body, began = b"", time.monotonic()
        while len(body) < length:
            part = stream.read(min(self.bytes_per_second // 10, length - len(body)))
            if not part:
                raise ConnectionResetError
            body += part
            # By the clock, so that a busy machine is no slower.
            time.sleep(max(0, began + len(body) / self.bytes_per_second - time.monotonic()))
        return body

    def bodies(self):
        return [json.loads(request.body) for request in list(self.requests)]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def drop_all_that_arrives(connection):
    """With a filter that lets no packet pass (linux/filter.h), as if the cable were cut."""
    import ctypes

    instruction = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
    program = struct.pack("HxxxxxxP", 1, ctypes.addressof(instruction))
    connection.setsockopt(socket.SOL_SOCKET, 26, program)


@contextlib.contextmanager
def scripted(*arguments, **options):
    server = Scripted(*arguments, **options)
    try:
        yield server
    finally:
        server.close()


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, name):
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        self.x509, self.hashes, self.serialization, self.ec = x509, hashes, serialization, ec
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.name, self.key.public_key(), x509.BasicConstraints(True, None))

    def _sign(self, subject, key, *extensions):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            self.x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(self.x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.key, self.hashes.SHA256())

    def pem(self):
        return self.certificate.public_bytes(self.serialization.Encoding.PEM)

    def server_context(self, folder):
        """For a server on 127.0.0.1 with a certificate of this authority."""
        key = self.ec.generate_private_key(self.ec.SECP256R1())
        address = self.x509.SubjectAlternativeName([self.x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        subject = self.x509.Name([self.x509.NameAttribute(self.x509.NameOID.COMMON_NAME, "127.0.0.1")])
        certificate = self._sign(subject, key.public_key(), address)
        path = folder / f"{certificate.serial_number}.pem"
        path.write_bytes(
            certificate.public_bytes(self.serialization.Encoding.PEM)
            + key.private_bytes(
                self.serialization.Encoding.PEM,
                self.serialization.PrivateFormat.PKCS8,
                self.serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context
