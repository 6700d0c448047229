// What the jobs of Node's contenders do, and the stamps by which they note it.
//
// See work.py and stamps.py: the same mapped file, in the same layout.
"use strict";

const fs = require("node:fs");
const { setTimeout: sleep } = require("node:timers/promises");
const koffi = require("koffi");

const BYTES_OF_A_JOB = 18; // begin and end are doubles; how often each was noted is a byte
const READ_AND_WRITE = 3;
const SHARED = 1;

const [starts, ends, runs, endings] = mapped(process.env.BENCH_STAMPS);

function mapped(path) {
  const file = fs.openSync(path, "r+");
  const size = fs.fstatSync(file).size;
  const room = size / BYTES_OF_A_JOB;
  const mmap = koffi.load(null).func("void *mmap(void *, size_t, int, int, int, int64_t)");
  const memory = koffi.view(mmap(null, size, READ_AND_WRITE, SHARED, file, 0), size);
  return [
    new Float64Array(memory, 0, room),
    new Float64Array(memory, 8 * room, room),
    new Uint8Array(memory, 16 * room, room),
    new Uint8Array(memory, 17 * room, room),
  ];
}

/** The seconds of the clock that all processes of the machine share. */
function monotonic() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds + nanoseconds / 1e9;
}

function began(index) {
  starts[index] = monotonic();
  runs[index] += 1;
}

function ended(index) {
  if (endings[index] === 0) ends[index] = monotonic();
  endings[index] += 1;
}

/** Do next to nothing with two small arguments. */
function noop(index, other) {
  began(index);
  return other;
}

/** Wait for so long, and let others of the same process work meanwhile. */
async function nap(index, milliseconds) {
  began(index);
  await sleep(milliseconds);
  ended(index);
  return milliseconds;
}

module.exports = { monotonic, nap, noop };
