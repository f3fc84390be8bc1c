/** The keychain of the system, for one thing: the 32 bytes that seal the cache. */

export interface Keychain {
  /** @throws KeychainUnavailable */
  read(account: string): Promise<Uint8Array | undefined>;
  /** @throws KeychainUnavailable */
  write(account: string, key: Uint8Array): Promise<void>;
}

/** There is none, it is locked, or it did not answer. */
export class KeychainUnavailable extends Error {
  override readonly name = 'KeychainUnavailable';
}

const service = 'valetkey';
/** A keychain may have to ask the person to unlock it. */
const timeoutMs = 60_000;

/**
 * Keychain on macOS, Credential Manager on Windows, Secret Service on Linux. Pinned there: left alone, the library
 * falls back to the kernel's keyring without a word, and that one forgets at the next start.
 */
export function createSystemKeychain(): Keychain {
  const use = async <Value>(run: (entry: Entry, signal: AbortSignal) => Promise<Value>, account: string) => {
    try {
      // Loaded only now: a server that keeps its session in memory runs where the binary does not exist.
      const { AsyncEntry } = await import('@napi-rs/keyring');
      const entry = new AsyncEntry(service, account, { linux: { store: 'secret-service' } });
      return await run(entry, AbortSignal.timeout(timeoutMs));
    } catch {
      throw new KeychainUnavailable('the keychain of this system cannot be used');
    }
  };
  return {
    async read(account) {
      const found = await use((entry, signal) => entry.getSecret(signal), account);
      return found === null ? undefined : Uint8Array.from(found);
    },
    write: (account, key) => use((entry, signal) => entry.setSecret(key, signal), account),
  };
}

interface Entry {
  getSecret(signal: AbortSignal): Promise<Iterable<number> | null>;
  setSecret(secret: Uint8Array, signal: AbortSignal): Promise<void>;
}
