// BullMQ: node THIS work CONCURRENCY | fill JOBS | pace JOBS. NODE_PATH says where it is.
'use strict';
const fs = require('fs');
const { Queue, Worker } = require('bullmq');

const connection = { path: process.env.MILLRACE_BENCH_SOCKET, maxRetriesPerRequest: null };
const sleepMs = Number(process.env.MILLRACE_BENCH_MS || 0);
const [, , what, word] = process.argv;
const number = Number(word);

const nowNs = () => Number(process.hrtime.bigint());
const data = (n) => ({ n, at_ns: nowNs(), to: 'ann@example.org', lang: 'en', body: '0'.repeat(120) });
const rest = (ms) => new Promise((done) => setTimeout(done, ms));

function work() {
  const lines = [];
  const worker = new Worker('bench', async (job) => {
    lines.push(`${job.data.n} ${job.data.at_ns} ${nowNs()}\n`);
    if (sleepMs) await rest(sleepMs);
  }, { connection, concurrency: number });

  worker.on('error', (error) => console.error(error));
  process.on('SIGTERM', async () => {
    await worker.close();
    fs.writeFileSync(`${process.env.MILLRACE_BENCH_RECORDS}/node-${process.pid}`, lines.join(''));
    process.exit(0);
  });
}

async function produce() {
  const queue = new Queue('bench', { connection, defaultJobOptions: { removeOnComplete: true } });

  if (what === 'fill') {
    for (let first = 0; first < number; first += 1000) {
      const batch = Array.from({ length: Math.min(1000, number - first) }, (_, i) => ({ name: 'tally', data: data(first + i) }));
      await queue.addBulk(batch);
    }
  } else {
    let at = performance.now();
    for (let n = 0; n < number; n++) {
      at += 5;
      await rest(Math.max(0, at - performance.now()));
      await queue.add('tally', data(n));
    }
  }
  await queue.close();
}

if (what === 'work') work();
else produce();
