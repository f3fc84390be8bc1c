/** The session on disk: one sealed file, replaced as a whole. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { RandomBytes } from '@valetkey/core/base/random';
import { openBytes, type SealingKey, sealBytes } from '@valetkey/core/crypto/envelope';
import { acquireFileLock, type HeldLock } from './file-lock.ts';

/** What is kept between two starts. */
export interface Session {
  readonly version: 1;
  /** MSAL's own text. */
  readonly msal: string;
  /** Home account id of the chosen account (D8). */
  readonly chosen?: string;
}

export interface SessionFile {
  /** Undefined: there is none, or none that this key opens. */
  read(): Promise<Session | undefined>;
  write(session: Session): Promise<void>;
  /** Makes sure that a session could be kept, before anybody is asked for one. @throws SignInFailed `no-keychain` */
  prepare(): Promise<void>;
  /** Held from the reading to the writing of one change. */
  lock(): Promise<() => Promise<void>>;
  /** Held while a prompt is open: two processes do not ask one person twice (A5). Undefined: it stayed taken. */
  lockPrompt(waitMs: number, signal: AbortSignal): Promise<HeldLock | undefined>;
}

export interface SessionFileOptions {
  readonly path: string;
  readonly key: () => Promise<SealingKey>;
  readonly random: RandomBytes;
  readonly log: (line: string) => void;
}

const lockOptions = { waitMs: 10_000, staleMs: 10_000 };

export function openSessionFile({ path, key, random, log }: SessionFileOptions): SessionFile {
  // The file's name is part of the seal: a file of another client or tenant, put in its place, does not open.
  const belongsTo = Buffer.from(path.replace(/^.*[\\/]/, ''));
  return {
    async read() {
      const sealed = await readOrUndefined(path);
      if (sealed === undefined) return undefined;
      const sealingKey = await key();
      const opened = openBytes((kid) => (kid === sealingKey.kid ? sealingKey : undefined), sealed, belongsTo);
      const session = opened.ok ? parseSession(opened.value) : undefined;
      if (session === undefined) log('The kept session cannot be opened and is not used; sign in again.');
      return session;
    },
    async write(session) {
      const sealed = sealBytes(await key(), Buffer.from(JSON.stringify(session)), belongsTo, random);
      await replaceFile(path, sealed);
    },
    prepare: async () => void (await key()),
    async lock() {
      await makeFolder(path);
      const held = await acquireFileLock(`${path}.lock`, lockOptions);
      if (held === undefined) throw new Error('the session file stays locked by another process');
      return held.release;
    },
    async lockPrompt(waitMs, signal) {
      await makeFolder(path);
      return acquireFileLock(`${path}.prompt`, { waitMs, staleMs: 20 * 60_000, signal });
    },
  };
}

/** The same for the store `memory`: nothing leaves the process. */
export function createSessionMemory(): SessionFile {
  let kept: Session | undefined;
  return {
    read: async () => kept,
    write: async (session) => {
      kept = session;
    },
    prepare: async () => undefined,
    lock: async () => async () => undefined,
    lockPrompt: async () => ({ hadToWait: false, release: async () => undefined }),
  };
}

export async function makeFolder(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
}

async function readOrUndefined(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Written beside and moved over it: a reader sees the old file or the new one, never half of it. */
async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  await makeFolder(path);
  const fresh = `${path}.${randomUUID()}`;
  try {
    const file = await open(fresh, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, path);
  } finally {
    await rm(fresh, { force: true });
  }
}

function parseSession(bytes: Uint8Array): Session | undefined {
  try {
    const { version, msal, chosen } = JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<
      string,
      unknown
    >;
    if (version !== 1 || typeof msal !== 'string') return undefined;
    return { version, msal, ...(typeof chosen === 'string' ? { chosen } : {}) };
  } catch {
    return undefined;
  }
}
