"""Makes, in a folder, an authority (ca.pem) and a certificate of it for 127.0.0.1 (server.pem, server.key)."""

import subprocess
import sys


def openssl(*words):
    subprocess.run(["openssl", *words], cwd=sys.argv[1], check=True, stderr=subprocess.PIPE)


key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
openssl(
    "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test authority"
)
openssl(
    "req", "-x509", *key, "-keyout", "server.key", "-out", "server.pem", "-days", "2", "-subj", "/CN=test",
    "-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1",
    "-addext", "basicConstraints=critical,CA:FALSE",
)
