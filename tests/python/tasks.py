"""The Celery application of celery_suite.py: its workers load it, with the server's address in RINGKEY_URL."""

import os
import time

import redis
from celery import Celery

URL = os.environ["RINGKEY_URL"]

app = Celery("tasks", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_send_task_events=True,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        # A task whose worker was killed comes back after so many seconds; workers look for such every second.
        # Longer than the slow tasks that wait in one worker's hands take together: else they come back for ever.
        "visibility_timeout": 20,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "queue_order_strategy": "priority",
    },
    result_expires=600,
)
notes = redis.Redis.from_url(URL)


@app.task
def add(x, y):
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def note(name, value):
    """Writes down that it ran, and in which order."""
    notes.rpush(name, value)
    return value


@app.task
def once(name, value):
    """Writes down that it ran at all; may run twice."""
    notes.sadd(name, value)
    return value


@app.task
def slow(name, value):
    """As once, but in its worker's hands for a while."""
    notes.sadd("begun", value)
    time.sleep(5)
    notes.sadd(name, value)


@app.task(bind=True, max_retries=3, default_retry_delay=0.2)
def third_time(self):
    if self.request.retries < 2:
        raise self.retry(exc=ValueError("not yet"))
    return self.request.retries


@app.task
def fails():
    raise KeyError("as it should")
