/** For whom a policy is explained: a person who is signed in, or somebody made up of roles, groups and scopes. */
import { err, ok, type Result } from '@valetkey/core/base/result';
import { type Principal, personId } from '@valetkey/core/policy/principal';
import type { Session } from '@valetkey/gateway/administration';
import type { AnyBackendConfig, Config } from '@valetkey/gateway/config/config';

/** As given on the command line; each replaces what is known of a person who is signed in. */
export interface AskedPerson {
  readonly tenant?: string | undefined;
  readonly client?: string | undefined;
  readonly roles?: readonly string[] | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly scopes?: readonly string[] | undefined;
}

export interface Explained {
  readonly principal: Principal;
  /** What was taken for granted, for people. */
  readonly notes: readonly string[];
}

interface Problem {
  readonly problem: string;
  readonly remedy: string;
}

/** Nobody in particular: everything that is not said is not there, but the scopes, of which a sign-in gets all. */
export function inventPerson(asked: AskedPerson, backend: AnyBackendConfig, config: Config): Explained {
  const { tenant = config.entra.tenants[0] ?? '', client = '', roles = [], groups = [] } = asked;
  const invented = { tenantId: tenant, objectId: '', roles, groups, clientId: client, sessionId: '' };
  return withScopes(invented, asked, backend, []);
}

/**
 * The person of a session, as the session has them now.
 *
 * @param who an object id, a user name, or the part of one before the `@`.
 */
export function findPerson(
  who: string,
  asked: AskedPerson,
  backend: AnyBackendConfig,
  sessions: readonly Session[],
): Result<Explained, Problem> {
  const fitting = chooseByName(who, sessions).filter(
    ({ clientId }) => asked.client === undefined || clientId === asked.client,
  );
  const people = [...new Set(fitting.map(personId))];
  if (people.length > 1) {
    const remedy = `Name one of them by object id: ${people.map((id) => id.split('.')[1]).join(', ')}`;
    return err({ problem: `${people.length} people of that name are signed in`, remedy });
  }
  const session = chooseSession(fitting, backend);
  if (session === undefined) return err(nobody);
  const { resource, tenantId, objectId, clientId, username, displayName, ...known } = session;
  const principal = {
    tenantId: asked.tenant ?? tenantId,
    objectId,
    clientId: asked.client ?? clientId,
    sessionId: session.id,
    roles: asked.roles ?? known.roles,
    groups: asked.groups ?? known.groups,
    ...(username === undefined ? {} : { username }),
    ...(displayName === undefined ? {} : { displayName }),
  };
  const isElsewhere = resource !== undefined && resource !== backend.resource && asked.groups === undefined;
  const notes = isElsewhere ? ['not signed in to this server yet, so its groups are not known'] : [];
  return ok(withScopes(principal, asked, backend, notes));
}

const nobody: Problem = {
  problem: 'nobody of that name is signed in',
  remedy: 'See `valetkey sessions list`, or describe somebody with --roles, --groups and --scopes.',
};

/** A short name counts only where nobody has it as their whole one. */
function chooseByName(who: string, sessions: readonly Session[]): readonly Session[] {
  const wanted = who.toLowerCase();
  const exact = sessions.filter(
    (session) =>
      [session.objectId, personId(session)].includes(wanted) || session.username?.toLowerCase() === wanted,
  );
  if (exact.length > 0) return exact;
  return sessions.filter(({ username }) => username?.toLowerCase().split('@')[0] === wanted);
}

/** Of several, one for this server before any other, and the one that Entra confirmed last. */
function chooseSession(sessions: readonly Session[], { resource }: AnyBackendConfig): Session | undefined {
  const rank = (session: Session) => (session.resource === resource ? 1 : 0);
  return sessions.toSorted((a, b) => rank(b) - rank(a) || b.verifiedAtSeconds - a.verifiedAtSeconds)[0];
}

function withScopes(
  principal: Omit<Principal, 'scopes'>,
  { scopes }: AskedPerson,
  backend: AnyBackendConfig,
  notes: readonly string[],
): Explained {
  if (scopes !== undefined) return { principal: { ...principal, scopes }, notes };
  const all = backend.scopes.map(({ name }) => name);
  return {
    principal: { ...principal, scopes: all },
    notes: [...notes, 'all scopes of the server are assumed: a client may have asked for fewer'],
  };
}
