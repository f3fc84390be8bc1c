/** Graph as a neighbour sees it: what is asked, by whom, and what is refused. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { postToken, signInForTokens } from '../browser.suite.ts';
import {
  AUTOMATION_CLIENT_ID,
  AUTOMATION_CLIENT_SECRET,
  createEmulator,
  defaultSeed,
  type Emulator,
  GATEWAY_CLIENT_ID,
  type Seed,
} from '../emulator.ts';

const RITA = '10000000-0000-4000-8000-000000000001';
const WALT = '10000000-0000-4000-8000-000000000002';
const GUS = '10000000-0000-4000-8000-000000000004';
const [TEAM, NEWS, NESTED] = [1, 2, 3].map((n) => `7000000${n}-0000-4000-8000-000000000000`) as [
  string,
  string,
  string,
];
const ROLE = '80000000-0000-4000-8000-000000000001';

/** The default seed, with a person who is in groups of several kinds and holds a directory role. */
const seed: Seed = {
  tenants: defaultSeed.tenants.map((tenant) => ({
    ...tenant,
    groups: [
      { objectId: TEAM, displayName: 'Team' },
      { objectId: NEWS, displayName: 'News', securityEnabled: false, mailEnabled: true },
      { objectId: NESTED, displayName: 'All teams' },
    ],
    users: tenant.users.map((user) =>
      user.objectId === RITA
        ? {
            ...user,
            groups: [TEAM, NEWS, NESTED],
            directGroups: [TEAM, NEWS],
            directoryRoles: [
              {
                objectId: ROLE,
                roleTemplateId: 'fe930be7-5e62-47db-91af-98c3a49a38b1',
                displayName: 'User Administrator',
              },
            ],
          }
        : user,
    ),
  })),
};

type Body = Record<string, unknown> & { value?: Record<string, unknown>[]; error?: Record<string, unknown> };
interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

let emulator: Emulator;
let daemon: string;
beforeAll(async () => {
  emulator = await createEmulator({ seed });
});
beforeEach(async () => {
  emulator.control.reset();
  const answer = await postToken(emulator, {
    grant_type: 'client_credentials',
    client_id: AUTOMATION_CLIENT_ID,
    client_secret: AUTOMATION_CLIENT_SECRET,
    scope: 'https://graph.microsoft.com/.default',
  });
  daemon = ((await answer.json()) as { access_token: string }).access_token;
});
afterAll(() => emulator.close());

const rita = async (scope: string) =>
  (await signInForTokens(emulator, `openid ${scope}`))['access_token'] ?? '';

async function call(
  token: string,
  path: string,
  init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {},
): Promise<Answer> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...init.headers };
  const response = await fetch(`${emulator.httpOrigin}/v1.0${path}`, { ...init, headers });
  const text = await response.text();
  const body = text.startsWith('{') ? (JSON.parse(text) as Body) : { text };
  return { status: response.status, headers: response.headers, body };
}
const send = (token: string, method: string, path: string, body: unknown = {}) =>
  call(token, path, { method, body: JSON.stringify(body) });
const ids = (answer: Answer) => answer.body.value?.map((each) => each['id']);

test('a person is found by id and by user principal name, a guest by the one it has here', async () => {
  for (const name of [GUS, 'gus_partner.example%23EXT%23@contoso.example', GUS.toUpperCase()])
    expect((await call(daemon, `/users/${name}?$select=id,userType`)).body).toMatchObject({
      id: GUS,
      userType: 'Guest',
    });
  expect((await call(daemon, `/users('rita@contoso.example')`)).body).toMatchObject({ id: RITA });
  const missing = await call(daemon, '/users/nobody@contoso.example');
  expect([missing.status, missing.body.error]).toMatchObject([404, { code: 'Request_ResourceNotFound' }]);
  expect((await call(daemon, '/me')).status).toBe(400);
});

test.each([
  ['GET', '/users/walt@contoso.example', 'User.Read'],
  ['GET', '/users', 'User.Read'],
  ['GET', '/users/delta', 'User.Read'],
  ['GET', '/applications', 'User.Read User.Read.All'],
  ['GET', '/groups', 'User.Read User.Read.All'],
  ['POST', '/users/walt@contoso.example/getMemberObjects', 'User.Read GroupMember.Read.All'],
  ['POST', '/users/walt@contoso.example/checkMemberGroups', 'User.Read User.Read.All'],
  ['POST', '/me/revokeSignInSessions', 'User.Read'],
  ['DELETE', '/users/walt@contoso.example', 'User.Read.All'],
])('%s %s is refused with %s', async (method, path, scope) => {
  const token = await rita(scope);
  const answer = await (method === 'GET' ? call(token, path) : send(token, method, path));
  expect([answer.status, answer.body.error]).toMatchObject([403, { code: 'Authorization_RequestDenied' }]);
});

test('the basic permission shows basic properties, and refuses the others by name', async () => {
  const token = await rita('User.Read User.ReadBasic.All');
  const walt = await call(token, `/users/${WALT}`);
  expect(walt.body).toMatchObject({ displayName: 'Walt Writer', jobTitle: null });
  expect((await call(token, `/users/${WALT}?$select=jobTitle`)).status).toBe(403);
  expect((await call(token, `/users/${RITA}?$select=jobTitle`)).body).toMatchObject({ jobTitle: 'Reader' });
});

test('memberships: direct, transitive, cast, security only, with a directory role', async () => {
  const token = await rita('User.Read GroupMember.Read.All');
  const direct = await call(token, '/me/memberOf');
  expect(ids(direct)).toEqual([TEAM, NEWS, ROLE]);
  expect(direct.body).toMatchObject({
    '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#directoryObjects',
  });
  expect(direct.body.value?.[2]).toMatchObject({
    '@odata.type': '#microsoft.graph.directoryRole',
    displayName: 'User Administrator',
  });
  const cast = await call(token, '/me/transitiveMemberOf/microsoft.graph.group?$select=id,displayName');
  expect(cast.body).toEqual({
    '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#groups(id,displayName)',
    value: [
      { id: TEAM, displayName: 'Team' },
      { id: NEWS, displayName: 'News' },
      { id: NESTED, displayName: 'All teams' },
    ],
  });
  const objects = (securityEnabledOnly: boolean) =>
    send(token, 'POST', '/me/getMemberObjects', { securityEnabledOnly });
  expect((await objects(false)).body.value).toEqual([TEAM, NEWS, NESTED, ROLE]);
  expect((await objects(true)).body.value).toEqual([TEAM, NESTED]);
  expect((await send(token, 'POST', '/me/getMemberGroups', {})).body.value).toEqual([TEAM, NEWS, NESTED]);
});

test('without permission to read groups there are ids and no names', async () => {
  const token = await rita('User.Read');
  const groups = await call(token, '/me/transitiveMemberOf/microsoft.graph.group');
  expect(groups.body.value?.[0]).toMatchObject({ id: TEAM, displayName: null });
});

test('a check takes twenty ids and answers those the person belongs to', async () => {
  const token = await rita('User.Read');
  const check = (groupIds: unknown) => send(token, 'POST', '/me/checkMemberGroups', { groupIds });
  expect((await check([TEAM, ROLE, WALT])).body.value).toEqual([TEAM]);
  const objects = await send(token, 'POST', '/me/checkMemberObjects', { ids: [TEAM, ROLE, WALT] });
  expect(objects.body.value).toEqual([TEAM, ROLE]);
  const many = Array.from({ length: 21 }, () => TEAM);
  expect((await check(many)).body.error).toMatchObject({ code: 'Request_BadRequest' });
  for (const wrong of ['x', [1], undefined]) expect((await check(wrong)).status).toBe(400);
});

test('eleven thousand memberships are answered, more are refused', async () => {
  const groups = Array.from(
    { length: 11_001 },
    (_, index) => `72000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
  );
  const [user] = defaultSeed.tenants[0]?.users ?? [];
  if (user === undefined) throw new Error('the default seed has nobody');
  for (const [count, status] of [
    [11_000, 200],
    [11_001, 403],
  ] as const) {
    const tenants = defaultSeed.tenants.map((tenant, index) =>
      index === 0
        ? { ...tenant, users: [{ ...user, groups: groups.slice(0, count) }, ...tenant.users.slice(1)] }
        : tenant,
    );
    const other = await createEmulator({ seed: { tenants } });
    const { access_token } = await signInForTokens(other, 'openid User.Read');
    const answer = await fetch(`${other.httpOrigin}/v1.0/me/getMemberObjects`, {
      method: 'POST',
      headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
      body: '{"securityEnabledOnly":false}',
    });
    expect(answer.status).toBe(status);
    await other.close();
  }
});

test('pages: $top, @odata.nextLink, $count with ConsistencyLevel', async () => {
  const first = await call(daemon, '/users?$top=3&$select=id&$count=true', {
    headers: { ConsistencyLevel: 'eventual' },
  });
  expect(first.body).toMatchObject({ '@odata.count': 7 });
  const link = String(first.body['@odata.nextLink']);
  expect(link).toMatch(/\/v1\.0\/users\?\$top=3&\$select=id&\$count=true&\$skiptoken=/);
  const next = await call(daemon, link.slice(link.indexOf('/users')));
  expect(ids(next)).toHaveLength(3);
  expect(next.body['@odata.count']).toBeUndefined();
  const counted = await call(daemon, `/users/${RITA}/memberOf/$count`, {
    headers: { ConsistencyLevel: 'eventual' },
  });
  expect(counted.body).toEqual({ text: '3' });
  for (const query of [
    '$top=0',
    '$top=1000',
    '$top=x',
    '$skiptoken=x',
    '$filter=length(id) gt 3',
    '$select=nothing',
  ])
    expect((await call(daemon, `/users?${query}`)).status, query).toBe(400);
  expect((await call(daemon, `/users/${RITA}/memberOf/$count`)).status).toBe(400);
  const found = await call(daemon, "/users?$filter=startswith(displayName,'wa') and accountEnabled eq true");
  expect(ids(found)).toEqual([WALT]);
});

test('a batch: 200 with a status per item, throttled one by one, and refused as a whole when malformed', async () => {
  const get = (id: string, url = '/me', more = {}) => ({ id, method: 'GET', url, ...more });
  const token = await rita('User.Read');
  const batch = (requests: unknown) => send(token, 'POST', '/$batch', { requests });
  emulator.control.setFault({ endpoint: 'graph' }, { kind: 'throttle', retryAfterSeconds: 7 }, 1);
  const answer = await batch([get('a'), get('b', 'me?$select=id'), get('c', '/me', { dependsOn: ['a'] })]);
  expect(answer.status).toBe(200);
  const responses = answer.body['responses'] as Record<string, unknown>[];
  expect(responses).toMatchObject([
    { id: 'a', status: 429, headers: { 'Retry-After': '7' }, body: { error: { code: 'TooManyRequests' } } },
    { id: 'b', status: 200, body: { id: RITA } },
    { id: 'c', status: 424 },
  ]);
  const malformed = [
    [],
    'x',
    [get('a'), get('A')],
    Array.from({ length: 21 }, (_, index) => get(String(index))),
    [get('a', '/me', { dependsOn: ['z'] })],
    [get('a', '/me', { dependsOn: ['b'] }), get('b', '/me', { dependsOn: ['a'] })],
    [{ id: 'a', method: 'POST', url: '/me/getMemberObjects' }],
    [get('a', 'https://elsewhere.example/me')],
    [null],
  ];
  for (const requests of malformed)
    expect((await batch(requests)).status, JSON.stringify(requests)).toBe(400);
});

test('change tracking shows whoever is disabled, enabled, deleted or changed since, and only them', async () => {
  const start = await call(daemon, '/users/delta?$select=displayName,accountEnabled&$top=4');
  expect(start.body.value).toHaveLength(4);
  const follow = (answer: Answer) => {
    const link = String(answer.body['@odata.nextLink'] ?? answer.body['@odata.deltaLink']);
    return call(daemon, link.slice(link.indexOf('/users')));
  };
  const rest = await follow(start);
  expect(rest.body.value).toHaveLength(3);
  expect((await follow(rest)).body.value).toEqual([]);
  expect((await send(daemon, 'PATCH', `/users/${WALT}`, { accountEnabled: false })).status).toBe(204);
  expect((await send(daemon, 'DELETE', `/users/${GUS}`)).status).toBe(204);
  const changed = await follow(rest);
  expect(changed.body.value).toEqual([
    { id: WALT, displayName: 'Walt Writer', accountEnabled: false },
    { id: GUS, '@removed': { reason: 'changed' } },
  ]);
  expect((await follow(changed)).body.value).toEqual([]);
  emulator.control.enableUser('walt@contoso.example');
  expect((await follow(changed)).body.value).toMatchObject([{ id: WALT, accountEnabled: true }]);
  const latest = await call(daemon, '/users/delta?$deltatoken=latest');
  expect(latest.body.value).toEqual([]);
  expect((await call(daemon, '/users/delta?$deltatoken=x')).status).toBe(400);
  emulator.control.reset();
  const lost = await follow(latest);
  expect([lost.status, lost.headers.get('location')]).toEqual([
    410,
    `${emulator.httpOrigin}/v1.0/users/delta?$deltatoken=`,
  ]);
});

test('a leaver: disabled, revoked and deleted, they neither refresh nor read', async () => {
  const tokens = await signInForTokens(emulator, 'openid offline_access User.Read', 'walt@contoso.example');
  const revoked = await send(daemon, 'POST', `/users/${WALT}/revokeSignInSessions`);
  expect(revoked.body).toMatchObject({
    '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#Edm.Boolean',
    value: true,
  });
  const refresh = async () => {
    const answer = await postToken(emulator, {
      grant_type: 'refresh_token',
      client_id: GATEWAY_CLIENT_ID,
      client_secret: 'emulated~gateway~secret~not~for~production',
      refresh_token: tokens['refresh_token'] ?? '',
    });
    return (await answer.json()) as { error_codes: number[] };
  };
  expect((await refresh()).error_codes).toEqual([50173]);
  // Without CP1 an access token stays good until it expires; that of a disabled or deleted person does not.
  expect((await call(tokens['access_token'] ?? '', '/me')).status).toBe(200);
  await send(daemon, 'DELETE', `/users/${WALT}`);
  expect((await call(tokens['access_token'] ?? '', '/me')).status).toBe(401);
  expect((await refresh()).error_codes).toEqual([50057]);
  expect((await call(daemon, `/users/${WALT}`)).status).toBe(404);
});

test('a person needs a directory role to switch accounts; a scope alone is not enough', async () => {
  const other = await signInForTokens(emulator, 'openid User.ReadWrite.All', 'walt@contoso.example');
  const patch = (token: string, body: unknown) => send(token, 'PATCH', `/users/${GUS}`, body);
  expect((await patch(other['access_token'] ?? '', { accountEnabled: false })).status).toBe(403);
  const admin = await rita('User.ReadWrite.All');
  expect((await patch(admin, { accountEnabled: false })).status).toBe(204);
  for (const body of [{ accountEnabled: 'no' }, { displayName: 'x' }, { nothing: 1 }, []])
    expect((await patch(admin, body)).status, JSON.stringify(body)).toBe(400);
});

test('applications, service principals, and who is assigned to them', async () => {
  const app = await call(daemon, `/applications(appId='${GATEWAY_CLIENT_ID}')?$select=appId,displayName`);
  expect(app.body).toMatchObject({ appId: GATEWAY_CLIENT_ID, displayName: 'Valetkey gateway' });
  const found = await call(daemon, `/servicePrincipals?$filter=appId eq '${GATEWAY_CLIENT_ID}'`);
  const [principal] = found.body.value ?? [];
  const roles = principal?.['appRoles'] as { id: string; value: string }[];
  const assigned = await call(daemon, `/servicePrincipals/${String(principal?.['id'])}/appRoleAssignedTo`);
  const readers = assigned.body.value?.filter(
    (each) => each['appRoleId'] === roles.find((role) => role.value === 'Snippets.Reader')?.id,
  );
  expect(readers?.map((each) => each['principalDisplayName'])).toContain('Rita Reader');
  expect(JSON.stringify((await call(daemon, '/applications')).body)).not.toContain('not~for~production');
  expect((await call(daemon, '/applications/nothing')).status).toBe(404);
});

test.each([
  [{ kind: 'throttle', retryAfterSeconds: 5 }, 429, 'TooManyRequests', '5'],
  [{ kind: 'status', status: 429 }, 429, 'TooManyRequests', null],
  [{ kind: 'status', status: 503, retryAfterSeconds: 3 }, 503, 'ServiceUnavailable', '3'],
  [{ kind: 'status', status: 504 }, 504, 'GatewayTimeout', null],
  [{ kind: 'outage' }, 503, 'ServiceUnavailable', null],
  [{ kind: 'aadsts', code: 50057 }, 401, 'InvalidAuthenticationToken', null],
] as const)('a planned fault %o is Graph’s %i', async (fault, status, code, retryAfter) => {
  emulator.control.setFault({ endpoint: 'graph' }, fault, 1);
  const answer = await call(daemon, `/users/${RITA}`);
  expect([answer.status, answer.body.error?.['code'], answer.headers.get('retry-after')]).toEqual([
    status,
    code,
    retryAfter,
  ]);
  expect((await call(daemon, `/users/${RITA}`)).status).toBe(200);
});

test('a fault for one client, or with claims, is for that client and carries them', async () => {
  const claims = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}';
  emulator.control.setFault(
    { endpoint: 'graph', clientId: GATEWAY_CLIENT_ID },
    { kind: 'aadsts', code: 50076, claims },
    1,
  );
  expect((await call(daemon, `/users/${RITA}`)).status).toBe(200);
  const answer = await call(await rita('User.Read'), '/me');
  expect(answer.status).toBe(401);
  expect(answer.headers.get('www-authenticate')).toContain(
    `error="insufficient_claims", claims="${Buffer.from(claims).toString('base64')}"`,
  );
});

test('a budget is one per app, counts what it refuses, and ends with its window', async () => {
  emulator.control.setGraphBudget({ requests: 1, windowSeconds: 30 });
  const statuses = [1, 2].map(async () => (await call(daemon, `/users/${RITA}`)).status);
  expect((await Promise.all(statuses)).toSorted()).toEqual([200, 429]);
  expect((await call(await rita('User.Read'), '/me')).status).toBe(200);
  emulator.control.advanceClock(31);
  expect((await call(daemon, `/users/${RITA}`)).status).toBe(200);
});

test('Graph echoes the request id it was given, and has words for what is not there', async () => {
  const id = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
  const answer = await call(daemon, '/nothing', { headers: { 'client-request-id': id } });
  expect([answer.status, answer.headers.get('client-request-id')]).toEqual([400, id]);
  expect(answer.body.error).toMatchObject({ code: 'BadRequest', innerError: { 'client-request-id': id } });
  const inner = answer.body.error?.['innerError'];
  expect(inner).toMatchObject({ 'request-id': answer.headers.get('request-id') });
  expect((await send(daemon, 'DELETE', '/groups')).status).toBe(405);
  expect((await call(daemon, '/users/%ff')).status).toBe(400);
  expect(
    (await call(daemon, `/users/${RITA}/getMemberObjects`, { method: 'POST', body: '{' })).body.error,
  ).toMatchObject({ code: 'BadRequest' });
});
