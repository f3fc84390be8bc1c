import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import { redact } from '@valetkey/core/base/redact';
import type { World } from '@valetkey/gateway/world';
import { destination, pino, stdSerializers } from 'pino';

/**
 * The real clock, the real randomness, and a log.
 *
 * @param logFile default: stderr, since stdout is for audit records.
 */
export function createWorld(level: 'info' | 'warn', logFile?: string): World {
  return {
    clock: { nowMs: () => Date.now() },
    random: (size) => randomBytes(size),
    log: pino(
      {
        level,
        base: cluster.isWorker ? { worker: cluster.worker?.id } : null,
        timestamp: pino.stdTimeFunctions.isoTime,
        serializers: { err: describeFault },
      },
      destination({ dest: logFile ?? 2, sync: false, ...(logFile === undefined ? {} : { mode: 0o600 }) }),
    ),
  };
}

/** An exception of a library may quote what it was given, so what looks like a credential is taken out. */
function describeFault(fault: unknown): unknown {
  if (!(fault instanceof Error)) return redact(String(fault));
  const { type, message, stack } = stdSerializers.err(fault);
  return { type, message: redact(message), stack: redact(stack) };
}
