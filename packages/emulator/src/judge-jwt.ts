import { errors } from 'jose';
import { AadstsError, entraTimestamp } from './errors.ts';
import type { Realm } from './realm.ts';

/** Tells jose's reasons apart the way Entra does: the audience, the time, and everything else about the signature. */
export async function judgeJwt<T>(realm: Realm, verify: () => Promise<T>): Promise<T> {
  try {
    return await verify();
  } catch (problem) {
    const claim = problem instanceof errors.JWTClaimValidationFailed ? problem.claim : undefined;
    if (claim === 'aud') throw new AadstsError(700023);
    const isTime =
      problem instanceof errors.JWTExpired || claim === 'nbf' || claim === 'exp' || claim === 'iat';
    if (isTime) throw new AadstsError(700024, { now: entraTimestamp(realm.nowMs()) });
    throw new AadstsError(700027, { reason: 'The signature is not valid.' });
  }
}
