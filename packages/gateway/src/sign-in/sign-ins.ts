import type { AccessTokenClaims } from '../session/access-token.ts';
import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import { personId } from '@valetkey/core/policy/principal';
import type { Entra, EntraPerson } from '../entra/entra.ts';
import type { SignIns } from '../oauth/provider.ts';
import type { Session } from '../session/session.ts';
import type { Sessions } from '../session/sessions.ts';

/** The sessions and the Entra leg, as the authorization server asks for them. */
export function createSignIns({
  sessions,
  entra,
  clock,
}: {
  sessions: Sessions;
  entra: Entra;
  clock: Clock;
}): SignIns {
  async function end(sessionId: string): Promise<void> {
    await sessions.revoke(sessionId);
    await entra.forget(sessionId);
  }

  return {
    end,
    async findFacts(sessionId) {
      const session = await sessions.find(sessionId);
      return session === undefined ? undefined : factsOf(session);
    },
    async renew(sessionId) {
      const session = await sessions.find(sessionId);
      if (session === undefined) return 'ended';
      const renewed = await entra.renew(sessionId);
      if (!renewed.ok) {
        // `operator` and `invalid` are faults of a registration or of the network, not a word about the person.
        if (renewed.error.kind !== 'interaction' && renewed.error.kind !== 'declined') return 'unavailable';
        await end(sessionId);
        return 'ended';
      }
      if (personId(renewed.value) !== personId(session)) {
        await end(sessionId);
        return 'ended';
      }
      const updated = await sessions.update(sessionId, (current) =>
        withPerson(current, renewed.value, nowSeconds(clock)),
      );
      return updated === undefined ? 'ended' : undefined;
    },
  };
}

/** The session with what Entra says of the person now. */
export function withPerson(session: Session, person: EntraPerson, verifiedAtSeconds: number): Session {
  const { displayName: _name, username: _username, ...rest } = session;
  return { ...rest, ...person, verifiedAtSeconds };
}

function factsOf(
  session: Session,
): Omit<AccessTokenClaims, 'iss' | 'aud' | 'sub' | 'client_id' | 'jti' | 'iat' | 'exp'> {
  return {
    tid: session.tenantId,
    oid: session.objectId,
    sid: session.id,
    roles: session.roles,
    ...(session.groups.length > 0 ? { groups: session.groups } : {}),
    ...(session.displayName === undefined ? {} : { name: session.displayName }),
    ...(session.username === undefined ? {} : { preferred_username: session.username }),
  };
}
