import { randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { createSessionId, createSignInId } from '@valetkey/core/base/sign-in-id';
import { expect, test } from 'vitest';
import { createAudit } from './audit.ts';
import { fingerprintId } from './audit-text.ts';
import type { AuditEvent, AuditEventName } from './event.ts';
import { createMemorySink, createStreamSink } from './sinks.ts';

const clock = { nowMs: () => Date.UTC(2026, 5, 1, 12) };
const log = { error: () => undefined };
const base = { event: 'token', outcome: 'success', correlationId: 'AbCdEfGhIjKlMnOpQrStUv' } as const;
const guid = '8f5c0c1e-4d0e-4b5c-9d0e-3f1a2b3c4d5e';

function recordAll(...events: AuditEvent[]) {
  const sink = createMemorySink();
  const audit = createAudit({ sinks: [sink], clock, log });
  for (const event of events) audit.record(event);
  return sink.records;
}

const names: readonly AuditEventName[] = [
  'client.register',
  'authorize',
  'consent.allow',
  'consent.deny',
  'consent.revoke',
  'entra.redirect',
  'callback',
  'token',
  'token.refresh',
  'token.revoke',
  'session.revoke',
  'access.denied',
  'mcp.call',
];

test.each(names)(
  'A25: %s is one record with subject, client, outcome and correlation id, as given',
  (event) => {
    const given: AuditEvent = {
      event,
      outcome: 'denied',
      correlationId: base.correlationId,
      signInId: 'QqStUvWxYzAbCdEfGhIjKl',
      reason: 'AADSTS50105',
      tenantId: guid,
      objectId: guid,
      clientId: 'https://claude.ai/oauth/mcp-oauth-client-metadata',
      sessionId: guid,
      backend: 'snippets',
      method: 'tools/call',
      target: 'save_snippet',
      ip: '2001:db8::1',
      httpStatus: 403,
      durationMs: 12.5,
      entraCorrelationId: guid,
    };
    expect(recordAll(given)).toEqual([{ time: '2026-06-01T12:00:00.000Z', ...given }]);
  },
);

test('absent fields stay absent', () => {
  expect(recordAll(base)).toEqual([{ time: '2026-06-01T12:00:00.000Z', ...base }]);
});

const jwt = `eyJhbGciOiJFUzI1NiJ9.${Buffer.from('{"sub":"x"}').toString('base64url')}.${randomBytes(64).toString('base64url')}`;
const tokens: readonly [string, string][] = [
  ['JWT', jwt],
  ['bearer header', `Bearer ${jwt}`],
  ['opaque token', randomBytes(32).toString('base64url')],
  ['token in a query', `https://x/cb?code=${randomBytes(32).toString('base64url')}`],
  [
    'token response',
    `{"access_token":"${jwt}","refresh_token":"0.A${randomBytes(60).toString('base64url')}"}`,
  ],
];
const fields = [
  'event',
  'outcome',
  'correlationId',
  'signInId',
  'reason',
  'tenantId',
  'objectId',
  'clientId',
  'clientName',
  'redirectHosts',
  'sessionId',
  'backend',
  'method',
  'target',
  'ip',
  'httpStatus',
  'durationMs',
  'entraCorrelationId',
] as const;
test.each(fields.flatMap((field) => tokens.map(([kind, token]) => [kind, field, token] as const)))(
  'D43 A25: a %s placed in %s does not reach the sink',
  (_kind, field, token) => {
    const text = JSON.stringify(recordAll({ ...base, [field]: token }));
    const words = token.match(/[\w-]{20,}/g) ?? [];
    expect(words.length).toBeGreaterThan(0);
    for (const word of words) expect(text).not.toContain(word.slice(0, 20));
  },
);

test('D43: fields that do not exist, and values that are no text, do not reach the sink', () => {
  const event = {
    ...base,
    accessToken: jwt,
    tokens: { id_token: jwt },
    reason: { token: jwt },
    httpStatus: Number.NaN,
  };
  const text = JSON.stringify(recordAll(event as unknown as AuditEvent));
  expect(text).not.toContain('eyJ');
  expect(text).toContain('"reason":"[not a text]","httpStatus":-1');
});

test('a random id is shown by a fingerprint that is the same in every record', () => {
  const sessionId = randomBytes(32).toString('base64url');
  const [one, two] = recordAll({ ...base, sessionId }, { ...base, event: 'mcp.call', sessionId });
  expect(one?.sessionId).toBe(`[redacted]#${fingerprintId(sessionId)}`);
  expect(two?.sessionId).toBe(one?.sessionId);
});

test('every record of a session names the sign-in that the session came out of', () => {
  const signInId = createSignInId('interaction');
  const sessionId = createSessionId(signInId, (size) => randomBytes(size));
  const [known, foreign] = recordAll(
    { ...base, event: 'mcp.call', sessionId },
    { ...base, sessionId: randomBytes(32).toString('base64url') },
  );
  expect(known?.signInId).toBe(signInId);
  expect(JSON.stringify(known)).not.toContain(sessionId.slice(signInId.length + 1));
  expect(foreign?.signInId).toBeUndefined();
});

test('many different texts are remembered in bounded space, and each stays clean', () => {
  const secrets = Array.from({ length: 10_000 }, () => randomBytes(32).toString('base64url'));
  const records = recordAll(...secrets.map((target) => ({ ...base, target })));
  expect(new Set(records.map(({ target }) => target))).toEqual(new Set(['[redacted]']));
});

test('whoever watches is told of each record, cleaned', () => {
  const seen: unknown[] = [];
  const audit = createAudit({ sinks: [], clock, log, onRecord: (record) => void seen.push(record) });
  audit.record({ ...base, target: jwt });
  expect(seen).toEqual([{ time: '2026-06-01T12:00:00.000Z', ...base, target: '[redacted]' }]);
});

test.each([
  ['line feed', '\n'],
  ['carriage return', '\r\n'],
  ['next line', '\u0085'],
  ['line separator', '\u2028'],
  ['null', '\0'],
  ['escape sequence', '\u001b[2J'],
  ['right-to-left override', '\u202e'],
  ['zero width space', '\u200b'],
  ['lone surrogate', '\ud800'],
])('a %s in a tool name forges no second record and reaches no terminal', async (_name, evil) => {
  const stream = new PassThrough();
  const audit = createAudit({ sinks: [createStreamSink(stream, { clock, log })], clock, log });
  audit.record({ ...base, target: `x${evil}{"event":"consent.allow"}` });
  await audit.close();
  const written = String(stream.read());
  expect(written.split(/[\n\r\u0085\u2028\u2029]/)).toHaveLength(2);
  expect(written).not.toContain(evil === '\n' ? '\n{' : evil);
  expect((JSON.parse(written) as AuditEvent).event).toBe('token');
});

test('long text is cut', () => {
  const [record] = recordAll({ ...base, target: 'tool '.repeat(100_000) });
  expect(record?.target).toHaveLength(256);
  expect(record?.target?.endsWith('…')).toBe(true);
});

test('a sink that throws stops neither the others nor the caller', () => {
  const sink = createMemorySink();
  const faults: unknown[] = [];
  const broken = {
    write: () => {
      throw new Error(jwt);
    },
    close: () => Promise.reject(new Error(jwt)),
  };
  const audit = createAudit({
    sinks: [broken, sink],
    clock,
    log: { error: (fault: unknown) => void faults.push(fault) },
  });
  audit.record(base);
  expect(sink.records).toHaveLength(1);
  expect(faults).toEqual([{ reason: 'sink_failed' }]);
});
