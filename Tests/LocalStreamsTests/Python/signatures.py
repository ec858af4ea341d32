"""Signatures: which are accepted, and the answers to the others; requests that are none of the service's."""

import datetime
import http.client
import sys
import zlib
from unittest import mock

import botocore.auth
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from testing_clients import ACCESS_KEY, REGION, SECRET_KEY, client, refused

url, token = sys.argv[1], sys.argv[2]
host, port = url.removeprefix("http://").split(":")


def send(body=b"{}", headers=None, method="POST", path="/", target="DynamoDB_20120810.ListTables"):
    """Sends a request as it is; the status and the body of the answer."""
    connection = http.client.HTTPConnection(host, int(port))
    connection.request(method, path, body, {"X-Amz-Target": target, **(headers or {})})
    answer = connection.getresponse()
    content = answer.read()
    checksum = answer.getheader("x-amz-crc32")
    assert checksum is None or int(checksum) == zlib.crc32(content)
    return answer.status, content.decode()


def signed(body=b"{}", extra=None, **changes):
    """The headers of a signed request, some of them changed after signing."""
    request = AWSRequest("POST", url + "/", data=body, headers={
        "X-Amz-Target": "DynamoDB_20120810.ListTables", **(extra or {})
    })
    keys = Credentials(ACCESS_KEY, SECRET_KEY, token)
    SigV4Auth(keys, "dynamodb", REGION).add_auth(request)
    headers = dict(request.headers.items())
    headers.update(changes)
    return {name: value for name, value in headers.items() if value is not None}


def listing(**parameters):
    return client("dynamodb", url, **{"token": token, **parameters}).list_tables


# Accepted.
assert listing()()["TableNames"] == []
assert client("dynamodbstreams", url, token=token).list_streams()["Streams"] == []
assert send(headers=signed()) == (200, '{"TableNames":[]}')
assert send(headers=signed(extra={"X-Odd": "  a   b  ", "x-empty": ""}))[0] == 200

# Other keys.
with refused("InvalidSignatureException", "does not match the signature you provided"):
    listing(secret="wrong")()
with refused("UnrecognizedClientException", "The security token included in the request is invalid"):
    listing(access_key="UNKNOWN")()
with refused("UnrecognizedClientException", "security token"):
    listing(token="another")()
with refused("UnrecognizedClientException", "security token"):
    listing(token=None)()
with refused("InvalidSignatureException", "valid region, not 'eu-west-1'"):
    listing(region="eu-west-1")()

# Another time.
real = botocore.auth.get_current_datetime
for minutes, words in [
    (-6, ("Signature expired: ", "is now earlier than", "- 5 min.)")),
    (6, ("Signature not yet current: ", "is still later than", "+ 5 min.)")),
]:
    with mock.patch.object(
        botocore.auth,
        "get_current_datetime",
        lambda **options: real(**options) + datetime.timedelta(minutes=minutes),
    ):
        with refused("InvalidSignatureException", *words):
            listing()()
for minutes in (-4, 4):
    with mock.patch.object(
        botocore.auth,
        "get_current_datetime",
        lambda **options: real(**options) + datetime.timedelta(minutes=minutes),
    ):
        listing()()

# Changed after signing.
for changed in [
    signed(**{"X-Amz-Target": "DynamoDB_20120810.DeleteTable"}),
    signed(extra={"X-Signed": "a"}, **{"X-Signed": "b"}),
    signed(extra={"X-Signed": "a"}, **{"X-Signed": None}),
    signed(body=b'{"Limit":1}'),
]:
    target = changed.pop("X-Amz-Target")
    status, body = send(headers=changed, target=target)
    assert status == 400 and "InvalidSignatureException" in body, body

# Missing and incomplete.
good = signed()["Authorization"]
for authorization, name, word in [
    (None, "MissingAuthenticationTokenException", "Missing Authentication Token"),
    ("Bearer abc", "IncompleteSignatureException", "'Credential' parameter"),
    ("AWS4-HMAC-SHA256 Credential=a", "IncompleteSignatureException", "'Signature' parameter"),
    (good.replace("/aws4_request", ""), "IncompleteSignatureException", "5 slash-delimited"),
    (good.replace("aws4_request", "aws5"), "InvalidSignatureException", "terminator"),
    (good.replace("/dynamodb/", "/sts/"), "InvalidSignatureException", "correct service"),
    (good.replace("host;", ""), "InvalidSignatureException", "'Host' must be"),
]:
    status, body = send(headers=signed(Authorization=authorization))
    assert status == 400 and name in body and word in body, body
for date, name in [(None, "IncompleteSignatureException"), ("soon", "InvalidSignatureException")]:
    status, body = send(headers=signed(**{"X-Amz-Date": date}))
    assert status == 400 and name in body, body

# Not what the service serves.
for target in ["DynamoDB_20120810.Nothing", "DynamoDBStreams_20120810.PutItem", ""]:
    headers = signed(extra={"X-Amz-Target": target})
    headers.pop("X-Amz-Target")
    status, body = send(headers=headers, target=target)
    assert status == 400 and "UnknownOperationException" in body, body
for content in [b"", b"{", b"[]", b'"text"', b'{"Limit":1,}', b'{"a":"\xff"}', b'{"a":"\\ud800"}']:
    status, body = send(content, headers=signed(content))
    assert status == 400 and "SerializationException" in body, (content, body)
content = b"[" * 200 + b"]" * 200
assert "SerializationException" in send(content, headers=signed(content))[1]
assert send(method="GET", headers=signed())[1].startswith("healthy: dynamodb.us-east-1")
assert send(method="PUT", headers=signed())[0] == 404
assert send(path="/elsewhere", headers=signed())[0] == 404
