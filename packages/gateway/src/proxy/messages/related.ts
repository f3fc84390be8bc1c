/** Which request a message of the backend belongs to: on a link of its own nothing says so but the ids in it. */
import type { JsonRpcId } from '@valetkey/core/mcp/errors';
import type { JsonObject } from '@valetkey/core/mcp/json-rpc';
import type { Answer, Sharing } from './conversation.ts';
import { type Change, findMeta, findParam, withMetaMember, withParam } from './spoken.ts';

/** A request that has no answer yet. */
export interface Pending {
  /** As its client knows it; over a shared link it travels under an id of ours. */
  readonly clientId: JsonRpcId;
  readonly answer: Answer;
  /** `_meta.progressToken` of its client. */
  readonly token: unknown;
  readonly method: string;
}

/** In the `_meta` of what a subscription brings (MCP 2026-07-28 Subscriptions). */
const subscriptionIdKey = 'io.modelcontextprotocol/subscriptionId';

/** @param pending by the id on the link, oldest first. */
export function findRelated(
  message: JsonObject,
  pending: ReadonlyMap<JsonRpcId, Pending>,
  sharing: Sharing,
): Pending | undefined {
  const token = findParam(message, 'progressToken');
  if (token !== undefined) return findByToken(token, pending, sharing);
  const subscription = findMeta(message, subscriptionIdKey);
  if (subscription !== undefined) return pending.get(subscription as JsonRpcId);
  if (sharing === 'everybody' || (sharing === 'person' && message['id'] !== undefined)) return undefined;
  // While one request alone is open, what is said is said about it; never more than a guess, and so never between people.
  const [only, ...others] = [...pending.values()].filter(({ method }) => method !== 'subscriptions/listen');
  return others.length === 0 ? only : undefined;
}

function findByToken(token: unknown, pending: ReadonlyMap<JsonRpcId, Pending>, sharing: Sharing) {
  if (sharing === 'session') return [...pending.values()].find((entry) => entry.token === token);
  const entry = pending.get(token as JsonRpcId);
  return entry?.token === undefined ? undefined : entry;
}

/** Our ids in a message, turned back into those of its client. */
export function restoreIds(message: JsonObject, { clientId, token }: Pending): Change[] {
  const changes: Change[] = [];
  if (findParam(message, 'progressToken') !== undefined) {
    changes.push((each) => withParam(each, 'progressToken', token));
  }
  if (findMeta(message, subscriptionIdKey) !== undefined) {
    changes.push((each) => withMetaMember(each, subscriptionIdKey, clientId));
  }
  return changes;
}
