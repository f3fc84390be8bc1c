import { expect, test } from 'vitest';
import type { ConsentDecision, ConsentKey } from './consents.ts';
import { createConsents, isCoveredBy } from './consents.ts';
import { createTestClock, openSealedStore } from './sealed-store.suite.ts';

const decision: ConsentDecision = {
  person: 't1.o1',
  clientId: 'client-1',
  redirectUri: 'http://127.0.0.1:33418/',
  resource: 'https://mcp.contoso.com/snippets/mcp',
  scopes: ['snippets.use'],
  outcome: 'allowed',
};
const keyOf = ({ person, clientId, redirectUri, resource }: ConsentKey): ConsentKey => ({
  person,
  clientId,
  redirectUri,
  resource,
});

function open(lifetimes = { consentSeconds: 1000, denialSeconds: 100 }) {
  const clock = createTestClock(1_800_000_000_000);
  return { clock, consents: createConsents({ store: openSealedStore(clock), clock, lifetimes }) };
}

test('A40 A42: a consent is remembered for exactly its person, client, redirect and resource', async () => {
  const { consents } = open();
  await consents.save(decision);
  expect(await consents.find(keyOf(decision))).toEqual({
    ...decision,
    decidedAtSeconds: 1_800_000_000,
    expiresAtSeconds: 1_800_001_000,
  });
  for (const part of ['person', 'clientId', 'redirectUri', 'resource'] as const) {
    expect(await consents.find({ ...keyOf(decision), [part]: `${decision[part]}/` }), part).toBeUndefined();
  }
});

test('A40: expiry, listing and revocation', async () => {
  const { consents, clock } = open();
  await consents.save(decision);
  await consents.save({ ...decision, clientId: 'client-2' });
  await consents.save({ ...decision, person: 't1.o2' });
  expect((await consents.listByPerson('t1.o1')).map((each) => each.clientId).toSorted()).toEqual([
    'client-1',
    'client-2',
  ]);
  expect(await consents.revoke(keyOf(decision))).toBe(true);
  expect(await consents.revoke(keyOf(decision))).toBe(false);
  expect(await consents.find(keyOf(decision))).toBeUndefined();
  clock.advance(1000);
  expect(await consents.listByPerson('t1.o1')).toEqual([]);
  expect(await consents.find({ ...keyOf(decision), clientId: 'client-2' })).toBeUndefined();
});

test('D64: parts that contain separators never meet on one record', async () => {
  const { consents } = open();
  const tuples: ConsentKey[] = [
    { person: 'a', clientId: 'b', redirectUri: 'c', resource: 'd' },
    { person: 'a","b', clientId: 'c', redirectUri: 'd', resource: '' },
    { person: 'a', clientId: 'b","c', redirectUri: 'd', resource: '' },
    { person: 'a', clientId: 'b|c', redirectUri: 'd', resource: '' },
    { person: 'a|b', clientId: 'c', redirectUri: 'd', resource: '' },
    { person: 'a', clientId: 'bc', redirectUri: '', resource: 'd' },
    { person: 'a', clientId: 'b', redirectUri: 'cd', resource: '' },
    { person: 'a', clientId: '\ud800', redirectUri: 'c', resource: 'd' },
    { person: 'a', clientId: '\ud801', redirectUri: 'c', resource: 'd' },
  ];
  for (const [index, tuple] of tuples.entries()) {
    await consents.save({ ...tuple, scopes: [`${index}`], outcome: 'allowed' });
  }
  for (const [index, tuple] of tuples.entries()) {
    expect((await consents.find(tuple))?.scopes).toEqual([`${index}`]);
  }
});

test('A41: a denial is remembered as configured, and always ends an earlier allow', async () => {
  const remembering = open();
  await remembering.consents.save(decision);
  await remembering.consents.save({ ...decision, outcome: 'denied' });
  expect((await remembering.consents.find(keyOf(decision)))?.outcome).toBe('denied');
  remembering.clock.advance(100);
  expect(await remembering.consents.find(keyOf(decision))).toBeUndefined();

  const forgetting = open({ consentSeconds: 1000, denialSeconds: 0 });
  await forgetting.consents.save(decision);
  expect(await forgetting.consents.save({ ...decision, outcome: 'denied' })).toBeUndefined();
  expect(await forgetting.consents.find(keyOf(decision))).toBeUndefined();
});

test('A40: more scopes than allowed are not covered; a denial covers nothing', () => {
  const times = { decidedAtSeconds: 0, expiresAtSeconds: 1 };
  const allowed = { ...decision, ...times, scopes: ['a', 'b'] };
  expect(isCoveredBy(allowed, ['a'])).toBe(true);
  expect(isCoveredBy(allowed, ['a', 'b'])).toBe(true);
  expect(isCoveredBy(allowed, ['a', 'c'])).toBe(false);
  expect(isCoveredBy({ ...allowed, outcome: 'denied' }, [])).toBe(false);
});
