import { request } from 'node:http';
import { expect, test } from 'vitest';
import { openLoopback } from './loopback.ts';

const state = 'the-state';

async function post(
  redirectUri: string,
  form: Record<string, string> | string,
  headers: Record<string, string> = {},
) {
  const body = typeof form === 'string' ? form : new URLSearchParams(form).toString();
  const { port } = new URL(redirectUri);
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string; csp: string }>();
  const sent = request(
    {
      host: '127.0.0.1',
      port,
      method: 'POST',
      path: '/',
      headers: { host: `localhost:${port}`, 'content-type': 'application/x-www-form-urlencoded', ...headers },
    },
    (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          text,
          csp: String(response.headers['content-security-policy']),
        }),
      );
    },
  );
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

test('the answer comes as a form, and the person sees how it ended', async () => {
  const loopback = await openLoopback(state);
  const seen = post(loopback.redirectUri, { code: 'c', state });
  const answer = await loopback.answer;
  expect(answer.form.get('code')).toBe('c');
  answer.reply('signed-in');
  loopback.close();
  const page = await seen;
  expect(page.text).toContain('You are signed in');
  expect(page.csp).toContain("default-src 'none'");
  expect(page.text).not.toMatch(/<script|https?:\/\//);
});

test.each<[string, Record<string, string> | string, Record<string, string>, number]>([
  ['another state', { code: 'c', state: 'other' }, {}, 400],
  ['no state', { code: 'c' }, {}, 400],
  ['two states', `code=c&state=${state}&state=${state}`, {}, 400],
  ['neither code nor error', { state }, {}, 400],
  ['a name that was rebound', { code: 'c', state }, { host: 'attacker.example' }, 421],
  ['no form', '{}', { 'content-type': 'application/json' }, 415],
  ['too much', 'a'.repeat(70_000), {}, 413],
])('%s is refused and ends nothing', async (_name, form, headers, status) => {
  const loopback = await openLoopback(state);
  expect((await post(loopback.redirectUri, form, headers).catch(() => ({ status: 413 }))).status).toBe(
    status,
  );
  const answered = await Promise.race([loopback.answer, Promise.resolve('nothing')]);
  expect(answered).toBe('nothing');
  loopback.close();
});

test('a GET brings no answer: a code in a URL stays in the history', async () => {
  const loopback = await openLoopback(state);
  const statuses = await Promise.all(
    [`/?code=c&state=${state}`, '/', '/favicon.ico'].map(
      async (path) => (await fetch(`${loopback.redirectUri}${path}`)).status,
    ),
  );
  expect(statuses).toEqual([404, 405, 404]);
  loopback.close();
});
