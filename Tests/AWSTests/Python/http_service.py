"""An HTTP server that answers well and badly: the path says how.

Usage: http_service.py [CERTIFICATE KEY]      with both, it speaks TLS

Its own state, read by /state: connections accepted, requests being held, the most of them at once, and the port of
a listener that never answers anything.
"""

import http.server
import json
import select
import socket
import ssl
import sys
import threading
from urllib.parse import urlsplit

import testbed

lock = threading.Lock()
state = {"connections": 0, "held": 0, "most": 0}
silent = socket.create_server(("127.0.0.1", 0))


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        with lock:
            state["connections"] += 1

    def do(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # A proxy is asked for whole addresses.
        name, _, argument = urlsplit(self.path).path[1:].partition("/")
        getattr(self, name or "echo")(argument, body)

    do_GET = do_POST = do_PUT = do

    def echo(self, argument, body):
        """What arrived, and over which connection."""
        self.answer_json(
            {
                "method": self.command,
                "path": self.path,
                "headers": [[name, value] for name, value in self.headers.items()],
                "body": body.decode("latin-1"),
                "connection": self.client_address[1],
            }
        )

    def state(self, argument, body):
        with lock:
            self.answer_json({**state, "silent": silent.getsockname()[1]})

    def hold(self, argument, body):
        """Answers after a moment, given in milliseconds; without one, never."""
        with lock:
            state["held"] += 1
            state["most"] = max(state["most"], state["held"])
        moment = int(argument) / 1000 if argument else None
        gone = select.select([self.connection], [], [], moment)[0]
        with lock:
            state["held"] -= 1
        if gone:
            self.close_connection = True
        else:
            self.answer_json({})

    def bytes(self, argument, body):
        self.answer(b"x" * int(argument))

    def chunks(self, argument, body):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(int(argument)):
            self.wfile.write(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def headers_many(self, argument, body):
        self.send_response(200)
        for number in range(int(argument)):
            self.send_header(f"X-{number}", "x" * 1000)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def headers_odd(self, argument, body):
        self.wfile.write(
            b"HTTP/1.1 103 Early\r\nX-Early: 1\r\n\r\n"
            b"HTTP/1.1 404 Not here\r\nX-Blank:  \t two  words \t\r\nX-TWICE: a\r\nx-twice: b\r\n"
            b"X-Empty:\r\nContent-Length: 2\r\n\r\nno"
        )

    def cut(self, argument, body):
        """Promises more than it sends."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        self.close_connection = True

    def mute(self, argument, body):
        """Hangs up without a word."""
        self.close_connection = True

    def garbage(self, argument, body):
        self.wfile.write(b"\x00\x01\x02 this is no answer\r\n\r\n")
        self.close_connection = True

    def redirect(self, argument, body):
        self.send_response(302)
        self.send_header("Location", "/echo")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer_json(self, value):
        self.answer(json.dumps(value).encode())

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request, client_address):
        # Clients that hang up are what many tests are about.
        pass


server = Server(("127.0.0.1", 0), Service)
if len(sys.argv) == 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
testbed.serve(server)
