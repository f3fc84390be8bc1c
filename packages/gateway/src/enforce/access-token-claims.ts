import { personId } from '@valetkey/core/policy/principal';
import type { AccessTokenClaims } from '../session/access-token.ts';

/**
 * Reads the claims of a decrypted access token. Strict although we wrote them ourselves: a claim of another type
 * than `enforce` expects would be compared wrongly further on. Claims that nobody here reads are dropped.
 *
 * @returns undefined when a required claim is absent, empty or of another type, or when `sub` is not the person
 *   that `tid` and `oid` name.
 */
export function parseAccessTokenClaims(payload: Record<string, unknown>): AccessTokenClaims | undefined {
  const { iss, aud, sub, client_id, jti, iat, exp, tid, oid, sid, roles } = payload;
  const { scope, groups, name, preferred_username } = payload;
  if (!isText(iss) || !isText(aud) || !isText(sub) || !isText(client_id) || !isText(jti)) return undefined;
  if (!isText(tid) || !isText(oid) || !isText(sid) || !isSeconds(iat) || !isSeconds(exp)) return undefined;
  if (!isTextList(roles) || !isOptional(groups, isTextList) || !isOptional(scope, isString)) return undefined;
  if (!isOptional(name, isString) || !isOptional(preferred_username, isString)) return undefined;
  if (sub !== personId({ tenantId: tid, objectId: oid })) return undefined;
  return {
    iss,
    aud,
    sub,
    client_id,
    jti,
    iat,
    exp,
    tid,
    oid,
    sid,
    roles,
    ...(scope === undefined ? {} : { scope }),
    ...(groups === undefined ? {} : { groups }),
    ...(name === undefined ? {} : { name }),
    ...(preferred_username === undefined ? {} : { preferred_username }),
  };
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function isText(value: unknown): value is string {
  return isString(value) && value !== '';
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

function isOptional<Value>(
  value: unknown,
  isValue: (value: unknown) => value is Value,
): value is Value | undefined {
  return value === undefined || isValue(value);
}
