"""Measures shardwalk with as many shards as one likes: the program as it is shipped, between the emulator of
DynamoDB Streams and a redis-server, all on loopback.

Usage: measure.py PROGRAM REDIS_SERVER SHARDS...

Prints a line of JSON with figures for each number of shards; table.py makes a table of them. CPU is that of the measured process alone, by /proc; what has
to do with time is told beside what it is to be compared with, for a machine that has other things to do as well.
"""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import boto3
from botocore.config import Config

TABLE = "scale"
DESCRIBE_CALLS_PER_SECOND = 5
IDLE_SECONDS = 20
LOAD_SECONDS = 15
TICKS = os.sysconf("SC_CLK_TCK")
MASK = (1 << 64) - 1


def place(key):
    """The place of a key among the hashes of the emulator: FNV-1a and a mix (Sources/LocalStreams/Items/KeySchema.swift)."""
    total = 0xCBF29CE484222325
    for byte in key.encode():
        total = ((total ^ byte) * 0x100000001B3) & MASK
    mixed = (total + 0x9E3779B97F4A7C15) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return mixed ^ (mixed >> 31)


def keys_of_shards(count, hot=25):
    """A key for each of the open shards, and for the first of them as many as a batch of writes takes."""
    width = MASK // count
    keys, hot_keys, number = {}, [], 0
    while len(keys) < count or len(hot_keys) < hot:
        key = f"k{number}"
        shard = min(place(key) // width, count - 1)
        keys.setdefault(shard, key)
        if shard == 0 and len(hot_keys) < hot:
            hot_keys.append(key)
        number += 1
    return [keys[shard] for shard in range(count)], hot_keys


class Redis:
    """A connection to a redis-server on a socket: commands of plain words, many at a time."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")

    def ask(self, commands):
        self.socket.sendall("".join(" ".join(words) + "\r\n" for words in commands).encode())
        return [self._reply() for _ in commands]

    def _reply(self):
        line = self.file.readline()
        if line[:1] == b"$":
            length = int(line[1:])
            return None if length < 0 else self.file.read(length + 2)[:-2]
        return line[1:-2]


class Measured:
    """What the kernel says of a process."""

    def __init__(self, process):
        self.folder = f"/proc/{process.pid}"

    def cpu(self):
        """Seconds, of all threads."""
        with open(f"{self.folder}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, name="VmRSS"):
        """Megabytes."""
        with open(f"{self.folder}/status") as file:
            return int(re.search(rf"^{name}:\s+(\d+)", file.read(), re.MULTILINE)[1]) / 1024


class Writer:
    """Writes to the table; each item says which of all writes it was."""

    def __init__(self, endpoint):
        self.count = 0
        self.client = boto3.client(
            "dynamodb",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="LOCALSTREAMS",
            aws_secret_access_key="local-secret",
            config=Config(retries={"max_attempts": 5}),
        )

    def write(self, keys):
        """Writes an item of each key, and returns the marks that they carry."""
        marks = {}
        for start in range(0, len(keys), 25):
            requests = []
            for key in keys[start : start + 25]:
                self.count += 1
                marks[key] = f"<{self.count}>"
                item = {"id": {"S": key}, "mark": {"S": marks[key]}, "note": {"S": "x" * 200}}
                requests.append({"PutRequest": {"Item": item}})
            self.client.batch_write_item(RequestItems={TABLE: requests})
        return marks


def wait(condition, seconds, what):
    """Waits until a condition holds, and returns how long that took."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > seconds:
            sys.exit(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - begin


class Stage:
    """An emulator with so many shards, a redis-server, and shardwalk between them."""

    def __init__(self, program, redis_server, shards, folder):
        self.program, self.folder, self.shards = program, folder, shards
        self.processes = []
        emulator = self.start([program, "localstreams", "--port", "0", "--partitions", str(shards)], stdout=subprocess.PIPE)
        text = "".join(emulator.stdout.readline().decode() for _ in range(5))
        self.endpoint = re.search(r"http://127\.0\.0\.1:\d+", text)[0]
        self.start([redis_server, "--port", "0", "--unixsocket", f"{folder}/redis", "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL)
        wait(lambda: os.path.exists(f"{folder}/redis"), 10, "redis-server listens")
        self.redis = Redis(f"{folder}/redis")
        self.writer = Writer(self.endpoint)
        self.writer.client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        config = {
            "aws": {
                "region": "us-east-1",
                "endpoint": self.endpoint,
                "describeCallsPerSecond": DESCRIBE_CALLS_PER_SECOND,
            },
            "streams": [{"table": TABLE}],
            "redis": {"url": f"unix://{folder}/redis"},
            "checkpoint": {"directory": folder},
            "log": {"level": "notice"},
        }
        with open(f"{folder}/config.json", "w") as file:
            json.dump(config, file)
        self.keys, self.hot_keys = keys_of_shards(shards)

    def start(self, words, **options):
        environment = {"AWS_ACCESS_KEY_ID": "LOCALSTREAMS", "AWS_SECRET_ACCESS_KEY": "local-secret"}
        process = subprocess.Popen(words, env=environment, **options)
        self.processes.append(process)
        return process

    def walk(self):
        with open(f"{self.folder}/log", "a") as log:
            self.walker = self.start([self.program, "run", "--config", f"{self.folder}/config.json"], stderr=log)
        self.measured = Measured(self.walker)

    def stop_walking(self):
        begin = time.monotonic()
        self.walker.send_signal(signal.SIGTERM)
        if self.walker.wait(timeout=60) != 0:
            sys.exit(f"shardwalk ended with {self.walker.returncode}: see its log in {self.folder}")
        return time.monotonic() - begin

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def calls(self, operation):
        with urllib.request.urlopen(f"{self.endpoint}/calls") as answer:
            return json.load(answer).get(operation, 0)

    def arrived(self, marks):
        """Those of the keys whose writes, or later ones, are in the cache."""
        keys = list(marks)
        values = self.redis.ask([("GET", key) for key in keys])
        number = lambda text: int(re.search(rb"<(\d+)>", text)[1])
        return [key for key, value in zip(keys, values) if value and number(value) >= number(marks[key].encode())]

    def wait_for(self, marks, seconds, what):
        return wait(lambda: len(self.arrived(marks)) == len(marks), seconds, what)


def measure_lag(stage, seconds, is_hot):
    """The lags of single writes to all shards but the first, in order, while that one is hot or not."""
    over = threading.Event()
    hot_writer = Writer(stage.endpoint)

    def heat():
        while not over.is_set():
            hot_writer.write(stage.hot_keys)

    thread = threading.Thread(target=heat)
    if is_hot:
        thread.start()
    chance = random.Random(1)
    cold = stage.keys[1:]
    chance.shuffle(cold)
    waiting, times, lags = {}, {}, []
    end = time.monotonic() + seconds
    next_write = time.monotonic()
    while waiting or time.monotonic() < end:
        now = time.monotonic()
        if now < end and next_write <= now and cold:
            key = cold.pop()
            waiting.update(stage.writer.write([key]))
            times[key] = time.monotonic()
            next_write += 0.02
        if waiting:
            for key in stage.arrived(waiting):
                del waiting[key]
                lags.append(time.monotonic() - times[key])
        if now > end + 120:
            sys.exit("cold shards are starved")
        time.sleep(0.005)
    over.set()
    if is_hot:
        thread.join()
    return sorted(lags), hot_writer.count


def measure(program, redis_server, shards):
    figures = {"shards": shards}
    with tempfile.TemporaryDirectory(prefix="shardwalk-scale-") as folder:
        stage = Stage(program, redis_server, shards, folder)
        try:
            marks = stage.writer.write(stage.keys)
            pages = -(-shards // 100)
            figures["listing_s"] = pages / DESCRIBE_CALLS_PER_SECOND
            # Start: every shard has brought its record.
            stage.walk()
            measured = stage.measured
            figures["start_s"] = stage.wait_for(marks, 600, "every shard is read")
            figures["start_cpu_s"] = measured.cpu()
            figures["start_describes"] = stage.calls("DescribeStream")
            # Idle.
            time.sleep(5)
            cpu, polls, begin = measured.cpu(), stage.calls("GetRecords"), time.monotonic()
            time.sleep(IDLE_SECONDS)
            passed, polls = time.monotonic() - begin, stage.calls("GetRecords") - polls
            idle_cpu = measured.cpu() - cpu
            figures["idle_rss_mb"] = measured.memory()
            figures["idle_cpu_share"] = idle_cpu / passed
            figures["idle_polls_per_s"] = polls / passed
            figures["idle_us_per_poll"] = idle_cpu / max(1, polls) * 1e6
            # A hot shard.
            calm, _ = measure_lag(stage, LOAD_SECONDS, False)
            cpu, begin = measured.cpu(), time.monotonic()
            hot, count = measure_lag(stage, LOAD_SECONDS, True)
            passed = time.monotonic() - begin
            for name, lags in [("calm", calm), ("hot", hot)]:
                figures[f"{name}_lag_p50_s"] = lags[len(lags) // 2]
                figures[f"{name}_lag_p99_s"] = lags[len(lags) * 99 // 100]
            figures["hot_records_per_s"] = count / passed
            figures["hot_cpu_share"] = (measured.cpu() - cpu) / passed
            # All shards roll over.
            time.sleep(3)
            cpu, describes = measured.cpu(), stage.calls("DescribeStream")
            urllib.request.urlopen(f"{stage.endpoint}/rollover", data=b"")
            marks = stage.writer.write(stage.keys)
            figures["rollover_s"] = stage.wait_for(marks, 900, "every child is read")
            figures["rollover_cpu_s"] = measured.cpu() - cpu
            figures["rollover_describes"] = stage.calls("DescribeStream") - describes
            figures["peak_rss_mb"] = measured.memory("VmHWM")
            figures["stop_s"] = stage.stop_walking()
            figures["checkpoint_mb"] = os.path.getsize(f"{folder}/shardwalk.checkpoint.json") / 1e6
            # A backlog, and a start with a checkpoint.
            for _ in range(10):
                marks = stage.writer.write(stage.keys)
            stage.walk()
            figures["backlog_s"] = stage.wait_for(marks, 600, "the backlog is applied")
            figures["backlog_us_per_record"] = stage.measured.cpu() / shards / 10 * 1e6
            stage.stop_walking()
            with open(f"{folder}/log") as log:
                text = log.read()
            figures["warnings"] = len(re.findall(r"\b(?:warning|error)\b", text))
            if figures["warnings"]:
                print(text[:2000], file=sys.stderr)
        finally:
            stage.end()
    return figures


def main():
    program, redis_server, *sizes = sys.argv[1:]
    for size in map(int, sizes):
        print(json.dumps(measure(program, redis_server, size)), flush=True)


if __name__ == "__main__":
    main()
