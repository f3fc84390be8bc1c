/**
 * Room `graph`: Microsoft Graph with patience: which host may see a token, how long to wait, when to give up, and what
 * may be remembered for whom. Sends through a `fetch` that is passed in; knows no sign-in and keeps no token.
 */
import type { Clock } from '../base/clock.ts';
import type { RandomBytes } from '../base/random.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { Secret } from '../base/secret.ts';
import { checkGraphOrigin, findGraphUrl } from './graph-hosts.ts';
import { type GraphRefusal, interrupted, refusalOf, unanswered, unreadable } from './graph-refusal.ts';
import { createPersonCache } from './person-cache.ts';
import { defaultRetryPolicy, findWaitMs, parseRetryAfter, type RetryPolicy } from './retry.ts';

/** The part of `fetch` that is used; that of Node and that of undici both fit. */
export type GraphFetch = (url: string, init: GraphFetchInit) => Promise<GraphAnswer>;

export interface GraphFetchInit {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  /** A redirect would carry the token to a place nobody checked. */
  readonly redirect: 'manual';
  readonly signal: AbortSignal;
}

export interface GraphAnswer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
}

/** For whom a request is. */
export interface GraphCaller {
  /** The one key of a person, `personId(principal)`: what is remembered is remembered under it. */
  readonly person: string;
  /** A Graph token of that person. */
  readonly token: Secret;
}

export interface GraphRequest {
  readonly method?: 'GET' | 'POST';
  /** `/me?$select=id` below `/v1.0`, or a whole `@odata.nextLink`. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Asking twice does no harm. Default: true for GET. */
  readonly isRepeatable?: boolean;
  /** Remember the answer for this person. Default 0: not at all. */
  readonly cacheSeconds?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface GraphClientOptions {
  /** Origin of Graph, `https://graph.microsoft.com`. */
  readonly origin: string;
  /** Origins allowed beside Microsoft's own: the emulator's. Default: none. */
  readonly allowOrigins?: readonly string[];
  readonly fetch: GraphFetch;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Passes the time; rejects when the signal aborts. */
  readonly wait: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
  readonly retry?: Partial<RetryPolicy>;
  /** Of one attempt. Default 10 s. */
  readonly timeoutMs?: number;
  /** Answers remembered at most, over all people. Default 1000. */
  readonly maxCached?: number;
}

export interface GraphClient {
  /** @returns the parsed body; undefined for 204. */
  request(caller: GraphCaller, request: GraphRequest): Promise<Result<unknown, GraphRefusal>>;
  /** Waits as the retry policy says, for what repeats requests by itself. False: the time is used up. */
  waitBeforeRepeat(
    attempt: number,
    retryAfterSeconds: number | undefined,
    signal?: AbortSignal,
  ): Promise<boolean>;
  /** Drops what is remembered of a person: at sign-out. */
  forget(person: string): void;
}

/** @throws RangeError when `origin` is neither a Graph of Microsoft nor in `allowOrigins`. */
export function createGraphClient(options: GraphClientOptions): GraphClient {
  const { fetch, clock, random, wait, timeoutMs = 10_000 } = options;
  const allowed = checkGraphOrigin(options.origin, options.allowOrigins ?? []);
  const policy: RetryPolicy = { ...defaultRetryPolicy, ...options.retry };
  const cache = createPersonCache({ clock, maxEntries: options.maxCached ?? 1000 });

  async function waitBeforeRepeat(
    attempt: number,
    retryAfterSeconds: number | undefined,
    signal?: AbortSignal,
  ) {
    const waitMs = findWaitMs(policy, { attempt, retryAfterSeconds, random });
    if (waitMs === undefined) return false;
    await wait(waitMs, signal);
    return true;
  }

  async function attemptOnce(
    caller: GraphCaller,
    request: GraphRequest,
    url: string,
    attempt: number,
  ): Promise<Result<unknown, GraphRefusal>> {
    const { method = 'GET', body, signal } = request;
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await fetch(url, {
        method,
        redirect: 'manual',
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
        headers: {
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...request.headers,
          ...(attempt === 0 ? {} : { 'retry-attempt': String(attempt) }),
          // Last, so that no header of the request can stand in for the caller's token.
          authorization: `Bearer ${caller.token.reveal()}`,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return await readAnswer(answer, clock);
    } catch {
      // The reason may quote the URL and goes no further.
      return err(signal?.aborted === true ? interrupted() : unanswered());
    }
  }

  async function send(
    caller: GraphCaller,
    request: GraphRequest,
    url: string,
  ): Promise<Result<unknown, GraphRefusal>> {
    const isRepeatable = request.isRepeatable ?? (request.method ?? 'GET') === 'GET';
    for (let attempt = 0; ; attempt += 1) {
      const result = await attemptOnce(caller, request, url, attempt);
      // 429: Graph did nothing. After 503, 504 or silence it may have.
      const mayRepeat =
        !result.ok && result.error.isRetryable && (isRepeatable || result.error.kind === 'throttled');
      if (result.ok || !mayRepeat) return result;
      try {
        if (!(await waitBeforeRepeat(attempt, result.error.retryAfterSeconds, request.signal))) return result;
      } catch {
        return err(interrupted());
      }
    }
  }

  return {
    waitBeforeRepeat,
    forget: cache.forget,
    async request(caller, request) {
      const url = findGraphUrl(request.path, options.origin, allowed);
      if (!url.ok) return url;
      const isCached = (request.cacheSeconds ?? 0) > 0;
      const key = JSON.stringify([request.method ?? 'GET', url.value, request.body ?? null]);
      const known = isCached ? cache.find(caller.person, key) : undefined;
      if (known !== undefined) return ok(known.value);
      const epoch = cache.epochOf(caller.person);
      const result = await send(caller, request, url.value);
      if (result.ok && isCached)
        cache.put(caller.person, key, result.value, request.cacheSeconds ?? 0, epoch);
      // Graph no longer believes this person's token: what it said before is no longer theirs to see.
      if (!result.ok && (result.error.kind === 'claims' || result.error.kind === 'token'))
        cache.forget(caller.person);
      return result;
    },
  };
}

async function readAnswer(answer: GraphAnswer, clock: Clock): Promise<Result<unknown, GraphRefusal>> {
  const text = await answer.text();
  if (answer.status >= 200 && answer.status < 300) {
    if (answer.status === 204 || text === '') return ok(undefined);
    try {
      const value: unknown = JSON.parse(text);
      return ok(value);
    } catch {
      return err(unreadable(answer.status));
    }
  }
  return err(
    refusalOf({
      status: answer.status,
      text,
      challenge: answer.headers.get('www-authenticate') ?? undefined,
      requestId: answer.headers.get('request-id') ?? undefined,
      retryAfterSeconds: parseRetryAfter(answer.headers.get('retry-after') ?? undefined, clock),
    }),
  );
}
