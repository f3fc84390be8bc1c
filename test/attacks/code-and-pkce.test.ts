/** Stops: a code that is used by somebody else, elsewhere, again, too late, or without the proof of who asked for it. */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callMcp, postForm, redeemCode, refresh, registerClient } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { goToConsent, obtainCode } from '../support/sign-in-steps.ts';

let product: Product;
beforeAll(async () => {
  product = await startProduct();
});
afterAll(() => product.close());

type Obtained = Awaited<ReturnType<typeof obtainCode>>;

async function obtain(overrides: Record<string, string | undefined> = {}): Promise<Obtained> {
  return obtainCode(product, product.people.reader, { overrides });
}

function redeem({ clientId, code, request }: Obtained, fields: Record<string, string | undefined> = {}) {
  const all: Record<string, string | undefined> = {
    grant_type: 'authorization_code',
    client_id: clientId,
    code,
    code_verifier: request.verifier,
    redirect_uri: 'http://127.0.0.1:33418/callback',
    resource: product.mcpUrl,
    ...fields,
  };
  const given = Object.entries(all).filter((field): field is [string, string] => field[1] !== undefined);
  return postForm(`${product.url}/token`, Object.fromEntries(given));
}

test('the control: the code as it should be gives tokens', async () => {
  const { status, body, headers } = await redeem(await obtain());
  expect(status).toBe(200);
  expect(body['expires_in']).toBe(3600);
  expect(headers.get('cache-control')).toBe('no-store');
});

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url');

test.each([
  ['missing', undefined],
  ['empty', ''],
  ['wrong', randomBytes(32).toString('base64url')],
  ['too short', 'a'],
  ['too long', 'a'.repeat(129)],
  ['of forbidden characters', '!'.repeat(43)],
])(
  'A46 D34 CVE-2025-4144: a %s verifier gets nothing, and spends the code (D20)',
  async (_what, verifier) => {
    const obtained = await obtain();
    const { status, body } = await redeem(obtained, { code_verifier: verifier });
    expect(status).toBe(400);
    expect(body['error']).toMatch(/^invalid_(grant|request)$/);
    expect(JSON.stringify(body)).not.toContain('access_token');
    expect((await redeem(obtained)).status).toBe(400);
  },
);

test('A46 D35: the challenge itself is no verifier, however the request called its method', async () => {
  const obtained = await obtain();
  const { status } = await redeem(obtained, { code_verifier: sha256(obtained.request.verifier) });
  expect(status).toBe(400);
});

test.each([
  ['missing', { code_challenge: undefined, code_challenge_method: undefined }],
  ['missing with S256 named', { code_challenge: undefined }],
  ['empty', { code_challenge: '' }],
  [
    'the hash of nothing, for an empty verifier',
    { code_challenge: sha256(''), code_challenge_method: 'plain' },
  ],
  ['plain', { code_challenge_method: 'plain' }],
  ['of another method', { code_challenge_method: 'S512' }],
])('A46 D34 D35 CVE-2025-4144: a challenge that is %s never reaches a person', async (_what, overrides) => {
  const { page } = await goToConsent(product, { overrides });
  expect(new URL(page.location ?? 'about:blank').searchParams.get('error')).toBe('invalid_request');
});

test('A46: a challenge of the empty verifier helps nobody, since an empty verifier is none', async () => {
  const obtained = await obtain({ code_challenge: sha256('') });
  expect((await redeem(obtained, { code_verifier: '' })).status).toBe(400);
});

test('A47 D20 D37: a code fits no other client, redirect or resource, and an attempt spends it', async () => {
  const other = await registerClient(product);
  for (const fields of [
    { client_id: other },
    { redirect_uri: 'http://127.0.0.1:1/callback' },
    { redirect_uri: undefined },
    { resource: `${product.url}/other/mcp` },
    { resource: 'https://graph.microsoft.com' },
  ]) {
    const obtained = await obtain();
    const { status, body } = await redeem(obtained, fields);
    expect(status, JSON.stringify(fields)).toBe(400);
    expect(body['error']).toMatch(/^invalid_(grant|request|target)$/);
    expect((await redeem(obtained)).status, JSON.stringify(fields)).toBe(400);
  }
});

test('A47 D36: a replayed code is refused and ends what the first use gave, and nothing else', async () => {
  const victim = await obtain();
  const bystander = await obtain();
  const tokens = (await redeem(victim)).body;
  const others = (await redeem(bystander)).body;
  expect((await callMcp(product.mcpUrl, String(tokens['access_token']), 'tools/list')).status).toBe(200);

  const replayed = await redeem(victim);
  expect(replayed.body['error']).toBe('invalid_grant');
  expect((await callMcp(product.mcpUrl, String(tokens['access_token']), 'tools/list')).status).toBe(401);
  expect((await refresh(product, victim.clientId, String(tokens['refresh_token']))).status).toBe(400);

  expect((await callMcp(product.mcpUrl, String(others['access_token']), 'tools/list')).status).toBe(200);
  expect((await refresh(product, bystander.clientId, String(others['refresh_token']))).status).toBe(200);
});

test('A47: a spent code in the hands of another client ends nothing', async () => {
  const victim = await obtain();
  const tokens = (await redeem(victim)).body;
  const thief = await registerClient(product);
  expect((await redeem(victim, { client_id: thief })).body['error']).toBe('invalid_grant');
  expect((await callMcp(product.mcpUrl, String(tokens['access_token']), 'tools/list')).status).toBe(200);
  expect((await refresh(product, victim.clientId, String(tokens['refresh_token']))).status).toBe(200);
});

test('A47: of twenty redemptions at once one wins at most, and then nothing of it lives on', async () => {
  const obtained = await obtain();
  const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(obtained)));
  const winners = answers.filter(({ status }) => status === 200);
  expect(winners.length).toBeLessThanOrEqual(1);
  expect(answers.filter(({ status }) => status === 400)).toHaveLength(20 - winners.length);
  for (const { body } of winners) {
    expect((await callMcp(product.mcpUrl, String(body['access_token']), 'tools/list')).status).toBe(401);
    expect((await refresh(product, obtained.clientId, String(body['refresh_token']))).status).toBe(400);
  }
});

test('A47: a code that the attacker makes up, in the forms other servers use, touches no grant', async () => {
  const victim = await obtain();
  const tokens = (await redeem(victim)).body;
  const [record] = (await product.readAudit()).filter(({ event }) => event === 'callback').slice(-1);
  const { objectId, sessionId } = record ?? {};
  for (const code of [
    `${String(objectId)}:${String(sessionId)}:secret`,
    `${String(sessionId)}:x`,
    'a:b:c',
    String(sessionId),
    '../authorization-code',
    '__proto__',
    "' OR 1=1 --",
    'x'.repeat(10_000),
  ]) {
    const { status, body } = await redeem(victim, { code });
    expect(status, code.slice(0, 40)).toBe(400);
    expect(body['error']).toBe('invalid_grant');
  }
  expect((await callMcp(product.mcpUrl, String(tokens['access_token']), 'tools/list')).status).toBe(200);
});

test('A47 D36: a code lives for a minute', async () => {
  const obtained = await obtain();
  product.time.aheadMs += 61_000;
  const late = await redeem(obtained);
  product.time.aheadMs = 0;
  expect(late.status).toBe(400);
  expect(late.body['error']).toBe('invalid_grant');
});

test('A47 D38: no code and no session exists before the person has signed in', async () => {
  const { page, request, clientId } = await goToConsent(product);
  const interaction = new URL(page.url).pathname.slice('/consent/'.length);
  const { status, body } = await redeemCode(product, {
    clientId,
    code: interaction,
    verifier: request.verifier,
  });
  expect(status).toBe(400);
  expect(body['error']).toBe('invalid_grant');
});

test.each([
  ['another grant_type', { grant_type: 'password' }, 'unsupported_grant_type'],
  ['client_credentials', { grant_type: 'client_credentials' }, 'unsupported_grant_type'],
  ['no grant_type', { grant_type: undefined }, 'invalid_request'],
  ['no code', { code: undefined }, 'invalid_request'],
  ['an unknown client', { client_id: 'unknown' }, 'invalid_client'],
  ['no client', { client_id: undefined }, 'invalid_request'],
])('A45 D39: %s is an OAuth error', async (_what, fields, error) => {
  const { status, body } = await redeem(await obtain(), fields);
  expect(status).toBe(error === 'invalid_client' ? 401 : 400);
  expect(body['error']).toBe(error);
});
