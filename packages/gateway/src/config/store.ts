/** The `store` section: its address may stand in the file or behind a reference, its secrets only behind one. */
import { X509Certificate } from 'node:crypto';
import { Secret } from '@valetkey/core/base/secret';
import type { StoreConfig } from './config.ts';
import { defaults } from './defaults.ts';
import { type ConfigFault, complain } from './fault.ts';
import { type Resolved, resolvePath, type Sections, type Surroundings } from './references.ts';
import type { ConfigFile } from './schema.ts';
import { parseStoreUrl, type StoreAddress } from './store-url.ts';
import { isReference } from './word-rules.ts';

type StoreFile = ConfigFile['store'];
type SoundStore = NonNullable<Sections['store']>;

/** What only the resolved address can show, and what must not be said twice. */
export function checkStore(store: Sections['store'], resolved: Resolved): ConfigFault[] {
  if (store === undefined) return [];
  const path = urlPathOf(store);
  const text = urlOf(store, resolved);
  if (text === undefined) return [];
  const address = parseStoreUrl(text);
  if (!address.ok) return isReference(writtenUrlOf(store) ?? '') ? [{ path, ...address.error }] : [];
  return typeof store === 'string' ? [] : checkParts(store, address.value, resolved);
}

function checkParts(
  store: Exclude<SoundStore, string>,
  address: StoreAddress,
  resolved: Resolved,
): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const refuse = (name: string, problem: string, remedy: string) =>
    faults.push({ path: `store.${name}`, ...complain(problem, remedy) });
  const isServer = address.driver !== 'sqlite';
  for (const name of ['username', 'password', 'caFile'] as const) {
    if (store[name] !== undefined && !isServer) refuse(name, 'means nothing to SQLite', 'Remove it');
  }
  for (const name of ['username', 'password'] as const) {
    if (isServer && store[name] !== undefined && address[name] !== undefined)
      refuse(name, 'is given twice', 'Remove it here, or take it out of the address');
  }
  if (store.caFile !== undefined && isServer && !address.tls)
    refuse(
      'caFile',
      'is not used: the address says plain text',
      'Write rediss://, or remove sslmode=disable',
    );
  if (store.prefix !== undefined && address.driver !== 'redis')
    refuse('prefix', 'is for Redis only', 'Remove it');
  if (store.sentinelPassword !== undefined && (address.driver !== 'redis' || address.topology !== 'sentinel'))
    refuse('sentinelPassword', 'is for redis+sentinel:// only', 'Remove it');
  const caPem = resolved.values.get('store.caFile');
  if (caPem !== undefined && !isCertificate(caPem))
    refuse('caFile', 'is no PEM certificate', 'Export it as PEM (-----BEGIN CERTIFICATE-----)');
  return faults;
}

/** @param store free of faults. */
export function buildStore(store: StoreFile, resolved: Resolved, surroundings: Surroundings): StoreConfig {
  const address = parseStoreUrl(urlOf(store, resolved) ?? '');
  if (!address.ok) throw new TypeError('the store was not checked');
  const parts: Partial<Exclude<StoreFile, string>> = typeof store === 'string' ? {} : store;
  const secretAt = (name: string) => asSecret(resolved.values.get(`store.${name}`));
  const { value } = address;
  if (value.driver === 'sqlite') {
    const isMemory = value.path === ':memory:';
    return { ...value, path: isMemory ? value.path : resolvePath(value.path, surroundings) };
  }
  const { username = parts.username, password: inAddress, ...rest } = value;
  const password = asSecret(inAddress) ?? secretAt('password');
  const caPem = resolved.values.get('store.caFile');
  const server = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(caPem === undefined ? {} : { caPem }),
  };
  if (rest.driver === 'postgres') return { ...rest, ...server };
  const sentinelPassword = secretAt('sentinelPassword');
  return {
    ...rest,
    ...server,
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    prefix: parts.prefix ?? defaults.redisPrefix,
  };
}

function writtenUrlOf(store: SoundStore): string | undefined {
  return typeof store === 'string' ? store : store.url;
}

function urlPathOf(store: SoundStore): string {
  return typeof store === 'string' ? 'store' : 'store.url';
}

/** Undefined where it has not its shape or the reference did not resolve, which are faults by themselves. */
function urlOf(store: SoundStore, resolved: Resolved): string | undefined {
  const written = writtenUrlOf(store);
  return written !== undefined && isReference(written) ? resolved.values.get(urlPathOf(store)) : written;
}

function asSecret(text: string | undefined): Secret | undefined {
  return text === undefined ? undefined : new Secret(text);
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}
