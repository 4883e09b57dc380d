// BullMQ against a running server, unchanged: its Lua scripts do not declare every key they touch.
//
//     node bullmq.mjs HOST PORT        (scripts/test-clients installs bullmq and calls this, where there is node and npm)
//
// Order, priorities, delays, retries, a rate limit, many jobs over several workers. A check that fails throws.

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { createRequire } from "node:module";

// One listener for each worker that closes.
EventEmitter.defaultMaxListeners = 100;
const require = createRequire(process.env.RINGKEY_NODE_MODULES + "/");
const { Queue, QueueEvents, Worker } = require("bullmq");

const connection = { host: process.argv[2], port: Number(process.argv[3]), db: 3, maxRetriesPerRequest: null };
const open = [];

function made(thing) {
  open.push(thing);
  return thing;
}

/** Works on a queue until `count` jobs are done; what they returned, in order. */
function work(name, count, job, options = {}) {
  return new Promise((resolve, reject) => {
    const done = [];
    const worker = made(new Worker(name, job, { connection, ...options }));
    worker.on("completed", (_, value) => {
      done.push(value);
      if (done.length === count) resolve(done);
    });
    worker.on("error", reject);
  });
}

async function priorities() {
  const queue = made(new Queue("priorities", { connection }));
  for (const priority of [30, 20, 10, 1]) await queue.add("job", { priority }, { priority });
  const order = await work("priorities", 4, async (job) => job.data.priority);
  assert.deepEqual(order, [1, 10, 20, 30]);
}

async function delays() {
  const queue = made(new Queue("delays", { connection }));
  const begin = Date.now();
  await queue.add("later", { n: 2 }, { delay: 700 });
  await queue.add("now", { n: 1 });
  const done = await work("delays", 2, async (job) => [job.data.n, Date.now() - begin]);
  assert.deepEqual(done.map(([n]) => n), [1, 2]);
  assert.ok(done[1][1] >= 690, `a delayed job came after ${done[1][1]} ms`);
}

async function retries() {
  const queue = made(new Queue("retries", { connection }));
  await queue.add("job", {}, { attempts: 3, backoff: { type: "fixed", delay: 50 } });
  const [attempts] = await work("retries", 1, async (job) => {
    if (job.attemptsMade < 2) throw new Error("not yet");
    return job.attemptsMade;
  });
  assert.equal(attempts, 2);
}

async function rate_limit() {
  const queue = made(new Queue("limited", { connection }));
  const begin = Date.now();
  await queue.addBulk(Array.from({ length: 6 }, (_, n) => ({ name: "job", data: { n } })));
  await work("limited", 6, async () => 1, { limiter: { max: 2, duration: 400 } });
  assert.ok(Date.now() - begin >= 790, "six jobs at two in 400 ms take 800 ms");
}

async function results_and_many() {
  const queue = made(new Queue("many", { connection }));
  const events = made(new QueueEvents("many", { connection }));
  await events.waitUntilReady();
  const all = Promise.all([work("many", 1, async (job) => job.data.n * 2, { concurrency: 10 }), work("many", 1, async (job) => job.data.n * 2)]);
  const jobs = await queue.addBulk(Array.from({ length: 500 }, (_, n) => ({ name: "job", data: { n } })));
  const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(events, 60000)));
  assert.deepEqual(results, jobs.map((_, n) => n * 2));
  await all;
  const counts = await queue.getJobCounts("completed", "failed", "waiting", "active", "delayed");
  assert.deepEqual(counts, { completed: 500, failed: 0, waiting: 0, active: 0, delayed: 0 });
}

for (const check of [priorities, delays, retries, rate_limit, results_and_many]) {
  await check();
  console.log(`ok: ${check.name}, BullMQ`);
}
await Promise.all(open.map((thing) => thing.close()));
