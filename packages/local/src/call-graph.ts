import { setTimeout as delay } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import type { Result } from '@valetkey/core/base/result';
import { createGraphClient, type GraphCaller, type GraphClient } from '@valetkey/core/graph/graph-client';
import type { GraphRefusal } from '@valetkey/core/graph/graph-refusal';
import type { SignIn } from './sign-in.ts';
import type { TokenOptions } from './token-source.ts';

/** Graph did not answer as hoped. The message is in our words. */
export class GraphFailed extends Error {
  override readonly name = 'GraphFailed';
  readonly refusal: GraphRefusal;
  readonly isRetryable: boolean;

  constructor(refusal: GraphRefusal) {
    super(refusal.code === undefined ? refusal.description : `${refusal.description} (${refusal.code})`);
    this.refusal = refusal;
    this.isRetryable = refusal.isRetryable;
  }
}

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
 * no longer takes by a new one; each once (D10).
 *
 * @throws SignInFailed, SignInPending, GraphFailed
 */
export async function callGraph<Value>(
  auth: SignIn,
  scopes: readonly string[],
  ask: (caller: GraphCaller) => Promise<Result<Value, GraphRefusal>>,
  options: TokenOptions = {},
): Promise<Value> {
  const first = await askOnce(auth, scopes, ask, options);
  if (first.ok) return first.value;
  const { kind, claims } = first.error;
  if (kind !== 'claims' && kind !== 'token') throw new GraphFailed(first.error);
  const again = kind === 'claims' ? { ...options, claims } : { ...options, forceRefresh: true };
  const second = await askOnce(auth, scopes, ask, again);
  if (second.ok) return second.value;
  throw new GraphFailed(second.error);
}

async function askOnce<Value>(
  auth: SignIn,
  scopes: readonly string[],
  ask: (caller: GraphCaller) => Promise<Result<Value, GraphRefusal>>,
  options: TokenOptions,
): Promise<Result<Value, GraphRefusal>> {
  return ask(await auth.getToken(scopes, options));
}
