/** `$batch`: many questions in one request, each with an answer of its own. */
import { err, ok, type Result } from '../base/result.ts';
import type { Clock } from '../base/clock.ts';
import type { GraphCaller, GraphClient } from './graph-client.ts';
import { type GraphRefusal, refusalOf, unreadable } from './graph-refusal.ts';
import { parseRetryAfter } from './retry.ts';

export interface BatchItem {
  readonly id: string;
  readonly method?: 'GET' | 'POST';
  /** `/me?$select=id`, below the version. */
  readonly url: string;
  readonly body?: unknown;
}

const maxItems = 20;

/**
 * Sends items in envelopes of at most twenty.
 *
 * An item that was throttled is asked again, with what Graph says of the time, if it only reads: an item can be
 * answered 429 although it was done (Microsoft Graph: JSON batching).
 *
 * @returns the outcome of each item by its id, or why an envelope as a whole failed.
 * @throws RangeError when two items have one id: a fault of the program.
 */
export async function sendBatch(
  graph: GraphClient,
  caller: GraphCaller,
  items: readonly BatchItem[],
  options: { readonly clock: Clock; readonly signal?: AbortSignal | undefined },
): Promise<Result<ReadonlyMap<string, Result<unknown, GraphRefusal>>, GraphRefusal>> {
  if (new Set(items.map(({ id }) => id.toLowerCase())).size !== items.length)
    throw new RangeError('the items of a batch need ids of their own');
  const outcomes = new Map<string, Result<unknown, GraphRefusal>>();
  for (let start = 0; start < items.length; start += maxItems) {
    const refused = await sendEnvelope(
      graph,
      caller,
      items.slice(start, start + maxItems),
      outcomes,
      options,
    );
    if (refused !== undefined) return err(refused);
  }
  return ok(outcomes);
}

async function sendEnvelope(
  graph: GraphClient,
  caller: GraphCaller,
  items: readonly BatchItem[],
  outcomes: Map<string, Result<unknown, GraphRefusal>>,
  { clock, signal }: { readonly clock: Clock; readonly signal?: AbortSignal | undefined },
): Promise<GraphRefusal | undefined> {
  let left = items;
  for (let attempt = 0; left.length > 0; attempt += 1) {
    const answer = await graph.request(caller, {
      method: 'POST',
      path: '/$batch',
      body: { requests: left.map(toRequest) },
      isRepeatable: left.every(isRead),
      signal,
    });
    if (!answer.ok) return answer.error;
    const answers = parseAnswers(answer.value, clock);
    if (answers === undefined) return unreadable(200);
    for (const item of left) outcomes.set(item.id, answers.get(item.id) ?? err(unreadable(200)));
    left = left.filter((item) => isRead(item) && isThrottled(outcomes.get(item.id)));
    const waits = left.map((item) => retryAfterOf(outcomes.get(item.id)));
    const longest = waits.reduce(
      (most, one) => (one === undefined ? most : Math.max(most ?? 0, one)),
      undefined,
    );
    if (left.length > 0 && !(await graph.waitBeforeRepeat(attempt, longest, signal).catch(() => false)))
      return undefined;
  }
  return undefined;
}

const isRead = (item: BatchItem) => (item.method ?? 'GET') === 'GET';
const isThrottled = (outcome: Result<unknown, GraphRefusal> | undefined) =>
  outcome !== undefined && !outcome.ok && outcome.error.isRetryable;
const retryAfterOf = (outcome: Result<unknown, GraphRefusal> | undefined) =>
  outcome === undefined || outcome.ok ? undefined : outcome.error.retryAfterSeconds;

function toRequest({ id, method = 'GET', url, body }: BatchItem): object {
  const written = body === undefined ? {} : { body, headers: { 'Content-Type': 'application/json' } };
  return { id, method, url, ...written };
}

function parseAnswers(body: unknown, clock: Clock): Map<string, Result<unknown, GraphRefusal>> | undefined {
  const responses: unknown = (body as { readonly responses?: unknown } | null | undefined)?.responses;
  if (!Array.isArray(responses)) return undefined;
  return new Map(
    responses.flatMap((one: unknown): [string, Result<unknown, GraphRefusal>][] => {
      if (typeof one !== 'object' || one === null) return [];
      const { id, status, headers, body: inner } = one as Readonly<Record<string, unknown>>;
      if (typeof id !== 'string' || typeof status !== 'number') return [];
      return [
        [id, status >= 200 && status < 300 ? ok(inner) : err(refusalOfItem(status, headers, inner, clock))],
      ];
    }),
  );
}

function refusalOfItem(status: number, headers: unknown, body: unknown, clock: Clock): GraphRefusal {
  const find = (name: string): string | undefined => {
    const entries = typeof headers === 'object' && headers !== null ? Object.entries(headers) : [];
    const value: unknown = entries.find(([key]) => key.toLowerCase() === name)?.[1];
    return typeof value === 'string' ? value : undefined;
  };
  return refusalOf({
    status,
    text: JSON.stringify(body ?? null),
    challenge: find('www-authenticate'),
    requestId: find('request-id'),
    retryAfterSeconds: parseRetryAfter(find('retry-after'), clock),
  });
}
