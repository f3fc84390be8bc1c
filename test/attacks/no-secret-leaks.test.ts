/**
 * Stops: a token in a place where somebody reads it. A whole life of the product is lived while every byte between
 * the parties is noted; then all that was written or answered is searched for what should be nowhere.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GATEWAY_CLIENT_ID, GATEWAY_CLIENT_SECRET } from '@valetkey/entra-emulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHttpBrowser } from '../support/http-person.ts';
import {
  callMcp,
  obtainTokens,
  postForm,
  postJson,
  redeemCode,
  refresh,
  registerClient,
} from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { allow, goToCallback, goToConsent, obtainCode } from '../support/sign-in-steps.ts';
import { type Noted, tapWire } from '../support/wire.ts';

const functionKey = 'a-function-key-for-tests-only';

let product: Product;
const wire = tapWire();
const own = { clientSecret: '', codes: new Set<string>(), verifiers: new Set<string>() };

beforeAll(async () => {
  product = await startProduct();
  await live();
});
afterAll(async () => {
  wire.stop();
  await product.close();
});

/** Every kind of event that the product knows, the failures above all: there secrets slip into messages. */
async function live(): Promise<void> {
  const { reader, writer, norole, disabled } = product.people;
  const { control } = product.emulator;
  const confidential = await postJson(`${product.url}/register`, {
    client_name: 'Confidential',
    redirect_uris: ['http://127.0.0.1:33418/callback'],
    token_endpoint_auth_method: 'client_secret_post',
  });
  own.clientSecret = String(confidential.body['client_secret']);

  const first = await obtainCode(product, reader);
  own.codes.add(first.code).add((await obtainCode(product, writer)).code);
  own.verifiers.add(first.request.verifier);
  const wrong = { clientId: first.clientId, code: first.code, verifier: 'w'.repeat(43) };
  await redeemCode(product, wrong);
  const second = await obtainCode(product, reader);
  own.codes.add(second.code);
  own.verifiers.add(second.request.verifier);
  const right = { clientId: second.clientId, code: second.code, verifier: second.request.verifier };
  await redeemCode(product, right);
  await redeemCode(product, right);
  await postForm(`${product.url}/token`, {
    grant_type: 'authorization_code',
    client_id: String(confidential.body['client_id']),
    client_secret: own.clientSecret,
    code: second.code,
    redirect_uri: 'http://127.0.0.1:33418/callback',
  });

  const session = await obtainTokens(product, writer);
  const renewed = await refresh(product, session.clientId, session.refreshToken);
  await refresh(product, session.clientId, String(renewed.body['refresh_token']));
  await refresh(product, session.clientId, session.refreshToken);
  const calls = await obtainTokens(product, reader);
  for (const [method, params] of [
    ['tools/list', {}],
    ['tools/call', { name: 'hello_mcp', arguments: {} }],
    [
      'tools/call',
      { name: 'save_snippet', arguments: { name: calls.accessToken, content: calls.refreshToken } },
    ],
    ['nonsense', {}],
  ] as const) {
    await (await callMcp(product.mcpUrl, calls.accessToken, method, params)).text();
  }
  await (await callMcp(product.mcpUrl, `${calls.accessToken}x`, 'tools/list')).text();
  await (await fetch(`${product.mcpUrl}?access_token=${calls.accessToken}`)).text();
  await fetch(`${product.url}/unknown/${calls.accessToken}?token=${calls.refreshToken}`);

  const denied = await goToConsent(product);
  await denied.browser.submit(denied.page, { decision: 'deny' }, [product.url]);
  for (const person of [norole, disabled]) await obtainTokens(product, person).catch(() => undefined);

  const at = { clientId: GATEWAY_CLIENT_ID, endpoint: 'token' } as const;
  for (const fault of [
    { kind: 'aadsts', code: 7000215 },
    { kind: 'aadsts', code: 50076, claims: '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}' },
    { kind: 'aadsts', code: 65001 },
    { kind: 'outage' },
    { kind: 'outage', hangUp: true },
    { kind: 'throttle', retryAfterSeconds: 1 },
  ] as const) {
    const waiting = await goToCallback(product, reader);
    control.setFault(at, fault, 1);
    await waiting.browser.follow(waiting.callbackUrl, [product.url]);
    control.clearFaults();
    const other = await obtainTokens(product, reader);
    control.setFault(at, fault, 1);
    await refresh(product, other.clientId, other.refreshToken);
    control.clearFaults();
  }
  const stolen = await goToCallback(product, reader);
  await createHttpBrowser().request(stolen.callbackUrl);
  await stolen.browser.request(
    `${stolen.callbackUrl}&error=access_denied&error_description=${calls.accessToken}`,
  );
  const clientId = await registerClient(product);
  for (const path of ['/token', '/revoke', '/register']) {
    await postForm(product.url + path, { client_id: clientId, token: calls.refreshToken, code: first.code });
    await postJson(product.url + path, { client_id: clientId, redirect_uris: [calls.refreshToken] });
  }
  const again = await goToConsent(product);
  await allow(again);
  await allow(again);
  await postForm(`${product.url}/revoke`, { client_id: calls.clientId, token: calls.accessToken });
  await callMcp(product.mcpUrl, calls.accessToken, 'tools/list');
}

const all = wire.noted;
const fromGateway = () => all().filter(({ origin }) => origin === product.url);
const atEntra = () =>
  all().filter(({ origin, path }) => origin === product.emulator.httpsOrigin && path.includes('/token'));

function jsonOf({ body }: Noted): Record<string, unknown> {
  try {
    return JSON.parse(body) as Record<string, unknown>;
  } catch {
    return {};
  }
}

const longText = (value: unknown): value is string => typeof value === 'string' && value.length >= 20;

/** Whole, and in the parts that a careless cut would leave. */
function partsOf(token: string): string[] {
  const [, ...parts] = token.split('.');
  return [token, ...parts.filter((part) => part.length >= 40)];
}

/** What Entra gave the gateway, and what the gateway proved itself with. */
function entraSecrets(): Set<string> {
  const tokens = atEntra().flatMap((entry) => {
    const { access_token, refresh_token, id_token, client_info } = jsonOf(entry);
    return [access_token, refresh_token, id_token, client_info].filter(longText).flatMap(partsOf);
  });
  const sent = atEntra().flatMap((entry) => {
    const form = new URLSearchParams(entry.sent);
    return ['code', 'code_verifier', 'client_secret', 'client_assertion', 'refresh_token'].map((name) =>
      form.get(name),
    );
  });
  return new Set([...tokens, ...sent.filter(longText), GATEWAY_CLIENT_SECRET, functionKey]);
}

/** What the gateway gave its clients. */
function ownTokens(): Set<string> {
  const tokens = fromGateway()
    .filter(({ path }) => path === '/token')
    .flatMap((entry) => [jsonOf(entry)['access_token'], jsonOf(entry)['refresh_token']])
    .filter(longText)
    .flatMap(partsOf);
  return new Set(tokens);
}

async function keys(): Promise<string[]> {
  const found: string[] = [];
  JSON.parse(await readFile(join(product.directory, 'keys.json'), 'utf8'), (name, value: unknown) => {
    if (longText(value) && !['x', 'y', 'kid', 'createdAt'].includes(name)) found.push(value);
    return value;
  });
  return found;
}

/** Not the secret itself in a failure message: that would be one leak more. */
function expectNowhere(secrets: Iterable<string>, text: string, where: string): void {
  for (const secret of secrets) {
    const isThere = text.includes(secret) || text.includes(encodeURIComponent(secret));
    expect(isThere, `${where} holds ${secret.slice(0, 6)}… (${secret.length} characters)`).toBe(false);
  }
}

async function written(): Promise<[where: string, text: string][]> {
  const files = (await readdir(product.directory)).filter((name) => /\.(db|db-wal|db-shm|jsonl)$/.test(name));
  const texts = await Promise.all(files.map((name) => readFile(join(product.directory, name), 'latin1')));
  return [
    ...files.map((name, index): [string, string] => [name, texts[index] ?? '']),
    ['the log', product.logLines.join('\n')],
  ];
}

test('the control: the net has caught tokens of both sides, codes, verifiers, keys, and files to search', async () => {
  expect(atEntra().filter((entry) => longText(jsonOf(entry)['refresh_token'])).length).toBeGreaterThan(10);
  expect(entraSecrets().size).toBeGreaterThan(40);
  expect(ownTokens().size).toBeGreaterThan(20);
  expect(own.clientSecret.length).toBeGreaterThan(20);
  expect((await keys()).length).toBeGreaterThan(0);
  await expect.poll(async () => (await product.readAudit()).length).toBeGreaterThan(40);
  const files = (await written()).map(([where, text]) => [where, text.length > 0]);
  expect(files).toEqual(
    expect.arrayContaining([
      ['valetkey.db', true],
      ['audit.jsonl', true],
      ['the log', true],
    ]),
  );
});

test('A15 D43: no answer of the gateway holds anything of Entra, nor a key', async () => {
  const secrets = [
    ...entraSecrets(),
    ...(await keys()),
    ...Object.values(product.people).map(({ password }) => password),
  ];
  for (const { path, headers, body } of fromGateway()) {
    expectNowhere(secrets, `${headers}\n${body}`, `the answer of ${path.split('?', 1)[0]}`);
  }
});

test('A15 D43: our tokens are in the answers of the token endpoint, codes in a redirect, and in no other answer', () => {
  for (const { path, headers, body } of fromGateway()) {
    const where = path.split('?', 1)[0] ?? '';
    expectNowhere(ownTokens(), headers, `a header of ${where}`);
    // What the test put into an address or a message itself may come back to it in the page or the refusal.
    const isEcho = where.startsWith('/unknown/') || where === '/register' || where === '/snippets/mcp';
    if (where !== '/token' && !isEcho) expectNowhere(ownTokens(), body, `the body of ${where}`);
    if (where !== '/register') expectNowhere([own.clientSecret], `${headers}\n${body}`, where);
    expectNowhere(own.verifiers, `${headers}\n${body}`, where);
    if (!where.startsWith('/authorize/')) expectNowhere(own.codes, `${headers}\n${body}`, where);
  }
});

test('A15 D43 D22 D41: neither audit, log, database nor its journal holds a token, code, verifier, secret, password or key', async () => {
  const secrets = [
    ...entraSecrets(),
    ...ownTokens(),
    ...own.codes,
    ...own.verifiers,
    own.clientSecret,
    ...(await keys()),
    ...Object.values(product.people).map(({ password }) => password),
  ];
  for (const [where, text] of await written()) expectNowhere(secrets, text, where);
});

test('A15 D51: cookies and form tokens are stored as hashes, and none is written anywhere', async () => {
  const cookies = fromGateway().flatMap(({ headers }) =>
    [...headers.matchAll(/^set-cookie: [^=]+=([^;\n]+)/gim)].map(([, value]) => value ?? ''),
  );
  const forms = fromGateway().flatMap(({ body }) =>
    [...body.matchAll(/name="csrf" value="([^"]+)"/g)].map(([, value]) => value ?? ''),
  );
  const values = new Set([...cookies, ...forms].filter((value) => value.length >= 27));
  expect(values.size).toBeGreaterThan(20);
  for (const [where, text] of await written()) expectNowhere(values, text, where);
});

test('D13 D60: neither audit nor log names people or shows what they stored', async () => {
  const names = product.emulator.seed.tenants.flatMap(({ users }) =>
    users.map(({ displayName }) => displayName),
  );
  for (const [where, text] of await written()) if (where !== 'valetkey.db') expectNowhere(names, text, where);
});

test('A25: every kind of event is there, with who and what came of it', async () => {
  await expect
    .poll(async () => new Set((await product.readAudit()).map(({ event }) => event)))
    .toEqual(
      new Set([
        'client.register',
        'authorize',
        'consent.allow',
        'consent.deny',
        'entra.redirect',
        'callback',
        'token',
        'token.refresh',
        'token.revoke',
        'session.revoke',
        'access.denied',
        'mcp.call',
      ]),
    );
});
