import { pino } from 'pino';
import { expect, test } from 'vitest';
import { watchClock } from './clock-watch.ts';

const entraMs = Date.parse('2027-01-15T08:00:00Z');
const minute = 60_000;

function open(headers: Record<string, string> = { date: new Date(entraMs).toUTCString() }) {
  const time = { nowMs: entraMs };
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const answer = { status: 200, headers, text: '{}' };
  const outbound = { send: async () => answer, close: async () => {} };
  const watched = watchClock(outbound, { clock: { nowMs: () => time.nowMs }, log });
  const ask = () => watched.send({ method: 'GET', url: 'https://login.microsoftonline.com/' });
  return { time, lines, ask };
}

test.each([
  ['ahead', 10 * minute, 600],
  ['behind', -10 * minute, -600],
])('a clock that is ten minutes %s of Entra is told, once', async (_name, offMs, aheadSeconds) => {
  const { time, lines, ask } = open();
  time.nowMs += offMs;
  await ask();
  await ask();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ aheadSeconds, remedy: expect.stringContaining('NTP') });
});

test('the seconds that an answer takes, and an answer without a date, are no news', async () => {
  const { time, lines, ask } = open();
  time.nowMs += 30_000;
  await ask();
  const undated = open({});
  undated.time.nowMs += 10 * minute;
  await undated.ask();
  expect([...lines, ...undated.lines]).toEqual([]);
});
