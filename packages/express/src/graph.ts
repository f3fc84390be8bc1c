import { setTimeout as delay } from 'node:timers/promises';
import type { Result } from '@valetkey/core/base/result';
import { createGraphClient, type GraphCaller, type GraphClient } from '@valetkey/core/graph/graph-client';
import type { GraphRefusal } from '@valetkey/core/graph/graph-refusal';
import { createGraphFetch } from '@valetkey/gateway/entra/graph-fetch';
import { openOutbound } from '@valetkey/gateway/entra/outbound';
import type { EntraToken, EntraTokenOptions } from './entra-tokens.ts';
import type { Front } from './front.ts';

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

export interface OpenedGraph extends GraphClient {
  close(): Promise<void>;
}

/** A page of a thousand people has some megabytes. */
const maxBytes = 16 * 1024 * 1024;

/** One client for all people: what it remembers it remembers for each of them apart (A27). */
export function openGraph({ config, world: { clock, random } }: Front): OpenedGraph {
  const { cloud, caFile } = config.app;
  const outbound = openOutbound({ maxBytes, ...(caFile === undefined ? {} : { caFile }) });
  const graph = createGraphClient({
    origin: cloud.graphHost,
    // What `entra.cloud` named beside Microsoft's own was checked at the start.
    allowOrigins: [cloud.graphHost],
    fetch: createGraphFetch(outbound),
    clock,
    random,
    wait: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
  });
  return { ...graph, close: () => outbound.close() };
}

/**
 * Asks Graph with a token of the person. A claims challenge, and a token that Graph no longer takes, are each answered
 * once with another token; where Entra first wants the person, `getToken` throws.
 *
 * @throws EntraTokenFailed, GraphFailed
 */
export async function askGraph<Value>(
  getToken: (options: EntraTokenOptions) => Promise<EntraToken>,
  ask: (caller: GraphCaller) => Promise<Result<Value, GraphRefusal>>,
): Promise<Value> {
  const token = await getToken({});
  const first = await ask(token);
  if (first.ok) return first.value;
  const { kind, claims } = first.error;
  if (kind !== 'claims' && kind !== 'token') throw new GraphFailed(first.error);
  const second = await ask(await getToken(kind === 'claims' ? { claims } : { rejected: token.token }));
  if (second.ok) return second.value;
  throw new GraphFailed(second.error);
}
