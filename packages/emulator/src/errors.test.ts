import { expect, test } from 'vitest';
import { AadstsError, errorBody, knownCodes } from './errors.ts';

const trace = { traceId: 't', correlationId: 'c', nowMs: Date.UTC(2026, 0, 31, 12) };

test('every code has a status that is a refusal, an OAuth error, and no gap left in its text', () => {
  for (const code of knownCodes()) {
    const error = new AadstsError(code);
    expect(error.status, String(code)).toBeGreaterThanOrEqual(400);
    expect(error.message).toMatch(new RegExp(`^AADSTS${code}: `));
    expect(error.message).not.toMatch(/[{}]/);
    expect(error.status === 401 || error.error !== 'invalid_client' || [500112, 650053].includes(code)).toBe(
      true,
    );
  }
});

test('a detail is text: braces and dollar signs in it are shown, not followed', () => {
  const { message } = new AadstsError(50011, { redirectUri: 'https://x/$&{clientId}', clientId: 'me' });
  expect(message).toContain("'https://x/$&{clientId}' specified");
});

test('claims and suberror appear only when there are some; an unknown code is an invalid_grant', () => {
  expect(errorBody(new AadstsError(50173), trace)).toEqual({
    error: 'invalid_grant',
    error_description: expect.stringMatching(
      /Trace ID: t Correlation ID: c Timestamp: 2026-01-31 12:00:00Z$/,
    ),
    error_codes: [50173],
    timestamp: '2026-01-31 12:00:00Z',
    trace_id: 't',
    correlation_id: 'c',
    error_uri: 'https://login.microsoftonline.com/error?code=50173',
  });
  expect(errorBody(new AadstsError(50076, {}, { claims: '{}' }), trace)).toMatchObject({
    suberror: 'basic_action',
    claims: '{}',
  });
  expect(errorBody(new AadstsError(42), trace)).toMatchObject({ error: 'invalid_grant', error_codes: [42] });
});
