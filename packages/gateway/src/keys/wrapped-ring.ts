/**
 * A ring in a file that only Azure Key Vault can open: the JSON of the ring is sealed with AES-256-GCM under a key of
 * its own, and that key is wrapped (RSA-OAEP-256) by a key that never leaves the vault. A copy of the file, or of the
 * disk, is worth nothing without the vault; one request to it per start, none per request of a client.
 */
import { createSecretKey } from 'node:crypto';
import type { RandomBytes } from '@valetkey/core/base/random';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { openBytes, sealBytes } from '@valetkey/core/crypto/envelope';
import type { KeyRingFile } from '@valetkey/core/crypto/key-ring';
import type { KeyFault } from '../store/key-file.ts';

/** Wraps and unwraps 32 bytes by a key of the vault. */
export interface Wrapping {
  /** @returns the wrapped bytes, and the key with its version. @throws WrappingFailed */
  wrap(key: Uint8Array): Promise<{ readonly keyId: string; readonly wrapped: Uint8Array }>;
  /** @param keyId as `wrap` gave it: an older version of the key may have wrapped this file. @throws WrappingFailed */
  unwrap(keyId: string, wrapped: Uint8Array): Promise<Uint8Array>;
}

/** The vault could not be used. The message holds no key material. */
export class WrappingFailed extends Error {
  override readonly name = 'WrappingFailed';
  readonly remedy: string;

  constructor(problem: string, remedy: string) {
    super(problem);
    this.remedy = remedy;
  }
}

export interface WrappedRing {
  readonly version: 1;
  /** The vault's key, with its version. */
  readonly keyId: string;
  readonly algorithm: 'RSA-OAEP-256';
  /** The key that seals `ring`, wrapped; base64url. */
  readonly wrappedKey: string;
  /** The sealed ring; base64url. */
  readonly ring: string;
}

const kid = 'wrapped';
const keyBytes = 32;

export async function wrapRing(
  file: KeyRingFile,
  wrapping: Wrapping,
  random: RandomBytes,
): Promise<WrappedRing> {
  const key = random(keyBytes);
  const { keyId, wrapped } = await wrapping.wrap(key);
  const sealingKey = { kid, key: createSecretKey(key) };
  const sealed = sealBytes(sealingKey, encode(JSON.stringify(file)), encode(keyId), random);
  return {
    version: 1,
    keyId,
    algorithm: 'RSA-OAEP-256',
    wrappedKey: Buffer.from(wrapped).toString('base64url'),
    ring: Buffer.from(sealed).toString('base64url'),
  };
}

/** @returns the ring as JSON, not yet judged; a fault when the vault cannot be used or the file is damaged. */
export async function unwrapRing(
  file: WrappedRing,
  wrapping: Wrapping,
  path: string,
): Promise<Result<unknown, KeyFault>> {
  let key: Uint8Array;
  try {
    key = await wrapping.unwrap(file.keyId, Buffer.from(file.wrappedKey, 'base64url'));
  } catch (fault) {
    if (!(fault instanceof WrappingFailed)) throw fault;
    return err({
      problem: `The key file ${path} cannot be unwrapped: ${fault.message}`,
      remedy: fault.remedy,
    });
  }
  const opened = openWith(key, file);
  if (opened !== undefined) return ok(opened);
  return err({
    problem: `The key file ${path} is damaged: it does not open with the key that Key Vault unwrapped`,
    remedy: 'Restore it from a backup.',
  });
}

export function isWrappedRing(json: unknown): json is WrappedRing {
  if (typeof json !== 'object' || json === null) return false;
  return ['keyId', 'wrappedKey', 'ring'].every(
    (name) => typeof (json as Record<string, unknown>)[name] === 'string',
  );
}

function openWith(key: Uint8Array, file: WrappedRing): unknown {
  if (key.length !== keyBytes) return undefined;
  const sealingKey = { kid, key: createSecretKey(key) };
  const opened = openBytes(() => sealingKey, Buffer.from(file.ring, 'base64url'), encode(file.keyId));
  return opened.ok ? (JSON.parse(new TextDecoder().decode(opened.value)) as unknown) : undefined;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
