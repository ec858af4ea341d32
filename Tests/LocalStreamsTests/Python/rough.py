"""A bad day: whoever asks again until there is an answer finds every change once, in order."""

import sys

import boto3
import urllib3.exceptions
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from testing_clients import REGION

url = sys.argv[1]
failures = []


def client(service):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="LOCALSTREAMS",
        aws_secret_access_key="local-secret",
        config=Config(retries={"total_max_attempts": 1}),
    )


def insist(call, **parameters):
    """Asks until there is an answer, 50 times at the most."""
    for _ in range(50):
        try:
            return call(**parameters)
        except (BotoCoreError, ClientError, urllib3.exceptions.HTTPError, OSError) as error:
            if "ResourceInUse" in str(error):
                return None  # made by a request whose answer was lost
            failures.append(type(error).__name__)
    raise AssertionError(failures)


tables, streams = client("dynamodb"), client("dynamodbstreams")
insist(
    tables.create_table,
    TableName="orders",
    BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
)
for number in range(300):
    item = {"id": {"S": f"k{number % 7}"}, "n": {"N": str(number)}}
    insist(tables.put_item, TableName="orders", Item=item)
arn = insist(tables.describe_table, TableName="orders")["Table"]["LatestStreamArn"]
read = {}
for shard in insist(streams.describe_stream, StreamArn=arn)["StreamDescription"]["Shards"]:
    place = {"StreamArn": arn, "ShardId": shard["ShardId"]}
    iterator = insist(
        streams.get_shard_iterator, ShardIteratorType="TRIM_HORIZON", **place
    )["ShardIterator"]
    empty = 0
    while iterator and empty < 3:
        page = insist(streams.get_records, ShardIterator=iterator, Limit=10)
        empty = 0 if page["Records"] else empty + 1
        for record in page["Records"]:
            image = record["dynamodb"]["NewImage"]
            read.setdefault(image["id"]["S"], []).append(int(image["n"]["N"]))
        iterator = page.get("NextShardIterator")
assert read == {f"k{key}": list(range(key, 300, 7)) for key in range(7)}, read
assert len(set(failures)) > 2, failures
