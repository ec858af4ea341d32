"""The subcommand `localstreams` as a user's own tests start it: read what it prints, use it, end it."""

import os
import re
import signal
import subprocess
import sys
import tempfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

BINARY = sys.argv[1]


def run(*words, **environment):
    """Runs to the end; the exit code and everything that was written."""
    ended = subprocess.run(
        [BINARY, "localstreams", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        text=True,
    )
    return ended.returncode, ended.stdout


def started(*words, lines=5, **environment):
    """A process that listens, and the text of its first lines."""
    process = subprocess.Popen(
        [BINARY, "localstreams", "--port", "0", *words],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, "".join(process.stdout.readline() for _ in range(lines))


def ended(process, number):
    process.send_signal(number)
    return process.wait(timeout=60)


# What is printed is all that a client needs.
process, text = started("--faults", "rough", "--rollover-seconds", "0.5", "--split-share", "0.3")
try:
    for words in re.findall(r"^export (.*)$", text, re.MULTILINE):
        os.environ.update(word.split("=", 1) for word in words.split())
    retries = Config(retries={"total_max_attempts": 10})
    tables = boto3.client("dynamodb", config=retries)
    assert tables.list_tables()["TableNames"] == []
    port = os.environ["AWS_ENDPOINT_URL"].rsplit(":")[-1]
    code, text = run("--port", port)
    assert code == 69 and "give another port" in text, text
finally:
    code = ended(process, signal.SIGTERM)
assert code == 0, code

# Keys that somebody chose are asked for, and not shown.
mine = {"LOCALSTREAMS_ACCESS_KEY_ID": "MINE", "LOCALSTREAMS_SECRET_ACCESS_KEY": "s3cr3t"}
process, text = started(lines=4, **mine)
try:
    assert "s3cr3t" not in text and "MINE" not in text, text
    url = re.search(r"http://127\.0\.0\.1:\d+", text)[0]
    client = boto3.client(
        "dynamodb", endpoint_url=url, aws_access_key_id="MINE", aws_secret_access_key="s3cr3t"
    )
    assert client.list_tables()["TableNames"] == []
    try:
        boto3.client("dynamodb", endpoint_url=url).list_tables()
        raise AssertionError("other keys were served")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "UnrecognizedClientException", error
finally:
    code = ended(process, signal.SIGINT)
assert code == 0, code

# Mistakes.
with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
    file.write('{"script":[{"fault":"rest"}]}')
    file.flush()
    code, text = run("--port", "0", "--faults", file.name)
assert code == 78 and "script[0].fault: give one of internalError" in text, text
code, text = run("--port", "0", "--faults", "rouhg")
assert code == 78 and "none, rough, storm" in text, text
code, text = run("--port", "0", LOCALSTREAMS_ACCESS_KEY_ID="MINE")
assert code == 78 and "set both, or neither" in text, text
for words in (["--partitions", "0"], ["--split-share", "2"], ["--shard-filter", "no"]):
    code, text = run("--port", "0", *words)
    assert code == 64, (words, text)
