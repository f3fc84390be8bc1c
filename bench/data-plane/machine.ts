/** Cores, processes and what they use, as Linux tells it. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, loadavg, release, totalmem } from 'node:os';
import { versionOf } from './needed.ts';

/** The measured one has a core to itself; all else shares the others. */
export const cores = {
  subject: 0,
  load: Math.min(1, availableParallelism() - 1),
  backend: Math.min(2, availableParallelism() - 1),
} as const;

const ticksPerSecond = 100;

/** Moves this process, and all it starts from now on, off the core of the measured one. */
export function moveAside(): void {
  spawnSync('taskset', ['-acp', String(cores.load), String(process.pid)]);
}

/** A process and all below it. */
export function processTree(pid: number): number[] {
  const below = tasksOf(pid).flatMap((task) =>
    read(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...below.flatMap(processTree)];
}

/** User and system time so far, in seconds. */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    // The second field is a name in parentheses that may hold anything.
    const fields = read(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
    return sum + (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / ticksPerSecond;
  }, 0);
}

/** Resident memory in bytes. */
export function residentBytes(pids: readonly number[]): number {
  return pids.reduce(
    (sum, pid) => sum + Number(/^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024,
    0,
  );
}

/** How many files one process may have open: every stream through a proxy takes two. */
export function openFilesLimit(): number {
  return Number(/^Max open files\s+(\d+)/m.exec(read('/proc/self/limits'))?.[1] ?? 1024);
}

/** What a reader must know to compare the figures with others. */
export function describeMachine(): Record<string, string> {
  const model = /^model name\s*: (.+)$/m.exec(read('/proc/cpuinfo'))?.[1] ?? 'unknown';
  return {
    machine: `${model}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GB, Linux ${release()}`,
    'load before the run': loadavg()
      .map((load) => load.toFixed(2))
      .join(', '),
    versions: `Node ${process.versions.node}, nginx ${versionOf('nginx', '-v')}, HAProxy ${versionOf('haproxy', '-v')}, wrk ${versionOf('wrk', '-v')}`,
  };
}

function tasksOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
