"""Signs each request of a JSON list on the standard input with botocore; prints the Authorization headers."""

import base64
import datetime
import json
import sys

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

answers = []
for case in json.load(sys.stdin):
    now = datetime.datetime.fromtimestamp(case["time"], datetime.timezone.utc)
    botocore.auth.get_current_datetime = lambda: now
    request = AWSRequest(
        method=case["method"], url=case["url"], data=base64.b64decode(case["body"])
    )
    for name, value in case["headers"]:
        request.headers.add_header(name, value)
    keys = Credentials(case["id"], case["secret"], case.get("token"))
    botocore.auth.SigV4Auth(keys, case["service"], case["region"]).add_auth(request)
    answers.append(request.headers["Authorization"])
print(json.dumps(answers))
