/** The keys of the vault: names, versions, attributes. Material is made here and never leaves. Knows no HTTP and no caller. */
import { generateKeyPair, type KeyObject, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyVaultSeed } from '../seed.ts';

export interface KeyVersion {
  readonly name: string;
  /** 32 hex digits. */
  readonly version: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  readonly keySize: number;
  readonly createdSeconds: number;
  operations: readonly string[];
  tags: Readonly<Record<string, string>>;
  enabled: boolean;
  updatedSeconds: number;
  notBeforeSeconds?: number | undefined;
  expiresSeconds?: number | undefined;
}

export interface NamedKey {
  readonly name: string;
  /** The oldest first. */
  readonly versions: KeyVersion[];
  rotationPolicy?: Readonly<Record<string, unknown>>;
  deletedSeconds?: number;
}

export interface NewKey {
  readonly keySize: number;
  readonly operations?: readonly string[];
  readonly tags?: Readonly<Record<string, string>>;
  readonly enabled?: boolean;
  readonly notBeforeSeconds?: number | undefined;
  readonly expiresSeconds?: number | undefined;
}

export interface KeyVault {
  /** A key that is there and not deleted; a seeded one gets its material now. */
  find(name: string): Promise<NamedKey | undefined>;
  /** A new key, or a new version of the one that has the name. @returns undefined when a deleted key holds the name */
  create(name: string, wanted: NewKey): Promise<KeyVersion | undefined>;
  /** All that are not deleted, or all that are. */
  list(kind: 'kept' | 'deleted'): Promise<readonly NamedKey[]>;
  remove(key: NamedKey): void;
  recover(key: NamedKey): void;
  purge(key: NamedKey): void;
  clear(): void;
  /** For a snapshot: private keys and all. */
  export(): Promise<KeyVaultState>;
  import(state: KeyVaultState): void;
}

export interface KeyVaultState {
  readonly keys: readonly NamedKey[];
  /** Seeded ones that were purged, in lower case. */
  readonly gone: readonly string[];
}

export const ALL_OPERATIONS = ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'];
const DEFAULT_KEY_SIZE = 2048;

export function createKeyVault(seed: KeyVaultSeed | undefined, nowMs: () => number): KeyVault {
  const keys = new Map<string, Promise<NamedKey>>();
  const seeded = new Map((seed?.keys ?? []).map((key) => [key.name.toLowerCase(), key]));
  const gone = new Set<string>();
  const nowSeconds = () => Math.floor(nowMs() / 1000);

  async function open(name: string): Promise<NamedKey | undefined> {
    const id = name.toLowerCase();
    const known = keys.get(id);
    if (known !== undefined) return known;
    const start = seeded.get(id);
    if (start === undefined || gone.has(id)) return undefined;
    const wanted = { keySize: start.keySize ?? DEFAULT_KEY_SIZE };
    const made = createVersion(start.name, wanted, nowSeconds()).then((first) => ({
      name: start.name,
      versions: [first],
    }));
    keys.set(id, made);
    return made;
  }

  return {
    async find(name) {
      const key = await open(name);
      return key?.deletedSeconds === undefined ? key : undefined;
    },
    async create(name, wanted) {
      const made = await createVersion(name, wanted, nowSeconds());
      const known = await open(name);
      if (known?.deletedSeconds !== undefined) return undefined;
      if (known === undefined) keys.set(name.toLowerCase(), Promise.resolve({ name, versions: [made] }));
      else known.versions.push(made);
      return made;
    },
    async list(kind) {
      const all = await Promise.all([...new Set([...seeded.keys(), ...keys.keys()])].map(open));
      return all
        .filter((key) => key !== undefined)
        .filter((key) => (key.deletedSeconds === undefined) === (kind === 'kept'));
    },
    remove(key) {
      key.deletedSeconds = nowSeconds();
    },
    recover(key) {
      delete key.deletedSeconds;
    },
    purge(key) {
      keys.delete(key.name.toLowerCase());
      gone.add(key.name.toLowerCase());
    },
    clear() {
      keys.clear();
      gone.clear();
    },
    export: async () => ({ keys: await Promise.all(keys.values()), gone: [...gone] }),
    import(state) {
      keys.clear();
      gone.clear();
      for (const key of state.keys) keys.set(key.name.toLowerCase(), Promise.resolve(key));
      for (const name of state.gone) gone.add(name);
    },
  };
}

async function createVersion(name: string, wanted: NewKey, now: number): Promise<KeyVersion> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength: wanted.keySize });
  return {
    name,
    version: randomBytes(16).toString('hex'),
    ...pair,
    keySize: wanted.keySize,
    createdSeconds: now,
    updatedSeconds: now,
    operations: wanted.operations ?? ALL_OPERATIONS,
    tags: wanted.tags ?? {},
    enabled: wanted.enabled ?? true,
    notBeforeSeconds: wanted.notBeforeSeconds,
    expiresSeconds: wanted.expiresSeconds,
  };
}
