import { readFile } from 'node:fs/promises';

/** The processes that a process has started and that still run, as Linux knows them. */
export async function childPids(pid: number | undefined): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.trim().split(' ').filter(Boolean).map(Number);
}
