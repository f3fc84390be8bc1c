import { setTimeout as delay } from 'node:timers/promises';
import type { Result } from '@valetkey/core/base/result';
import { askGraph, type TokenDemand } from '@valetkey/core/graph/ask-graph';
import { createGraphClient, type GraphCaller, type GraphClient } from '@valetkey/core/graph/graph-client';
import type { GraphRefusal } from '@valetkey/core/graph/graph-refusal';
import { createGraphFetch } from '@valetkey/gateway/entra/graph-fetch';
import { openOutbound } from '@valetkey/gateway/entra/outbound';
import type { EntraToken, EntraTokenOptions } from './entra-tokens.ts';
import type { Front } from './front.ts';

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
 * Asks Graph with a token of the person; where Entra first wants the person, `getToken` throws.
 *
 * @throws EntraTokenFailed, GraphFailed
 */
export function askGraphAs<Value>(
  getToken: (options: EntraTokenOptions) => Promise<EntraToken>,
  ask: (caller: GraphCaller) => Promise<Result<Value, GraphRefusal>>,
): Promise<Value> {
  return askGraph<EntraToken, Value>((demand) => getToken(optionsFor(demand)), ask);
}

function optionsFor(demand: TokenDemand<EntraToken> | undefined): EntraTokenOptions {
  if (demand === undefined) return {};
  return demand.kind === 'claims' ? { claims: demand.claims } : { rejected: demand.rejected.token };
}
