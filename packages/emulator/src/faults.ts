/**
 * Room `faults`: what the emulator was told to get wrong, and for whom. Knows no endpoint beyond its name.
 */
import { AadstsError } from './errors.ts';
import type { Reply } from './request.ts';

export type Endpoint =
  | 'discovery'
  | 'instance'
  | 'keys'
  | 'authorize'
  | 'login'
  | 'token'
  | 'deviceCode'
  | 'logout'
  | 'userinfo'
  | 'graph'
  | 'managedIdentity'
  | 'keyVault';

/**
 * All given fields must agree; an empty match takes every request. With a `username` it waits until the person is known,
 * which is at the endpoints `authorize`, `token` and `graph`.
 */
export interface FaultMatch {
  readonly clientId?: string;
  readonly username?: string;
  readonly endpoint?: Endpoint;
}

export type Fault =
  /** Any AADSTS code, also one the emulator never raises by itself. `claims` is a claims challenge as JSON text. */
  | { readonly kind: 'aadsts'; readonly code: number; readonly claims?: string; readonly suberror?: string }
  /** 429 with Retry-After. */
  | { readonly kind: 'throttle'; readonly retryAfterSeconds: number }
  /** A bare status, as the services around the sign-in have it; without `retryAfterSeconds` there is no Retry-After. */
  | {
      readonly kind: 'status';
      readonly status: 404 | 408 | 410 | 429 | 500 | 502 | 503 | 504;
      readonly retryAfterSeconds?: number;
    }
  /** The answer comes late, and is otherwise right. */
  | { readonly kind: 'latency'; readonly latencyMs: number }
  /** 503, or with `hangUp` a broken connection. */
  | { readonly kind: 'outage'; readonly hangUp?: true };

export interface Faults {
  set(match: FaultMatch, fault: Fault, times?: number): void;
  clear(): void;
  /** What is planned and not used up, in order. */
  list(): readonly PlannedFault[];
  restore(faults: readonly PlannedFault[]): void;
  /** The first fault for this moment, counted as used. Called again, with the name, once the person is known. */
  take(moment: FaultMatch, kinds?: readonly Fault['kind'][]): Fault | undefined;
}

export interface PlannedFault {
  readonly match: FaultMatch;
  readonly fault: Fault;
  /** How often it will still be used; absent = until cleared. */
  readonly times?: number;
}

interface Planned {
  readonly match: FaultMatch;
  readonly fault: Fault;
  left: number;
}

export function createFaults(): Faults {
  let planned: Planned[] = [];
  return {
    set(match, fault, times = Number.POSITIVE_INFINITY) {
      const isForTheDoor = fault.kind === 'latency' || (fault.kind === 'outage' && fault.hangUp);
      if (match.username !== undefined && isForTheDoor) {
        throw new TypeError(
          'Latency and broken connections happen before the person is known: match by client or endpoint',
        );
      }
      planned.push({ match, fault, left: times });
    },
    clear() {
      planned = [];
    },
    list: () =>
      planned.map(({ match, fault, left }) =>
        Number.isFinite(left) ? { match, fault, times: left } : { match, fault },
      ),
    restore(faults) {
      planned = faults.map(({ match, fault, times: left = Number.POSITIVE_INFINITY }) => ({
        match,
        fault,
        left,
      }));
    },
    take(moment, kinds) {
      const found = planned.find(
        (each) => isFor(each.match, moment) && (kinds?.includes(each.fault.kind) ?? true),
      );
      if (found === undefined) return undefined;
      found.left -= 1;
      if (found.left <= 0) planned = planned.filter((each) => each !== found);
      return found.fault;
    },
  };
}

/**
 * A fault that names a person waits for the moment the person is known, and only that one: otherwise it would be
 * used twice in one request.
 */
function isFor(match: FaultMatch, moment: FaultMatch): boolean {
  const agrees = (wanted: string | undefined, given: string | undefined) =>
    wanted === undefined || wanted.toLowerCase() === given?.toLowerCase();
  return (
    (match.username === undefined) === (moment.username === undefined) &&
    agrees(match.endpoint, moment.endpoint) &&
    agrees(match.clientId, moment.clientId) &&
    agrees(match.username, moment.username)
  );
}

/** @throws AadstsError for what has a body of Entra's own; returns the reply for a broken connection. */
export async function applyFault(
  fault: Fault | undefined,
  wait: (ms: number) => Promise<void>,
): Promise<Reply | undefined> {
  if (fault === undefined) return undefined;
  if (fault.kind === 'latency') {
    await wait(fault.latencyMs);
    return undefined;
  }
  if (fault.kind === 'throttle')
    throw new AadstsError(90055, {}, { retryAfterSeconds: fault.retryAfterSeconds });
  if (fault.kind === 'aadsts') throw new AadstsError(fault.code, {}, fault);
  if (fault.kind === 'status') throw statusError(fault);
  if (fault.hangUp) return { status: 503, hangUp: true };
  throw new AadstsError(90033);
}

function statusError(fault: Fault & { readonly kind: 'status' }): AadstsError {
  const { status, retryAfterSeconds } = fault;
  return new AadstsError(
    status === 429 ? 90055 : 90033,
    {},
    {
      status,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    },
  );
}

const AT_THE_DOOR: Partial<Record<Endpoint, readonly Fault['kind'][]>> = {
  authorize: ['throttle', 'status', 'latency', 'outage'],
  // Graph throttles each item of a batch; what breaks the connection breaks the whole envelope.
  graph: ['latency', 'outage'],
};

/** At authorize an AADSTS fault waits for the redirect URI: most codes travel there, and only some stay on the page. */
export function takeDoorFault(
  faults: Faults,
  moment: FaultMatch & { readonly endpoint: Endpoint },
): Fault | undefined {
  return faults.take(moment, AT_THE_DOOR[moment.endpoint]);
}

/** What Graph does to one request, alone or in a batch. @throws AadstsError when one was planned for this moment */
export function raiseItemFault(faults: Faults, moment: FaultMatch): void {
  const fault = faults.take(moment, ['throttle', 'status', 'aadsts']);
  if (fault?.kind === 'aadsts') throw new AadstsError(fault.code, {}, fault);
  if (fault?.kind === 'status') throw statusError(fault);
  if (fault?.kind === 'throttle')
    throw new AadstsError(90055, {}, { retryAfterSeconds: fault.retryAfterSeconds });
}

/** @throws AadstsError when one was planned for this moment of the authorize endpoint */
export function raiseAuthorizeFault(faults: Faults, clientId: string): void {
  const fault = faults.take({ endpoint: 'authorize', clientId }, ['aadsts']);
  if (fault?.kind === 'aadsts') throw new AadstsError(fault.code, { clientId, appName: clientId }, fault);
}

/** The moment a person is known: only an AADSTS code makes sense here, and latency was spent at the door. */
export function raisePersonalFault(faults: Faults, moment: FaultMatch & { readonly username: string }): void {
  const fault = faults.take(moment);
  const details = {
    username: moment.username,
    clientId: moment.clientId ?? '',
    appName: moment.clientId ?? '',
  };
  if (fault?.kind === 'aadsts') throw new AadstsError(fault.code, details, fault);
  if (fault?.kind === 'throttle')
    throw new AadstsError(90055, {}, { retryAfterSeconds: fault.retryAfterSeconds });
  if (fault?.kind === 'status') throw statusError(fault);
  if (fault?.kind === 'outage') throw new AadstsError(90033);
}
