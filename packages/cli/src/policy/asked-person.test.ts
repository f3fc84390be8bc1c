import type { Session } from '@valetkey/gateway/administration';
import type { BackendConfig } from '@valetkey/gateway/config/config';
import { expect, test } from 'vitest';
import { findPerson } from './asked-person.ts';

const resource = 'https://mcp.contoso.test/a/mcp';
const backend = {
  name: 'a',
  path: '/a/mcp',
  resource,
  scopes: [
    { name: 'a.use', description: 'Use it' },
    { name: 'a.write', description: 'Write' },
  ],
} as unknown as BackendConfig;

const session = (changes: Partial<Session> = {}): Session => ({
  id: 's1',
  tenantId: 't',
  objectId: 'o-rita',
  username: 'Rita@contoso.example',
  roles: ['Reader'],
  groups: ['g'],
  clientId: 'c1',
  resource,
  createdAtSeconds: 1,
  verifiedAtSeconds: 1,
  ...changes,
});
const find = (who: string, sessions: readonly Session[], asked = {}) =>
  findPerson(who, asked, backend, sessions);

test.each(['rita', 'RITA', 'rita@contoso.example', 'o-rita', 't.o-rita'])('%s is Rita', (who) => {
  expect(
    find(who, [session(), session({ objectId: 'o-walt', username: 'walt@contoso.example' })]),
  ).toMatchObject({
    ok: true,
    value: {
      principal: { objectId: 'o-rita', roles: ['Reader'], groups: ['g'], scopes: ['a.use', 'a.write'] },
    },
  });
});

test('of several sessions the one for this server counts, and of those what Entra said last', () => {
  const sessions = [
    session({ id: 'old', verifiedAtSeconds: 5, roles: ['Old'] }),
    session({ id: 'new', verifiedAtSeconds: 9, roles: ['New'] }),
    session({ id: 'elsewhere', verifiedAtSeconds: 99, roles: ['Other'], resource: 'https://x' }),
  ];
  expect(find('rita', sessions)).toMatchObject({ value: { principal: { sessionId: 'new' } } });
  expect(find('rita', sessions.slice(2))).toMatchObject({
    value: {
      principal: { sessionId: 'elsewhere' },
      notes: [expect.stringContaining('groups are not known'), expect.anything()],
    },
  });
});

test('what is said on the command line replaces what is known', () => {
  const asked = { roles: ['Writer'], groups: [], scopes: ['a.use'], tenant: 't2' };
  expect(find('rita', [session()], asked)).toEqual({
    ok: true,
    value: {
      principal: {
        tenantId: 't2',
        objectId: 'o-rita',
        username: 'Rita@contoso.example',
        clientId: 'c1',
        sessionId: 's1',
        roles: ['Writer'],
        groups: [],
        scopes: ['a.use'],
      },
      notes: [],
    },
  });
  expect(find('rita', [session(), session({ id: 's2', clientId: 'c2' })], { client: 'c2' })).toMatchObject({
    value: { principal: { sessionId: 's2' } },
  });
});

test('nobody, and more than one, is a fault with what to do', () => {
  expect(find('walt', [session()])).toMatchObject({ error: { problem: 'nobody of that name is signed in' } });
  const twins = [session(), session({ objectId: 'o-other', username: 'rita@partner.example' })];
  expect(find('rita', twins)).toMatchObject({
    error: {
      problem: '2 people of that name are signed in',
      remedy: expect.stringContaining('o-rita, o-other'),
    },
  });
  expect(find('rita@partner.example', twins).ok, 'a whole name is one person').toBe(true);
});
