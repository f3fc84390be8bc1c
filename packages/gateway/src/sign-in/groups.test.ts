import { randomBytes } from 'node:crypto';
import { err, ok } from '@valetkey/core/base/result';
import { Secret } from '@valetkey/core/base/secret';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { EntraPerson, EntraRefusal, PersonTokens } from '../entra/entra.ts';
import type { Outbound, OutboundRequest } from '../entra/outbound.ts';
import { createGroups } from './groups.ts';

const [one = '', two = '', three = ''] = [1, 2, 3].map(
  (last) => `70000000-0000-4000-8000-00000000000${last}`,
);
const person: EntraPerson = { tenantId: 't', objectId: 'o', roles: [], groups: [] };
const inMany = { ...person, hasGroupOverage: true };
const resource = 'https://mcp.contoso.test/a/mcp';
const session = { id: 's', resource };

type Answer = readonly [status: number, body: unknown];

/** What the emulator does not do: its Graph takes `User.Read` for a person's own groups, as Microsoft documents it. */
function open(answers: Record<string, Answer>, token: EntraRefusal | string = 'token') {
  const asked: OutboundRequest[] = [];
  const outbound: Outbound = {
    async send(request) {
      asked.push(request);
      const [status, body] = answers[request.url.split('/').at(-1) ?? ''] ?? [404, {}];
      return { status, headers: {}, text: JSON.stringify(body) };
    },
    close: async () => {},
  };
  const entra: PersonTokens = {
    tokenFor: () =>
      typeof token === 'string' ? ok({ accessToken: new Secret(token), expiresAtSeconds: 1 }) : err(token),
  };
  const groups = createGroups({
    entra,
    config: {
      cloud: {
        name: 'public',
        authorityHost: 'https://login.microsoftonline.com',
        graphHost: 'https://graph.microsoft.com',
        tokenExchangeAudience: 'api://AzureADTokenExchange',
      },
    },
    outbound,
    world: { clock: { nowMs: () => 0 }, random: randomBytes, log: pino({ level: 'silent' }) },
  });
  const rules = { enter: { anyGroup: [one, two] }, tools: {} };
  groups.follow([
    { name: 'a', path: '/a/mcp', resource, title: 'A', scopes: [], rules },
    { name: 'b', path: '/b', resource: 'b', title: 'B', scopes: [], rules: { enter: {}, tools: {} } },
  ]);
  return { groups, asked };
}

const denied: Answer = [403, { error: { code: 'Authorization_RequestDenied' } }];

test('a Graph that refuses the check is asked for the whole list, and compared without regard to case', async () => {
  const { groups, asked } = open({
    checkMemberGroups: denied,
    getMemberObjects: [200, { value: [two.toUpperCase(), three] }],
  });
  expect(await groups.resolve(inMany, session)).toEqual(ok({ ...person, groups: [two] }));
  expect(asked.map(({ url }) => url)).toEqual([
    'https://graph.microsoft.com/v1.0/me/checkMemberGroups',
    'https://graph.microsoft.com/v1.0/me/getMemberObjects',
  ]);
  expect(asked.map(({ headers }) => headers?.['authorization'])).toEqual(['Bearer token', 'Bearer token']);
});

test('a permission that is missing is the operator’s to give, and the refusal says which', async () => {
  const { groups } = open({ checkMemberGroups: denied, getMemberObjects: denied });
  expect(await groups.resolve(inMany, session)).toMatchObject({
    error: {
      kind: 'operator',
      reason: 'groups_unknown',
      description: expect.stringContaining('GroupMember.Read.All'),
    },
  });
});

test.each<[string, Answer, string]>([
  ['an answer that is no list', [200, { value: 'all of them' }], 'unavailable'],
  ['an answer of another kind', [200, { value: [1, 2] }], 'unavailable'],
  ['a redirect', [302, {}], 'unavailable'],
])('A24: %s is no membership', async (_case, answer, kind) => {
  const { groups } = open({ checkMemberGroups: answer });
  expect(await groups.resolve(inMany, session)).toMatchObject({ ok: false, error: { kind } });
});

test('A24: Graph cannot put a person into a group that was not asked about', async () => {
  const { groups } = open({ checkMemberGroups: [200, { value: [three, one] }] });
  expect(await groups.resolve(inMany, session)).toEqual(ok({ ...person, groups: [one] }));
});

test('without a token for Graph the reason is Entra’s, and it is said what it was for', async () => {
  const refusal = { kind: 'interaction', code: 65001, description: 'no consent' } as const;
  const { groups, asked } = open({}, refusal);
  expect(await groups.resolve(inMany, session)).toEqual(err({ ...refusal, reason: 'groups_unknown' }));
  expect(asked).toEqual([]);
});

test('a session of another resource keeps nothing of the groups in its token', async () => {
  const { groups } = open({});
  const member = { ...person, groups: [one, three] };
  expect(await groups.resolve(member, { id: 's', resource: 'b' })).toEqual(ok(person));
  expect(await groups.resolve(member, session)).toEqual(ok({ ...person, groups: [one] }));
  expect(await groups.resolve(member, { id: 's' })).toEqual(ok({ ...person, groups: [one] }));
});
