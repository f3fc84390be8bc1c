import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { createLineSink } from './line-sink.ts';
import type { AuditRecord } from './sink.ts';
import { createFileSink, createStreamSink, openSinks } from './sinks.ts';

const clock = { nowMs: () => 0 };
const newPath = () => join(mkdtempSync(join(tmpdir(), 'valetkey-audit-')), 'logs', 'audit.jsonl');
const record = (target: string): AuditRecord => ({
  time: '2026-06-01T12:00:00.000Z',
  event: 'mcp.call',
  outcome: 'success',
  correlationId: 'c',
  target,
});
const targetsIn = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { target?: string; event: string }).target);

function createLog() {
  const faults: unknown[] = [];
  return { faults, error: (fault: unknown) => void faults.push(fault) };
}

/** A pause that a test ends by hand. */
function createHandPause() {
  const waiting: (() => void)[] = [];
  const arrivals: (() => void)[] = [];
  return {
    pause: () =>
      new Promise<void>((resolve) => {
        waiting.push(resolve);
        arrivals.shift()?.();
      }),
    untilPaused: () =>
      waiting.length > 0 ? Promise.resolve() : new Promise<void>((resolve) => arrivals.push(resolve)),
    go: () => waiting.shift()?.(),
  };
}

test('A25: the file sink appends every record in order, to a private file, across restarts', async () => {
  const path = newPath();
  for (const round of ['a', 'b']) {
    const sink = createFileSink(path, { clock, log: createLog() });
    for (let index = 0; index < 1200; index += 1) sink.write(record(`${round}${index}`));
    await sink.close();
  }
  const expected = ['a', 'b'].flatMap((round) =>
    Array.from({ length: 1200 }, (_, index) => `${round}${index}`),
  );
  expect(targetsIn(readFileSync(path, 'utf8'))).toEqual(expected);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('A25: a record that comes when the last write has just ended is written, though the sink is closed at once', async () => {
  for (let steps = 0; steps < 12; steps += 1) {
    const written: string[] = [];
    const write = (lines: string) => {
      written.push(...targetsIn(lines).map(String));
      return Promise.resolve();
    };
    const sink = createLineSink({
      name: 'a',
      droppedEvent: 'd',
      lingerMs: 0,
      write,
      clock,
      log: createLog(),
    });
    sink.write(record('first'));
    for (let step = 0; step < steps; step += 1) await Promise.resolve();
    sink.write(record('last'));
    await sink.close();
    expect(written, `after ${steps} steps`).toEqual(['first', 'last']);
  }
});

test('a rotated file is made again', async () => {
  const path = newPath();
  const first = createFileSink(path, { clock, log: createLog() });
  first.write(record('before'));
  await first.close();
  renameSync(path, `${path}.1`);
  const second = createFileSink(path, { clock, log: createLog() });
  second.write(record('after'));
  await second.close();
  expect(targetsIn(readFileSync(path, 'utf8'))).toEqual(['after']);
});

test('a write error is told once, and nothing is lost when the file is back', async () => {
  const path = newPath();
  mkdirSync(path, { recursive: true });
  const log = createLog();
  const { pause, untilPaused, go } = createHandPause();
  const sink = createFileSink(path, { clock, log, pause });
  sink.write(record('one'));
  await untilPaused();
  go();
  await untilPaused();
  sink.write(record('two'));
  rmdirSync(path);
  go();
  await sink.close();
  expect(targetsIn(readFileSync(path, 'utf8'))).toEqual(['one', 'two']);
  expect(log.faults).toEqual([{ sink: 'audit file', code: 'EISDIR' }]);
});

test('closing while the file cannot be written ends, and says how much was lost', async () => {
  const path = newPath();
  mkdirSync(path, { recursive: true });
  const log = createLog();
  const { pause, untilPaused } = createHandPause();
  const sink = createFileSink(path, { clock, log, pause });
  sink.write(record('one'));
  await untilPaused();
  await sink.close();
  expect(log.faults).toEqual([
    { sink: 'audit file', code: 'EISDIR' },
    { sink: 'audit file', lost: 1 },
  ]);
});

test('an overflow is counted and announced as a record, and the sink goes on', async () => {
  const written: string[] = [];
  const announced = Promise.withResolvers<void>();
  const slow = new Writable({
    write(chunk, _encoding, done) {
      written.push(String(chunk));
      if (String(chunk).includes('audit.dropped')) announced.resolve();
      setImmediate(done);
    },
  });
  const log = createLog();
  const sink = createStreamSink(slow, { clock, log, maxQueued: 3 });
  for (let index = 0; index < 10; index += 1) sink.write(record(`r${index}`));
  await announced.promise;
  await new Promise(setImmediate);
  sink.write(record('later'));
  await sink.close();
  const lines = written
    .join('')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.map(({ target, event }) => target ?? event)).toEqual([
    'r0',
    'r1',
    'r2',
    'audit.dropped',
    'later',
  ]);
  expect(lines[3]).toEqual({
    time: '1970-01-01T00:00:00.000Z',
    event: 'audit.dropped',
    outcome: 'error',
    reason: 'queue_full',
    dropped: 7,
  });
  expect(log.faults).toEqual([
    { sink: 'audit stream', queued: 3 },
    { sink: 'audit stream', dropped: 7 },
  ]);
});

test('a stream whose reader went away does not end the process', async () => {
  const log = createLog();
  const { pause, untilPaused } = createHandPause();
  const broken = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error('broken'), { code: 'EPIPE' })),
  });
  const sink = createStreamSink(broken, { clock, log, pause });
  sink.write(record('one'));
  await untilPaused();
  await sink.close();
  expect(log.faults[0]).toEqual({ sink: 'audit stream', code: 'EPIPE' });
});

test('A25: a full disk keeps records waiting in bounded space, is told once, and loses none of what found room', async () => {
  const log = createLog();
  const { pause, untilPaused } = createHandPause();
  const sink = createFileSink('/dev/full', { clock, log, pause, lingerMs: 0, maxQueued: 100 });
  for (let index = 0; index < 1000; index += 1) sink.write(record(`r${index}`));
  await untilPaused();
  expect(sink.isFull()).toBe(true);
  expect(sink.state()).toMatchObject({ queued: 100, dropped: 900, isFull: true });
  await sink.close();
  expect(log.faults).toEqual([
    { sink: 'audit file', queued: 100 },
    { sink: 'audit file', code: 'ENOSPC' },
    { sink: 'audit file', lost: 1000 },
  ]);
});

test('the queue is bounded by bytes too', () => {
  const sink = createStreamSink(deaf(), { clock, log: createLog(), maxQueuedBytes: 10_000 });
  for (let index = 0; index < 1000; index += 1) sink.write(record('x'.repeat(1000)));
  const { queued, queuedBytes, dropped } = sink.state();
  expect(queuedBytes).toBeGreaterThan(10_000);
  expect(queuedBytes).toBeLessThan(12_000);
  expect(queued + dropped).toBe(1000);
});

test('where nothing may be lost, what was under way when the queue became full still finds room', () => {
  const sink = createStreamSink(deaf(), { clock, log: createLog(), maxQueued: 10, keepsAll: true });
  for (let index = 0; index < 10; index += 1) sink.write(record(`r${index}`));
  expect(sink.isFull()).toBe(true);
  for (let index = 10; index < 20; index += 1) sink.write(record(`r${index}`));
  expect(sink.state()).toMatchObject({ queued: 20, dropped: 0 });
  for (let index = 20; index < 500; index += 1) sink.write(record(`r${index}`));
  expect(sink.state()).toMatchObject({ queued: 500, dropped: 0 });
});

test('closing does not wait for a reader that does not read', async () => {
  const log = createLog();
  const sink = createStreamSink(deaf(), { clock, log, lingerMs: 0, closeTimeoutMs: 10 });
  sink.write(record('one'));
  await sink.close();
  expect(log.faults).toEqual([{ sink: 'audit stream', lost: 1 }]);
});

/** Takes what is written and never says that it is through, as a pipe that nobody reads. */
function deaf(): Writable {
  return new Writable({ write() {} });
}

test('the configuration decides which sinks there are', () => {
  const surroundings = { clock, log: createLog() };
  const stream = new Writable();
  expect(openSinks({ stdout: false }, surroundings, stream)).toHaveLength(0);
  expect(openSinks({ stdout: true, file: newPath() }, surroundings, stream)).toHaveLength(2);
});

test('what comes while a batch is written is not written one by one', async () => {
  const written: string[] = [];
  const writes = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const sink = createLineSink({
    name: 'audit file',
    droppedEvent: 'audit.dropped',
    clock,
    log: createLog(),
    async write(lines) {
      written.push(lines);
      writes[written.length - 1]?.resolve();
      // As a disk would: not at once.
      await new Promise(setImmediate);
    },
  });
  sink.write(record('a'));
  await writes[0]?.promise;
  sink.write(record('b'));
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  sink.write(record('c'));
  await writes[1]?.promise;
  expect(written.map(targetsIn)).toEqual([['a'], ['b', 'c']]);
  await sink.close();
});

test('a batch does not wait for more where the queue would be full before', async () => {
  const first = Promise.withResolvers<string>();
  const sink = createLineSink({
    name: 'audit file',
    droppedEvent: 'audit.dropped',
    clock,
    log: createLog(),
    maxQueued: 8,
    lingerMs: 3_600_000,
    write: async (lines) => first.resolve(lines),
  });
  sink.write(record('a'));
  await new Promise(setImmediate);
  sink.write(record('b'));
  expect(targetsIn(await first.promise)).toEqual(['a', 'b']);
  await sink.close();
});
