// SPDX-License-Identifier: GPL-2.0-or-later
// Hot loops, functions made at run time, exceptions and threads: see check.py jit.
"use strict";
const { Worker, isMainThread, workerData } = require("worker_threads");

function mix(count) {
  let state = 12345, digest = 0x811c9dc5;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    digest = Math.imul(digest ^ (state >>> 9), 16777619) >>> 0;
    digest = ((digest << 5) | (digest >>> 27)) >>> 0;
  }
  return digest;
}

function sieve(limit) {
  const composite = new Uint8Array(limit);
  let count = 0;
  for (let i = 2; i < limit; i++) {
    if (!composite[i]) {
      count++;
      for (let j = i * i; j < limit; j += i) composite[j] = 1;
    }
  }
  return count;
}

function doubles(count) {
  let x = 0.3, total = 0.0;
  for (let i = 1; i < count; i++) {
    x = 3.99 * x * (1 - x);
    total += Math.sqrt(x) / i;
  }
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(total);
  return bytes.toString("hex");
}

// each function becomes hot, is compiled, and is thrown away
function generated() {
  let total = 0;
  for (let i = 0; i < 400; i++) {
    const f = new Function("j", `return ${i} * (j + 3) + j;`);
    for (let j = 0; j < 200; j++) total = (total + f(j)) >>> 0;
    if (i % 40 === 0) for (let j = 0; j < 60000; j++) f(j);
  }
  return total;
}

function caught() {
  let count = 0;
  const deep = (n) => deep(n + 1) + 1;
  for (let i = 0; i < 30000; i++) {
    try {
      if (i % 1000 === 0) deep(0);
      else null.x;
    } catch (error) {
      count++;
    }
  }
  return count;
}

function threads() {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  let left = 4;
  for (let i = 0; i < 4; i++) {
    new Worker(__filename, { workerData: shared }).on("exit", () => {
      if (--left === 0) console.log(`threads ${shared[0]}`);
    });
  }
}

if (isMainThread) {
  console.log(`mix ${mix(2000000)}`);
  console.log(`sieve ${sieve(2000000)}`);
  console.log(`doubles ${doubles(1000000)}`);
  console.log(`generated ${generated()}`);
  console.log(`caught ${caught()}`);
  threads();
} else {
  for (let i = 0; i < 200000; i++) Atomics.add(workerData, 0, 1);
}
