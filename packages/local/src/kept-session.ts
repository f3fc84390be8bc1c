import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { SealingKey } from '@valetkey/core/crypto/envelope';
import { acquireFileLock } from './cache/file-lock.ts';
import { defaultCacheDirectory } from './cache/place.ts';
import { keychainPlace, keyFilePlace, openSealingKey } from './cache/sealing-key.ts';
import { createSessionMemory, makeFolder, openSessionFile, type SessionFile } from './cache/session-file.ts';
import type { Settings } from './options.ts';
import type { Surroundings } from './surroundings.ts';

/** Where the session of these settings is kept. Opens nothing yet: the keychain may ask the person. */
export function openKeptSession(
  settings: Settings,
  { machine, keychain, random }: Surroundings,
  log: (line: string) => void,
): SessionFile {
  if (settings.tokenStore === 'memory') return createSessionMemory();
  const directory = settings.cacheDirectory ?? defaultCacheDirectory(machine.platform, machine.env);
  const name = nameOf(settings);
  const path = join(directory, `${name}.session`);
  const place =
    settings.tokenStore === 'file'
      ? keyFilePlace(join(directory, `${name}.key`))
      : keychainPlace(keychain, name);
  const exclusively = async <Value>(work: () => Promise<Value>): Promise<Value> => {
    await makeFolder(path);
    const held = await acquireFileLock(`${path}.key-lock`, { waitMs: 90_000, staleMs: 120_000 });
    try {
      return await work();
    } finally {
      await held?.release();
    }
  };
  const opened: { key?: Promise<SealingKey> | undefined } = {};
  const key = () => {
    // A keychain that was locked is asked again the next time.
    opened.key ??= openSealingKey(place, random, exclusively).catch((error: unknown) => {
      opened.key = undefined;
      throw error;
    });
    return opened.key;
  };
  return openSessionFile({ path, key, random, log });
}

/** One session per client, tenant and authority; whoever starts the server. */
function nameOf({ clientId, tenant, authorityHost }: Settings): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([authorityHost, tenant, clientId]))
    .digest('hex');
  return `${clientId}.${hash.slice(0, 12)}`;
}
