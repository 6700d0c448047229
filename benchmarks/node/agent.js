// Uses one contender of Node: takes orders from the runner, a line of JSON each, as agent.py does.
//
// Started as `node agent.js MODULE`, with what the contender needs in NODE_PATH.
"use strict";

const path = require("node:path");
const readline = require("node:readline");
const { setTimeout: sleep } = require("node:timers/promises");
const { monotonic } = require("./work.js");

const answerTo = process.stdout.write.bind(process.stdout);
console.log = console.error; // what libraries print goes to the log
const contender = require(path.join(__dirname, "..", "contenders", process.argv[2]));

const ORDERS = {
  async keeps() {
    return contender.KEEPS;
  },

  async workers({ processes, concurrency }) {
    return contender.workers(processes, concurrency);
  },

  async one_by_one({ first, count, other }) {
    const began = monotonic();
    for (let index = first; index < first + count; index++) {
      await contender.enqueue("noop", index, other);
    }
    return monotonic() - began;
  },

  async in_bulk({ task, count, other, chunk }) {
    const began = monotonic();
    for (let first = 0; first < count; first += chunk) {
      await contender.enqueueMany(task, first, Math.min(chunk, count - first), other);
    }
    return monotonic() - began;
  },

  async paced({ count, other, pause }) {
    const called = [];
    let due = monotonic();
    for (let index = 0; index < count; index++) {
      called.push(monotonic());
      await contender.enqueue("noop", index, other);
      due += pause;
      await sleep(Math.max(due - monotonic(), 0) * 1000);
    }
    return called;
  },

  async results({ count, other }) {
    const took = [];
    for (let index = 0; index < count; index++) {
      const began = monotonic();
      const handle = await contender.enqueue("noop", index, other);
      const found = await contender.result(handle);
      took.push(monotonic() - began);
      if (found !== other) throw new Error(`the result of job ${index} was ${found}, not ${other}`);
    }
    return took;
  },
};

async function obeyed(line) {
  const [name, given] = JSON.parse(line);
  try {
    return { answer: await ORDERS[name](given) };
  } catch (error) {
    console.error(error); // the runner notes it and goes on
    return { error: String(error) };
  }
}

async function main() {
  await contender.connect();
  for await (const line of readline.createInterface({ input: process.stdin })) {
    answerTo(JSON.stringify(await obeyed(line)) + "\n");
  }
}

main();
