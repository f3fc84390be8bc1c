import { expect, test } from 'vitest';
import { aadstsEntries } from './aadsts-catalogue.ts';
import { classifyEntraError, explainAadsts, findAadsts, parseAadsts } from './aadsts.ts';

const trace = '3f0a1b2c-0000-4000-8000-00000000aaaa';
const correlation = '0ddcd6d6-7a31-4c45-a4d8-b9c5b1f0a111';

test('D9: each code is listed once, with advice for the person and for the operator', () => {
  expect(new Set(aadstsEntries.map(({ code }) => code)).size).toBe(aadstsEntries.length);
  for (const entry of aadstsEntries) {
    expect(entry.title.length, String(entry.code)).toBeGreaterThan(10);
    expect(entry.forPerson).toMatch(/\.$/);
    expect(entry.forOperator).toMatch(/\.$/);
    expect(entry.title).not.toMatch(/\.$/);
  }
});

test.each([
  9010010, 901002, 90009, 650053, 65001, 90094, 90095, 65004, 50011, 500112, 500113, 700016, 500011, 50105,
  50020, 90072, 50194, 90002, 7000215, 7000222, 7000218, 700025, 700027, 70021, 700213, 700229, 50013, 500131,
  500133, 7000114, 50076, 50079, 50158, 53003, 530003, 50173, 700082, 70008, 70043, 50089, 54005, 501481,
  9002313, 900144, 70011, 700022, 28000, 1002012, 9002325, 9002326, 9002327, 50196, 90055, 70016, 70019,
  70018, 50058, 50049,
])('AADSTS%i is explained', (code) => {
  expect(findAadsts(code)).toMatchObject({ code });
  expect(explainAadsts(code)).toBe(findAadsts(code));
});

test('an unknown code is explained as unknown', () => {
  expect(findAadsts(999999)).toBeUndefined();
  expect(explainAadsts(999999)).toMatchObject({ code: 999999, kind: 'operator', isConfirmed: false });
  expect(explainAadsts(999999).forOperator).toContain('error?code=999999');
});

test.each<[string, string, object]>([
  [
    'an answer of the token endpoint',
    `AADSTS70008: The provided authorization code has expired. Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: 2026-01-01 00:00:00Z`,
    { code: 70008, correlationId: correlation, traceId: trace },
  ],
  [
    'line breaks',
    `AADSTS65004: User declined to consent.\r\nTrace ID: ${trace}\r\nCorrelation ID: ${correlation.toUpperCase()}\r\n`,
    { code: 65004, correlationId: correlation, traceId: trace },
  ],
  ['seven digits', 'AADSTS7000215: Invalid client secret provided.', { code: 7000215 }],
  ['no code', 'The user canceled the authentication.', {}],
  ['too many digits', 'AADSTS12345678901: x', {}],
  ['ids that are none', 'AADSTS50011: Correlation ID: <script>alert(1)</script> Trace ID: ', { code: 50011 }],
  ['nothing', '', {}],
])('D28: an error_description is read: %s', (_name, description, expected) => {
  expect(parseAadsts(description)).toEqual(expected);
});

test.each([
  ['A20: the person declines', { error: 'access_denied', code: 65004 }, 'declined'],
  ['A20: without a code', { error: 'access_denied' }, 'declined'],
  ['not assigned', { error: 'invalid_grant', code: 50105 }, 'declined'],
  ['a revoked grant without suberror', { error: 'invalid_grant', code: 50173 }, 'interaction'],
  ['D10: invalid_grant alone', { error: 'invalid_grant' }, 'interaction'],
  ['MFA', { error: 'interaction_required', suberror: 'basic_action', code: 50076 }, 'interaction'],
  [
    'an unknown code with a suberror',
    { error: 'invalid_request', suberror: 'bad_token', code: 1 },
    'interaction',
  ],
  ['a secret that is wrong', { error: 'invalid_client', code: 7000215 }, 'operator'],
  ['invalid_client alone', { error: 'invalid_client' }, 'operator'],
  ['a resource that is wrong, as invalid_grant', { error: 'invalid_grant', code: 9010010 }, 'operator'],
  ['an unknown error', { error: 'something_new' }, 'operator'],
  ['a name of Object.prototype', { error: 'constructor' }, 'operator'],
  ['throttled', { error: 'temporarily_unavailable' }, 'unavailable'],
  ['throttled by code', { error: 'invalid_request', code: 90055 }, 'unavailable'],
  ['a fault of Entra', { error: 'server_error' }, 'unavailable'],
  ['no answer of Entra', {}, 'unavailable'],
] as const)('classification: %s', (_name, error, kind) => {
  expect(classifyEntraError(error)).toBe(kind);
});
