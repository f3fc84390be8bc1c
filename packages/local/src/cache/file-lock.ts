/** A lock that processes of this machine respect: a file that only one of them can create. */
import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

export interface FileLockOptions {
  /** How long to wait for it; the signal ends the wait earlier. */
  readonly waitMs: number;
  /** A lock of this age is nobody's, whatever its owner's number says: numbers are used again. */
  readonly staleMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface HeldLock {
  /** Somebody else had it when it was asked for. */
  readonly hadToWait: boolean;
  release(): Promise<void>;
}

const pollMs = 20;

/** @returns undefined when it stayed taken for `waitMs`. @throws the signal's reason, or a fault of the file system. */
export async function acquireFileLock(path: string, options: FileLockOptions): Promise<HeldLock | undefined> {
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() });
  const endMs = performance.now() + options.waitMs;
  for (let attempt = 0; ; attempt += 1) {
    options.signal?.throwIfAborted();
    if (await create(path, mine)) {
      return { hadToWait: attempt > 0, release: () => release(path, mine) };
    }
    await breakIfStale(path, options.staleMs);
    if (performance.now() >= endMs) return undefined;
    await delay(pollMs, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}

async function create(path: string, content: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    // Windows answers EPERM while the previous owner's file is going away.
    if (codeOf(error) === 'EEXIST' || (process.platform === 'win32' && codeOf(error) === 'EPERM'))
      return false;
    throw error;
  }
}

/** Only our own: it may have been taken over. */
async function release(path: string, mine: string): Promise<void> {
  if ((await read(path)) === mine) await rm(path, { force: true });
}

async function breakIfStale(path: string, staleMs: number): Promise<void> {
  const content = await read(path);
  const ageMs = await age(path);
  if (content === undefined || ageMs === undefined) return;
  if (ageMs < staleMs && isOwnerAlive(content, ageMs)) return;
  const taken = `${path}.${randomUUID()}`;
  try {
    await rename(path, taken);
    // Another waiter was quicker and this is already its lock: put it back, if the place is free.
    if ((await read(taken)) !== content) await link(taken, path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'EEXIST') throw error;
  } finally {
    await rm(taken, { force: true });
  }
}

function isOwnerAlive(content: string, ageMs: number): boolean {
  try {
    const { pid, host } = JSON.parse(content) as { readonly pid: number; readonly host: string };
    // A home folder can be shared between machines, where numbers mean nothing.
    if (host !== hostname()) return true;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Made a moment ago and not yet written, or somebody else's process.
    return codeOf(error) === 'EPERM' || (error instanceof SyntaxError && ageMs < 2000);
  }
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}

async function age(path: string): Promise<number | undefined> {
  try {
    return Date.now() - (await stat(path)).mtimeMs;
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
