"""A service whose answers are given as a JSON list on the command line; the last one is repeated.

An answer has "status", "headers" (a list of pairs), "body", and with "cut" it breaks off in the middle of its body.
GET / tells which requests came: their headers, names in lower case, and their bodies.
"""

import http.server
import json
import sys

import testbed

answers = json.loads(sys.argv[1])
requests = []


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, [], json.dumps(requests).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        requests.append({"headers": headers, "body": body.decode()})
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.answer(
            answer["status"], answer["headers"], answer["body"].encode(), answer.get("cut", False)
        )

    def answer(self, status, headers, body, cut=False):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = cut

    def log_message(self, *words):
        pass


testbed.serve(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service))
