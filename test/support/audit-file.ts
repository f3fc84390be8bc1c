import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

/** Records wait for others for a twentieth of a second: where nothing has come for two of them, all are there. */
const quietMs = 100;
const mostLooks = 50;

/** The records in an audit file, once it is quiet; none where there is no file. */
export async function readAuditFile(path: string): Promise<Record<string, unknown>[]> {
  let text = await readOrNothing(path);
  for (let look = 0; look < mostLooks; look += 1) {
    await pause(quietMs);
    const next = await readOrNothing(path);
    if (next === text) break;
    text = next;
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function readOrNothing(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
