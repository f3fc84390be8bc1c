import { type JsonRpcId, jsonRpcCodes, jsonRpcError } from '@valetkey/core/mcp/errors';
import type { ProtectedResource } from '../config/config.ts';
import { resourceMetadataUrl } from '../enforce/challenge.ts';
import { answerRefusal, type ChallengeContext, type Refusal } from '../enforce/refusal.ts';
import type { Exchange } from '../http/exchange.ts';
import { sendJson } from '../http/respond.ts';
import { type BackendFault, faultName } from '../proxy/backend-proxy.ts';
import type { DescribeFault } from '../proxy/messages/post-answer.ts';

/** Sends a refusal with its challenge. @returns the status that was sent. */
export type Refuse = (exchange: Exchange, refusal: Refusal) => number;

export function createRefuse(resource: ProtectedResource): Refuse {
  const context = challengeContext(resource);
  return (exchange, refusal) => {
    const { status, headers, body } = answerRefusal(refusal, context);
    if (exchange.res.destroyed) return status;
    for (const [name, value] of Object.entries(headers)) exchange.res.setHeader(name, value);
    sendJson(exchange, status, body);
    return status;
  };
}

export function refusalOf(fault: Exclude<BackendFault, 'client_gone'>, id: JsonRpcId | undefined): Refusal {
  if (fault === 'lapsed') return { kind: 'not_entitled', id, description: lapsed };
  return typeof fault === 'string' ? { kind: fault, id } : { ...fault, id };
}

/** Where nobody else says it: on a stream of the older transport. */
const lapsed = 'the right to this call ended while it waited for its turn';

/** `AADSTS50076` tells more than that a new sign-in is wanted. */
export function reasonOf(fault: BackendFault): string {
  return typeof fault === 'object' && 'reason' in fault ? fault.reason : faultName(fault);
}

/** What a client reads of a fault when an answer has begun already: the body of the refusal, without its status. */
export function createFaultDescription(resource: ProtectedResource): DescribeFault {
  const context = challengeContext(resource);
  return (fault, id) => {
    const { body } = answerRefusal(refusalOf(fault, id), context);
    const [only = jsonRpcError(id, jsonRpcCodes.backendUnavailable, '')] = [body].flat();
    return only;
  };
}

function challengeContext({ rules, scopes, resource, path }: ProtectedResource): ChallengeContext {
  const needed = rules.enter.scopes ?? [];
  return {
    resourceMetadataUrl: resourceMetadataUrl(new URL(resource).origin, path),
    // What it takes to enter; where that is nothing, the resource's own scopes.
    scopes: needed.length > 0 ? needed : scopes.map(({ name }) => name),
  };
}
