/** Who is let in: bearer token, person, and what it takes to enter; or the refusal with its record. */
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { Operation } from '@valetkey/core/mcp/operation';
import type { Policy } from '@valetkey/core/policy/decide';
import type { AuditEvent } from '@valetkey/gateway/audit/event';
import type { ProtectedResource } from '@valetkey/gateway/config/config';
import { authenticate } from '@valetkey/gateway/enforce/authenticate';
import { resourceMetadataUrl } from '@valetkey/gateway/enforce/challenge';
import {
  answerRefusal,
  type ChallengeContext,
  type Refusal,
  type Stop,
  stop,
} from '@valetkey/gateway/enforce/refusal';
import type { VerifiedToken } from '@valetkey/gateway/enforce/verify-token';
import { DiscoveryRefused } from '@valetkey/gateway/entra/authority';
import { OutboundFailed } from '@valetkey/gateway/entra/outbound';
import type { Exchange } from '@valetkey/gateway/http/exchange';
import { sendJson } from '@valetkey/gateway/http/respond';
import { type AuthInfo, type Call, createAuthInfo } from './call.ts';
import type { Front } from './front.ts';

export interface Admission {
  /**
   * Lets a request in or answers it. No body is read before that.
   *
   * @param policies all of them must let the caller enter.
   * @returns undefined when the request has been answered.
   */
  admit(exchange: Exchange, policies: readonly Policy[]): Promise<Admitted | undefined>;
  /**
   * Answers in place of a handler.
   * @param claims for a client of Entra's own (Entra: claims challenges).
   * @returns the status.
   */
  refuse(exchange: Exchange, refusal: Refusal, claims?: string): number;
  record(call: Call, event: RecordedEvent): void;
}

export interface Admitted {
  readonly call: Call;
  readonly authInfo: AuthInfo;
}

export type RecordedEvent = Omit<AuditEvent, 'correlationId' | 'backend' | 'ip'>;

/** What asks for the server as such. */
const entering: Operation = { method: 'ping', kind: 'request' };

/** @param resource the audience that tokens must have here. */
export function createAdmission(front: Front, resource: ProtectedResource): Admission {
  const { audit, verifier, isBlind, recheck } = front;
  const metadataUrl = resourceMetadataUrl(front.config.publicUrl, resource.path);
  const context = challengeContext(front, resource, metadataUrl);

  async function recognize(exchange: Exchange): Promise<Result<VerifiedToken, Stop>> {
    const ask = async () => authenticate(exchange, verifier, resource.resource);
    const caller = await ask().catch(keysOutOfReach);
    if (!caller.ok) return caller;
    if (isBlind()) return stop({ kind: 'store_unavailable' });
    const rechecked = recheck(caller.value);
    if (rechecked === undefined || (await rechecked)) return caller;
    return stop({ kind: 'bad_token' }, 'no_longer_so');
  }

  function refuse(exchange: Exchange, refusal: Refusal, claims?: string): number {
    const { status, headers, body } = answerRefusal(nameScopes(refusal), context);
    if (exchange.res.destroyed) return status;
    for (const [name, value] of Object.entries(headers)) {
      exchange.res.setHeader(name, claims === undefined ? value : withClaims(value, claims));
    }
    sendJson(exchange, status, body);
    return status;
  }

  /** As in the metadata: where Entra is alone, its scopes carry the name of their API. */
  function nameScopes(refusal: Refusal): Refusal {
    if (refusal.kind !== 'denied' || front.config.server !== undefined) return refusal;
    const judged = refusal.judged.map(({ operation, decision }) => ({
      operation,
      decision: decision.allow
        ? decision
        : {
            ...decision,
            missingScopes: decision.missingScopes.map((name) => `${resource.resource}/${name}`),
          },
    }));
    return { ...refusal, judged };
  }

  return {
    refuse,

    async admit(exchange, policies) {
      const about = { correlationId: exchange.id, backend: resource.name, ip: exchange.ip };
      const caller = await recognize(exchange);
      const entered = caller.ok ? enter(caller.value, policies) : caller;
      if (entered.ok && !front.sessionOwners.mayEnter(exchange, entered.value.principal)) {
        const httpStatus = refuse(exchange, { kind: 'unknown_session', id: undefined });
        const denied = { event: 'access.denied', outcome: 'denied', reason: 'unknown_session' } as const;
        audit.record({ ...denied, httpStatus, ...about, ...whoOf(entered.value) });
        return undefined;
      }
      if (!entered.ok) {
        const who = caller.ok ? whoOf(caller.value) : {};
        const httpStatus = refuse(exchange, entered.error.refusal);
        const { reason } = entered.error;
        audit.record({ event: 'access.denied', outcome: 'denied', reason, httpStatus, ...about, ...who });
        return undefined;
      }
      const token = bearerOf(exchange);
      const call: Call = {
        principal: entered.value.principal,
        verified: entered.value,
        resource: resource.resource,
        exchange,
        ...(front.direct?.isOwn(entered.value) === true ? { entraToken: token } : {}),
      };
      return { call, authInfo: createAuthInfo(call, token, metadataUrl) };
    },

    record({ verified, exchange }, event) {
      const about = { correlationId: exchange.id, backend: resource.name, ip: exchange.ip };
      audit.record({ ...about, ...whoOf(verified), ...event });
    },
  };
}

/** Entra's keys could not be had: neither the token's fault nor ours, and later it may be good (D17). */
function keysOutOfReach(fault: unknown): ReturnType<typeof stop> {
  if (fault instanceof OutboundFailed || fault instanceof DiscoveryRefused)
    return stop({ kind: 'store_unavailable' }, 'entra_unavailable');
  throw fault;
}

function withClaims(challenge: string, claims: string): string {
  const encoded = Buffer.from(claims).toString('base64');
  return challenge.replace('error="invalid_token"', `error="insufficient_claims", claims="${encoded}"`);
}

function enter(token: VerifiedToken, policies: readonly Policy[]): Result<VerifiedToken, Stop> {
  const judged = policies.map((policy) => ({
    operation: entering,
    decision: policy.decide(token.principal, entering),
  }));
  const denial = judged.map(({ decision }) => decision).find((decision) => !decision.allow);
  if (denial === undefined || denial.allow) return ok(token);
  return err({ refusal: { kind: 'denied', judged, isBatch: false }, reason: denial.reason });
}

function whoOf({ principal: { tenantId, objectId, clientId, sessionId } }: VerifiedToken) {
  return { tenantId, objectId, clientId, sessionId };
}

/** It was judged already. */
function bearerOf({ req }: Exchange): string {
  return (req.headers.authorization ?? '').replace(/^bearer +/i, '');
}

function challengeContext(
  { config: { server } }: Front,
  { rules, scopes, resource }: ProtectedResource,
  metadataUrl: string,
): ChallengeContext {
  const needed = rules.enter.scopes ?? [];
  const names = needed.length > 0 ? needed : scopes.map(({ name }) => name);
  return {
    resourceMetadataUrl: metadataUrl,
    scopes: server === undefined ? names.map((name) => `${resource}/${name}`) : names,
  };
}
