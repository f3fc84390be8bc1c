/**
 * The way of an MCP request, from the bearer token to the audit record. Here `enforce` and `proxy` meet, which do
 * not know each other.
 */
import type { Clock } from '@valetkey/core/base/clock';
import type { Result } from '@valetkey/core/base/result';
import { type JsonRpcId, jsonRpcCodes, jsonRpcError } from '@valetkey/core/mcp/errors';
import type { Operation } from '@valetkey/core/mcp/operation';
import type { Policy } from '@valetkey/core/policy/decide';
import type { Principal } from '@valetkey/core/policy/principal';
import type { Logger } from 'pino';
import type { Audit, AuditEvent } from './audit/event.ts';
import type { Limits, ProtectedResource } from './config/config.ts';
import { type Asked, readAsked } from './enforce/asked.ts';
import { authenticate } from './enforce/authenticate.ts';
import { resourceMetadataUrl } from './enforce/challenge.ts';
import { judgeOperations } from './enforce/judge.ts';
import { createListFilter, type ListFilter } from './enforce/list-filter.ts';
import {
  answerRefusal,
  type ChallengeContext,
  type Judged,
  type Refusal,
  type Stop,
  stop,
} from './enforce/refusal.ts';
import type { ToolAnnotations } from './enforce/tool-annotations.ts';
import type { TokenVerifier, VerifiedToken } from './enforce/verify-token.ts';
import type { Exchange, Handler } from './http/exchange.ts';
import { sendJson } from './http/respond.ts';
import { type BackendFault, type BackendProxy, faultName, type Forwarded } from './proxy/backend-proxy.ts';
import type { DescribeFault } from './proxy/messages/post-answer.ts';
import type { CallWatch } from './telemetry/call-watch.ts';
import { createOpenStreams, type CutReason, type OpenStreams } from './proxy/open-streams.ts';
import type { Load } from './proxy/resilience/capacity.ts';

export interface McpEndpointOptions {
  readonly backend: ProtectedResource;
  readonly verifier: TokenVerifier;
  readonly policy: Policy;
  /** In place of `policy`, where the rules can change while a request is on its way here. */
  readonly rulesNow?: () => Policy;
  readonly annotations: ToolAnnotations;
  readonly proxy: Pick<BackendProxy, 'forward'>;
  /** Of an address that has not all of MCP's. */
  readonly methods?: readonly string[];
  readonly audit: Audit;
  readonly limits: Pick<Limits, 'mcpBodyBytes' | 'requestTimeoutMs'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Answers that can be cut; default: nobody cuts them. */
  readonly streams?: OpenStreams;
  /** Whether revocations may be unknown here, since the store has been away for too long. Default: never. */
  readonly isBlind?: () => boolean;
  /**
   * Whether the person is still who they were, where that has not been asked for a while; undefined: it is known.
   * Resolves to false when the session has ended, or the token says what is no longer so.
   */
  readonly recheck?: (token: VerifiedToken) => Promise<boolean> | undefined;
  /** Told where each request is; default: nobody looks. */
  readonly watch?: ((exchange: Exchange) => CallWatch) | undefined;
}

/**
 * The handler of one backend's MCP endpoint, for all methods: 401 comes before 405. Host, Origin and CORS are
 * settled before it.
 */
export function createMcpEndpoint(options: McpEndpointOptions): Handler {
  const { backend, verifier, policy, annotations, proxy, audit, limits, clock, log } = options;
  const { streams = createOpenStreams(clock), isBlind = () => false, recheck = () => undefined } = options;
  const { rulesNow = () => policy } = options;
  const context = challengeContext(backend);
  const findLists = rememberLists((each) => createListFilter({ backend, policy: each, annotations, log }));

  return async (exchange) => {
    const startedMs = clock.nowMs();
    const record = (event: Event) => {
      const durationMs = clock.nowMs() - startedMs;
      const about = { correlationId: exchange.id, backend: backend.name, ip: exchange.ip, durationMs };
      audit.record({ ...event, ...about });
    };

    const watch = options.watch?.(exchange);
    const caller = await admit(exchange);
    watch?.authenticated(caller.ok ? caller.value.principal.clientId : undefined);
    if (!caller.ok) {
      const httpStatus = refuse(exchange, caller.error.refusal);
      return record({ event: 'access.denied', outcome: 'denied', reason: caller.error.reason, httpStatus });
    }
    const { principal } = caller.value;
    const who = auditedCaller(principal);
    const watched = watchStream(exchange, caller.value);

    const asked = await readAsked(exchange, limits, options.methods);
    if (!asked.ok) {
      if (asked.error === 'client_gone') return;
      const httpStatus = refuse(exchange, asked.error.refusal);
      return record({ event: 'mcp.call', outcome: 'error', ...who, reason: asked.error.reason, httpStatus });
    }
    const { operations, isBatch, era, bytes } = asked.value;

    watch?.asked(asked.value);
    const rules = rulesNow();
    const judged = await judgeOperations(rules, annotations, principal, operations);
    watch?.judged();
    const lostMeanwhile = watched.wanted();
    if (lostMeanwhile !== undefined) {
      const httpStatus = refuse(exchange, { kind: 'bad_token' });
      record({ event: 'access.denied', outcome: 'denied', reason: lostMeanwhile, ...who, httpStatus });
      watch?.ended({ outcome: 'denied', reason: lostMeanwhile, httpStatus });
      return;
    }
    if (judged.some(({ decision }) => !decision.allow)) {
      const httpStatus = refuse(exchange, { kind: 'denied', judged, isBatch });
      for (const denial of denials(judged)) record({ ...denial, ...who, httpStatus });
      watch?.ended({ outcome: 'denied', reason: firstDenial(judged), httpStatus });
      return;
    }

    const rewriteMessage = findLists(rules).findRewrite(principal, exchange.method, asked.value);
    const isRecordedNow = isLongLived(exchange, asked.value);
    if (isRecordedNow) watched.lastsFor(operations);
    const sent = proxy.forward(exchange, {
      principal,
      body: bytes,
      era,
      load: loadOf(exchange, asked.value),
      watch: watch?.forwarding,
      ...(rewriteMessage === undefined ? {} : { rewriteMessage }),
    });
    const forwarded = await sent.catch((fault: unknown) => {
      // The backend may have run it all the same.
      const end = { outcome: 'error', reason: 'fault', httpStatus: 500 } as const;
      for (const each of operations) record({ event: 'mcp.call', ...end, ...who, ...auditedOperation(each) });
      watch?.ended(end);
      throw fault;
    });
    // It may have been cut before it was known to be a stream.
    watched.cutNow();
    const ended = forwarded.ok
      ? await endOf(forwarded.value, isRecordedNow)
      : ({ outcome: 'error', reason: reasonOf(forwarded.error) } as const);
    const cut = watched.cutReason();
    const end = cut === undefined ? ended : ({ ...ended, outcome: 'denied', reason: cut } as const);
    const id = operations.find((operation) => operation.id !== undefined)?.id;
    const refused =
      forwarded.ok || forwarded.error === 'client_gone'
        ? {}
        : { httpStatus: refuse(exchange, refusalOf(forwarded.error, id)) };
    for (const operation of operations) {
      record({ event: 'mcp.call', ...end, ...refused, ...who, ...auditedOperation(operation) });
    }
    watch?.ended({ ...end, ...refused });
    log.debug({ requestId: exchange.id, backend: backend.name, ...end }, 'mcp request');
    if (!forwarded.ok || !isRecordedNow || cut !== undefined) return;
    const hasEnded = watch?.streaming();
    await forwarded.value.ended;
    hasEnded?.();
    const reason = watched.cutReason();
    if (reason !== undefined) record({ event: 'access.denied', outcome: 'denied', reason, ...who });
  };

  /** Who is calling, and whether that is still so. */
  async function admit(exchange: Exchange): Promise<Result<VerifiedToken, Stop>> {
    const caller = await authenticate(exchange, verifier, backend.resource);
    if (!caller.ok) return caller;
    if (isBlind()) return stop({ kind: 'store_unavailable' });
    const rechecked = recheck(caller.value);
    if (rechecked === undefined || (await rechecked)) return caller;
    return stop({ kind: 'bad_token' }, 'no_longer_so');
  }

  /**
   * From the check of the token to the last byte of the answer. What is not judged yet when the right to it ends is not
   * done: a body may be sent as slowly as its sender likes. Event streams are cut; an answer that is no stream ends by
   * itself, and its call was allowed when it came.
   */
  function watchStream({ res }: Exchange, { principal, expiresAtSeconds }: VerifiedToken) {
    let wanted: CutReason | undefined;
    let done: CutReason | undefined;
    let lasting: readonly Operation[] = [];
    const cutNow = () => {
      const isStream = String(res.getHeader('content-type') ?? '').startsWith('text/event-stream');
      if (wanted === undefined || !res.headersSent || !isStream || res.destroyed) return;
      done = wanted;
      res.destroy();
    };
    const close = streams.open({
      principal,
      resource: backend.resource,
      expiresAtSeconds,
      lasting: () => lasting,
      cut(reason) {
        wanted = reason;
        cutNow();
      },
    });
    if (res.closed) close();
    else res.once('close', close);
    return {
      cutNow,
      cutReason: () => done,
      wanted: () => wanted,
      lastsFor(operations: readonly Operation[]) {
        lasting = operations;
      },
    };
  }

  /** @returns the status that was sent. */
  function refuse(exchange: Exchange, refusal: Refusal): number {
    const { status, headers, body } = answerRefusal(refusal, context);
    if (exchange.res.destroyed) return status;
    for (const [name, value] of Object.entries(headers)) exchange.res.setHeader(name, value);
    sendJson(exchange, status, body);
    return status;
  }
}

/** One filter for each set of rules. */
function rememberLists(create: (policy: Policy) => ListFilter): (policy: Policy) => ListFilter {
  const known = new WeakMap<Policy, ListFilter>();
  return (policy) => {
    const found = known.get(policy) ?? create(policy);
    known.set(policy, found);
    return found;
  };
}

function refusalOf(fault: Exclude<BackendFault, 'client_gone'>, id: JsonRpcId | undefined): Refusal {
  return typeof fault === 'string' ? { kind: fault, id } : { ...fault, id };
}

/** What a client reads of a fault when an answer has begun already: the body of the refusal, without its status. */
export function createFaultDescription(backend: ProtectedResource): DescribeFault {
  const context = challengeContext(backend);
  return (fault, id) => {
    const { body } = answerRefusal(refusalOf(fault, id), context);
    const [only = jsonRpcError(id, jsonRpcCodes.backendUnavailable, '')] = [body].flat();
    return only;
  };
}

/** `AADSTS50076` tells more than that a new sign-in is wanted. */
function reasonOf(fault: BackendFault): string {
  return typeof fault === 'object' && 'reason' in fault ? fault.reason : faultName(fault);
}

/** The part of an audit event that differs from one record of a request to the next. */
type Event = Omit<AuditEvent, 'correlationId' | 'backend' | 'ip' | 'durationMs'>;

function* denials(judged: readonly Judged[]): Generator<Event> {
  for (const { operation, decision } of judged) {
    if (decision.allow) continue;
    yield {
      event: 'access.denied',
      outcome: 'denied',
      reason: decision.reason,
      ...auditedOperation(operation),
    };
  }
}

function firstDenial(judged: readonly Judged[]): string | undefined {
  const denied = judged.find(({ decision }) => !decision.allow);
  return denied?.decision.allow === false ? denied.decision.reason : undefined;
}

/** Streams that stay open for hours are recorded when they open, all else when it has ended. */
function isLongLived({ method }: Exchange, { operations }: Asked): boolean {
  return method === 'GET' || operations.some((operation) => operation.method === 'subscriptions/listen');
}

/** Only requests are worked on; a notification, or an answer to the server's own question, ends what is. */
function loadOf(exchange: Exchange, asked: Asked): Load | undefined {
  if (isLongLived(exchange, asked)) return 'stream';
  return asked.operations.some(({ kind, id }) => kind === 'request' && id !== undefined) ? 'call' : undefined;
}

async function endOf({ status, ended }: Forwarded, isRecordedNow: boolean) {
  const end = isRecordedNow ? 'complete' : await ended;
  if (end !== 'complete') return { outcome: 'error', reason: end, httpStatus: status } as const;
  return { outcome: status < 400 ? 'success' : 'error', httpStatus: status } as const;
}

function auditedCaller(principal: Principal) {
  const { tenantId, objectId, clientId, sessionId } = principal;
  return { tenantId, objectId, clientId, sessionId };
}

function auditedOperation({ method, name }: Operation) {
  return { method: method === '' ? 'response' : method, ...(name === undefined ? {} : { target: name }) };
}

function challengeContext(backend: ProtectedResource): ChallengeContext {
  const needed = backend.rules.enter.scopes ?? [];
  return {
    resourceMetadataUrl: resourceMetadataUrl(new URL(backend.resource).origin, backend.path),
    // What it takes to enter; where that is nothing, the backend's own scopes.
    scopes: needed.length > 0 ? needed : backend.scopes.map(({ name }) => name),
  };
}
