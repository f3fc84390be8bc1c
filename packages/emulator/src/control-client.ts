/**
 * The control plane of an emulator in another process, with the functions of the in-process one: each answers a promise,
 * and throws what the in-process one throws.
 */
import type { Control } from './control.ts';
import { CONTROL_PATH, commands, LOG_PAGE } from './control-commands.ts';
import type { RequestLogEntry, RequestLogQuery } from './request-log.ts';

export type { Control } from './control.ts';
export type { Fault, FaultMatch, PlannedFault } from './faults.ts';
export type { RequestLogEntry } from './request-log.ts';
export type { Snapshot } from './snapshot.ts';

/** `Control`, where every answer is awaited. */
export type RemoteControl = {
  readonly [K in keyof Control]: (
    ...args: Parameters<Control[K]>
  ) => Promise<Awaited<ReturnType<Control[K]>>>;
};

export interface ControlClientOptions {
  /** The emulator's http origin, `http://localhost:port`; its https origin works where the local CA is trusted. */
  readonly origin: string;
  /** What `entra-emulator` printed, or was given as `--control-token`. */
  readonly token: string;
  /** Of one call, default 30 seconds. */
  readonly timeoutMs?: number;
}

/**
 * @throws RangeError for an origin that is not this machine: the token would travel
 *
 * Each function throws RangeError for a name that is not there, TypeError for arguments that make no sense, and Error where
 * the emulator is not reached or refuses the token.
 */
export function createControlClient({
  origin,
  token,
  timeoutMs = 30_000,
}: ControlClientOptions): RemoteControl {
  const { hostname, origin: at } = new URL(origin);
  if (!['localhost', '127.0.0.1', '[::1]'].includes(hostname))
    throw new RangeError('The control plane listens on loopback only: http://localhost:port');
  const call = async (name: string, args: readonly unknown[]): Promise<unknown> => {
    const names = commands[name as keyof Control].map(([argument]) => argument);
    const response = await fetch(`${at}${CONTROL_PATH}${name}`, {
      method: 'POST',
      redirect: 'error',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(Object.fromEntries(names.map((argument, index) => [argument, args[index]]))),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const answer = (await response.json()) as { value?: unknown; error?: string; message?: string };
    if (response.ok) return answer.value;
    throw toError(response.status, `${name}: ${answer.message ?? answer.error ?? 'refused'}`);
  };
  const client = Object.fromEntries(
    Object.keys(commands).map((name) => [name, (...args: readonly unknown[]) => call(name, args)]),
  ) as unknown as RemoteControl;
  return { ...client, requestLog: (query) => readWholeLog(client, query) };
}

function toError(status: number, message: string): Error {
  if (status === 404) return new RangeError(message);
  return status === 400 ? new TypeError(message) : new Error(message);
}

/** The server answers in pages. */
async function readWholeLog(client: RemoteControl, query: RequestLogQuery = {}): Promise<RequestLogEntry[]> {
  const found: RequestLogEntry[] = [];
  const limit = query.limit ?? Number.POSITIVE_INFINITY;
  for (;;) {
    const size = Math.min(LOG_PAGE, limit - found.length);
    if (size <= 0) return found;
    const since = found.at(-1)?.sequence ?? query.since ?? 0;
    const page = await client.requestLog({ since, limit: size });
    found.push(...page);
    if (page.length < size) return found;
  }
}
