/** The way around a token's group overage: the URL inside the token is never followed, these are asked instead. */
import { err, ok, type Result } from '../base/result.ts';
import type { GraphCaller, GraphClient } from './graph-client.ts';
import { type GraphRefusal, unreadable } from './graph-refusal.ts';

/** Graph takes no more at once (Microsoft Graph: `checkMemberGroups`). */
const maxChecked = 20;

export interface MembershipOptions {
  /** Default 0: always fresh. Never longer than the token behind the decision lives. */
  readonly cacheSeconds?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Every group and directory role that the person is in, nested ones included, as object ids
 * (`POST /me/getMemberObjects`).
 *
 * @returns at most 11,000 ids; beyond that Graph refuses with `Directory_ResultSizeLimitExceeded`, and only
 *   `checkMemberships` helps.
 */
export function listMemberships(
  graph: GraphClient,
  caller: GraphCaller,
  options: MembershipOptions & { readonly securityEnabledOnly?: boolean } = {},
): Promise<Result<readonly string[], GraphRefusal>> {
  const { securityEnabledOnly = false } = options;
  return askIds(graph, caller, '/me/getMemberObjects', { securityEnabledOnly }, options);
}

/** Which of these groups the person is in (`POST /me/checkMemberGroups`): the way for an allow-list of any length. */
export async function checkMemberships(
  graph: GraphClient,
  caller: GraphCaller,
  groupIds: readonly string[],
  options: MembershipOptions = {},
): Promise<Result<readonly string[], GraphRefusal>> {
  const found: string[] = [];
  for (let start = 0; start < groupIds.length; start += maxChecked) {
    const body = { groupIds: groupIds.slice(start, start + maxChecked) };
    const answer = await askIds(graph, caller, '/me/checkMemberGroups', body, options);
    if (!answer.ok) return answer;
    found.push(...answer.value);
  }
  return ok(found);
}

async function askIds(
  graph: GraphClient,
  caller: GraphCaller,
  path: string,
  body: object,
  { cacheSeconds = 0, signal }: MembershipOptions,
): Promise<Result<readonly string[], GraphRefusal>> {
  // A POST that only reads.
  const request = { method: 'POST' as const, path, body, isRepeatable: true, cacheSeconds, signal };
  const answer = await graph.request(caller, request);
  if (!answer.ok) return answer;
  const value: unknown = (answer.value as { readonly value?: unknown } | null | undefined)?.value;
  if (!Array.isArray(value) || !value.every((id) => typeof id === 'string')) return err(unreadable(200));
  return ok(value);
}
