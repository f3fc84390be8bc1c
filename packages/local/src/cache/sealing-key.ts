/** The key of the cache: found where it is kept, or made there, once. */
import { createSecretKey } from 'node:crypto';
import { chmod, open, readFile, stat } from 'node:fs/promises';
import type { RandomBytes } from '@valetkey/core/base/random';
import type { SealingKey } from '@valetkey/core/crypto/envelope';
import { SignInFailed } from '../sign-in-failed.ts';
import { type Keychain, KeychainUnavailable } from './keychain.ts';

const keyBytes = 32;

/** Where the bytes lie: `undefined` = nowhere yet. */
export interface KeyPlace {
  read(): Promise<Uint8Array | undefined>;
  write(key: Uint8Array): Promise<void>;
}

/**
 * @param exclusively runs while no other process is here: two that start together must not make two keys.
 * @throws SignInFailed `no-keychain` when the place cannot be used, or does not keep what it is given (D12).
 */
export async function openSealingKey(
  place: KeyPlace,
  random: RandomBytes,
  exclusively: <Value>(work: () => Promise<Value>) => Promise<Value>,
): Promise<SealingKey> {
  try {
    const found = await place.read();
    if (found !== undefined) return sealingKey(found);
    return await exclusively(async () => {
      const made = (await place.read()) ?? random(keyBytes);
      await place.write(made);
      const kept = await place.read();
      if (kept === undefined || !Buffer.from(kept).equals(made))
        throw new KeychainUnavailable('the keychain does not keep what it is given');
      return sealingKey(made);
    });
  } catch (error) {
    if (error instanceof KeychainUnavailable) throw noKeychain();
    throw error;
  }
}

function sealingKey(bytes: Uint8Array): SealingKey {
  if (bytes.length !== keyBytes) throw new KeychainUnavailable('the keychain holds something else');
  return { kid: 'local', key: createSecretKey(bytes) };
}

function noKeychain(): SignInFailed {
  const remedy =
    process.platform === 'linux'
      ? 'Unlock or install a Secret Service (gnome-keyring, KWallet)'
      : 'Unlock the keychain of this account';
  return new SignInFailed(
    'no-keychain',
    `The keychain of this system cannot be used, so there is no safe place for the session. ${remedy}, or choose the token store \`memory\` (sign in at every start) or \`file\` (the key lies beside the session): with the variable VALETKEY_TOKEN_STORE, the option \`tokenStore\`, or \`signIn.tokenStore\` in the file of \`valetkey stdio\``,
  );
}

export function keychainPlace(keychain: Keychain, account: string): KeyPlace {
  return { read: () => keychain.read(account), write: (key) => keychain.write(account, key) };
}

/** The explicit choice `file`: no secret from anybody who can read the account's files. */
export function keyFilePlace(path: string): KeyPlace {
  return {
    async read() {
      try {
        if (process.platform !== 'win32' && ((await stat(path)).mode & 0o077) !== 0) await chmod(path, 0o600);
        return new Uint8Array(await readFile(path));
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
        throw new KeychainUnavailable('the key file cannot be read');
      }
    },
    async write(key) {
      const file = await open(path, 'w', 0o600);
      try {
        await file.writeFile(key);
        await file.sync();
      } finally {
        await file.close();
      }
    },
  };
}
