"""Real clients against a running server: redis-py and redis-benchmark.

    clients.py HOST PORT        (scripts/test makes the environment, starts servers and calls this)

redis-py: values of every kind, pipelines with and without MULTI, WATCH with a real conflict, threads. redis-benchmark:
ping, set, get, incr and mset with pipelines of 1, 16 and 64; nothing is timed, but no error may occur.

A check that fails raises; nothing is skipped.
"""

import subprocess
import sys
import threading

import redis


def strings(r):
    r.flushall()
    assert r.set("a", "1") is True
    assert r.set("a", "2", nx=True) is None
    assert r.set("a", "3", get=True) == b"1"
    assert r.get("a") == b"3" and r.get("missing") is None
    assert r.incr("n", 5) == 5 and r.decrby("n", 7) == -2
    assert r.append("a", b"\x00\xff\r\n") == 5 and r.get("a") == b"3\x00\xff\r\n"
    assert r.mset({f"key:{i}": i for i in range(100)}) is True
    assert r.mget([f"key:{i}" for i in range(102)])[98:] == [b"98", b"99", None, None]
    assert r.msetnx({"key:1": 0, "new": 1}) is False and r.exists("new") == 0
    assert r.setrange("range", 5, "x") == 6 and r.getrange("range", 4, -1) == b"\x00x"
    assert sorted(r.keys("key:1*")) == sorted([b"key:1"] + [b"key:1%d" % i for i in range(10)])
    assert len(set(r.scan_iter(match="key:*", count=7))) == 100
    assert r.expire("a", 100) is True and 0 < r.ttl("a") <= 100 and r.persist("a") is True and r.ttl("a") == -1
    assert r.rename("a", "b") is True and r.copy("b", "c") is True and r.type("c") == b"string"
    assert r.delete(*[f"key:{i}" for i in range(100)]) == 100
    big = bytes(range(256)) * 20_000
    assert r.set("big", big) is True and r.get("big") == big
    try:
        r.incr("b")
        raise AssertionError("an error was expected")
    except redis.ResponseError as error:
        assert "not an integer" in str(error), error
    assert r.dbsize() == 5, r.keys("*")


def pipelines(r):
    r.flushall()
    for transaction in (True, False):
        with r.pipeline(transaction=transaction) as pipe:
            for i in range(10_000):
                pipe.set(f"k{i}", i)
            for i in range(10_000):
                pipe.get(f"k{i}")
            pipe.mget("k1", "k2", "nothing")
            replies = pipe.execute()
        assert replies[:10_000] == [True] * 10_000
        assert replies[10_000:20_000] == [b"%d" % i for i in range(10_000)]
        assert replies[20_000] == [b"1", b"2", None]
    with r.pipeline() as pipe:
        pipe.set("text", "x").incr("text").set("after", 1)
        replies = pipe.execute(raise_on_error=False)
    assert replies[0] is True and isinstance(replies[1], redis.ResponseError) and replies[2] is True


def watch_conflicts(r):
    r.set("w", 1)
    with r.pipeline() as pipe:
        pipe.watch("w", "w2", "w3")
        r.set("w2", "changed")
        pipe.multi()
        pipe.set("w", 2)
        try:
            pipe.execute()
            raise AssertionError("a WatchError was expected")
        except redis.WatchError:
            pass
    assert r.get("w") == b"1"


def counting_with_watch(r):
    """Several threads count with WATCH; every increment arrives."""
    r.set("counter", 0)

    def count(pipe):
        held = int(pipe.get("counter"))
        pipe.multi()
        pipe.set("counter", held + 1)

    def work():
        for _ in range(50):
            r.transaction(count, "counter", "another")

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert r.get("counter") == b"200", r.get("counter")


def benchmark(host, port):
    for depth in ("1", "16", "64"):
        command = ["redis-benchmark", "-h", host, "-p", port, "-t", "ping,set,get,incr,mset", "-n", "5000", "-c", "20"]
        run = subprocess.run(command + ["-P", depth, "-r", "1000", "-q"], capture_output=True, text=True, timeout=300)
        said = run.stdout + run.stderr
        assert run.returncode == 0 and "rror" not in said.replace("WARNING: Could not fetch server CONFIG", ""), said
        assert said.count("requests per second") >= 6, said


def main():
    host, port = sys.argv[1], sys.argv[2]
    for protocol in (2, 3):
        r = redis.Redis(host, int(port), protocol=protocol)
        assert r.ping() is True
        for check in (strings, pipelines, watch_conflicts, counting_with_watch):
            check(r)
            print(f"ok: {check.__name__}, RESP{protocol}", flush=True)
        r.flushall()
        r.close()
    benchmark(host, port)
    print("ok: redis-benchmark", flush=True)


main()
