"""moto's server: DynamoDB, its streams and STS in memory."""

import logging
import threading

import testbed
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
testbed.announce(server.get_host_and_port()[1])
threading.Event().wait()
