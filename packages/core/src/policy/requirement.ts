import { matchesClient } from './client-match.ts';
import { allowed, type Decision, type DenialReason, deny, unique } from './decision.ts';
import type { Principal } from './principal.ts';
import type { Requirement } from './rules.ts';

/** What one rule asks of a caller. */
export interface Demand {
  /** Text that stands before "needs" in a denial. */
  readonly subject: string;
  /** All of them hold: that of `enter`, and that of the rule. */
  readonly requirements: readonly Requirement[];
  /** Holds too, unless the tool only reads. */
  readonly readOnlyUnless?: Requirement;
  /** Closed to everybody who may enter: there is no rule, and the others are denied. */
  readonly isClosed?: boolean;
}

/** What the backend says of a tool; undefined: nothing that we heard; `unasked`: nobody looked, so both are possible. */
export type ToolWord = boolean | 'unasked' | undefined;

interface Unmet {
  readonly reason: DenialReason;
  readonly text: string;
  readonly roles?: readonly string[];
  readonly groups?: readonly string[];
}

/** Judges a caller by a rule. @param isReadOnly what the backend says of the tool. */
export function judge(principal: Principal, demand: Demand, isReadOnly: ToolWord): Decision {
  const { subject, requirements, readOnlyUnless, isClosed = false } = demand;
  const conditional = isReadOnly === true || readOnlyUnless === undefined ? [] : [readOnlyUnless];
  const plainlyUnmet = requirements.flatMap((requirement) => [...findUnmet(requirement, principal)]);
  const alsoUnmet = conditional.flatMap((requirement) => [...findUnmet(requirement, principal)]);
  const missingScopes = findMissingScopes([...requirements, ...conditional], principal);
  const unmet = [...plainlyUnmet, ...alsoUnmet];
  const [first] = unmet;
  if (first !== undefined) {
    const isConditional = plainlyUnmet.length === 0;
    return deny({
      reason: isConditional && typeof isReadOnly !== 'boolean' ? 'unknown_tool' : first.reason,
      missingRoles: unique(unmet.flatMap(({ roles = [] }) => roles)),
      missingGroups: unique(unmet.flatMap(({ groups = [] }) => groups)),
      missingScopes,
      description: `${subject} needs ${first.text}${isConditional ? explainReadOnly(isReadOnly) : ''}`,
    });
  }
  if (isClosed) return deny({ reason: 'no_rule', description: `${subject} is open to nobody` });
  if (missingScopes.length === 0) return allowed;
  const description = `${subject} needs the scope ${missingScopes.join(' ')}`;
  return deny({ reason: 'insufficient_scope', missingScopes, description });
}

function explainReadOnly(isReadOnly: ToolWord): string {
  if (isReadOnly === 'unasked') return ', unless the server says that the tool only reads';
  return isReadOnly === undefined
    ? ', unless the server says that the tool only reads: it has not said yet, so list the tools first'
    : ', since the server does not say that the tool only reads';
}

/** All scopes that are needed, if one of them is missing; else none. */
function findMissingScopes(requirements: readonly Requirement[], { scopes }: Principal): string[] {
  const needed = unique(requirements.flatMap((requirement) => requirement.scopes ?? []));
  return needed.every((scope) => scopes.includes(scope)) ? [] : needed;
}

/** Everything but the scopes, in the order in which a person can do something about it. */
function* findUnmet(requirement: Requirement, principal: Principal): Generator<Unmet> {
  const { tenants, clients, anyRole, allRoles = [], anyGroup } = requirement;
  if (tenants !== undefined && !tenants.includes(principal.tenantId))
    yield { reason: 'wrong_tenant', text: 'an account of another organization' };
  if (clients !== undefined && !clients.some((client) => matchesClient(client, principal.clientId)))
    yield { reason: 'wrong_client', text: 'another application' };
  yield* findMissingRoles(anyRole, allRoles, principal);
  // A list without any entry is met by nobody: one that lost its entries must not open the door.
  if (anyGroup !== undefined && !anyGroup.some((group) => principal.groups.includes(group)))
    yield {
      reason: 'missing_group',
      text: anyGroup.length > 0 ? `membership in the group ${anyGroup.join(' or ')}` : 'a group of nobody',
      groups: anyGroup,
    };
}

function* findMissingRoles(
  anyRole: readonly string[] | undefined,
  allRoles: readonly string[],
  { roles }: Principal,
): Generator<Unmet> {
  const missing = allRoles.filter((role) => !roles.includes(role));
  const lacksAny = anyRole !== undefined && !anyRole.some((role) => roles.includes(role));
  if (missing.length === 0 && !lacksAny) return;
  const parts = [
    ...(missing.length > 0 ? [`the role ${missing.join(' and ')}`] : []),
    ...(lacksAny ? [anyRole.length > 0 ? `the role ${anyRole.join(' or ')}` : 'a role that nobody has'] : []),
  ];
  yield {
    reason: 'missing_role',
    text: parts.join(', and '),
    roles: lacksAny ? [...missing, ...anyRole] : missing,
  };
}
