"""What every server that a test starts has in common."""

import os
import sys
import threading


def serve(server):
    """Announces a bound http.server-like server and serves until the test ends."""
    announce(server.server_address[1])
    server.serve_forever()


def announce(port):
    """Says that connections are accepted at a port, and ends the process with the test."""
    threading.Thread(target=_end_with_test, daemon=True).start()
    print(f"ready {port}", flush=True)


def _end_with_test():
    sys.stdin.buffer.read()
    os._exit(0)
