/**
 * The way of an MCP request, from the bearer token to the audit record. Here `enforce` and `proxy` meet, which do
 * not know each other; what is said, held and written on the way stands in `mcp/`.
 */
import { andThen, type Eventually } from '@valetkey/core/base/eventually';
import type { Result } from '@valetkey/core/base/result';
import type { Policy } from '@valetkey/core/policy/decide';
import type { Limits, ProtectedResource } from './config/config.ts';
import { type Asked, readAsked } from './enforce/asked.ts';
import { authenticate } from './enforce/authenticate.ts';
import { judgeOperations } from './enforce/judge.ts';
import { createListFilter, type ListFilter } from './enforce/list-filter.ts';
import { type Stop, stop } from './enforce/refusal.ts';
import type { ToolAnnotations } from './enforce/tool-annotations.ts';
import type { TokenVerifier, VerifiedToken } from './enforce/verify-token.ts';
import type { Exchange, Handler } from './http/exchange.ts';
import { type CallEnd, type CallRecordOptions, openCallRecord } from './mcp/call-record.ts';
import { holdRight } from './mcp/held-right.ts';
import { findObjection, type Objection, recordObjection } from './mcp/objection.ts';
import { createRefuse, reasonOf, refusalOf } from './mcp/refuse.ts';
import type { BackendFault, BackendProxy, Forwarded, StreamEnd } from './proxy/backend-proxy.ts';
import { createOpenStreams, type OpenStreams } from './proxy/open-streams.ts';
import type { Load } from './proxy/resilience/capacity.ts';

export interface McpEndpointOptions extends CallRecordOptions {
  readonly backend: ProtectedResource;
  readonly verifier: TokenVerifier;
  readonly policy: Policy;
  /** In place of `policy`, where the rules can change while a request is on its way here. */
  readonly rulesNow?: () => Policy;
  readonly annotations: ToolAnnotations;
  readonly proxy: Pick<BackendProxy, 'forward'>;
  /** Of an address that has not all of MCP's. */
  readonly methods?: readonly string[];
  readonly limits: Pick<Limits, 'mcpBodyBytes' | 'requestTimeoutMs'>;
  /** Answers that can be cut; default: nobody cuts them. */
  readonly streams?: OpenStreams;
  /** Whether revocations may be unknown here, since the store has been away for too long. Default: never. */
  readonly isBlind?: () => boolean;
  /**
   * Whether the person is still who they were, where that has not been asked for a while; undefined: it is known.
   * Resolves to false when the session has ended, or the token says what is no longer so.
   */
  readonly recheck?: (token: VerifiedToken) => Promise<boolean> | undefined;
}

/**
 * The handler of one backend's MCP endpoint, for all methods: 401 comes before 405. Host, Origin and CORS are
 * settled before it.
 */
export function createMcpEndpoint(options: McpEndpointOptions): Handler {
  const { backend, policy, annotations, proxy, limits, clock, log } = options;
  const { streams = createOpenStreams(clock), rulesNow = () => policy } = options;
  const refuse = createRefuse(backend);
  const findLists = rememberLists((each) => createListFilter({ backend, policy: each, annotations, log }));

  return async (exchange) => {
    const call = openCallRecord(exchange, options);
    const admitted = admit(exchange, options);
    const caller = admitted instanceof Promise ? await admitted : admitted;
    if (!caller.ok) return call.unauthenticated(caller.error.reason, refuse(exchange, caller.error.refusal));
    const { principal } = caller.value;
    call.authenticated(principal);
    const right = holdRight(exchange, caller.value, backend.resource, streams, clock);

    const read = readAsked(exchange, limits, options.methods);
    const asked = read instanceof Promise ? await read : read;
    if (!asked.ok) {
      if (asked.error === 'client_gone') return;
      return call.unreadable(asked.error.reason, refuse(exchange, asked.error.refusal));
    }
    const { operations, isBatch, era, bytes } = asked.value;
    call.asked(asked.value);

    const rules = rulesNow();
    const decided = judgeOperations(rules, annotations, principal, operations);
    const judged = decided instanceof Promise ? await decided : decided;
    call.judged();
    const objection = findObjection(right, judged, isBatch);
    if (objection !== undefined) return recordObjection(call, objection, refuse(exchange, objection.refusal));

    const lasts = isLongLived(exchange, asked.value);
    if (lasts) right.lastsFor(operations);
    const rewriteMessage = findLists(rules).findRewrite(principal, exchange.method, asked.value);
    const late: { objection?: Objection | undefined } = {};
    let forwarded: Result<Forwarded, BackendFault>;
    try {
      forwarded = await proxy.forward(exchange, {
        principal,
        body: bytes,
        era,
        load: loadOf(exchange, asked.value),
        mayStill: () =>
          andThen(judgeOperations(rulesNow(), annotations, principal, operations), (again) => {
            late.objection = findObjection(right, again, isBatch);
            return late.objection === undefined;
          }),
        watch: call.forwarding,
        rewriteMessage,
      });
    } catch (fault) {
      // The backend may have run it all the same.
      call.ended({ outcome: 'error', reason: 'fault', httpStatus: 500 });
      throw fault;
    }
    right.cutNow();
    if (!forwarded.ok) {
      const { objection: found } = late;
      if (found === undefined) return call.ended(answerFault(exchange, forwarded.error, asked.value));
      return recordObjection(call, found, refuse(exchange, found.refusal));
    }
    const { status, ended, end: known } = forwarded.value;
    const end = endOf(exchange, status, lasts ? 'complete' : (known ?? (await ended)));
    // Of the older transport: the message was taken, and what came of it went its own way.
    if (late.objection !== undefined) return recordObjection(call, late.objection, status);
    const cut = right.cutReason();
    call.ended(cut === undefined ? end : { ...end, outcome: 'denied', reason: cut });
    if (!lasts || cut !== undefined) return;
    const hasEnded = call.streaming();
    await forwarded.value.ended;
    hasEnded(right.cutReason());
  };

  function answerFault(exchange: Exchange, fault: BackendFault, { operations }: Asked): CallEnd {
    const end = { outcome: 'error', reason: reasonOf(fault) } as const;
    if (fault === 'client_gone') return end;
    const id = operations.find((operation) => operation.id !== undefined)?.id;
    return { ...end, httpStatus: refuse(exchange, refusalOf(fault, id)) };
  }
}

/** Who is calling, and whether that is still so. */
function admit(
  exchange: Exchange,
  { verifier, backend, isBlind = never, recheck }: McpEndpointOptions,
): Eventually<Result<VerifiedToken, Stop>> {
  return andThen(authenticate(exchange, verifier, backend.resource), (caller) => {
    if (!caller.ok) return caller;
    if (isBlind()) return stop({ kind: 'store_unavailable' });
    const rechecked = recheck?.(caller.value);
    if (rechecked === undefined) return caller;
    return rechecked.then((isSo) => (isSo ? caller : stop({ kind: 'bad_token' }, 'no_longer_so')));
  });
}

const never = () => false;

/** One filter for each set of rules. */
function rememberLists(create: (policy: Policy) => ListFilter): (policy: Policy) => ListFilter {
  const known = new WeakMap<Policy, ListFilter>();
  return (policy) => {
    const found = known.get(policy) ?? create(policy);
    known.set(policy, found);
    return found;
  };
}

/**
 * Streams that stay open for hours are recorded when they open, all else when it has ended. Of a batch none is: calls
 * beside it would be recorded before they are made, and count as no calls.
 */
function isLongLived({ method }: Exchange, { operations: [only], isBatch }: Asked): boolean {
  return method === 'GET' || (!isBatch && only?.method === 'subscriptions/listen');
}

/** Only requests are worked on; a notification, or an answer to the server's own question, ends what is. */
function loadOf(exchange: Exchange, asked: Asked): Load | undefined {
  if (isLongLived(exchange, asked)) return 'stream';
  return asked.operations.some(({ kind, id }) => kind === 'request' && id !== undefined) ? 'call' : undefined;
}

/**
 * 405 is how a backend says that it has no stream of its own, or ends no session on demand. Every client of the older era
 * asks, so it is no fault (MCP 2025-11-25 Transports, Listening for Messages from the Server).
 */
function endOf({ method }: Exchange, status: number, end: StreamEnd): CallEnd {
  if (end !== 'complete') return { outcome: 'error', reason: end, httpStatus: status };
  const isAnswer = status < 400 || (status === 405 && method !== 'POST');
  return { outcome: isAnswer ? 'success' : 'error', httpStatus: status };
}
