"""Makes the IAM token of each login of a JSON list on the standard input with botocore; prints the tokens.

Their parameters are sorted, but for the signature, which comes last: their order is free.
"""

import datetime
import json
import sys
import urllib.parse

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

tokens = []
for case in json.load(sys.stdin):
    now = datetime.datetime.fromtimestamp(case["time"], datetime.timezone.utc)
    botocore.auth.get_current_datetime = lambda: now
    query = {"Action": "connect", "User": case["user"]}
    if case["serverless"]:
        query["ResourceType"] = "ServerlessCache"
    encoded = urllib.parse.urlencode(query, quote_via=urllib.parse.quote, safe="-_.~")
    # The request has no body; over https botocore then signs the hash of no bytes.
    request = AWSRequest(method="GET", url=f"https://{case['cache'].lower()}/?{encoded}")
    keys = Credentials(case["id"], case["secret"], case.get("token"))
    signer = botocore.auth.SigV4QueryAuth(keys, case["service"], case["region"], expires=900)
    signer.add_auth(request)
    place, query = request.url.removeprefix("https://").split("?")
    parameters = query.split("&")
    assert parameters[-1].startswith("X-Amz-Signature="), request.url
    tokens.append(f"{place}?{'&'.join(sorted(parameters[:-1]) + parameters[-1:])}")
print(json.dumps(tokens))
