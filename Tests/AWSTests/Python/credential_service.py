"""The endpoints that give out keys, answering well and badly: the path says how.

/container/MODE      the endpoint of a container
/instance/MODE/...   the instance metadata service
/sts/MODE/           the Security Token Service
/state               all requests so far
"""

import http.server
import json
import threading
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from urllib.parse import parse_qs

import testbed

requests = []
tokens = {}
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def keys(hours, **more):
    """What an endpoint says about keys that end so many hours from now."""
    end = datetime.now(timezone.utc) + timedelta(hours=hours)
    return {
        "AccessKeyId": "AKISSUED",
        "SecretAccessKey": "issued-secret",
        "Token": "issued-token",
        "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
    } | more


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do(self):
        self.more = {}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        room, _, path = self.path.removeprefix("/").partition("/")
        mode, _, rest = path.partition("/")
        if room != "state":
            headers = {name.lower(): value for name, value in self.headers.items()}
            requests.append({"method": self.command, "path": self.path, "headers": headers, "body": body})
        self.attempts = sum(request["path"] == self.path for request in requests)
        getattr(self, room)(mode, "/" + rest, body)

    do_GET = do_POST = do_PUT = do

    def state(self, mode, rest, body):
        self.answer(200, requests)

    # The endpoint of a container.

    def container(self, mode, rest, body):
        match mode:
            case "good":
                self.answer(200, keys(6, RoleArn="arn:aws:iam::123456789012:role/task"))
            case "denied":
                self.answer(403, {"code": "AccessDenied", "message": "not this pod"})
            case "late" if self.attempts < 3:
                self.answer(500, {"message": "wait"})
            case "late":
                self.answer(200, keys(6))
            case "garbage":
                self.answer(200, "<html>secret-text</html>")
            case "empty":
                self.answer(200, {"AccessKeyId": "AK"})

    # The instance metadata service.

    def instance(self, mode, rest, body):
        if rest == "/latest/api/token":
            return self.new_token(mode)
        token = self.headers.get("x-aws-ec2-metadata-token")
        if token is None or tokens.get(token, 0) <= 0:
            return self.answer(401, "")
        tokens[token] -= 1
        if rest == "/latest/meta-data/placement/region":
            return self.answer(200, "eu-north-1")
        match mode, rest:
            case "bare", _:
                self.answer(404, "")
            case _, "/latest/meta-data/iam/security-credentials/":
                self.answer(200, "the-role\nanother\n")
            case "untrusted", _:
                self.answer(200, {"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume the-role"})
            case "old", "/latest/meta-data/iam/security-credentials/the-role":
                self.answer(200, keys(-2, Code="Success"))
            case _, "/latest/meta-data/iam/security-credentials/the-role":
                self.answer(200, keys(6, Code="Success", Type="AWS-HMAC"))
            case _:
                self.answer(404, "")

    def new_token(self, mode):
        if mode == "off":
            return self.answer(403, "")
        if mode == "first-version":
            return self.answer(405, "")
        if mode == "mute":
            return threading.Event().wait()
        if self.command != "PUT" or not self.headers.get("x-aws-ec2-metadata-token-ttl-seconds"):
            return self.answer(400, "")
        token = f"token-{len(tokens)}"
        # How many questions the token is good for; "forgetful" forgets it after one.
        tokens[token] = 1 if mode == "forgetful" else 1000
        self.answer(200, token)

    # The Security Token Service.

    def sts(self, mode, rest, body):
        form = {name: values[0] for name, values in parse_qs(body).items()}
        match mode:
            case "verify":
                self.refusal(403, "SignatureDoesNotMatch", "no") if self.forged(body) else self.role(form)
            case "escaped":
                self.role(form, token="a&amp;b&#43;c&#x2B;d&lt;&gt;&quot;&apos;", prefix="s:")
            case "ahead":
                self.ahead(form)
            case "busy" if self.attempts < 3:
                self.refusal(400, "Throttling", "Rate exceeded")
            case "issuer" if self.attempts < 2:
                self.refusal(400, "IDPCommunicationError", "try again")
            case "busy" | "issuer":
                self.role(form)
            case "signature":
                self.refusal(403, "SignatureDoesNotMatch", "Check your key.\n\nThe Canonical String was x-secret-x")
            case "html":
                self.answer(503, "<html><body>busy</body></html>")
            case _:
                self.refusal(403, mode, "User: arn:aws:iam::1:user/u is not &lt;authorized&gt;")

    def ahead(self, form):
        """A service whose clock is an hour ahead of this host's."""
        time = datetime.now(timezone.utc) + timedelta(hours=1)
        self.more = {"Date": format_datetime(time, usegmt=True), "x-amzn-RequestId": "id-1"}
        signed = datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%S%z")
        if abs(signed - time) > timedelta(minutes=5):
            self.refusal(403, "SignatureDoesNotMatch", "Signature expired: it is too late")
        else:
            self.role(form)

    def role(self, form, token="issued-token", prefix=""):
        action = form["Action"]
        end = (datetime.now(timezone.utc) + timedelta(seconds=int(form.get("DurationSeconds", 3600)))).isoformat()
        space = f'xmlns{":" + prefix[:-1] if prefix else ""}="{NAMESPACE}"'
        text = (
            f"<{prefix}R {space}><{prefix}{action}Result><{prefix}AssumedRoleUser><{prefix}Arn>arn</{prefix}Arn>"
            f"</{prefix}AssumedRoleUser><{prefix}Credentials><{prefix}AccessKeyId>AKISSUED</{prefix}AccessKeyId>"
            f"<{prefix}SecretAccessKey>issued-secret</{prefix}SecretAccessKey>"
            f"<{prefix}SessionToken>{token}</{prefix}SessionToken>\n  <{prefix}Expiration>{end}</{prefix}Expiration>"
            f"</{prefix}Credentials></{prefix}{action}Result></{prefix}R>"
        )
        self.answer(200, '<?xml version="1.0"?>\n' + text)

    def refusal(self, status, code, message):
        self.answer(
            status,
            f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
            f"<Message>{message}</Message></Error><RequestId>id-1</RequestId></ErrorResponse>",
        )

    def forged(self, body):
        """Whether botocore signs the same request otherwise; imported here, since that takes longer than all else."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        given = self.headers.get("Authorization", "")
        names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        host = self.headers["Host"]
        request = AWSRequest("POST", f"http://{host}/", {name: self.headers[name] for name in names}, body)
        request.context["timestamp"] = self.headers["x-amz-date"]
        auth = SigV4Auth(Credentials("AKSOURCE", "source-secret", "source-token"), "sts", "eu-west-1")
        signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        return not given.endswith(f"Signature={signature}") or "x-amz-security-token" not in names

    def answer(self, status, body):
        text = body if isinstance(body, str) else json.dumps(body)
        self.send_response_only(status)
        for name, value in self.more.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *words):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # Clients that hang up are what some tests are about.
        pass


testbed.serve(Server(("127.0.0.1", 0), Service))
