/** What keeps one backend's trouble its own: time-outs, bounds on what runs at once, health check, circuit breaker. */
import * as z from 'zod';
import { text } from './checked-text.ts';
import type { BackendConfig } from './config.ts';
import { bounds, defaults } from './defaults.ts';
import { type Complaint, complain, type ConfigFault, describePath } from './fault.ts';
import { isUnsure, type Sound } from './sound-parts.ts';

function whole(name: keyof typeof bounds) {
  return z.int().min(bounds[name].min).max(bounds[name].max);
}

const timeouts = z
  .strictObject({
    connectMs: whole('connectMs')
      .optional()
      .describe(`For the connection, TLS included. Default: ${defaults.connectMs}.`),
    firstByteMs: whole('firstByteMs')
      .default(defaults.firstByteMs)
      .describe('From the request to the first byte of the answer.'),
    idleMs: whole('idleMs')
      .optional()
      .describe('Longest silence within an answer that is no event stream. Default: none.'),
  })
  .prefault({});

const circuit = z
  .strictObject({
    failures: whole('circuitFailures')
      .default(defaults.circuitFailures)
      .describe('So many requests in a row without an answer open it; 0: it never opens.'),
    openSeconds: whole('circuitOpenSeconds')
      .default(defaults.circuitOpenSeconds)
      .describe(
        'How long requests are answered with 503 at once, before one of them tries the backend again.',
      ),
  })
  .optional()
  .describe(`Default: ${defaults.circuitFailures} failures, ${defaults.circuitOpenSeconds} seconds.`);

const health = z
  .strictObject({
    path: text(checkHealthPath)
      .optional()
      .describe(
        'Asked with GET, must answer 200 to 299. Default: an MCP ping, which any answer below 500 settles.',
      ),
    intervalSeconds: whole('healthSeconds').default(defaults.healthSeconds),
  })
  .optional()
  .describe('Asks the backend now and then whether it is there. Default: not asked.');

/** Part of the schema of a backend. */
export const resilienceShape = {
  timeouts,
  maxConcurrent: whole('concurrent')
    .optional()
    .describe('Requests under way at once in one gateway process, open streams apart. Default: any number.'),
  maxQueued: whole('queued')
    .default(0)
    .describe('Requests that wait while maxConcurrent are under way; more get 503. Default: none waits.'),
  queueMs: whole('queueMs')
    .optional()
    .describe(`How long one waits at most, where maxQueued lets any. Default: ${defaults.queueMs}.`),
  maxStreams: whole('concurrent')
    .optional()
    .describe(
      'Open streams (GET, subscriptions/listen) at once in one gateway process. Default: any number.',
    ),
  circuit,
  health,
};

type ResilienceFile = z.output<z.ZodObject<typeof resilienceShape>>;

export function buildResilience(
  file: ResilienceFile,
): Pick<BackendConfig, 'timeouts' | 'capacity' | 'circuit' | 'health'> {
  const { connectMs = defaults.connectMs, firstByteMs, idleMs } = file.timeouts;
  const { maxConcurrent, maxStreams, maxQueued, queueMs = defaults.queueMs } = file;
  return {
    timeouts: { connectMs, firstByteMs, ...(idleMs === undefined ? {} : { idleMs }) },
    capacity: {
      maxQueued,
      queueMs,
      ...(maxConcurrent === undefined ? {} : { maxConcurrent }),
      ...(maxStreams === undefined ? {} : { maxStreams }),
    },
    circuit: file.circuit ?? standardCircuit,
    ...(file.health === undefined ? {} : { health: buildHealth(file.health) }),
  };
}

const standardCircuit = { failures: defaults.circuitFailures, openSeconds: defaults.circuitOpenSeconds };

function buildHealth({ path, intervalSeconds }: NonNullable<ResilienceFile['health']>) {
  return { intervalSeconds, ...(path === undefined ? {} : { path }) };
}

/** Nothing ever waits where any number may run, or none may wait. */
export function checkQueue(name: string, file: Sound<ResilienceFile>): ConfigFault[] {
  const { maxQueued = 0, maxConcurrent } = file;
  const without = (key: string, other: string) => ({
    path: describePath(['backends', name, key]),
    ...complain(`stands without ${other}`, `Write ${other} too, or remove it`),
  });
  if (maxQueued === 0) {
    const isIdle = file.queueMs !== undefined && !isUnsure(file, 'maxQueued');
    return isIdle ? [without('queueMs', 'maxQueued')] : [];
  }
  if (maxConcurrent !== undefined || isUnsure(file, 'maxConcurrent')) return [];
  return [without('maxQueued', 'maxConcurrent')];
}

function checkHealthPath(path: string): Complaint | undefined {
  if (/^\/(?!\/)[\x21-\x7e]*$/.test(path) && !path.includes('#') && !path.includes('\\')) return undefined;
  return complain('is no path', 'Write a path at the server of `upstream`, such as /healthz');
}
