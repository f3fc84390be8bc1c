/**
 * Grant `password`: name and password straight from the client, as old scripts still send them. No page can help: whatever
 * needs one (a second factor, consent) is an error, and a guest has no password here.
 */
import { randomUUID } from 'node:crypto';
import { findAppIn, findAmong, isAlias, type User } from '../directory.ts';
import { AadstsError } from '../errors.ts';
import { raisePersonalFault } from '../faults.ts';
import { findPasswordProblem } from '../login.ts';
import { required, requiredV1 } from '../parameters.ts';
import type { Realm } from '../realm.ts';
import { checkPublicOrProven, type GrantRequest } from './grant-request.ts';
import { issueToPerson } from './person-answer.ts';

/** @throws AADSTS90014, 900144, 7000218, 50034, 50126, 50053, 50057 and those of consent and Conditional Access */
export async function takePassword(realm: Realm, request: GrantRequest): Promise<Record<string, unknown>> {
  checkPublicOrProven(request);
  const user = findPerson(realm, request, requiredV1(request.form, 'username'));
  const code = findPasswordProblem(user, required(request.form, 'password'));
  if (code !== undefined) throw new AadstsError(code);
  const { clientId } = request.app.seed;
  raisePersonalFault(realm.faults, { endpoint: 'token', clientId, username: user.seed.username });
  if (!user.enabled) throw new AadstsError(50057);
  const app = findAppIn(realm.directory, user.tenant, clientId) ?? request.app;
  return issueToPerson(
    realm,
    { ...request, app },
    {
      user,
      client: app,
      sessionId: randomUUID(),
      sessionEpoch: user.sessionEpoch,
      authTimeMs: realm.nowMs(),
      hasMfa: false,
      claims: request.claims,
      platform: request.proof === 'none' ? 'publicClient' : 'web',
      grantedScope: request.form.get('scope') ?? 'openid',
      clientInfo: request.form.get('client_info') === '1',
      isCode: true,
      expiresAtMs: realm.nowMs(),
    },
  );
}

function findPerson(realm: Realm, request: GrantRequest, username: string): User {
  const tenants = isAlias(request.segment) ? realm.directory.tenants : [request.app.tenant];
  const people = tenants.flatMap((tenant) => tenant.users);
  const user = findAmong(
    people.filter(({ seed }) => seed.guestFrom === undefined && !seed.isAgent),
    username,
  );
  if (user === undefined)
    throw new AadstsError(50034, { username, tenant: request.app.tenant.seed.displayName });
  return user;
}
