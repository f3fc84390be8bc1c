import { setTimeout as delay } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import type { Result } from '@valetkey/core/base/result';
import { askGraph } from '@valetkey/core/graph/ask-graph';
import { createGraphClient, type GraphCaller, type GraphClient } from '@valetkey/core/graph/graph-client';
import type { GraphRefusal } from '@valetkey/core/graph/graph-refusal';
import type { SignIn } from './sign-in.ts';
import type { TokenOptions } from './token-source.ts';

/** A Graph client for this machine's person. `fetch` default: Node's. */
export function createLocalGraph(auth: SignIn, fetchImpl: typeof fetch = fetch): GraphClient {
  return createGraphClient({
    origin: auth.graphHost,
    // What `cloud` named beside Microsoft's own was checked at the start.
    allowOrigins: [auth.graphHost],
    fetch: fetchImpl,
    clock: { nowMs: Date.now },
    random: (size) => randomBytes(size),
    wait: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
  });
}

/**
 * Asks Graph as the signed-in person. A claims challenge is answered by the sign-in it asks for, and a token that Graph
 * no longer takes by a new one; each once.
 *
 * @throws SignInFailed, SignInPending, GraphFailed
 */
export function callGraph<Value>(
  auth: SignIn,
  scopes: readonly string[],
  ask: (caller: GraphCaller) => Promise<Result<Value, GraphRefusal>>,
  options: TokenOptions = {},
): Promise<Value> {
  return askGraph((demand) => {
    if (demand === undefined) return auth.getToken(scopes, options);
    const again = demand.kind === 'claims' ? { claims: demand.claims } : { forceRefresh: true };
    return auth.getToken(scopes, { ...options, ...again });
  }, ask);
}
