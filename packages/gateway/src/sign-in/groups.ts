/**
 * Which of the groups that rules name a person is in. Of all other groups nothing is kept: neither a session nor an access
 * token has use for them, and one person can be in thousands.
 *
 * Entra puts up to 200 groups into a token; of a person who is in more it says only that they are (Entra: group overage).
 * Then Microsoft Graph is asked with the person's own token, at the sign-in and whenever Entra confirms the person anew.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { createGraphClient, type GraphClient } from '@valetkey/core/graph/graph-client';
import type { GraphRefusal } from '@valetkey/core/graph/graph-refusal';
import { checkMemberships, listMemberships } from '@valetkey/core/graph/memberships';
import { personId } from '@valetkey/core/policy/principal';
import { listNamedGroups } from '@valetkey/core/policy/rules';
import type { EntraConfig, ProtectedResource } from '../config/config.ts';
import type { EntraPerson, EntraRefusal, PersonTokens } from '../entra/entra.ts';
import { createGraphFetch } from '../entra/graph-fetch.ts';
import type { Outbound } from '../entra/outbound.ts';
import type { World } from '../world.ts';

/** The delegated permission of Microsoft Graph with which a person's own memberships can be read. */
export const groupScope = 'User.Read';

/** Whether the sign-in to a resource has to be able to ask for groups. */
export function needsGroups({ rules }: Pick<ProtectedResource, 'rules'>): boolean {
  return listNamedGroups(rules).length > 0;
}

export interface Groups {
  /** The rules that hold from now on. A session learns of them when Entra confirms its person. */
  follow(resources: readonly ProtectedResource[]): void;
  /**
   * The person with those groups that the rules of the session's resource name, and no others.
   *
   * @returns why it cannot be said, where it has to be: a guess would let somebody in, or keep them out, for no reason.
   */
  resolve(person: EntraPerson, session: SessionInNeed): Promise<Result<EntraPerson, EntraRefusal>>;
}

export interface SessionInNeed {
  readonly id: string;
  /** Undefined of a session that is older than this knowledge: then every resource's rules count. */
  readonly resource?: string | undefined;
}

export interface GroupsOptions {
  readonly entra: PersonTokens;
  readonly config: Pick<EntraConfig, 'cloud'>;
  readonly outbound: Outbound;
  readonly world: World;
}

export function createGroups({ entra, config, outbound, world }: GroupsOptions): Groups {
  const named = new Map<string, readonly string[]>();
  const graph = openGraph(config.cloud.graphHost, outbound, world);

  return {
    follow(resources) {
      named.clear();
      for (const { resource, rules } of resources) named.set(resource, listNamedGroups(rules));
    },
    async resolve({ hasGroupOverage = false, ...person }, { id, resource }) {
      const wanted = resource === undefined ? [...named.values()].flat() : (named.get(resource) ?? []);
      if (wanted.length === 0 || !hasGroupOverage)
        return ok({ ...person, groups: chooseHeld(wanted, person.groups) });
      const found = await ask(id, personId(person), wanted);
      return found.ok ? ok({ ...person, groups: found.value }) : found;
    },
  };

  async function ask(
    sessionId: string,
    person: string,
    wanted: readonly string[],
  ): Promise<Result<string[], EntraRefusal>> {
    const token = await entra.tokenFor(sessionId, [groupScope]);
    if (!token.ok) return err({ ...token.error, reason: 'groups_unknown' });
    const caller = { person, token: token.value.accessToken };
    const checked = await checkMemberships(graph, caller, wanted);
    const found =
      !checked.ok && checked.error.kind === 'denied' ? await listMemberships(graph, caller) : checked;
    if (!found.ok) return err(describe(found.error));
    return ok(chooseHeld(wanted, found.value));
  }
}

/** Rules name groups in small letters. */
function chooseHeld(wanted: readonly string[], groups: readonly string[]): string[] {
  const held = new Set(groups.map((group) => group.toLowerCase()));
  return wanted.filter((group) => held.has(group));
}

function openGraph(origin: string, outbound: Outbound, { clock, random }: World): GraphClient {
  return createGraphClient({
    origin,
    allowOrigins: [origin],
    fetch: createGraphFetch(outbound),
    clock,
    random,
    wait: async (ms) => {
      await delay(ms);
    },
    // A browser waits for the answer.
    retry: { maxRepeats: 2, maxWaitMs: 3000 },
  });
}

function describe({ kind, code, claims, retryAfterSeconds }: GraphRefusal): EntraRefusal {
  const reason = 'groups_unknown';
  const why = code === undefined ? '' : ` (${code})`;
  if (kind === 'claims' && claims !== undefined)
    return { kind: 'interaction', reason, claims, description: 'Microsoft Graph asks for a new sign-in' };
  if (kind === 'denied') {
    const remedy = `grant the delegated permission ${groupScope}, or GroupMember.Read.All, with admin consent`;
    const description = `Microsoft Graph does not say which groups this account is in${why}: ${remedy}`;
    return { kind: 'operator', reason, description };
  }
  return {
    kind: 'unavailable',
    reason,
    description: `Microsoft Graph did not say which groups this account is in${why}`,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  };
}
