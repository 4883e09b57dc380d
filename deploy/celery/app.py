"""The tasks. Broker and results live in one Ringkey."""

import os

from celery import Celery

URL = os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0")

app = Celery("app", broker=URL, backend=URL)
app.conf.update(
    # A task whose worker dies is done by another.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 600, "unacked_restore_interval": 5, "unacked_restore_throttle": 1},
)


@app.task(autoretry_for=(ArithmeticError,), retry_backoff=True, max_retries=5)
def square(number):
    return number * number


@app.task
def total(numbers):
    return sum(numbers)
