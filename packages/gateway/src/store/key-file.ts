/** The file that keeps the key ring: made at the first start, private, never half written. */
import { link, mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import { type RandomBytes, randomId } from '@valetkey/core/base/random';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { createKeyRing, type KeyRing, parseKeyRing } from '@valetkey/core/crypto/key-ring';

/** Why the gateway does not start, and what its operator can do about it. Holds no key material. */
export interface KeyFault {
  readonly problem: string;
  readonly remedy: string;
}

/**
 * Reads the key ring, and makes the file where there is none.
 *
 * Two gateways that start at once end up with one file: each writes its own under another name and links it to
 * `path`, which only one can. The other reads what the winner made.
 *
 * @param path its folder is made where it is missing.
 * @returns a fault when the file is readable by others, malformed, or can be neither read nor made.
 */
export async function openKeyRing(
  path: string,
  random: RandomBytes,
  clock: Clock,
): Promise<Result<KeyRing, KeyFault>> {
  const json = await openKeyFile(path, random, async () => createKeyRing(random, nowSeconds(clock)));
  if (!json.ok) return json;
  const ring = parseKeyRing(json.value);
  return ring.ok ? ring : err(malformedKeyFile(path, ring.error));
}

/**
 * The JSON of the key file, which is made where there is none.
 *
 * @param make what a new file holds.
 * @returns undefined for a file that is no JSON; a fault as `openKeyRing`.
 */
export async function openKeyFile(
  path: string,
  random: RandomBytes,
  make: () => Promise<object>,
): Promise<Result<unknown, KeyFault>> {
  try {
    if (!(await hasFile(path))) await makeKeyFile(path, random, await make());
    return await readKeyFile(path);
  } catch (fault) {
    if (!(fault instanceof Error && 'code' in fault)) throw fault;
    return err({
      problem: `The key file ${path} can be neither read nor made (${faultCode(fault)})`,
      remedy: 'Give the account of the gateway read and write access to the file and its folder.',
    });
  }
}

/** Puts another ring in the place of the file, in one step: a reader sees the old one or the new one. */
export async function replaceKeyFile(path: string, random: RandomBytes, content: object): Promise<void> {
  const draft = join(dirname(path), `.keys-${randomId(random, 9)}`);
  await writeNewFile(draft, textOf(content));
  await rename(draft, path);
  await syncFolder(dirname(path));
}

/** Changes whenever the file does; undefined while it cannot be looked at. */
export async function findKeyFileVersion(path: string): Promise<string | undefined> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${ino}:${size}:${mtimeMs}`;
  } catch {
    return undefined;
  }
}

export function malformedKeyFile(path: string, reason: string): KeyFault {
  return {
    problem: `The key file ${path} is malformed: ${reason}`,
    remedy:
      'Restore it from a backup. Without it nothing in the store can be opened; to start over, move the key file ' +
      'and the store away, and everybody signs in again.',
  };
}

async function readKeyFile(path: string): Promise<Result<unknown, KeyFault>> {
  const { mode } = await stat(path);
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    return err({
      problem: `The key file ${path} can be read by others (mode ${(mode & 0o777).toString(8)})`,
      remedy:
        `Run: chmod 600 ${path} (for a mounted Kubernetes secret: defaultMode 0400). ` +
        'Where others may have read it, rotate the keys too.',
    });
  }
  return ok(parseJson(await readFile(path, 'utf8')));
}

const textOf = (content: object) => `${JSON.stringify(content, null, 2)}\n`;

async function makeKeyFile(path: string, random: RandomBytes, content: object): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const text = textOf(content);
  const draft = join(folder, `.keys-${randomId(random, 9)}`);
  await writeNewFile(draft, text);
  try {
    await link(draft, path);
  } catch (fault) {
    // Volumes without hard links (SMB): still exclusive, only not in one step for a reader.
    if (faultCode(fault) !== 'EEXIST') await ignoreExisting(() => writeNewFile(path, text));
  } finally {
    await unlink(draft);
  }
  await syncFolder(folder);
}

async function writeNewFile(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function ignoreExisting(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (fault) {
    if (faultCode(fault) !== 'EEXIST') throw fault;
  }
}

/** The name of a new file is durable only when its folder is; some systems refuse to sync a folder. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // The file itself is written; a crash right now costs at most a key that sealed nothing yet.
  }
}

async function hasFile(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (fault) {
    if (faultCode(fault) === 'ENOENT') return false;
    throw fault;
  }
}

/** Not the parser's message: it quotes what it read. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function faultCode(fault: unknown): string {
  return fault instanceof Error && 'code' in fault && typeof fault.code === 'string' ? fault.code : 'unknown';
}
