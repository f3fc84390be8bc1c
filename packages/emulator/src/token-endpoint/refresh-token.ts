/**
 * Grant `refresh_token`: bound to a person and a client, not to a resource. Every use makes a new one and the old one stays
 * valid: two replicas that refresh at once do each other no harm. Only an administrator or the person revokes.
 */
import { AadstsError } from '../errors.ts';
import { raisePersonalFault } from '../faults.ts';
import type { RefreshGrant } from '../grants.ts';
import { required } from '../parameters.ts';
import type { Realm } from '../realm.ts';
import { checkProof, type GrantRequest } from './grant-request.ts';
import { issueToPerson } from './person-answer.ts';

/** @throws AADSTS70000, 70008, 50057, 50105, 50173, 90009 and those of `checkProof` and of the scopes */
export async function refresh(realm: Realm, request: GrantRequest): Promise<Record<string, unknown>> {
  const grant = realm.grants.refreshTokens.find(required(request.form, 'refresh_token'));
  if (grant === undefined || grant.app !== request.app) throw new AadstsError(70000);
  checkProof(request, grant.platform);
  checkStillGood(realm, request, grant);
  return issueToPerson(realm, request, {
    ...grant,
    client: request.app,
    grantedScope: grant.scope,
    isCode: false,
    ...(grant.resource === undefined ? {} : { grantedResource: grant.resource }),
    clientInfo: request.form.get('client_info') === '1',
  });
}

function checkStillGood(realm: Realm, request: GrantRequest, grant: RefreshGrant): void {
  const { clientId, displayName, assignmentRequired } = request.app.seed;
  const { username } = grant.user.seed;
  if (grant.expiresAtMs <= realm.nowMs()) throw new AadstsError(70008);
  raisePersonalFault(realm.faults, { endpoint: 'token', clientId, username });
  if (!grant.user.enabled) throw new AadstsError(50057);
  if (grant.sessionEpoch !== grant.user.sessionEpoch) throw new AadstsError(50173);
  if (assignmentRequired && !grant.user.roles.has(clientId)) {
    throw new AadstsError(50105, { appName: displayName, clientId, username });
  }
}
