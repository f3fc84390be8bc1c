import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createTestClock, openSealedStore } from './sealed-store.suite.ts';
import { createStepUps } from './step-ups.ts';

const key = { person: 't1.o1', clientId: 'client-1' };

function open() {
  const clock = createTestClock(1_800_000_000_000);
  return { clock, stepUps: createStepUps({ store: openSealedStore(clock), random: randomBytes }) };
}

test('A17: what Entra wants is kept for this person through this client only', async () => {
  const { stepUps } = open();
  await stepUps.demand(key, { scopes: ['Mail.Read'] });
  expect(await stepUps.find(key)).toMatchObject({ scopes: ['Mail.Read'] });
  expect(await stepUps.find({ ...key, person: 't1.o2' })).toBeUndefined();
  expect(await stepUps.find({ ...key, clientId: 'client-2' })).toBeUndefined();
});

test('two demands are one sign-in: scopes joined, the newest claims', async () => {
  const { stepUps } = open();
  await stepUps.demand(key, { scopes: ['Mail.Read'], claims: '{"first":1}' });
  await stepUps.demand(key, { scopes: ['Files.Read', 'Mail.Read'] });
  expect(await stepUps.find(key)).toMatchObject({
    scopes: ['Mail.Read', 'Files.Read'],
    claims: '{"first":1}',
  });
  await stepUps.demand(key, { scopes: [], claims: '{"second":2}' });
  expect(await stepUps.find(key)).toMatchObject({ claims: '{"second":2}' });
});

test('a sign-in settles what it carried, and not what was demanded meanwhile', async () => {
  const { stepUps } = open();
  await stepUps.demand(key, { scopes: ['Mail.Read'] });
  const carried = await stepUps.find(key);
  await stepUps.demand(key, { scopes: ['Files.Read'] });
  await stepUps.settle(key, carried?.id ?? '');
  const left = await stepUps.find(key);
  expect(left).toMatchObject({ scopes: ['Mail.Read', 'Files.Read'] });
  await stepUps.settle(key, left?.id ?? '');
  expect(await stepUps.find(key)).toBeUndefined();
});

test('D22: a demand that nobody answers ends', async () => {
  const { stepUps, clock } = open();
  await stepUps.demand(key, { scopes: ['Mail.Read'] });
  clock.advance(3601);
  expect(await stepUps.find(key)).toBeUndefined();
});
