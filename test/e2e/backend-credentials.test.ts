/** What each kind of credential shows a backend, on the wire; and what becomes of a backend, or an Entra, that says no. */
import {
  GATEWAY_CLIENT_ID,
  GATEWAY_IDENTITY_CLIENT_ID,
  GATEWAY_IDENTITY_PRINCIPAL_ID,
  PAYROLL_API_CLIENT_ID,
  SNIPPETS_API_CLIENT_ID,
  SNIPPETS_API_URI,
} from '@valetkey/entra-emulator';
import { createRemoteJWKSet, decodeJwt, type JWTPayload, jwtVerify } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  type Arrival,
  type CanaryBackend,
  type CanaryRefusal,
  headerValues,
  startCanaryBackend,
} from '../support/canary-backend.ts';
import { callMcp, obtainTokens, postForm, refresh, type Tokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

const payroll = `api://${PAYROLL_API_CLIENT_ID}/payroll.read`;
const ownScope = `${SNIPPETS_API_URI}/snippets.use`;

const credentials = {
  none: undefined,
  static: { header: 'x-functions-key', value: 'env:FUNCTION_KEY' },
  'static-bearer': { header: 'Authorization', value: 'env:API_KEY' },
  identity: { managedIdentity: { resource: SNIPPETS_API_URI, clientId: GATEWAY_IDENTITY_CLIENT_ID } },
  person: { entra: { scopes: [ownScope] } },
  delegated: { entra: { scopes: [ownScope], flow: 'onBehalfOf' } },
  payroll: { entra: { scopes: [payroll] } },
  jwt: { identityJwt: {} },
  'jwt-header': { identityJwt: { header: 'X-Caller' } },
} as const;
type Kind = keyof typeof credentials;

const environmentBefore = { ...process.env };
let canary: CanaryBackend;
let product: Product;
let refuse: (arrival: Arrival) => CanaryRefusal | undefined;

beforeAll(async () => {
  canary = await startCanaryBackend((arrival) => refuse(arrival));
  product = await startProduct({
    env: { API_KEY: 'Bearer a-fixed-key' },
    backends: () =>
      Object.fromEntries(
        Object.entries(credentials).map(([name, credential]) => [
          name,
          { path: `/${name}/mcp`, upstream: canary.url, ...(credential === undefined ? {} : { credential }) },
        ]),
      ),
  });
  // MSAL finds the platform's endpoint in the environment, and nowhere else.
  Object.assign(process.env, product.emulator.azure.appServiceEnvironment());
});
beforeEach(() => {
  refuse = () => undefined;
  canary.arrivals.length = 0;
  product.emulator.control.clearFaults();
});
afterAll(async () => {
  for (const name of Object.keys(process.env))
    if (!(name in environmentBefore)) Reflect.deleteProperty(process.env, name);
  await product.close();
  await canary.close();
});

const resourceOf = (kind: Kind) => `${product.url}/${kind}/mcp`;

function signIn(kind: Kind, options: Parameters<typeof obtainTokens>[2] = {}): Promise<Tokens> {
  const backend = { resource: resourceOf(kind), scope: `${kind}.use offline_access` };
  return obtainTokens(product, product.people.reader, { ...backend, ...options });
}

const call = (kind: Kind, { accessToken }: Pick<Tokens, 'accessToken'>) =>
  callMcp(resourceOf(kind), accessToken, 'tools/call', { name: 'hello', arguments: {} });

/** What the backend was shown as a bearer token. */
function shown(index = -1): JWTPayload {
  const [value = ''] = headerValues(canary.arrivals.at(index), 'authorization');
  return decodeJwt(value.replace(/^Bearer /u, ''));
}

test.each(Object.keys(credentials) as Kind[])(
  'A52 A15: %s: neither the client’s bearer nor anything else of it leaves the gateway',
  async (kind) => {
    const tokens = await signIn(kind);
    const answer = await call(kind, tokens);
    expect(answer.status).toBe(200);
    expect(canary.arrivals).toHaveLength(1);
    const wire = JSON.stringify(canary.arrivals);
    for (const secret of [tokens.accessToken, tokens.refreshToken]) {
      expect(wire).not.toContain(secret);
      expect(wire).not.toContain(secret.slice(0, 40));
    }
    const { rawHeaders } = canary.arrivals[0] ?? { rawHeaders: [] };
    const names = rawHeaders.filter((_value, index) => index % 2 === 0).map((name) => name.toLowerCase());
    expect(names.filter((name) => name === 'authorization').length, 'at most one').toBeLessThanOrEqual(1);
    const heard = `${[...answer.headers].join()} ${await answer.text()}`;
    expect(heard, 'and nothing of the credential comes back').not.toMatch(/eyJ|a-fixed-key|a-function-key/u);
  },
);

test('A52: the fixed ones, and none', async () => {
  for (const kind of ['none', 'static', 'static-bearer'] as const) await call(kind, await signIn(kind));
  const [none, fixed, bearer] = canary.arrivals;
  expect(headerValues(none, 'authorization')).toEqual([]);
  expect(headerValues(fixed, 'x-functions-key')).toEqual([product.env['FUNCTION_KEY']]);
  expect(headerValues(bearer, 'authorization')).toEqual(['Bearer a-fixed-key']);
});

test('A52: the managed identity: the gateway itself, for the backend’s resource, asked for once', async () => {
  const tokens = await signIn('identity');
  const before = product.emulator.control.requestLog().filter(({ path }) => path === '/msi/token').length;
  await Promise.all([call('identity', tokens), call('identity', tokens), call('identity', tokens)]);
  expect(shown()).toMatchObject({ aud: SNIPPETS_API_CLIENT_ID, sub: GATEWAY_IDENTITY_PRINCIPAL_ID });
  const after = product.emulator.control.requestLog().filter(({ path }) => path === '/msi/token').length;
  expect(after - before).toBeLessThanOrEqual(1);
});

test.each(['person', 'delegated'] as const)(
  '%s: the person’s own token for the backend’s API',
  async (kind) => {
    const tokens = await signIn(kind);
    const before = product.emulator.control.requestLog().length;
    await Promise.all([call(kind, tokens), call(kind, tokens)]);
    expect(shown()).toMatchObject({
      aud: SNIPPETS_API_CLIENT_ID,
      azp: GATEWAY_CLIENT_ID,
      scp: 'snippets.use',
      oid: '10000000-0000-4000-8000-000000000001',
    });
    const asked = product.emulator.control.requestLog().slice(before);
    expect(asked.filter(({ path }) => path.endsWith('/token'))).toHaveLength(kind === 'person' ? 1 : 2);
  },
);

test('A57: a token of before a person’s rights changed is not used any more', async () => {
  const tokens = await signIn('person');
  await call('person', tokens);
  const [before] = headerValues(canary.arrivals.at(-1), 'authorization');
  await call('person', tokens);
  expect(headerValues(canary.arrivals.at(-1), 'authorization')).toEqual([before]);
  const { username } = product.people.reader;
  product.emulator.control.setRoles(username, []);
  const renewed = await postForm(`${product.url}/token`, {
    grant_type: 'refresh_token',
    client_id: tokens.clientId,
    refresh_token: tokens.refreshToken,
    resource: resourceOf('person'),
  });
  product.emulator.control.setRoles(username, ['Snippets.Reader']);
  expect((await call('person', { accessToken: String(renewed.body['access_token']) })).status).toBe(200);
  expect(headerValues(canary.arrivals.at(-1), 'authorization')).not.toEqual([before]);
});

test('A53: the signed identity as a bearer, and in a header: it verifies with the published keys', async () => {
  await call('jwt', await signIn('jwt'));
  await call('jwt-header', await signIn('jwt-header'));
  const [asBearer, inHeader] = canary.arrivals;
  const keys = createRemoteJWKSet(new URL(`${product.url}/jwks`));
  const jwts = [
    (headerValues(asBearer, 'authorization')[0] ?? '').replace(/^Bearer /u, ''),
    headerValues(inHeader, 'x-caller')[0] ?? '',
  ];
  for (const [index, kind] of (['jwt', 'jwt-header'] as const).entries()) {
    const options = { audience: resourceOf(kind), issuer: product.url };
    const { payload } = await jwtVerify(jwts[index] ?? '', keys, options);
    expect(payload['oid']).toBe('10000000-0000-4000-8000-000000000001');
  }
  const replayed = await callMcp(resourceOf('jwt'), jwts[0], 'tools/list');
  expect(replayed.status, 'at the gateway it is worth nothing').toBe(401);
});

test('a 401 of the backend: one renewal and one more try, then the operator’s matter', async () => {
  const tokens = await signIn('identity');
  await call('identity', tokens);
  product.time.aheadMs += 60_000;
  canary.arrivals.length = 0;
  const first = { token: '' };
  refuse = (arrival) => {
    const [value = ''] = headerValues(arrival, 'authorization');
    first.token ||= value;
    return value === first.token ? { status: 401 } : undefined;
  };
  expect((await call('identity', tokens)).status).toBe(200);
  expect(canary.arrivals).toHaveLength(2);
  expect(canary.arrivals[1]?.body, 'the same request').toBe(canary.arrivals[0]?.body);

  product.time.aheadMs += 60_000;
  canary.arrivals.length = 0;
  refuse = () => ({
    status: 401,
    headers: { 'www-authenticate': 'Bearer resource_metadata="https://evil.example"' },
  });
  const refused = await call('identity', tokens);
  expect(refused.status).toBe(502);
  expect(refused.headers.get('www-authenticate')).toBeNull();
  expect(canary.arrivals).toHaveLength(2);
  await call('identity', tokens);
  expect(canary.arrivals, 'a token that is seconds old is not renewed').toHaveLength(3);
});

test('an API behind Conditional Access: the sign-in names its scopes, so the second factor comes at once', async () => {
  let factors = 0;
  const tokens = await signIn('payroll', { onSecondFactor: () => (factors += 1) });
  expect(factors).toBe(1);
  expect((await call('payroll', tokens)).status).toBe(200);
  expect(shown()).toMatchObject({ aud: PAYROLL_API_CLIENT_ID, scp: 'payroll.read' });
});

test('a claims challenge of the backend: 401, no refresh, a sign-in that carries it, and then it goes on', async () => {
  const claims = JSON.stringify({ access_token: { acrs: { essential: true, value: 'c1' } } });
  const encoded = Buffer.from(claims).toString('base64');
  refuse = (arrival) => {
    const [value = ''] = headerValues(arrival, 'authorization');
    const { acrs } = decodeJwt(value.replace(/^Bearer /u, ''));
    if (Array.isArray(acrs) && acrs.includes('c1')) return undefined;
    const challenge = `Bearer realm="", error="insufficient_claims", claims="${encoded}"`;
    return { status: 401, headers: { 'www-authenticate': challenge } };
  };
  const tokens = await signIn('person');
  const refused = await call('person', tokens);
  expect(refused.status).toBe(401);
  expect(refused.headers.get('www-authenticate')).toMatch(
    /^Bearer error="invalid_token", error_description="Sign in again[^"]+", resource_metadata="[^"]+\/person\/mcp", scope="person\.use"$/u,
  );
  expect(await refused.json()).toMatchObject({ jsonrpc: '2.0', id: 1, error: { code: 401 } });
  expect(canary.arrivals, 'Entra said no, so there was nothing to try again with').toHaveLength(1);
  expect((await refresh(product, tokens.clientId, tokens.refreshToken)).body['error']).toBe('invalid_grant');
  expect((await call('person', tokens)).status, 'the session is over').toBe(401);

  let factors = 0;
  const again = await signIn('person', { clientId: tokens.clientId, onSecondFactor: () => (factors += 1) });
  expect(factors).toBe(1);
  canary.arrivals.length = 0;
  expect((await call('person', again)).status).toBe(200);
  expect(shown()).toMatchObject({ acrs: ['c1'] });
  expect((await call('person', again)).status).toBe(200);
  expect(canary.arrivals, 'the token that shows it is kept').toHaveLength(3);
  const reasons = (await product.readAudit()).map(
    ({ event, reason }) => `${String(event)} ${String(reason)}`,
  );
  expect(reasons).toContain('session.revoke AADSTS50076');
  expect(reasons).toContain('mcp.call AADSTS50076');
});

test('Entra says no to a token: each of its reasons has its own answer, and none of them signs anybody out', async () => {
  const tokens = await signIn('person');
  const { control } = product.emulator;
  const fault = (code: number) => control.setFault({ endpoint: 'token' }, { kind: 'aadsts', code }, 1);
  const outcomes: [number, string | null, unknown][] = [];
  const attempt = async () => {
    const answer = await call('person', tokens);
    const { error } = (await answer.json()) as { error?: { message: string } };
    outcomes.push([answer.status, answer.headers.get('retry-after'), error?.message]);
    // Refusals are held for a moment, as Entra asks.
    product.time.aheadMs += 20_000;
  };
  fault(50105);
  await attempt();
  fault(7000215);
  await attempt();
  control.setFault({ endpoint: 'token' }, { kind: 'throttle', retryAfterSeconds: 17 }, 1);
  await attempt();
  control.setFault({ endpoint: 'token' }, { kind: 'outage' }, 1);
  await attempt();
  await attempt();
  expect(outcomes).toEqual([
    [403, null, expect.stringMatching(/^Access denied: /u)],
    [502, null, expect.stringContaining('no credential for the MCP server')],
    [503, '17', expect.stringContaining('cannot prove itself')],
    [503, '5', expect.stringContaining('cannot prove itself')],
    [200, null, undefined],
  ]);
  expect(canary.arrivals, 'nothing goes out without its credential').toHaveLength(1);
  expect(product.logLines.join()).not.toMatch(/eyJ/u);
});
