import { expect, test } from 'vitest';
import { parseForm } from '../http/body.ts';
import { createCsrfToken } from './csrf.ts';
import { checkDecisionRequest, type DecisionRequest, refusalStatus } from './decision-request.ts';

const csrfKey = new Uint8Array(32).fill(9);
const publicUrl = 'https://mcp.contoso.com';
const csrf = createCsrfToken(csrfKey, 'browser-1', 'question-1');

function form(fields: string): DecisionRequest['form'] {
  const parsed = parseForm('application/x-www-form-urlencoded', new TextEncoder().encode(fields));
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

const honest: DecisionRequest = {
  method: 'POST',
  headers: { origin: publicUrl, referer: `${publicUrl}/consent/question-1`, 'sec-fetch-site': 'same-origin' },
  publicUrl,
  form: form(`csrf=${csrf}&decision=allow&remember=yes`),
  browserId: 'browser-1',
  csrfKey,
  interactionId: 'question-1',
};

test.each([
  ['allow, remembered', honest, 'allow', true],
  ['allow once', { ...honest, form: form(`csrf=${csrf}&decision=allow`) }, 'allow', false],
  ['deny', { ...honest, form: form(`csrf=${csrf}&decision=deny&remember=yes`) }, 'deny', true],
  ['a browser without fetch metadata', { ...honest, headers: { origin: publicUrl } }, 'allow', true],
  [
    'remember with another value',
    { ...honest, form: form(`csrf=${csrf}&decision=allow&remember=1`) },
    'allow',
    false,
  ],
])('%s is accepted', (_, request, decision, remember) => {
  expect(checkDecisionRequest(request)).toEqual({ ok: true, value: { decision, remember } });
});

test.each([
  ['GET', { method: 'GET' }, 'wrong-method', 405],
  ['no Origin', { headers: { referer: publicUrl, 'sec-fetch-site': 'same-origin' } }, 'origin-missing', 403],
  ['foreign Origin', { headers: { origin: 'https://evil.example' } }, 'origin-foreign', 403],
  ['Origin null', { headers: { origin: 'null' } }, 'origin-foreign', 403],
  ['Origin of a subdomain', { headers: { origin: 'https://a.mcp.contoso.com' } }, 'origin-foreign', 403],
  ['Origin of another port', { headers: { origin: `${publicUrl}:8443` } }, 'origin-foreign', 403],
  ['Origin over http', { headers: { origin: 'http://mcp.contoso.com' } }, 'origin-foreign', 403],
  ['Origin with ours as prefix', { headers: { origin: `${publicUrl}.evil.example` } }, 'origin-foreign', 403],
  ['cross-site', { headers: { origin: publicUrl, 'sec-fetch-site': 'cross-site' } }, 'site-foreign', 403],
  ['same-site', { headers: { origin: publicUrl, 'sec-fetch-site': 'same-site' } }, 'site-foreign', 403],
  [
    'foreign Referer',
    { headers: { origin: publicUrl, referer: 'https://evil.example/' } },
    'referer-foreign',
    403,
  ],
  ['no browser cookie', { browserId: undefined }, 'browser-unknown', 403],
  ['empty browser cookie', { browserId: '' }, 'browser-unknown', 403],
  ['another browser', { browserId: 'browser-2' }, 'csrf-wrong', 403],
  ['the token of another question', { interactionId: 'question-2' }, 'csrf-wrong', 403],
  ['no token', { form: form('decision=allow') }, 'csrf-missing', 403],
  ['empty token', { form: form('csrf=&decision=allow') }, 'csrf-missing', 403],
  ['token twice', { form: form(`csrf=${csrf}&csrf=${csrf}&decision=allow`) }, 'csrf-missing', 403],
  ['no decision', { form: form(`csrf=${csrf}`) }, 'decision-missing', 400],
  ['two decisions', { form: form(`csrf=${csrf}&decision=deny&decision=allow`) }, 'decision-missing', 400],
  ['another decision', { form: form(`csrf=${csrf}&decision=Allow`) }, 'decision-missing', 400],
] as const)('A43 D53: %s is refused', (_, change, refusal, status) => {
  expect(checkDecisionRequest({ ...honest, ...change })).toEqual({ ok: false, error: refusal });
  expect(refusalStatus[refusal]).toBe(status);
});
