"""Keys that were replaced have expired, and their successors are served."""

import sys

from testing_clients import client, refused

url = sys.argv[1]
with refused("ExpiredTokenException", "expired"):
    client("dynamodb", url).list_tables()
with refused("UnrecognizedClientException"):
    client("dynamodb", url, access_key="THIRD").list_tables()
second = client("dynamodb", url, access_key="SECOND", secret="second-secret")
assert second.list_tables()["TableNames"] == []
