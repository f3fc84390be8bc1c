/** Keys as the wire has them: a key's public half and attributes out, what a request asks for in. */
import type { Realm } from '../realm.ts';
import type { EmulatorRequest } from '../request.ts';
import { badParameter } from './key-vault-error.ts';
import { ALL_OPERATIONS, type KeyVersion, type NamedKey, type NewKey } from './key-vault-keys.ts';

export function keyId(realm: Realm, key: KeyVersion): string {
  return `${realm.httpsOrigin}/keys/${key.name}/${key.version}`;
}

export function describeKey(realm: Realm, version: KeyVersion): Record<string, unknown> {
  const { n, e } = version.publicKey.export({ format: 'jwk' });
  const key = { kid: keyId(realm, version), kty: 'RSA', key_ops: version.operations, n, e };
  return { key, attributes: describeAttributes(version), tags: version.tags };
}

export function describeItem(
  realm: Realm,
  version: KeyVersion,
  isVersioned: boolean,
): Record<string, unknown> {
  const kid = isVersioned ? keyId(realm, version) : `${realm.httpsOrigin}/keys/${version.name}`;
  return { kid, attributes: describeAttributes(version), tags: version.tags };
}

export function describeDeleted(realm: Realm, key: NamedKey): Record<string, unknown> {
  const newest = key.versions.at(-1);
  const deletedDate = key.deletedSeconds ?? 0;
  return {
    ...(newest === undefined ? {} : describeKey(realm, newest)),
    recoveryId: `${realm.httpsOrigin}/deletedkeys/${key.name}`,
    deletedDate,
    scheduledPurgeDate: deletedDate + 90 * 86_400,
  };
}

function describeAttributes(version: KeyVersion): Record<string, unknown> {
  return {
    enabled: version.enabled,
    ...(version.notBeforeSeconds === undefined ? {} : { nbf: version.notBeforeSeconds }),
    ...(version.expiresSeconds === undefined ? {} : { exp: version.expiresSeconds }),
    created: version.createdSeconds,
    updated: version.updatedSeconds,
    recoveryLevel: 'Recoverable+Purgeable',
    recoverableDays: 90,
    exportable: false,
  };
}

export function readBody(request: EmulatorRequest): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = request.bodyText === '' ? {} : JSON.parse(request.bodyText);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Readonly<Record<string, unknown>>;
  } catch {
    // Said below, in the same words.
  }
  throw badParameter('The request body is not a JSON object.');
}

export function readValue(request: EmulatorRequest): { readonly algorithm: string; readonly value: Buffer } {
  const body = readBody(request);
  return { algorithm: String(body['alg']), value: readBytes(body, 'value') };
}

export function readBytes(body: Readonly<Record<string, unknown>>, name: string): Buffer {
  const text = body[name];
  if (typeof text !== 'string' || text === '' || !/^[\w-]+={0,2}$/.test(text))
    throw badParameter(`Property '${name}' is missing or not base64url.`);
  return Buffer.from(text, 'base64url');
}

export function readKeySize(value: unknown): number {
  if (value === undefined || value === null) return 2048;
  if (value === 2048 || value === 3072 || value === 4096) return value;
  throw badParameter('Property key_size is not one of 2048, 3072 or 4096.');
}

type Settings = Omit<NewKey, 'keySize'>;

export function readSettings(body: Readonly<Record<string, unknown>>): Settings {
  const { key_ops: keyOps, tags, attributes } = body;
  return { ...readOperations(keyOps), ...readTags(tags), ...readAttributes(attributes) };
}

function readOperations(value: unknown): Settings {
  if (value === undefined || value === null) return {};
  if (!Array.isArray(value) || !value.every((each) => ALL_OPERATIONS.includes(String(each))))
    throw badParameter('Property key_ops has a value that is not an operation of an RSA key.');
  return { operations: value.map(String) };
}

function readTags(value: unknown): Settings {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw badParameter('Property tags is not an object.');
  return { tags: Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)])) };
}

function readAttributes(value: unknown): Settings {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object') throw badParameter('Property attributes is not an object.');
  const { enabled, nbf, exp } = value as Readonly<Record<string, unknown>>;
  if (![nbf, exp].every((each) => each === undefined || each === null || Number.isInteger(each)))
    throw badParameter('Properties nbf and exp are seconds since 1970.');
  return {
    ...(typeof enabled === 'boolean' ? { enabled } : {}),
    ...(typeof nbf === 'number' ? { notBeforeSeconds: nbf } : {}),
    ...(typeof exp === 'number' ? { expiresSeconds: exp } : {}),
  };
}
