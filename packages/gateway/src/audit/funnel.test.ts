import { expect, test } from 'vitest';
import { createFunnel, type StepCounts } from './funnel.ts';
import type { AuditRecord } from './sink.ts';

type Given = Partial<AuditRecord>;

const time = '2026-06-01T12:00:00.000Z';
const began: Given = { event: 'authorize', outcome: 'success', reason: 'sign_in_needed' };
const allowed: Given = { event: 'consent.allow', outcome: 'success' };
const redirected: Given = { event: 'entra.redirect', outcome: 'success', reason: 'consent_given' };
const back: Given = { event: 'callback', outcome: 'success' };
const issued: Given = { event: 'token', outcome: 'success' };
const called: Given = { event: 'mcp.call', outcome: 'success', method: 'tools/call' };
const whole = [began, allowed, redirected, back, issued, called];

function reportOf(signIns: Record<string, readonly Given[]>, sinceMs = 0, before: readonly Given[] = []) {
  const funnel = createFunnel(sinceMs);
  for (const record of before) funnel.add({ time, ...record });
  for (const [signInId, records] of Object.entries(signIns))
    for (const record of records) funnel.add({ time, clientId: 'c-1', signInId, ...record });
  return funnel.report();
}

const counts = (...numbers: [number, number, number, number, number, number]): StepCounts => {
  const [first, consented, returned, signedIn, gotTokens, calledTool] = numbers;
  return { began: first, consented, returned, signedIn, gotTokens, calledTool };
};

test('each sign-in counts once for each step, however often it is recorded', () => {
  const { total, stops } = reportOf({
    a: [...whole, called, called],
    b: whole.slice(0, 5),
    c: [...whole.slice(0, 4), { event: 'authorize', outcome: 'success', reason: 'code_issued' }],
  });
  expect(total).toEqual(counts(3, 3, 3, 3, 2, 1));
  expect(stops).toEqual([{ after: 'signedIn', reason: undefined, count: 1 }]);
});

test.each<[string, readonly Given[], string, string | undefined]>([
  ['left the consent page', [began], 'began', undefined],
  ['denied', [began, { event: 'consent.deny', outcome: 'success' }], 'began', 'denied_by_person'],
  ['forged form', [began, { event: 'consent.deny', outcome: 'error', reason: 'csrf' }], 'began', 'csrf'],
  [
    'no scope',
    [began, { event: 'authorize', outcome: 'denied', reason: 'invalid_scope' }],
    'began',
    'invalid_scope',
  ],
  [
    'Entra out of reach',
    [began, allowed, { event: 'entra.redirect', outcome: 'error', reason: 'unavailable' }],
    'consented',
    'unavailable',
  ],
  ['never came back', [began, allowed, redirected], 'consented', undefined],
  [
    'Entra refused',
    [began, redirected, { event: 'callback', outcome: 'denied', reason: 'AADSTS50105' }],
    'returned',
    'AADSTS50105',
  ],
  [
    'a code refused',
    [began, redirected, back, { event: 'token', outcome: 'denied', reason: 'invalid_grant' }],
    'signedIn',
    'invalid_grant',
  ],
])('where it stopped, and why: %s', (_name, records, after, reason) => {
  expect(reportOf({ a: records }).stops).toEqual([{ after, reason, count: 1 }]);
});

test('a second try within the same sign-in forgets why the first one failed', () => {
  const failed: Given = { event: 'callback', outcome: 'denied', reason: 'AADSTS50126' };
  expect(reportOf({ a: [began, redirected, failed, back, issued] }).stops).toEqual([]);
});

test('clients are told by the name they registered, the host of their document, or their configured id', () => {
  const register: Given = {
    event: 'client.register',
    outcome: 'success',
    clientId: 'c-1',
    clientName: 'Claude Code',
  };
  const { clients } = reportOf(
    {
      a: whole,
      b: [began],
      c: whole.map((record) => ({ ...record, clientId: 'https://cursor.com/client.json' })),
      d: [{ ...began, clientId: 'inspector' }],
      e: [{ ...began, clientId: 'c-2' }],
    },
    0,
    [register],
  );
  expect(clients).toEqual([
    { client: 'Claude Code', counts: counts(2, 1, 1, 1, 1, 1) },
    { client: 'cursor.com', counts: counts(1, 1, 1, 1, 1, 1) },
    { client: 'inspector', counts: counts(1, 0, 0, 0, 0, 0) },
    { client: '(registered earlier)', counts: counts(1, 0, 0, 0, 0, 0) },
  ]);
});

test('only what began in time counts, and what came of it later', () => {
  const sinceMs = Date.parse(time);
  const earlier = '2026-06-01T11:59:59.999Z';
  const later = '2026-06-02T09:00:00.000Z';
  const { total } = reportOf(
    { a: whole.map((record) => ({ ...record, time: earlier })), b: [began, { ...back, time: later }] },
    sinceMs,
  );
  expect(total).toEqual(counts(1, 1, 1, 1, 0, 0));
});

test('records without a sign-in, and nonsense, count nothing', () => {
  const funnel = createFunnel(0);
  for (const record of [
    {},
    { event: 'mcp.call', outcome: 'success' },
    { signInId: 'x', time: 'never', ...began },
  ])
    funnel.add(record as Given);
  expect(funnel.report()).toEqual({ total: counts(0, 0, 0, 0, 0, 0), clients: [], stops: [] });
});
