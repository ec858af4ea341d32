"""Clients of the emulator, with botocore's signing, parsers and checks."""

import boto3
from botocore.config import Config

ACCESS_KEY, SECRET_KEY, REGION = "LOCALSTREAMS", "local-secret", "us-east-1"


def client(service, url, access_key=ACCESS_KEY, secret=SECRET_KEY, token=None, region=REGION):
    """A client that tries once, and sends what it is given without checking it."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )
