import { type FileHandle, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface FileWriter {
  append(text: string): Promise<void>;
  close(): Promise<void>;
}

interface Opened {
  readonly file: FileHandle;
  readonly device: number;
  readonly inode: number;
}

/**
 * Appends to a file that only the gateway's account can read.
 *
 * It stays open between two writes, since to open and close one costs more than to write a hundred records. Before each
 * write the path is asked whether it still leads there, so a file that was rotated away, deleted or on a volume that came
 * back is simply made again.
 */
export function createFileWriter(path: string): FileWriter {
  let opened: Opened | undefined;

  async function close(): Promise<void> {
    const file = opened?.file;
    opened = undefined;
    await file?.close();
  }

  async function isStillThere({ device, inode }: Opened): Promise<boolean> {
    const there = await stat(path).catch(() => undefined);
    return there !== undefined && there.dev === device && there.ino === inode;
  }

  async function openAnew(): Promise<Opened> {
    await close();
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, 'a', 0o600);
    const { dev, ino } = await file.stat();
    return { file, device: dev, inode: ino };
  }

  return {
    async append(text) {
      if (opened === undefined || !(await isStillThere(opened))) opened = await openAnew();
      try {
        await opened.file.appendFile(text);
      } catch (fault) {
        // Whatever is wrong with it, the next try begins with the path.
        await close().catch(() => {});
        throw fault;
      }
    },
    close,
  };
}
