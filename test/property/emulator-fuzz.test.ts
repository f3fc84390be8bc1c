/**
 * Every endpoint of the emulator under arbitrary requests, many of them half right. Whatever comes in, what goes out has the
 * shape that Entra, Graph or the neighbour in question gives its refusals: no 500, no crash, no growth without end.
 *
 * Time-boxed; the seed stands in the title of the report and in FUZZ_SEED: set it to repeat a run.
 */
import http from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  AUTOMATION_CLIENT_ID,
  AUTOMATION_CLIENT_SECRET,
  CONTOSO_TENANT_ID,
  createEmulator,
  DESKTOP_CLIENT_ID,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
  SNIPPETS_API_URI,
} from '@valetkey/entra-emulator';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';

const TIME_MS = 5_500;
const MAX_GROWTH_BYTES = 96 * 1024 * 1024;
const REDIRECT = 'http://localhost/auth/callback';
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2_147_483_647);

type Family = 'entra' | 'page' | 'graph' | 'appService' | 'imds' | 'keyVault' | 'control' | 'console';
interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly location: string | undefined;
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
let emulator: Emulator;
/** What half-right requests are made of: handles and tokens that are really good. */
let good: readonly string[] = [];
let bearers: readonly string[] = [];

beforeAll(async () => {
  emulator = await createEmulator();
  const rita = await signInRita();
  const refresh = String(rita['refresh_token']);
  const vault = asJson(
    await send(
      'GET',
      '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net',
      {
        metadata: 'true',
      },
    ),
  );
  const app = asJson(await send('POST', `/${CONTOSO_TENANT_ID}/oauth2/v2.0/token`, formType(), appForm()));
  const device = asJson(
    await send(
      'POST',
      `/${CONTOSO_TENANT_ID}/oauth2/v2.0/devicecode`,
      formType(),
      `client_id=${DESKTOP_CLIENT_ID}&scope=openid`,
    ),
  );
  good = [refresh, String(device['device_code']), String(device['user_code']), String(rita['id_token'])];
  bearers = [rita['access_token'], vault['access_token'], app['access_token'], emulator.controlToken].map(
    String,
  );
  expect(bearers.every((token) => token.length > 40)).toBe(true);
});
afterAll(async () => {
  agent.destroy();
  await emulator.close();
});

const formType = () => ({ 'content-type': 'application/x-www-form-urlencoded' });
const appForm = () =>
  new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: AUTOMATION_CLIENT_ID,
    client_secret: AUTOMATION_CLIENT_SECRET,
    scope: 'https://graph.microsoft.com/.default',
  }).toString();
const asJson = (answer: Answer) => JSON.parse(answer.text) as Record<string, unknown>;

function send(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(emulator.httpOrigin);
    const request = http.request({ host: '127.0.0.1', port, method, path, headers, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? '',
          text: Buffer.concat(chunks).toString(),
          location: response.headers.location,
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function signInRita(): Promise<Record<string, unknown>> {
  const asked = new URLSearchParams({
    client_id: GATEWAY_CLIENT_ID,
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: 'openid offline_access User.Read',
  });
  const page = await send('GET', `/${CONTOSO_TENANT_ID}/oauth2/v2.0/authorize?${asked.toString()}`);
  const action = /action="([^"]+)"/.exec(page.text)?.[1] ?? '';
  const ctx = /name="ctx" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
  const { pathname } = new URL(action, emulator.httpOrigin);
  const chosen = new URLSearchParams({ ctx, account: 'rita@contoso.example' });
  const { location } = await send('POST', pathname, formType(), chosen.toString());
  const redeemed = new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: GATEWAY_CLIENT_ID,
    client_secret: GATEWAY_CLIENT_SECRET,
    redirect_uri: REDIRECT,
    code: new URL(location ?? '').searchParams.get('code') ?? '',
  });
  return asJson(
    await send('POST', `/${CONTOSO_TENANT_ID}/oauth2/v2.0/token`, formType(), redeemed.toString()),
  );
}

const endpoints: readonly (readonly [path: string, family: Family])[] = [
  ['/{t}/discovery/instance', 'entra'],
  ['/{t}/v2.0/.well-known/openid-configuration', 'entra'],
  ['/{t}/.well-known/openid-configuration', 'entra'],
  ['/{t}/discovery/v2.0/keys', 'entra'],
  ['/{t}/discovery/keys', 'entra'],
  ['/{t}/oauth2/v2.0/token', 'entra'],
  ['/{t}/oauth2/v2.0/token', 'entra'],
  ['/{t}/oauth2/v2.0/token', 'entra'],
  ['/{t}/oauth2/token', 'entra'],
  ['/{t}/oauth2/v2.0/devicecode', 'entra'],
  ['/{t}/oauth2/devicecode', 'entra'],
  ['/{t}/oauth2/v2.0/authorize', 'page'],
  ['/{t}/oauth2/v2.0/authorize', 'page'],
  ['/{t}/oauth2/authorize', 'page'],
  ['/{t}/login', 'page'],
  ['/devicelogin', 'page'],
  ['/{t}/oauth2/deviceauth', 'page'],
  ['/{t}/v2.0/adminconsent', 'page'],
  ['/{t}/adminconsent', 'page'],
  ['/{t}/oauth2/v2.0/logout', 'page'],
  ['/{t}/oauth2/logout', 'page'],
  ['/oidc/userinfo', 'graph'],
  ['/{t}/openid/userinfo', 'graph'],
  ['/v1.0/me', 'graph'],
  ['/v1.0/me/getMemberObjects', 'graph'],
  ['/v1.0/me/checkMemberGroups', 'graph'],
  ['/v1.0/me/transitiveMemberOf', 'graph'],
  ['/v1.0/me/revokeSignInSessions', 'graph'],
  ['/v1.0/users', 'graph'],
  ['/v1.0/users/delta', 'graph'],
  ['/v1.0/users/{x}', 'graph'],
  ['/v1.0/groups/{x}', 'graph'],
  ['/v1.0/applications', 'graph'],
  ['/v1.0/servicePrincipals/{x}/appRoleAssignedTo', 'graph'],
  ['/v1.0/$batch', 'graph'],
  ['/v1.0/{x}', 'graph'],
  ['/msi/token', 'appService'],
  ['/metadata/identity/oauth2/token', 'imds'],
  ['/keys', 'keyVault'],
  ['/deletedkeys', 'keyVault'],
  ['/keys/{x}', 'keyVault'],
  ['/keys/gateway-key', 'keyVault'],
  ['/keys/gateway-key/wrapkey', 'keyVault'],
  ['/keys/gateway-key/unwrapkey', 'keyVault'],
  ['/keys/gateway-key/{x}/sign', 'keyVault'],
  ['/keys/gateway-key/rotationpolicy', 'keyVault'],
  ['/emulator', 'console'],
  ['/emulator/open', 'console'],
  ['/emulator/enter', 'console'],
  ['/emulator/do/{x}', 'console'],
  ['/emulator/control/v1/{x}', 'control'],
  ['/emulator/control/v1/setFault', 'control'],
  ['/emulator/control/v1/tenants', 'control'],
];

/** A request that is right, to be made wrong in one place or two. */
interface Recipe {
  readonly path: string;
  readonly family: Family;
  readonly method: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  readonly json?: Readonly<Record<string, unknown>>;
  /** Index into the bearer tokens: Graph as Rita, the vault, Graph as an app, control. */
  readonly bearer?: number;
}

const gateway = { client_id: GATEWAY_CLIENT_ID, client_secret: GATEWAY_CLIENT_SECRET };
const vaultQuery = { 'api-version': '7.4' };
const wrapped = { alg: 'RSA-OAEP-256', value: 'AAAA' };
const signIn = {
  client_id: GATEWAY_CLIENT_ID,
  response_type: 'code',
  redirect_uri: REDIRECT,
  scope: 'openid',
};
const tokenForms: readonly Readonly<Record<string, string>>[] = [
  { ...gateway, grant_type: 'client_credentials', scope: `${SNIPPETS_API_URI}/.default` },
  { ...gateway, grant_type: 'refresh_token', refresh_token: '{refresh}', scope: 'openid User.Read' },
  { ...gateway, grant_type: 'authorization_code', code: '1.x', redirect_uri: REDIRECT },
  { client_id: DESKTOP_CLIENT_ID, grant_type: 'device_code', device_code: '{device}' },
  {
    client_id: DESKTOP_CLIENT_ID,
    grant_type: 'password',
    username: 'rita@contoso.example',
    password: 'x',
    scope: 'openid',
  },
  {
    ...gateway,
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    requested_token_use: 'on_behalf_of',
    assertion: '{idToken}',
    scope: 'openid',
  },
  {
    client_id: GATEWAY_CLIENT_ID,
    grant_type: 'client_credentials',
    scope: `${SNIPPETS_API_URI}/.default`,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: '{idToken}',
  },
];
const recipes: readonly Recipe[] = [
  ...tokenForms.map(
    (form): Recipe => ({ path: '/{t}/oauth2/v2.0/token', family: 'entra', method: 'POST', form }),
  ),
  { path: '/{t}/oauth2/v2.0/authorize', family: 'page', method: 'GET', query: signIn },
  { path: '/{t}/oauth2/v2.0/authorize', family: 'page', method: 'POST', form: signIn },
  { path: '/{t}/v2.0/adminconsent', family: 'page', method: 'GET', query: signIn },
  {
    path: '/{t}/oauth2/v2.0/devicecode',
    family: 'entra',
    method: 'POST',
    form: { client_id: DESKTOP_CLIENT_ID, scope: 'openid' },
  },
  { path: '/devicelogin', family: 'page', method: 'POST', form: { otc: '{userCode}' } },
  { path: '/{t}/login', family: 'page', method: 'POST', form: { ctx: 'x', account: 'rita@contoso.example' } },
  {
    path: '/{t}/discovery/instance',
    family: 'entra',
    method: 'GET',
    query: { 'api-version': '1.1', authorization_endpoint: 'https://localhost/x' },
  },
  {
    path: '/v1.0/users',
    family: 'graph',
    method: 'GET',
    query: { $filter: "startswith(displayName,'R')", $top: '2', $select: 'id' },
    bearer: 2,
  },
  { path: '/v1.0/users/delta', family: 'graph', method: 'GET', query: { $select: 'id' }, bearer: 2 },
  {
    path: '/v1.0/me/transitiveMemberOf',
    family: 'graph',
    method: 'GET',
    query: { $top: '1', $count: 'true' },
    bearer: 0,
  },
  {
    path: '/v1.0/me/getMemberObjects',
    family: 'graph',
    method: 'POST',
    json: { securityEnabledOnly: true },
    bearer: 0,
  },
  {
    path: '/v1.0/me/checkMemberGroups',
    family: 'graph',
    method: 'POST',
    json: { groupIds: ['x'] },
    bearer: 0,
  },
  {
    path: '/v1.0/$batch',
    family: 'graph',
    method: 'POST',
    json: { requests: [{ id: '1', method: 'GET', url: '/me' }] },
    bearer: 0,
  },
  {
    path: '/metadata/identity/oauth2/token',
    family: 'imds',
    method: 'GET',
    query: { 'api-version': '2018-02-01', resource: 'https://vault.azure.net' },
  },
  { path: '/keys', family: 'keyVault', method: 'GET', query: vaultQuery, bearer: 1 },
  { path: '/keys/gateway-key', family: 'keyVault', method: 'GET', query: vaultQuery, bearer: 1 },
  {
    path: '/keys/gateway-key/wrapkey',
    family: 'keyVault',
    method: 'POST',
    query: vaultQuery,
    json: wrapped,
    bearer: 1,
  },
  {
    path: '/keys/gateway-key/unwrapkey',
    family: 'keyVault',
    method: 'POST',
    query: vaultQuery,
    json: wrapped,
    bearer: 1,
  },
  {
    path: '/keys/gateway-key/rotationpolicy',
    family: 'keyVault',
    method: 'PUT',
    query: vaultQuery,
    json: { lifetimeActions: [] },
    bearer: 1,
  },
  {
    path: '/emulator/control/v1/setFault',
    family: 'control',
    method: 'POST',
    json: { match: {}, fault: { kind: 'throttle', retryAfterSeconds: 1 } },
    bearer: 3,
  },
];

const hostile = fc.constantFrom(
  '',
  '%',
  '%00',
  '../..',
  '__proto__',
  'constructor',
  'toString',
  '{tenantid}',
  '\u0000',
  '\ud800',
  '<script>alert(1)</script>',
  "' or 1 eq 1",
  '9'.repeat(400),
  '-1',
  'null',
  '[]',
  '{"a":{"b":[]}}',
  'eyJhbGciOiJub25lIn0.e30.',
  'eyJhbGciOiJSUzI1NiIsImtpZCI6Il9fcHJvdG9fXyJ9.eyJpc3MiOltdLCJhdWQiOnt9LCJleHAiOiJ4In0.AAAA',
  'A'.repeat(1_500),
);
const known = fc.constantFrom(
  CONTOSO_TENANT_ID,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
  DESKTOP_CLIENT_ID,
  SNIPPETS_API_URI,
  REDIRECT,
  'rita@contoso.example',
  'gateway-key',
  'openid profile offline_access',
  `${SNIPPETS_API_URI}/.default`,
  'https://vault.azure.net',
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'device_code',
  'password',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  'on_behalf_of',
  'code',
  'id_token',
  'form_post',
  'none',
  'S256',
  '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}',
  'https://localhost/x',
);
/** Indexes into what only exists once the emulator runs. */
const value = fc.oneof(
  { weight: 5, arbitrary: known },
  { weight: 3, arbitrary: hostile },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
  { weight: 2, arbitrary: fc.nat(3).map((index) => ({ good: index })) },
);
const name = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.constantFrom(
      ...'grant_type client_id client_secret client_assertion client_assertion_type code code_verifier redirect_uri scope resource'.split(
        ' ',
      ),
      ...'refresh_token assertion requested_token_use device_code user_code otc username password claims nonce state'.split(
        ' ',
      ),
      ...'response_type response_mode prompt login_hint domain_hint code_challenge code_challenge_method ctx account'.split(
        ' ',
      ),
      ...'loginfmt passwd post_logout_redirect_uri id_token_hint authorization_endpoint api-version principal_id object_id'.split(
        ' ',
      ),
      ...'$select $filter $top $skiptoken $search $orderby $count $deltatoken form token key kind number'.split(
        ' ',
      ),
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
);
const params = fc.array(fc.tuple(name, value), { maxLength: 9 });
const segment = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(CONTOSO_TENANT_ID, 'contoso.example', 'common', 'organizations', 'consumers'),
  },
  { weight: 2, arbitrary: fc.constantFrom('%', '%00', '%zz', '__proto__', '{tenantid}', 'a'.repeat(500)) },
  { weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 20 }) },
);
const anyBody = fc.oneof(
  params,
  fc.json(),
  fc
    .record({
      requests: fc.array(
        fc.record(
          {
            id: fc.string(),
            method: fc.constantFrom('GET', 'POST', 'X'),
            url: fc.constantFrom('/me', '/users', '//x', '', '/$batch'),
          },
          { requiredKeys: [] },
        ),
        { maxLength: 25 },
      ),
    })
    .map((batch) => JSON.stringify(batch)),
  fc
    .record({
      alg: fc.constantFrom('RSA-OAEP', 'RSA-OAEP-256', 'RSA1_5', 'RS256', 'none'),
      value: fc.oneof(fc.base64String(), fc.string()),
    })
    .map((key) => JSON.stringify(key)),
  fc
    .record({ securityEnabledOnly: fc.anything(), groupIds: fc.anything(), accountEnabled: fc.anything() })
    .map((asked) => JSON.stringify(asked)),
  fc.string({ unit: 'binary' }),
);
const contentType = fc.constantFrom(
  'application/x-www-form-urlencoded',
  'application/x-www-form-urlencoded; charset=utf-8',
  'application/json',
  'text/plain',
  '',
);
const authorization = fc.oneof(
  fc.constantFrom('', 'Bearer', 'Bearer a.b.c', 'Basic !', 'Basic Og==', 'Basic JTpY', 'Negotiate x'),
  fc.nat(3).map((index) => ({ bearer: index })),
);
const method = fc.constantFrom('GET', 'GET', 'POST', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD');
const cookie = fc.constantFrom('', 'ESTSAUTH=x', 'entra-emulator-console=x', '=;;=', 'a=%zz; __proto__=1');

type Value = string | { readonly good: number };
const resolve = (given: Value) => (typeof given === 'string' ? given : (good[given.good] ?? ''));
/** A lone surrogate would not survive; everything else is sent as it is. */
const encode = (pairs: readonly (readonly [string, Value])[]) =>
  pairs
    .map((pair) => pair.map((part) => encodeURIComponent(resolve(part).toWellFormed())).join('='))
    .join('&');
const fill = (path: string, tenant: string) =>
  path.replace(/\{[tx]\}/, () =>
    /^%(00|zz)?$/.test(tenant) ? tenant : encodeURIComponent(tenant.toWellFormed()),
  );

const entraShape = {
  error: expect.stringMatching(/^[a-z_]+$/),
  error_description: expect.stringMatching(
    /^AADSTS\d+: [\s\S]* Trace ID: [0-9a-f-]{36} Correlation ID: [0-9a-f-]{36} Timestamp: \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/,
  ),
  error_codes: [expect.any(Number)],
  timestamp: expect.any(String),
  trace_id: expect.any(String),
  correlation_id: expect.any(String),
};
const graphShape = {
  error: { code: expect.any(String), message: expect.any(String) },
};
const shapes: Readonly<Record<Exclude<Family, 'page' | 'console'>, unknown>> = {
  entra: expect.objectContaining(entraShape),
  graph: expect.objectContaining({ error: expect.objectContaining(graphShape.error) }),
  keyVault: expect.objectContaining({ error: expect.objectContaining(graphShape.error) }),
  appService: expect.objectContaining({ statusCode: expect.any(Number), message: expect.any(String) }),
  imds: { error: expect.any(String), error_description: expect.any(String) },
  control: { error: expect.any(String), message: expect.any(String) },
};
/** Beside the endpoints: a path or a method that nobody answers. */
const nowhere = {
  error: expect.stringMatching(/^(not_found|method_not_allowed)$/),
  error_description: expect.any(String),
};

function judge(family: Family, answer: Answer): void {
  expect(answer.status).toBeGreaterThanOrEqual(200);
  expect(answer.status, answer.text.slice(0, 500)).toBeLessThan(500);
  if (answer.status < 400 || answer.text === '') return;
  const isNowhere =
    answer.type.startsWith('application/json') &&
    ['not_found', 'method_not_allowed'].includes(String(asJson(answer)['error'])) &&
    family !== 'control';
  if (isNowhere) {
    expect(asJson(answer)).toEqual(nowhere);
    return;
  }
  if (family === 'page') {
    const text = answer.type.startsWith('text/html') ? answer.text : '';
    expect(text, answer.text.slice(0, 500)).toMatch(/AADSTS\d+/);
  } else if (family === 'console') expect(answer.type).toBe('text/html; charset=utf-8');
  else expect(asJson(answer), family).toEqual(shapes[family]);
}

function measureHeapBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

interface Sent {
  readonly family: Family;
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

const arbitrarily: fc.Arbitrary<() => Sent> = fc
  .record({
    endpoint: fc.constantFrom(...endpoints),
    segment,
    method,
    params,
    body: anyBody,
    contentType,
    authorization,
    cookie,
  })
  .map((given) => () => {
    const [path, family] = given.endpoint;
    const hasBody = given.method !== 'GET' && given.method !== 'HEAD';
    const text = typeof given.body === 'string' ? given.body : encode(given.body);
    const bearer =
      typeof given.authorization === 'string'
        ? given.authorization
        : `Bearer ${bearers[given.authorization.bearer]}`;
    return {
      family,
      method: given.method,
      target: `${fill(path, given.segment)}?${encode(given.params)}`.slice(0, 14_000),
      headers: {
        ...(bearer === '' ? {} : { authorization: bearer }),
        ...(given.cookie === '' ? {} : { cookie: given.cookie }),
        ...(hasBody && given.contentType !== '' ? { 'content-type': given.contentType } : {}),
      },
      body: hasBody ? text : undefined,
    };
  });

/** One member of a right request, counted round, takes another value or goes. */
const change = fc.record({
  at: fc.nat(20),
  to: fc.option(value, { nil: undefined }),
  json: fc.jsonValue({ maxDepth: 2 }),
});
type Change = { readonly at: number; readonly to: Value | undefined; readonly json: unknown };

function changeMembers<T>(
  members: Readonly<Record<string, T>>,
  changes: readonly Change[],
  toValue: (change: Change) => T | undefined,
) {
  const changed = Object.entries(members);
  for (const each of changes) {
    const pair = changed[each.at % Math.max(1, changed.length)];
    const to = toValue(each);
    if (pair !== undefined && to === undefined) changed.splice(changed.indexOf(pair), 1);
    else if (pair !== undefined) pair[1] = to as T;
  }
  return changed;
}

const almostRight: fc.Arbitrary<() => Sent> = fc
  .record({
    recipe: fc.constantFrom(...recipes),
    segment,
    changes: fc.array(change, { maxLength: 2 }),
    isMetadata: fc.boolean(),
  })
  .map(({ recipe, segment: tenant, changes, isMetadata }) => () => {
    const made = (members: Readonly<Record<string, string>>) => {
      const pairs = changeMembers<Value>(members, changes, ({ to }) => to);
      const named: Readonly<Record<string, number>> = {
        '{refresh}': 0,
        '{device}': 1,
        '{userCode}': 2,
        '{idToken}': 3,
      };
      return encode(
        pairs.map(([each, given]) => [
          each,
          typeof given === 'string' && given in named ? { good: named[given] ?? 0 } : given,
        ]),
      );
    };
    const body =
      recipe.json === undefined
        ? recipe.form && made(recipe.form)
        : JSON.stringify(
            Object.fromEntries(changeMembers<unknown>(recipe.json, changes, ({ json }) => json ?? null)),
          );
    return {
      family: recipe.family,
      method: recipe.method,
      target: `${fill(recipe.path, tenant)}?${made(recipe.query ?? {})}`,
      headers: {
        ...(recipe.bearer === undefined ? {} : { authorization: `Bearer ${bearers[recipe.bearer]}` }),
        ...(isMetadata ? { metadata: 'true' } : {}),
        ...(recipe.json === undefined ? formType() : { 'content-type': 'application/json' }),
      },
      body,
    };
  });

/** With the right token these change the ground under all other requests. */
const isOff = ({ family, headers, target }: Sent) =>
  family === 'control' &&
  (headers['authorization'] ?? '').endsWith(emulator.controlToken) &&
  !/v1\/(?:tenants|setFault)\b/.test(target);

test(`no request makes the emulator fail, leave its shape, or grow (FUZZ_SEED=${seed})`, async () => {
  const before = measureHeapBytes();
  let requests = 0;
  const met = new Map<Family, Set<number>>();
  await fc.assert(
    fc.asyncProperty(fc.oneof(arbitrarily, almostRight), async (make) => {
      const sent = make();
      if (isOff(sent)) return;
      const length =
        sent.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(sent.body)) };
      const answer = await send(sent.method, sent.target, { ...sent.headers, ...length }, sent.body);
      requests += 1;
      met.set(sent.family, (met.get(sent.family) ?? new Set()).add(answer.status));
      if (sent.target.includes('setFault')) emulator.control.clearFaults();
      try {
        judge(sent.family, answer);
      } catch (problem) {
        throw new Error(JSON.stringify({ sent, answer }).slice(0, 3_000), { cause: problem });
      }
    }),
    { seed, numRuns: 1_000_000, interruptAfterTimeLimit: TIME_MS, endOnFailure: true },
  );
  expect(emulator.control.requestLog().filter((entry) => entry.mistake !== undefined)).toEqual([]);
  expect(requests).toBeGreaterThan(500);
  // A fuzzer that only ever met the door has shown nothing.
  for (const family of ['entra', 'page', 'graph', 'imds', 'keyVault', 'control'] as const)
    expect([...(met.get(family) ?? [])], family).toEqual(expect.arrayContaining([200, 400]));
  expect([...(met.get('entra') ?? [])]).toContain(401);
  expect(measureHeapBytes() - before).toBeLessThan(MAX_GROWTH_BYTES);
  expect(await signInRita()).toMatchObject({ token_type: 'Bearer' });
});
