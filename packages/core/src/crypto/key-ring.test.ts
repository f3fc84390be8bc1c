import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { openBytes, sealBytes } from './envelope.ts';
import {
  addKey,
  createKeyRing,
  type KeyRing,
  type KeyRingFile,
  parseKeyRing,
  withCurrent,
} from './key-ring.ts';

const data = new TextEncoder().encode('id');
const value = new TextEncoder().encode('value');
const file = createKeyRing(randomBytes, 1_700_000_000);

function open(json: unknown): KeyRing {
  const ring = parseKeyRing(json);
  if (!ring.ok) throw new Error(ring.error);
  return ring.value;
}

function throughJson(ring: KeyRingFile): unknown {
  return JSON.parse(JSON.stringify(ring));
}

test('A28: a ring survives JSON, and both readings open what the other sealed', () => {
  const one = open(throughJson(file));
  const two = open(throughJson(file));
  const sealed = sealBytes(one.current('store'), value, data, randomBytes);
  expect(openBytes((kid) => two.find('store', kid), sealed, data)).toEqual({ ok: true, value });
});

test('A28 D59: after a rotation the new key seals and the old values still open', () => {
  const sealed = sealBytes(open(file).current('store'), value, data, randomBytes);
  const rotated = addKey(file, randomBytes, 1_700_000_100);
  const ring = open(throughJson(rotated));
  expect(ring.current('store').kid).toBe(rotated.keys[1]?.kid);
  expect(ring.kids).toEqual([file.current, rotated.current]);
  expect(openBytes((kid) => ring.find('store', kid), sealed, data)).toEqual({ ok: true, value });
});

test('a key can be handed out to all replicas before any of them seals with it', () => {
  const prepared = addKey(file, randomBytes, 1_700_000_100, { makeCurrent: false });
  expect(open(prepared).current('cookie').kid).toBe(file.current);
  const kid = prepared.keys[1]?.kid ?? '';
  expect(withCurrent(prepared, kid)).toMatchObject({ ok: true, value: { current: kid } });
  expect(withCurrent(prepared, 'unknown').ok).toBe(false);
});

test('the purposes have different keys', () => {
  const ring = open(file);
  const keys = (['store', 'access-token', 'cookie'] as const).map((purpose) =>
    ring.current(purpose).key.export().toString('hex'),
  );
  expect(new Set(keys).size).toBe(3);
  expect(keys).not.toContain(Buffer.from(file.keys[0]?.secret ?? '', 'base64url').toString('hex'));
  const sealed = sealBytes(ring.current('store'), value, data, randomBytes);
  expect(openBytes((kid) => ring.find('cookie', kid), sealed, data)).toEqual({ ok: false, error: 'forged' });
});

test('keys are derived once: the same object is found each time', () => {
  const ring = open(file);
  expect(ring.find('access-token', file.current)).toBe(ring.current('access-token'));
  expect(ring.find('access-token', '__proto__')).toBeUndefined();
});

test('A15: a ring does not leak, however it is printed', () => {
  const ring = open(file);
  const printed = [
    JSON.stringify({ ring }),
    String(ring),
    inspect(ring, { depth: 9 }),
    JSON.stringify({ ...ring }),
  ];
  for (const text of printed) {
    expect(text).not.toContain(file.keys[0]?.secret);
    expect(text).not.toContain(file.signing.jwk.d);
  }
  expect(ring.signingJwk).toMatchObject({ alg: 'ES256', kid: file.signing.kid, d: file.signing.jwk.d });
});

const [key] = file.keys;
const foreign = createKeyRing(randomBytes, 1).signing.jwk;
test.each<[string, unknown, RegExp]>([
  ['nothing', undefined, /expected an object/],
  ['a list', [], /expected an object/],
  ['another version', { ...file, version: 2 }, /version/],
  ['no keys', { ...file, keys: [] }, /keys/],
  ['too many keys', { ...file, keys: Array.from({ length: 65 }, () => key) }, /more than 64/],
  ['a key that is no object', { ...file, keys: [null] }, /keys\[0\]/],
  ['a twin', { ...file, keys: [key, key] }, /keys\[1\]\.kid occurs twice/],
  ['a kid with a slash', { ...file, keys: [{ ...key, kid: 'a/b' }] }, /keys\[0\]\.kid/],
  ['no age', { ...file, keys: [{ ...key, createdAtSeconds: '1' }] }, /createdAtSeconds/],
  ['a short secret', { ...file, keys: [{ ...key, secret: 'c2hvcnQ' }] }, /keys\[0\]\.secret/],
  ['a padded secret', { ...file, keys: [{ ...key, secret: `${key?.secret}=` }] }, /keys\[0\]\.secret/],
  ['no such current', { ...file, current: 'other' }, /current/],
  ['a current that is no text', { ...file, current: 1 }, /current/],
  ['no signing key', { ...file, signing: undefined }, /signing/],
  ['a signing kid that is no text', { ...file, signing: { ...file.signing, kid: 7 } }, /signing\.kid/],
  ['an RSA key', { ...file, signing: { kid: 'k', jwk: { ...foreign, kty: 'RSA' } } }, /signing\.jwk/],
  ['a public key', { ...file, signing: { kid: 'k', jwk: { ...foreign, d: undefined } } }, /signing\.jwk/],
  [
    'halves of two keys',
    { ...file, signing: { kid: 'k', jwk: { ...file.signing.jwk, d: foreign.d } } },
    /jwk/,
  ],
  ['a point off the curve', { ...file, signing: { kid: 'k', jwk: { ...foreign, x: foreign.y } } }, /jwk/],
])('a damaged ring is refused without showing it: %s', (_name, json, message) => {
  const ring = parseKeyRing(json);
  if (ring.ok) throw new Error('expected a refusal');
  expect(ring.error).toMatch(message);
  expect(ring.error).not.toContain(key?.secret);
});

test('a generator that gives too few bytes makes no key', () => {
  expect(() => createKeyRing(() => new Uint8Array(4), 1)).toThrow(RangeError);
});
