"""Celery, RQ and redis-py's locks against a running server, unchanged.

    celery_suite.py HOST PORT        (scripts/test-clients makes the environment, starts servers and calls this)

Celery: priorities, retries, groups, chords, chains, ETA, inspection, revocation, results, and many tasks with workers
killed under them: none may be lost. How many: RINGKEY_TASKS (default 1000).

A check that fails raises; nothing is skipped.
"""

import os
import signal
import subprocess
import sys
import time

HOST, PORT = sys.argv[1], sys.argv[2]
URL = f"redis://{HOST}:{PORT}/1"
os.environ["RINGKEY_URL"] = URL
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import redis  # noqa: E402
import tasks  # noqa: E402
from celery import chain, chord, group  # noqa: E402
from celery.exceptions import TaskRevokedError  # noqa: E402

TASKS = int(os.environ.get("RINGKEY_TASKS", "1000"))
PATIENCE = 120
r = redis.Redis.from_url(URL)


class Worker:
    """A Celery worker in a process group of its own."""

    def __init__(self, *words):
        command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-l", "warning", "--without-mingle", *words]
        here = os.path.dirname(os.path.realpath(__file__))
        self.process = subprocess.Popen(command, cwd=here, start_new_session=True)

    def stop(self, how=signal.SIGTERM):
        if how == signal.SIGKILL:
            os.killpg(self.process.pid, how)
        else:
            self.process.send_signal(how)
        self.process.wait(timeout=PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()


def wait_for(what, is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, f"{what} never came to be"
        time.sleep(0.05)


def priorities():
    """What waits is taken by priority, then in order."""
    for priority in (9, 6, 3, 0):
        for i in range(5):
            tasks.note.apply_async(("order", f"{priority}:{i}"), priority=priority)
    with Worker("-c", "1", "-P", "solo"):
        wait_for("all tasks", lambda: r.llen("order") == 20)
    assert r.lrange("order", 0, -1) == [b"%d:%d" % (p, i) for p in (0, 3, 6, 9) for i in range(5)], r.lrange("order", 0, -1)


def canvas():
    results = [tasks.add.delay(i, i) for i in range(50)]
    assert [result.get(timeout=PATIENCE) for result in results] == [2 * i for i in range(50)]
    assert group(tasks.add.s(i, 1) for i in range(30))().get(timeout=PATIENCE) == list(range(1, 31))
    assert chord([tasks.add.s(i, 1) for i in range(30)])(tasks.total.s()).get(timeout=PATIENCE) == sum(range(1, 31))
    assert chain(tasks.add.s(1, 2), tasks.add.s(4), tasks.add.s(8))().get(timeout=PATIENCE) == 15
    nested = chain(group(tasks.add.s(i, i) for i in range(5)), tasks.total.s(), tasks.add.s(1))
    assert nested().get(timeout=PATIENCE) == 21


def retries_and_failures():
    assert tasks.third_time.delay().get(timeout=PATIENCE) == 2
    failed = tasks.fails.delay()
    try:
        failed.get(timeout=PATIENCE)
        raise AssertionError("an error was expected")
    except KeyError as error:
        assert "as it should" in str(error)
    assert failed.state == "FAILURE" and "KeyError" in failed.traceback
    kept = tasks.add.delay(1, 1)
    assert kept.get(timeout=PATIENCE) == 2 and r.exists(f"celery-task-meta-{kept.id}") == 1
    kept.forget()
    assert r.exists(f"celery-task-meta-{kept.id}") == 0


def eta():
    begin = time.monotonic()
    result = tasks.add.apply_async((1, 2), countdown=2)
    assert result.get(timeout=PATIENCE) == 3
    assert time.monotonic() - begin >= 1.9, "an ETA is not met early"


def inspection_and_revocation():
    control = tasks.app.control
    assert list(control.inspect(timeout=3).ping().values()) == [{"ok": "pong"}]
    registered = next(iter(control.inspect(timeout=3).registered().values()))
    assert "tasks.add" in registered, registered
    later = tasks.note.apply_async(("revoked", 1), countdown=20)
    wait_for("the task in the worker's hands", lambda: next(iter((control.inspect(timeout=1).scheduled() or {0: []}).values())))
    later.revoke()
    try:
        later.get(timeout=PATIENCE)
        raise AssertionError("a revoked task has no result")
    except TaskRevokedError:
        pass
    assert r.llen("revoked") == 0


def none_is_lost():
    """Workers are killed with all their children, hands full; what they held comes back and is done by others.

    They have stopped taking tasks by then: between the reply of BRPOP and its note about it a Celery worker keeps a task
    nowhere but in its own memory, and a kill in that moment loses it on any server.
    """
    for i in range(TASKS):
        tasks.once.delay("done", i)
    control, hands = tasks.app.control, 4
    for kill in range(2):
        worker = Worker("-c", str(hands))
        wait_for("some tasks", lambda: r.scard("done") >= (kill + 1) * TASKS // 4)
        for i in range(hands):
            tasks.slow.apply_async(("done", f"slow{kill}{i}"), priority=0)
        wait_for("hands full", lambda: r.scard("begun") >= hands)
        control.cancel_consumer("celery", reply=True, timeout=2)
        worker.stop(signal.SIGKILL)
        assert r.hlen("unacked") > 0, "the worker died with tasks in its hands"
        r.delete("begun")
    everything = TASKS + 2 * hands
    with Worker("-c", "4"):
        wait_for("every task", lambda: r.scard("done") == everything)
        wait_for("an empty queue", lambda: r.llen("celery") == 0 and r.hlen("unacked") == 0)


def rq():
    from rq import Queue, SimpleWorker

    connection = redis.Redis(HOST, int(PORT), db=2)
    queue, urgent = Queue("later", connection=connection), Queue("urgent", connection=connection)
    jobs = [queue.enqueue("operator.add", i, 1) for i in range(20)]
    behind = queue.enqueue("operator.mul", 6, 7, depends_on=jobs[-1])
    broken = queue.enqueue("operator.truediv", 1, 0)
    first = urgent.enqueue("operator.add", 40, 2)
    SimpleWorker([urgent, queue], connection=connection).work(burst=True, logging_level="WARNING")
    assert [job.return_value() for job in jobs] == list(range(1, 21))
    assert (first.return_value(), behind.return_value()) == (42, 42)
    assert broken.get_status(refresh=True) == "failed" and len(queue.failed_job_registry) == 1


def locks():
    a = r.lock("lock", timeout=30)
    assert a.acquire() is True
    b = r.lock("lock", timeout=30)
    assert b.acquire(blocking=False) is False and b.locked() is True
    assert a.owned() is True and a.extend(30) is True and a.reacquire() is True
    assert r.pttl("lock") > 10_000
    try:
        b.local.token = b"other"
        b.release()
        raise AssertionError("an error was expected")
    except redis.exceptions.LockError:
        pass
    a.release()
    with r.lock("lock", timeout=5, blocking_timeout=5):
        assert r.exists("lock") == 1
    assert r.exists("lock") == 0


def main():
    r.flushall()
    checks = [locks, rq, priorities]
    with_worker = [canvas, retries_and_failures, eta, inspection_and_revocation]
    for check in checks:
        check()
        print(f"ok: {check.__name__}", flush=True)
    with Worker("-c", "2"):
        for check in with_worker:
            check()
            print(f"ok: {check.__name__}", flush=True)
    none_is_lost()
    print(f"ok: none_is_lost ({TASKS} tasks)", flush=True)


main()
