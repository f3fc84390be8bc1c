import { generateKeyPairSync, KeyObject } from 'node:crypto';
import { expect, test } from 'vitest';
import { readGraph, type StateGraph, writeGraph } from './state-graph.ts';

const through = (value: unknown, privateKeys = false) =>
  readGraph(JSON.parse(JSON.stringify(writeGraph(value, { privateKeys }))) as StateGraph);

test('circles, sharing, maps, sets and what JSON has no word for come back', () => {
  const rita: Record<string, unknown> = { name: 'Rita' };
  const tenant = { users: [rita], byName: new Map([['rita', rita]]), seen: new Set([rita]) };
  rita['tenant'] = tenant;
  const back = through({ tenant, times: Number.POSITIVE_INFINITY, none: undefined, nil: null }) as {
    tenant: typeof tenant;
    times: number;
  };
  expect(back).toMatchObject({ times: Number.POSITIVE_INFINITY, none: undefined, nil: null });
  const [again] = back.tenant.users;
  expect(again?.['tenant']).toBe(back.tenant);
  expect(back.tenant.byName.get('rita')).toBe(again);
  expect(back.tenant.seen.has(again ?? {})).toBe(true);
});

test('a private key goes with the member that holds it, unless asked for; a public one stays', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const state = {
    pair,
    list: [pair.privateKey],
    map: new Map([['key', pair.privateKey]]),
    set: new Set([pair.privateKey]),
  };
  expect(JSON.stringify(writeGraph(state, { privateKeys: false }))).not.toContain('PRIVATE KEY');
  const without = through(state) as typeof state;
  expect(without.pair).not.toHaveProperty('privateKey');
  expect(without.pair.publicKey).toBeInstanceOf(KeyObject);
  const kept = through(state, true) as typeof state;
  expect(kept.pair.privateKey.equals(pair.privateKey)).toBe(true);
});

test('functions stay behind, and a member named __proto__ is a member', () => {
  const back = through({ call: () => 1, ...(JSON.parse('{"__proto__": {"isAdmin": true}}') as object) });
  expect(Object.keys(back as object)).toEqual(['__proto__']);
  expect((back as { isAdmin?: boolean }).isAdmin).toBeUndefined();
});

test.each([
  ['a node that is not there', { root: { node: 1 }, nodes: [] }],
  ['a node before the first', { root: { node: -1 }, nodes: [] }],
  ['an unknown kind', { root: 1, nodes: [{ kind: 'magic' }] }],
  ['no root', { nodes: [] }],
  ['no nodes', { root: 1 }],
])('%s is refused', (_, graph) => {
  expect(() => readGraph(graph as unknown as StateGraph)).toThrow(TypeError);
});
