#!/usr/bin/env python3
"""What collections cost: memory an element, or server CPU a request, of several servers side by side.

    bench/types.py memory hash,set 16,129 valkey='valkey-server --port {port} --bind 127.0.0.1 --dir {dir} --save ' \\
                                          ringkey='target/release/ringkey-server --port {port} --bind 127.0.0.1 --shards 1'
    bench/types.py cpu 3 redis='redis-server --port {port} ...' ringkey='...'

memory: as many collections of n elements as make ELEMENTS together (a million), into a fresh server that has seen requests
of that size before; the growth of its resident memory over the elements. Commands bring up to BATCH (64) elements.

cpu: rounds of redis-benchmark (50 connections, pipeline 16, 64 B values, 1 M random numbers), the servers in turn, each on
CPU 0 and the client on CPU 1; the medians of schedstat's time over the requests. LOADS picks some.

Figures are followed by their ratio to the first server's.
"""
import os, random, socket, statistics, subprocess, sys, tempfile, time

ELEMENTS, BATCH, REQUESTS = (int(os.environ.get(k, v)) for k, v in [("ELEMENTS", 10**6), ("BATCH", 64), ("REQUESTS", 500_000)])


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, spec, prefix=()):
        self.name, command = spec.split("=", 1)
        self.port, self.dir = free_port(), tempfile.mkdtemp()
        words = [w.format(port=self.port, dir=self.dir) for w in command.split(" ")]
        self.process = subprocess.Popen([*prefix, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=os.getcwd())
        for _ in range(100):
            try:
                self.sock = socket.create_connection(("127.0.0.1", self.port))
                break
            except OSError:
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def rss(self):
        lines = open(f"/proc/{self.process.pid}/smaps_rollup").read().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss:"))

    def settled_rss(self):
        last = -1
        while (now := self.rss()) != last:
            last = now
            time.sleep(0.4)
        return now

    def cpu_ns(self):
        tasks = f"/proc/{self.process.pid}/task"
        return sum(int(open(f"{tasks}/{t}/schedstat").read().split()[0]) for t in os.listdir(tasks))

    def send(self, requests, end=b"\r\n"):
        """Sends requests whose replies hold `end` once each."""
        self.sock.sendall(b"".join(requests))
        left = len(requests)
        while left > 0:
            got = self.sock.recv(1 << 20)
            assert got and b"-ERR" not in got, got[:200]
            left -= got.count(end)


def request(*words):
    words = [w.encode() for w in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


# Fields and values of 10 bytes, members and list elements of 12.
KINDS = {
    "hash": ("HSET", "HDEL", lambda i: [f"fd{i:08}", f"value{i % 100000:05}"]),
    "set": ("SADD", "SREM", lambda i: [f"m{i:011}"]),
    "intset": ("SADD", "SREM", lambda i: [str(100000 + 7 * i)]),
    "zset": ("ZADD", "ZREM", lambda i: [str(random.randrange(1, 10**6)), f"m{i:011}"]),
    "list": ("RPUSH", "LPUSHX", lambda i: [f"e{i:011}"]),
    "stream": ("XADD", "LPUSHX", lambda i: ["fieldname1", f"value{i % 100000:05}"]),
}


def bytes_an_element(spec, kind, n):
    server = Server(spec)
    try:
        add, harmless, element = KINDS[kind]
        for _ in range(300):
            server.send([request(harmless, "nokey", *("x%023d" % i for i in range(64)))] * 100)
        before, count = server.settled_rss(), max(1, ELEMENTS // n)
        pending, end = [], b"$" if kind == "stream" else b"\r\n"
        for c in range(count):
            for i in range(0, n, 1 if kind == "stream" else BATCH):
                some = [element(i)] if kind == "stream" else map(element, range(i, min(n, i + BATCH)))
                ids = ["*"] if kind == "stream" else []
                pending.append(request(add, f"key:{c:012}", *ids, *(word for e in some for word in e)))
                if len(pending) == 500:
                    server.send(pending, end)
                    pending = []
        server.send(pending, end)
        return (server.settled_rss() - before) / (count * n)
    finally:
        server.stop()


LOADS = [
    ("PING", ["-t", "ping_mbulk"], 2), ("LPUSH", ["-t", "lpush"], 1), ("RPUSH", ["-t", "rpush"], 1), ("LPOP", ["-t", "lpop"], 1),
    ("SADD", ["-t", "sadd"], 2), ("SPOP", ["-t", "spop"], 1), ("HSET", ["-t", "hset"], 1), ("ZADD", ["-t", "zadd"], 2),
    ("ZPOPMIN", ["-t", "zpopmin"], 1), ("XADD", ["XADD", "mystream", "*", "myfield", "data"], 1),
    ("LRANGE_100", ["LRANGE", "mylist", "0", "99"], 0.2), ("LRANGE_600", ["LRANGE", "mylist", "0", "599"], 0.06),
    ("MSET", ["-t", "mset"], 0.4),
]


def cpu(rounds, specs):
    wanted = os.environ.get("LOADS", ",".join(name for name, *_ in LOADS)).split(",")
    servers = [Server(spec, ["taskset", "-c", "0"]) for spec in specs]
    took = {}
    try:
        for _ in range(rounds):
            for server in servers:
                server.send([request("FLUSHALL", "SYNC")])
            for name, words, share in (load for load in LOADS if load[0] in wanted):
                for server in servers:
                    n, before = int(REQUESTS * share), server.cpu_ns()
                    subprocess.run(
                        ["taskset", "-c", "1", "redis-benchmark", "-p", str(server.port), "-c", "50", "-P", "16", "-d", "64",
                         "-r", "1000000", "-n", str(n), "-q", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
                    took.setdefault(name, {}).setdefault(server.name, []).append((server.cpu_ns() - before) / 1000 / n)
    finally:
        for server in servers:
            server.stop()
    for name, by_server in took.items():
        show(name, {s: statistics.median(v) for s, v in by_server.items()}, "us")


def show(what, figures, unit):
    first = next(iter(figures.values()))
    print(f"{what:16}", *(f"{s} {v:8.3f} {unit} ({v / first:.2f})" for s, v in figures.items()), flush=True)


def main():
    if sys.argv[1:2] == ["cpu"]:
        return cpu(int(sys.argv[2]), sys.argv[3:])
    if sys.argv[1:2] != ["memory"]:
        sys.exit(__doc__)
    for kind in sys.argv[2].split(","):
        for n in map(int, sys.argv[3].split(",")):
            show(f"{kind} {n}", {s.split("=")[0]: bytes_an_element(s, kind, n) for s in sys.argv[4:]}, "B")


main()
