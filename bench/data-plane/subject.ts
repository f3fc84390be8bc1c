import type { Running } from './running.ts';
import type { Address } from './workload.ts';

export const subjectNames = [
  'direct',
  'nginx',
  'haproxy',
  'haproxy-rs256',
  'haproxy-hs256',
  'sdk-peer',
  'gateway',
] as const;
export type SubjectName = (typeof subjectNames)[number];

export const labels: Readonly<Record<SubjectName, string>> = {
  direct: 'direct to the backend',
  nginx: 'nginx, plain',
  haproxy: 'HAProxy, plain',
  'haproxy-rs256': 'HAProxy with RS256',
  'haproxy-hs256': 'HAProxy with HS256',
  'sdk-peer': 'MCP SDK + http-proxy-middleware',
  gateway: 'Valetkey, everything on',
};

/** One of those that are measured beside each other. */
export interface Subject {
  readonly name: SubjectName;
  readonly port: number;
  /** Access tokens for an address, one for each caller. */
  tokens(address: Address): Promise<readonly string[]>;
  readonly running: () => Running;
  /** A new process with nothing behind it, for what is measured from the start. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** What every subject is started from. */
export interface Surroundings {
  readonly backendPort: number;
  /** Of this subject alone. */
  readonly directory: string;
}

/** A subject that is one process: `startProcess` must resolve when it answers. */
export async function openSubject(
  name: SubjectName,
  port: number,
  tokens: Subject['tokens'],
  startProcess: () => Promise<Running>,
): Promise<Subject> {
  let running = await startProcess();
  return {
    name,
    port,
    tokens,
    running: () => running,
    async restart() {
      await running.stop();
      running = await startProcess();
    },
    close: () => running.stop(),
  };
}
