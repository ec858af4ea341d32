"""Clients of the emulator that hold every answer against AWS's own model of the service.

botocore signs the requests and parses the answers; beside that, the bytes of each answer are compared with
the model: members that it does not know, types that differ, values out of its bounds, checksums and headers.
"""

import base64
import contextlib
import email.utils
import http.client
import json
import re
import zlib

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

ACCESS_KEY, SECRET_KEY, REGION = "LOCALSTREAMS", "local-secret", "us-east-1"

# Errors that every operation may answer with and that no model lists.
COMMON_ERRORS = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationException",
}


def client(service, url, access_key=ACCESS_KEY, secret=SECRET_KEY, token=None, region=REGION):
    """A client that tries once, sends what it is given without checking it, and checks what it gets."""
    made = boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )
    made.meta.events.register("before-parse", check_answer)
    return made


def send_raw(url, target, body, authorization=""):
    """Signs and sends a body that botocore would not make; the status and the answer.

    An `authorization` takes the place of the signature; None leaves it away.
    """
    request = AWSRequest("POST", url + "/", data=body, headers={"X-Amz-Target": target})
    SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "dynamodb", REGION).add_auth(request)
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    headers = dict(request.headers.items())
    if authorization is None:
        del headers["Authorization"]
    elif authorization:
        headers["Authorization"] = authorization
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def check_answer(operation_model, response_dict, customized_response_dict, **_):
    """Compares an answer with the model of its operation."""
    body, headers = response_dict["body"], response_dict["headers"]
    assert int(headers["x-amz-crc32"]) == zlib.crc32(body), headers
    assert re.fullmatch("[A-Z0-9]{52}", headers["x-amzn-requestid"]), headers
    assert headers["content-type"] == "application/x-amz-json-1.0", headers
    assert int(headers["content-length"]) == len(body), headers
    assert email.utils.parsedate_to_datetime(headers["date"]), headers
    answer = json.loads(body)
    if response_dict["status_code"] == 200:
        check_shape(answer, operation_model.output_shape, operation_model.name)
        return
    assert response_dict["status_code"] == 400, response_dict
    namespace, _, name = answer["__type"].partition("#")
    assert namespace in (
        "com.amazonaws.dynamodb.v20120810",
        "com.amazon.coral.availability",
        "com.amazon.coral.service",
        "com.amazon.coral.validate",
    ), answer
    modelled = {shape.name for shape in operation_model.error_shapes}
    assert name in modelled | COMMON_ERRORS, answer
    assert answer.get("message") or answer.get("Message"), answer


def check_shape(value, shape, path):
    """Compares a value with its shape in the model, member by member."""
    kind = shape.type_name
    if kind == "structure":
        assert isinstance(value, dict), (path, value)
        unknown = set(value) - set(shape.members)
        assert not unknown, (path, unknown)
        missing = set(shape.required_members) - set(value)
        assert not missing, (path, missing)
        for name, member in value.items():
            check_shape(member, shape.members[name], f"{path}.{name}")
    elif kind == "list":
        assert isinstance(value, list), (path, value)
        for index, element in enumerate(value):
            check_shape(element, shape.member, f"{path}[{index}]")
    elif kind == "map":
        assert isinstance(value, dict), (path, value)
        for name, member in value.items():
            check_shape(member, shape.value, f"{path}[{name!r}]")
    elif kind == "string":
        assert isinstance(value, str), (path, value)
        if shape.enum:
            assert value in shape.enum, (path, value)
        bounds = shape.metadata
        assert bounds.get("min", 0) <= len(value) <= bounds.get("max", 1 << 40), (path, value)
        if "pattern" in bounds:
            assert re.fullmatch(bounds["pattern"], value), (path, value)
    elif kind in ("integer", "long"):
        assert isinstance(value, int) and not isinstance(value, bool), (path, value)
    elif kind == "timestamp":
        assert isinstance(value, (int, float)) and not isinstance(value, bool), (path, value)
    elif kind == "boolean":
        assert isinstance(value, bool), (path, value)
    elif kind == "blob":
        base64.b64decode(value, validate=True)
    else:
        raise AssertionError((path, kind))


@contextlib.contextmanager
def refused(code, *words):
    """Expects an error with a code and with words in its message."""
    try:
        yield
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code, error
        for word in words:
            assert word in found["Message"], (word, found["Message"])
        return
    raise AssertionError(f"{code} was expected, and the request was served")


def create_table(tables, name, view="NEW_AND_OLD_IMAGES", sort=None, partition="S"):
    """Makes a table with the key `id`, a stream with a view, and a sort key `at` of a type."""
    attributes = [{"AttributeName": "id", "AttributeType": partition}]
    schema = [{"AttributeName": "id", "KeyType": "HASH"}]
    if sort:
        attributes.append({"AttributeName": "at", "AttributeType": sort})
        schema.append({"AttributeName": "at", "KeyType": "RANGE"})
    stream = {"StreamEnabled": True, "StreamViewType": view} if view else None
    return tables.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=schema,
        AttributeDefinitions=attributes,
        **({"StreamSpecification": stream} if stream else {}),
    )["TableDescription"]


def all_shards(streams, arn, limit=100):
    """All pages of a stream's shards."""
    shards, start = [], {}
    while True:
        page = streams.describe_stream(StreamArn=arn, Limit=limit, **start)["StreamDescription"]
        shards += page["Shards"]
        if "LastEvaluatedShardId" not in page:
            return shards
        start = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}


def all_records(streams, arn, **parameters):
    """The records of all shards, in the order of the shards' names, until closed ones end and open ones
    are empty."""
    records = []
    for shard in all_shards(streams, arn):
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        empty = 0
        while iterator and empty < 5:
            page = streams.get_records(ShardIterator=iterator, **parameters)
            records += page["Records"]
            empty = 0 if page["Records"] else empty + 1
            iterator = page.get("NextShardIterator")
    return records
