import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
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
      if (String(chunk).includes('audit.lost')) announced.resolve();
      setImmediate(done);
    },
  });
  const sink = createStreamSink(slow, { clock, log: createLog(), maxQueued: 3 });
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
    'audit.lost',
    'later',
  ]);
  expect(lines[3]).toEqual({
    time: '1970-01-01T00:00:00.000Z',
    event: 'audit.lost',
    outcome: 'error',
    reason: 'queue_full',
    lost: 7,
  });
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

test('the configuration decides which sinks there are', () => {
  const surroundings = { clock, log: createLog() };
  const stream = new Writable();
  expect(openSinks({ stdout: false }, surroundings, stream)).toHaveLength(0);
  expect(openSinks({ stdout: true, file: newPath() }, surroundings, stream)).toHaveLength(2);
});
