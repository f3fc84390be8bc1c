import { createSecretKey, randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isKid, openBytes, type SealingKey, sealBytes } from './envelope.ts';

const keyOf = (kid: string): SealingKey => ({ kid, key: createSecretKey(randomBytes(32)) });
const key = keyOf('k1');
const other = keyOf('k2');
const keyFor = (kid: string) => [key, other].find((one) => one.kid === kid);
const bytes = (text: string) => new TextEncoder().encode(text);
const seal = (text: string, data = 'id') => sealBytes(key, bytes(text), bytes(data), randomBytes);

test('A28: what was sealed opens again, for any bytes and any additional data', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 60 }), (plaintext, data) => {
      const opened = openBytes(keyFor, sealBytes(key, plaintext, data, randomBytes), data);
      expect(opened).toEqual({ ok: true, value: plaintext });
    }),
  );
});

test('A49 D41: a change of any byte is refused', () => {
  const sealed = seal('{"sub":"somebody"}');
  for (let index = 0; index < sealed.length; index += 1) {
    for (const mask of [1, 0x80, 0xff]) {
      const tampered = sealed.slice();
      tampered[index] = (tampered[index] ?? 0) ^ mask;
      expect(openBytes(() => key, tampered, bytes('id')).ok, `byte ${index} ^ ${mask}`).toBe(false);
    }
  }
});

test('A49: any mangling is refused and nothing throws', () => {
  const sealed = seal('value');
  fc.assert(
    fc.property(
      fc.nat({ max: sealed.length }),
      fc.nat({ max: sealed.length }),
      fc.uint8Array({ maxLength: 20 }),
      (from, to, insert) => {
        const mangled = Uint8Array.from([...sealed.slice(0, from), ...insert, ...sealed.slice(to)]);
        fc.pre(!Buffer.from(mangled).equals(sealed));
        expect(openBytes(() => key, mangled, bytes('id')).ok).toBe(false);
      },
    ),
  );
  fc.assert(fc.property(fc.uint8Array(), (noise) => !openBytes(() => key, noise, bytes('id')).ok));
});

test('A49: every truncation is refused', () => {
  const sealed = seal('value');
  for (let length = 0; length < sealed.length; length += 1) {
    expect(openBytes(keyFor, sealed.slice(0, length), bytes('id')).ok).toBe(false);
  }
});

test('a record cannot be moved to another id', () => {
  expect(openBytes(keyFor, seal('value', 'id-1'), bytes('id-2'))).toEqual({ ok: false, error: 'forged' });
});

test('the header and the additional data cannot be shifted into each other', () => {
  const long = keyOf('k12');
  const short: SealingKey = { kid: 'k1', key: long.key };
  const sealed = sealBytes(long, bytes('value'), bytes('x'), randomBytes);
  const renamed = Uint8Array.from([1, 2, ...bytes('k1'), ...sealed.slice(5)]);
  expect(openBytes(() => short, renamed, bytes('2x')).ok).toBe(false);
});

test('another key, an unknown key and another version are told apart', () => {
  const sealed = seal('value');
  expect(openBytes(() => ({ ...other, kid: 'k1' }), sealed, bytes('id'))).toEqual({
    ok: false,
    error: 'forged',
  });
  expect(openBytes(() => undefined, sealed, bytes('id'))).toEqual({ ok: false, error: 'unknown-key' });
  const next = sealed.slice();
  next[0] = 2;
  expect(openBytes(keyFor, next, bytes('id'))).toEqual({ ok: false, error: 'malformed' });
});

test('D41: equal values never look equal, and the plaintext is not in the envelope', () => {
  const first = seal('the same value');
  const second = seal('the same value');
  expect(first).not.toEqual(second);
  expect(Buffer.from(first).includes('the same')).toBe(false);
});

test('a key id or generator that would break the layout is a fault', () => {
  expect(() => sealBytes({ ...key, kid: '' }, bytes('v'), bytes('id'), randomBytes)).toThrow(RangeError);
  expect(() => sealBytes({ ...key, kid: 'é' }, bytes('v'), bytes('id'), randomBytes)).toThrow(RangeError);
  expect(() => sealBytes(key, bytes('v'), bytes('id'), () => new Uint8Array(3))).toThrow(RangeError);
  expect(isKid('a'.repeat(65))).toBe(false);
});

test('a sealing key does not print', () => {
  const raw = randomBytes(32);
  const printed = JSON.stringify({ kid: 'k', key: createSecretKey(raw) });
  expect(printed).not.toContain(raw.toString('base64url'));
});
