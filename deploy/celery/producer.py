"""Sends a chord every few seconds: squares on all workers, then their sum."""

import time

from celery import chord

from app import square, total

while True:
    print("sum of squares:", chord(square.s(n) for n in range(10))(total.s()).get(timeout=60))
    time.sleep(3)
