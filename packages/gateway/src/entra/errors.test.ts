import { expect, test } from 'vitest';
import { explainCallbackError, refusalFrom } from './errors.ts';

const trail =
  'Trace ID: 0ddcd6d6-7a31-4c45-a4d8-b9c5b1f0a111 Correlation ID: 0ddcd6d6-7a31-4c45-a4d8-b9c5b1f0a222 Timestamp: 2026-09-01 10:00:00Z';

test.each([
  ['access_denied', 'AADSTS65004: User declined to consent.', { kind: 'declined', code: 65004 }],
  ['access_denied', 'The user has denied access.', { kind: 'declined' }],
  [
    'login_required',
    'AADSTS50058: Session information is not sufficient.',
    { kind: 'interaction', code: 50058 },
  ],
  ['unauthorized_client', 'AADSTS700016: Application not found.', { kind: 'operator', code: 700016 }],
  ['temporarily_unavailable', '', { kind: 'unavailable' }],
  ['something_new', 'AADSTS999999: What?', { kind: 'operator', code: 999999 }],
  ['', '', {}],
])('A20: a callback with error=%s (%s) is explained', (error, text, expected) => {
  const query = new URLSearchParams({ error, error_description: `${text} ${trail}`, state: 's' });
  expect(explainCallbackError(query)).toMatchObject({
    ...expected,
    correlationId: '0ddcd6d6-7a31-4c45-a4d8-b9c5b1f0a222',
  });
});

test('A15 A20: words of the URL never reach the description', () => {
  for (const word of [
    'call +1 555 0100 to unlock',
    '<script>alert(1)</script>',
    'eyJhbGciOiJub25lIn0.e30.',
  ]) {
    for (const query of [
      { error: word, error_description: word, error_subcode: word },
      { error: 'access_denied', error_description: `AADSTS65004: ${word} Correlation ID: ${word}` },
    ]) {
      expect(JSON.stringify(explainCallbackError(new URLSearchParams(query)))).not.toContain(word);
    }
  }
});

test('a fault of ours is not dressed up as a refusal', () => {
  const fault = new TypeError('x is not a function');
  expect(() => refusalFrom(fault, {})).toThrow(fault);
});
