// BullMQ. Its processors are asynchronous: one process runs CONCURRENCY jobs at once.
"use strict";

const { Queue, QueueEvents, Worker } = require("bullmq");
const work = require("../node/work.js");

const QUEUE = "bench";
const CONCURRENCY = 100;
const RESULT_WITHIN = 10_000; // milliseconds
const TASKS = { noop: work.noop, hold: work.nap, nap: work.nap };

// What its documentation says of workers: they wait for Redis as long as it takes.
const connection = { url: process.env.BENCH_URL, maxRetriesPerRequest: null };
let queue, events;

async function connect() {
  queue = new Queue(QUEUE, { connection });
  events = new QueueEvents(QUEUE, { connection });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
}

function enqueue(task, index, other) {
  return queue.add(task, { index, other });
}

function enqueueMany(task, first, count, other) {
  const rows = Array.from({ length: count }, (_, row) => ({ index: first + row, other }));
  return queue.addBulk(rows.map((data) => ({ name: task, data })));
}

function result(job) {
  return job.waitUntilFinished(events, RESULT_WITHIN);
}

function workers(processes, concurrency) {
  const modules = `NODE_PATH=${process.env.NODE_PATH}`;
  const command = ["env", modules, process.execPath, __filename];
  return Array(processes).fill([...command, String(concurrency ?? CONCURRENCY)]);
}

function main() {
  const run = async ({ name, data }) => TASKS[name](data.index, data.other);
  new Worker(QUEUE, run, { connection, concurrency: Number(process.argv[2]) });
}

if (require.main === module) main();

module.exports = {
  KEEPS: "the whole job with its result",
  connect,
  enqueue,
  enqueueMany,
  result,
  workers,
};
