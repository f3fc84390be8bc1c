/**
 * Room `conditional-access`: which policies of the seed apply to a sign-in, and what is still missing. Judges values only;
 * whether what is missing becomes a page or an error is for the caller.
 */
import { type ClaimsRequest, writeChallenge } from './claims-request.ts';
import { type App, isSameName, type User } from './directory.ts';
import { AadstsError } from './errors.ts';
import type { SignInProof } from './grants.ts';
import type { ConditionalAccessPolicy } from './seed.ts';

export interface AccessAttempt {
  readonly user: User;
  readonly client: App;
  readonly resources: readonly App[];
  readonly claims: ClaimsRequest;
  readonly proof: SignInProof;
  readonly nowMs: number;
}

/** What the person has to do first. The error is what a caller without a page answers. */
export interface MissingProof {
  readonly remedy: 'secondFactor' | 'enrol' | 'signInAgain' | 'none';
  readonly error: AadstsError;
}

const JUDGES = [findBlock, findDevice, findSecondFactor, findAge];

/** The first thing that is missing: a block before a device, a device before a second factor, its age last. */
export function findMissingProof(attempt: AccessAttempt): MissingProof | undefined {
  const policies = (attempt.user.tenant.seed.conditionalAccess ?? []).filter((each) =>
    applies(each, attempt),
  );
  for (const judge of JUDGES) {
    const missing = judge(policies, attempt);
    if (missing !== undefined) return missing;
  }
  return undefined;
}

function applies(policy: ConditionalAccessPolicy, attempt: AccessAttempt): boolean {
  const isForPerson = policy.users?.some((name) => isSameName(name, attempt.user.seed.username)) ?? true;
  if (!isForPerson) return false;
  const ids = [...attempt.resources, attempt.client].map((app) => app.seed.clientId);
  return (
    policy.resources === 'all' ||
    (policy.resources ?? []).some((id) => ids.includes(id)) ||
    (policy.contexts ?? []).some((context) => attempt.claims.contexts.includes(context)) ||
    attempt.claims.policyIds.includes(policy.id)
  );
}

type Policies = readonly ConditionalAccessPolicy[];

function findBlock(policies: Policies, attempt: AccessAttempt): MissingProof | undefined {
  const blocking = policies.filter((policy) => policy.demand === 'block');
  return blocking.length === 0 ? undefined : refuse(53003, blocking, attempt);
}

function findDevice(policies: Policies, attempt: AccessAttempt): MissingProof | undefined {
  const { device = 'none' } = attempt.user.seed;
  const compliant = policies.filter((policy) => policy.demand === 'compliantDevice');
  if (compliant.length > 0 && device !== 'compliant')
    return refuse(device === 'none' ? 530003 : 53000, compliant, attempt);
  const joined = policies.filter((policy) => policy.demand === 'domainJoinedDevice');
  return joined.length > 0 && device !== 'domainJoined' ? refuse(53001, joined, attempt) : undefined;
}

function findSecondFactor(policies: Policies, attempt: AccessAttempt): MissingProof | undefined {
  const demanding = policies.filter((policy) => policy.demand === 'mfa');
  if (demanding.length === 0 || attempt.proof.hasMfa) return undefined;
  return attempt.user.hasSecondFactor
    ? refuse(50076, demanding, attempt, 'secondFactor')
    : refuse(50079, demanding, attempt, 'enrol');
}

function findAge(policies: Policies, attempt: AccessAttempt): MissingProof | undefined {
  const ageMs = attempt.nowMs - attempt.proof.authTimeMs;
  const tooOld = policies.filter(
    ({ signInFrequencySeconds = Number.POSITIVE_INFINITY }) => ageMs > signInFrequencySeconds * 1000,
  );
  return tooOld.length === 0
    ? undefined
    : { remedy: 'signInAgain', error: new AadstsError(70044, {}, challengeOf(tooOld, attempt)) };
}

function refuse(
  code: number,
  policies: Policies,
  attempt: AccessAttempt,
  remedy: MissingProof['remedy'] = 'none',
): MissingProof {
  const resource = (attempt.resources[0] ?? attempt.client).seed.clientId;
  const details = { resource, state: attempt.user.seed.device ?? 'unregistered' };
  return { remedy, error: new AadstsError(code, details, challengeOf(policies, attempt)) };
}

function challengeOf(policies: Policies, { claims }: AccessAttempt): { readonly claims: string } {
  const ids = policies.map((policy) => policy.id);
  return { claims: writeChallenge(ids, claims.contexts) };
}
