/**
 * Who steals the store has nothing: a whole life is lived on each of the three, then all that lies there is searched
 * for every token, code, verifier, state, cookie, secret, address and name that took part in it.
 */
import { startPostgres, startRedis } from '@valetkey/gateway/store/real-servers.suite';
import { openDriver } from '@valetkey/gateway/store/open-store';
import { readStoredBytes } from '@valetkey/gateway/store/stored-bytes.suite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHttpBrowser, signInOverHttp } from '../support/http-person.ts';
import {
  authorizeRequest,
  callMcp,
  obtainTokens,
  postForm,
  postJson,
  redeemCode,
  redirectUri,
  refresh,
  registerClient,
} from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { goToCallback, goToConsent, obtainCode } from '../support/sign-in-steps.ts';
import { tapWire, type Wire } from '../support/wire.ts';

interface StoreServer {
  /** Undefined: the file that the product has anyway. */
  readonly url: string | undefined;
  close(): Promise<void>;
}

const servers: readonly [string, () => Promise<StoreServer>][] = [
  ['SQLite', async () => ({ url: undefined, close: async () => {} })],
  ['Redis', startRedis],
  ['PostgreSQL', startPostgres],
];

describe.each(servers)('%s', (_name, startServer) => {
  let server: StoreServer;
  let product: Product;
  let wire: Wire;
  let secrets: ReadonlyMap<string, string>;
  let stored: Buffer;

  beforeAll(async () => {
    server = await startServer();
    const { url } = server;
    product = await startProduct(
      url === undefined ? {} : { config: { store: 'env:STORE' }, env: { STORE: url } },
    );
    wire = tapWire();
    const own = await live(product);
    secrets = new Map([...secretsOnWire(wire), ...own, ...personalData(product)]);
    stored = await readStoredBytes(product.config.store);
  });
  afterAll(async () => {
    wire.stop();
    await product.close();
    await server.close();
  });

  test('the control: the life left its traces, and of every kind of secret some were caught', () => {
    const kinds = new Set(secrets.values());
    expect([...kinds].toSorted()).toEqual(expectedKinds);
    expect(secrets.size).toBeGreaterThan(60);
    for (const collection of ['oauth.client:', 'oauth.refresh-token:', 'session:', 'consent']) {
      expect(stored.includes(collection), collection).toBe(true);
    }
  });

  test('A28 D22 D23 D43 D64: nothing of it stands in the store in clear, base64 or hex', () => {
    expect(findIn(stored, secrets)).toEqual([]);
  });

  test('the control: what somebody stores in clear or in base64 is found', async () => {
    const [token = ''] = [...secrets].find(([, kind]) => kind === 'refresh_token') ?? [];
    const { username } = product.people.reader;
    const driver = await openDriver(product.config.store, { nowMs: () => Date.now() });
    const planted = `{"a":"${Buffer.from(`{"t":"${token}"}`).toString('base64')}"}`;
    await driver.put('planted', { value: Buffer.from(planted), groups: [`of ${username}`] });
    await driver.close();
    const found = findIn(await readStoredBytes(product.config.store), secrets);
    expect(new Set(found)).toEqual(new Set(['refresh_token', 'username']));
  });
});

/** @returns what only the client knows: its verifiers. */
async function live(product: Product): Promise<Map<string, string>> {
  const { reader, writer, admin } = product.people;
  const own = new Map<string, string>();
  const { body: client } = await postJson(`${product.url}/register`, {
    client_name: 'Confidential',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'client_secret_post',
  });
  const clientId = String(client['client_id']);
  const secret = await obtainCode(product, writer, { clientId });
  own.set(secret.request.verifier, 'code_verifier');
  const tokens = await postForm(`${product.url}/token`, {
    grant_type: 'authorization_code',
    client_id: clientId,
    client_secret: String(client['client_secret']),
    code: secret.code,
    code_verifier: secret.request.verifier,
    redirect_uri: redirectUri,
    resource: product.mcpUrl,
  });
  expect(tokens.status).toBe(200);

  const session = await obtainTokens(product, reader);
  const renewed = await refresh(product, session.clientId, session.refreshToken);
  expect(renewed.status).toBe(200);
  for (const method of ['tools/list', 'nonsense']) {
    await (await callMcp(product.mcpUrl, String(renewed.body['access_token']), method)).text();
  }

  const remembered = authorizeRequest(product, await registerClient(product));
  await signInOverHttp(createHttpBrowser(), remembered.url, {
    person: admin,
    gateway: product.url,
    emulator: product.emulator.httpOrigin,
    remember: true,
  });
  own.set(remembered.verifier, 'code_verifier');

  const denied = await goToConsent(product);
  await denied.browser.submit(denied.page, { decision: 'deny' }, [product.url]);
  // Left half-way: before consent, before the callback, and with a code that nobody redeems, or redeems twice.
  own.set((await goToConsent(product)).request.verifier, 'code_verifier');
  own.set((await goToCallback(product, reader)).request.verifier, 'code_verifier');
  own.set((await obtainCode(product, reader)).request.verifier, 'code_verifier');
  const twice = await obtainCode(product, writer);
  const { verifier } = twice.request;
  for (const _ of [1, 2]) await redeemCode(product, { clientId: twice.clientId, code: twice.code, verifier });

  const ended = await obtainTokens(product, writer);
  await postForm(`${product.url}/revoke`, { client_id: ended.clientId, token: ended.refreshToken });
  return own;
}

const fieldsInBodies = ['access_token', 'refresh_token', 'id_token', 'client_info', 'client_secret'];
const fieldsSent = ['code', 'code_verifier', 'client_secret', 'client_assertion', 'refresh_token'];
const fieldsInAddresses = ['code', 'state', 'nonce'];
const expectedKinds = [
  ...new Set([...fieldsInBodies, ...fieldsSent, ...fieldsInAddresses, 'cookie', 'username', 'display name']),
]
  .filter((kind) => kind !== 'client_assertion')
  .toSorted();

/** All that went to and from the gateway, Entra's side included. @returns kinds by secret. */
function secretsOnWire(wire: Wire): Map<string, string> {
  const found = new Map<string, string>();
  const add = (kind: string, value: string | null | undefined) => {
    if (value === null || value === undefined || value.length < 12) return;
    found.set(value, kind);
    // A careless cut of a token would leave these; its header alone is no secret.
    for (const part of value.split('.').slice(1)) if (part.length >= 40) found.set(part, kind);
  };
  for (const { path, sent, headers, body } of wire.noted()) {
    const json = readJson(body);
    for (const field of fieldsInBodies) {
      const value = json[field];
      if (typeof value === 'string') add(field, value);
    }
    const form = new URLSearchParams(sent);
    for (const field of fieldsSent) add(field, form.get(field));
    const location = /^location: .*\?(.*)$/im.exec(headers)?.[1] ?? '';
    for (const query of [path.split('?')[1] ?? '', location]) {
      const parameters = new URLSearchParams(query);
      for (const field of fieldsInAddresses) add(field, parameters.get(field));
    }
    for (const [, value] of headers.matchAll(/^set-cookie: [^=]+=([^;\n]+)/gim)) add('cookie', value);
  }
  return found;
}

function personalData({ emulator }: Product): Map<string, string> {
  const users = emulator.seed.tenants.flatMap((tenant) => tenant.users);
  return new Map(
    users.flatMap(({ username, displayName }): [string, string][] => [
      [username, 'username'],
      [displayName, 'display name'],
    ]),
  );
}

/** The kinds only: a failure that showed the secret would be one leak more. */
function findIn(stored: Buffer, secrets: ReadonlyMap<string, string>): string[] {
  const text = stored.toString('latin1');
  const found = [...secrets].filter(([secret]) => formsOf(secret).some((form) => text.includes(form)));
  return [...new Set(found.map(([, kind]) => kind))];
}

/** As it is, and inside of base64, where its letters depend on what stands before it. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const inBase64 = [0, 1, 2].flatMap((offset) => {
    const shifted = Buffer.concat([Buffer.alloc(offset), bytes]);
    // Letters that hold bits of a neighbour are left out, at both ends.
    const whole = Math.floor((shifted.length * 8) / 6);
    const first = Math.ceil((offset * 8) / 6);
    return [
      shifted.toString('base64').slice(first, whole),
      shifted.toString('base64url').slice(first, whole),
    ];
  });
  return [bytes.toString('latin1'), encodeURIComponent(secret), bytes.toString('hex'), ...inBase64];
}

function readJson(body: string): Record<string, unknown> {
  try {
    return JSON.parse(body) as Record<string, unknown>;
  } catch {
    return {};
  }
}
