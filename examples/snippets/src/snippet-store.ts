/**
 * Snippets on disk, one directory per person. Knows no HTTP and no MCP.
 *
 * Neither a person's id nor a snippet's name becomes a path as it is: the person is hashed, the name is written
 * in hexadecimal. So no name can climb out of its directory, two people can never meet in one, and `Note` and
 * `note` stay two snippets on a file system that ignores case.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface SnippetStore {
  /** @returns the text, or undefined where this person has no snippet of that name. */
  find(person: string, name: string): Promise<string | undefined>;
  /** Writes or replaces. A reader sees the old text or the new one, never half of it. */
  save(person: string, name: string, text: string): Promise<void>;
}

const nameShape = /^[A-Za-z0-9_-]{1,64}$/;

export function isSnippetName(name: string): boolean {
  return nameShape.test(name);
}

/** @param root the directory of all snippets; made on the first save. */
export function createSnippetStore(root: string): SnippetStore {
  return {
    async find(person, name) {
      try {
        return await readFile(fileOf(root, person, name), 'utf8');
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },

    async save(person, name, text) {
      const file = fileOf(root, person, name);
      const draft = `${file}.${randomUUID()}.draft`;
      await mkdir(directoryOf(root, person), { recursive: true, mode: 0o700 });
      try {
        await writeFile(draft, text, { mode: 0o600, flag: 'wx', flush: true });
        await rename(draft, file);
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
    },
  };
}

function directoryOf(root: string, person: string): string {
  return join(root, createHash('sha256').update(person).digest('hex'));
}

function fileOf(root: string, person: string, name: string): string {
  if (!isSnippetName(name)) throw new TypeError('not a snippet name');
  return join(directoryOf(root, person), `${Buffer.from(name).toString('hex')}.txt`);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
