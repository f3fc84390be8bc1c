import type { AccessTokenClaims } from '../session/access-token.ts';
import type { Clock } from '@valetkey/core/base/clock';
import { isFromFuture, nowSeconds } from '@valetkey/core/base/clock';
import { personId } from '@valetkey/core/policy/principal';
import { type RandomBytes, randomId } from '@valetkey/core/base/random';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { Audit } from '../audit/event.ts';
import type { Entra, EntraPerson, EntraRefusal } from '../entra/entra.ts';
import type { RenewalRefusal, SignIns } from '../oauth/sign-ins.ts';
import type { Groups } from './groups.ts';
import { rightsOf } from '../session/revocations.ts';
import type { Session } from '../session/session.ts';
import type { Sessions } from '../session/sessions.ts';
import type { StepUp, StepUps } from '../session/step-ups.ts';

/** The sessions and the Entra leg, as the authorization server asks for them, with what only the leaver check asks for. */
export interface RecheckableSignIns extends SignIns {
  /**
   * `renew`, unless Entra has been asked less than `maxAgeSeconds` ago, here or elsewhere.
   * @returns when Entra confirmed the person last, in seconds since the epoch.
   */
  recheck(sessionId: string, maxAgeSeconds: number): Promise<Result<number, RenewalRefusal>>;
  /**
   * Entra wants more of the person than their last sign-in brought. The session ends, so that no refresh token of it is
   * honoured and the client sends the person to sign in; that sign-in asks Entra for what is wanted.
   * @param reason for the audit: `AADSTS65001`, `claims_challenge`.
   */
  stepUp(sessionId: string, wanted: StepUp, reason: string): Promise<void>;
}

export interface SignInsOptions {
  readonly sessions: Sessions;
  readonly stepUps: StepUps;
  readonly entra: Entra;
  readonly groups: Groups;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly audit: Audit;
}

export function createSignIns(options: SignInsOptions): RecheckableSignIns {
  const { sessions, stepUps, entra, groups, clock, random, audit } = options;

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
      return session === undefined ? 'ended' : renewSession(session);
    },
    async stepUp(sessionId, wanted, reason) {
      const session = await sessions.find(sessionId);
      if (session === undefined) return;
      await stepUps.demand({ person: personId(session), clientId: session.clientId }, wanted);
      await end(sessionId);
      noteEnd(session, reason);
    },
    async recheck(sessionId, maxAgeSeconds) {
      const session = await sessions.find(sessionId);
      if (session === undefined) return err('ended');
      // Another replica, or the client's own refresh, may have asked a moment ago.
      const { verifiedAtSeconds } = session;
      const startedSeconds = nowSeconds(clock);
      const isRecent = startedSeconds - verifiedAtSeconds < maxAgeSeconds;
      if (isRecent && !isFromFuture(verifiedAtSeconds, clock)) return ok(verifiedAtSeconds);
      const refusal = await renewSession(session);
      return refusal === undefined ? ok(startedSeconds) : err(refusal);
    },
  };

  async function renewSession(session: Session): Promise<RenewalRefusal | undefined> {
    const confirmed = await entra.renew(session.id);
    const renewed = confirmed.ok ? await groups.resolve(confirmed.value, session) : confirmed;
    if (!renewed.ok) {
      // `operator` and `invalid` are faults of a registration or of the network, not a word about the person.
      if (renewed.error.kind !== 'interaction' && renewed.error.kind !== 'declined') return 'unavailable';
      await end(session.id);
      noteEnd(session, reasonOf(renewed.error), renewed.error);
      return 'ended';
    }
    if (personId(renewed.value) !== personId(session)) {
      await end(session.id);
      return 'ended';
    }
    const updated = await sessions.update(session.id, (current) =>
      withPerson(current, renewed.value, nowSeconds(clock)),
    );
    if (updated === undefined) return 'ended';
    // Access tokens of before still say what is no longer so; the one that is made now does not.
    if (rightsOf(updated) !== rightsOf(session)) await sessions.changeRights(session.id, updated);
    return undefined;
  }

  function noteEnd(session: Session, reason: string, refusal?: EntraRefusal): void {
    audit.record({
      event: 'session.revoke',
      outcome: 'success',
      reason,
      correlationId: randomId(random, 16),
      tenantId: session.tenantId,
      objectId: session.objectId,
      clientId: session.clientId,
      sessionId: session.id,
      ...(refusal?.correlationId === undefined ? {} : { entraCorrelationId: refusal.correlationId }),
    });
  }
}

/** For the audit. */
export function reasonOf({ code, kind, reason = `entra_${kind}` }: EntraRefusal): string {
  return code === undefined ? reason : `AADSTS${code}`;
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
