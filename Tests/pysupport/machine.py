# SPDX-License-Identifier: Apache-2.0
"""What gives credentials on a machine in AWS: the metadata service of EC2, STS, and whom a program may ask."""

import datetime
import http.server
import json
import threading
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials

ROLE = "arn:aws:iam::123456789012:role/edge"
BASE_SECRET = "the-secret-of-the-base"
IDENTITY_TOKEN = "the.identity.token"


class Machine:
    """Gives the same credentials everywhere, and notes in `faults` what was asked for wrongly."""

    def __init__(self, key, secret, token):
        self.secrets = []
        self.faults = []
        self.rotate(key, secret, token)
        machine = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, text = machine.answer(self.command, self.path, self.headers, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_PUT = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def rotate(self, key, secret, token):
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        self.credentials = {
            "AccessKeyId": key,
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        self.secrets += [secret, token]

    def fault(self, text):
        self.faults.append(text)
        return 403, text

    def answer(self, method, path, headers, body):
        role = "/latest/meta-data/iam/security-credentials/"
        if (method, path) == ("PUT", "/latest/api/token"):
            return 200, "a-metadata-token"
        if method == "GET" and path.startswith(role):
            if headers.get("X-aws-ec2-metadata-token") != "a-metadata-token":
                return self.fault("no metadata token")
            if path == role:
                return 200, "edge"
            token = {"Token": self.credentials["SessionToken"], "Code": "Success"}
            return 200, json.dumps(self.credentials | token)
        if (method, path) == ("GET", "/process"):
            return 200, json.dumps({"Version": 1} | self.credentials)
        if (method, path) == ("POST", "/"):
            return self.assume(headers, body)
        return self.fault(f"{method} {path}")

    def assume(self, headers, body):
        fields = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        action = fields["Action"]
        wanted = {"Action": action, "Version": "2011-06-15", "RoleArn": ROLE, "RoleSessionName": "agentd"}
        if action == "AssumeRole":
            wanted["ExternalId"] = "an id/&="
            if headers["Authorization"] != self.signature(headers, body):
                return self.fault("the signature is another than botocore's")
        else:
            wanted["WebIdentityToken"] = IDENTITY_TOKEN
        if fields != wanted:
            return self.fault(f"{fields} instead of {wanted}")
        members = "".join(f"<{name}>{value}</{name}>" for name, value in self.credentials.items())
        result = f"<{action}Result><Credentials>{members}</Credentials></{action}Result>"
        return 200, f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{result}</{action}Response>'

    def signature(self, headers, body):
        """The Authorization header that botocore makes for such a request."""
        base = botocore.credentials.Credentials("AKIABASE", BASE_SECRET, "base-session-token")
        names = ["Content-Type", "X-Amz-Date", "X-Amz-Security-Token"]
        request = botocore.awsrequest.AWSRequest(
            "POST", self.url + "/", headers={name: headers[name] for name in names}, data=body
        )
        signer = botocore.auth.SigV4Auth(base, "sts", "us-east-1")
        request.context["timestamp"] = headers["X-Amz-Date"]
        text = signer.string_to_sign(request, signer.canonical_request(request))
        signer._inject_signature_to_request(request, signer.signature(text, request))
        return request.headers["Authorization"]
