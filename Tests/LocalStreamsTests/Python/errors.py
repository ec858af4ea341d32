"""Every operation meets every error that it can be answered with: code, status, and botocore's own class for it."""

import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from testing_clients import ACCESS_KEY, REGION, SECRET_KEY, create_table, send_raw

# How the answers to one operation come after one another, by the script that the emulator was started with.
SCRIPTED = [
    ("InternalServerError", 500),
    ("503", 503),  # a page of HTML: the status is the code
    ("ThrottlingException", 400),
    ("ExpiredTokenException", 400),
    ("InvalidSignatureException", 400),  # its clock is wrong
    ("AccessDeniedException", 400),
    ("ProvisionedThroughputExceededException", 400),
    ("RequestLimitExceeded", 400),
    ("UnrecognizedClientException", 400),
]
url, targets = sys.argv[1], sys.argv[2:]


def client(service, access_key=ACCESS_KEY, secret=SECRET_KEY):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        config=Config(
            retries={"total_max_attempts": 1, "mode": "standard"}, parameter_validation=False
        ),
    )


def split(target):
    """The service and the method of botocore for a target."""
    prefix, name = target.split(".")
    service = "dynamodb" if prefix == "DynamoDB_20120810" else "dynamodbstreams"
    method = {api: method for method, api in clients[service].meta.method_to_api_mapping.items()}
    return service, method[name]


clients = {service: client(service) for service in ("dynamodb", "dynamodbstreams")}
strangers = {service: client(service, access_key="STRANGER") for service in clients}
forgers = {service: client(service, secret="wrong") for service in clients}
tables, streams = clients["dynamodb"], clients["dynamodbstreams"]
# Without these members botocore can't tell where to send the request.
needed = {
    "batch_write_item": {"RequestItems": {}},
    "transact_write_items": {"TransactItems": []},
}
reached = set()


def check(code, status, user, method, **parameters):
    """Expects one error of a call, in the class that the client has for it."""
    try:
        getattr(user, method)(**parameters)
    except ClientError as error:
        found = error.response
        answered = (found["Error"]["Code"], found["ResponseMetadata"]["HTTPStatusCode"])
        assert answered == (code, status), (method, answered, code)
        assert found["Error"]["Message"], (method, found)
        if any(shape.name == code for shape in user.meta.service_model.error_shapes):
            assert isinstance(error, getattr(user.exceptions, code)), (method, error)
        reached.add(code)
        return
    raise AssertionError((method, code, "the request was served"))


def check_raw(name, status_and_body):
    """Expects an error in an answer to a request that botocore would not make."""
    status, body = status_and_body
    assert status == 400 and body["__type"].endswith("#" + name), (name, status, body)
    reached.add(name)


# The scripted answers first: what they were asked for matters to none of them.
for target in targets:
    service, method = split(target)
    for code, status in SCRIPTED:
        check(code, status, clients[service], method, **needed.get(method, {}))

arn = create_table(tables, "items")["LatestStreamArn"]
shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
place = {"StreamArn": arn, "ShardId": shards[0]["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
for code in ("TrimmedDataAccessException", "ResourceNotFoundException"):
    check(code, 400, streams, "get_shard_iterator", **place)
iterator = streams.get_shard_iterator(**place)["ShardIterator"]
for code in (
    "LimitExceededException",
    "ExpiredIteratorException",
    "TrimmedDataAccessException",
    "ResourceNotFoundException",
):
    check(code, 400, streams, "get_records", ShardIterator=iterator)

# What is wrong with the request itself, for every operation.
unlisted = arn.replace("items", "other")
missing = {
    "describe_table": {},
    "update_table": {"StreamSpecification": {"StreamEnabled": False}},
    "delete_table": {},
    "update_time_to_live": {
        "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "end"}
    },
    "describe_time_to_live": {},
    "put_item": {"Item": {"id": {"S": "a"}}},
    "get_item": {"Key": {"id": {"S": "a"}}},
    "delete_item": {"Key": {"id": {"S": "a"}}},
    "update_item": {"Key": {"id": {"S": "a"}}},
    "scan": {},
}
others = {
    "batch_write_item": {
        "RequestItems": {"other": [{"PutRequest": {"Item": {"id": {"S": "a"}}}}]}
    },
    "transact_write_items": {
        "TransactItems": [{"Put": {"TableName": "other", "Item": {"id": {"S": "a"}}}}]
    },
    "describe_stream": {"StreamArn": unlisted},
    "get_shard_iterator": {**place, "StreamArn": unlisted},
}
found_nowhere = {name: {"TableName": "other", **more} for name, more in missing.items()} | others
without_name = {"create_table", "list_tables", "list_streams", "get_records"}
for target in targets:
    service, method = split(target)
    wrong = {"Limit": 0} if method in ("list_tables", "list_streams") else needed.get(method, {})
    check("ValidationException", 400, clients[service], method, **wrong)
    check("UnrecognizedClientException", 400, strangers[service], method, **wrong)
    check("InvalidSignatureException", 400, forgers[service], method, **wrong)
    for body in (b"[]", b"{"):
        check_raw("SerializationException", send_raw(url, target, body))
    elsewhere = {"dynamodb": "DynamoDBStreams", "dynamodbstreams": "DynamoDB"}[service]
    foreign = f"{elsewhere}_20120810.{target.split('.')[1]}"
    check_raw("UnknownOperationException", send_raw(url, foreign, b"{}"))
    check_raw("MissingAuthenticationTokenException", send_raw(url, target, b"{}", None))
    check_raw("IncompleteSignatureException", send_raw(url, target, b"{}", "Bearer token"))
    if method not in without_name:
        check(
            "ResourceNotFoundException",
            400,
            clients[service],
            method,
            **found_nowhere.pop(method),
        )
assert not found_nowhere, found_nowhere
check("ResourceNotFoundException", 400, streams, "get_shard_iterator", **{
    **place, "ShardId": "shardId-00000001414562045508-2bac9cd2"
})

# Faster than a shard is served, and not by script.
reached.remove("LimitExceededException")
deadline = time.monotonic() + 60
while "LimitExceededException" not in reached and time.monotonic() < deadline:
    try:
        streams.get_records(ShardIterator=iterator)
    except ClientError as error:
        assert isinstance(error, streams.exceptions.LimitExceededException), error
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400, error
        reached.add("LimitExceededException")
assert reached == {code for code, _ in SCRIPTED} | {
    "ExpiredIteratorException",
    "IncompleteSignatureException",
    "LimitExceededException",
    "MissingAuthenticationTokenException",
    "ResourceNotFoundException",
    "SerializationException",
    "TrimmedDataAccessException",
    "UnknownOperationException",
    "ValidationException",
}, reached
