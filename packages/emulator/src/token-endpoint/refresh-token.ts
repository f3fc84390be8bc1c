/**
 * Grant `refresh_token`: bound to a person and a client, not to a resource. Every use makes a new one and the old one stays
 * valid: two replicas that refresh at once do each other no harm. Only an administrator or the person revokes.
 */
import { type App, findAccountIn, findTenant, homeAccount, isAlias, type User } from '../directory.ts';
import { AadstsError } from '../errors.ts';
import { raisePersonalFault } from '../faults.ts';
import type { RefreshGrant } from '../grants.ts';
import { required } from '../parameters.ts';
import type { Realm } from '../realm.ts';
import { checkProof, type GrantRequest } from './grant-request.ts';
import { issueToPerson } from './person-answer.ts';

/** @throws AADSTS70000, 700082, 700084, 50057, 50105, 50173, 90009, 90072 and those of `checkProof` and of the scopes */
export async function refresh(realm: Realm, request: GrantRequest): Promise<Record<string, unknown>> {
  const grant = realm.grants.refreshTokens.find(required(request.form, 'refresh_token'));
  if (grant === undefined || grant.app.seed.clientId !== request.app.seed.clientId)
    throw new AadstsError(70000);
  checkProof(request, grant.platform);
  const { app, user } = findPlace(realm, request, grant);
  checkStillGood(realm, app, user, grant);
  return issueToPerson(
    realm,
    { ...request, app },
    {
      ...grant,
      user,
      client: app,
      claims: request.claims,
      grantedScope: grant.scope,
      isCode: false,
      ...(grant.resource === undefined ? {} : { grantedResource: grant.resource }),
      clientInfo: request.form.get('client_info') === '1',
    },
  );
}

/** Bound to no tenant either: redeemed in another one it stands for the person as a guest there. */
function findPlace(realm: Realm, request: GrantRequest, grant: RefreshGrant): { app: App; user: User } {
  const tenant = isAlias(request.segment) ? grant.user.tenant : findTenant(realm.directory, request.segment);
  if (tenant === grant.user.tenant) return { app: grant.app, user: grant.user };
  const user = findAccountIn(tenant, grant.user);
  const { clientId, displayName } = request.app.seed;
  if (user === undefined) {
    const provider = `https://sts.windows.net/${homeAccount(grant.user).tenantId}/`;
    const names = { clientId, appName: displayName, tenant: tenant.seed.displayName, provider };
    throw new AadstsError(90072, { username: grant.user.seed.username, ...names });
  }
  return { app: request.app, user };
}

function checkStillGood(realm: Realm, app: App, user: User, grant: RefreshGrant): void {
  const { clientId, displayName, assignmentRequired } = app.seed;
  const { username } = user.seed;
  if (grant.expiresAtMs <= realm.nowMs()) throw new AadstsError(grant.platform === 'spa' ? 700084 : 700082);
  raisePersonalFault(realm.faults, { endpoint: 'token', clientId, username });
  if (!user.enabled || !grant.user.enabled) throw new AadstsError(50057);
  if (grant.sessionEpoch !== grant.user.sessionEpoch) throw new AadstsError(50173);
  if (assignmentRequired && !user.roles.has(clientId)) {
    throw new AadstsError(50105, { appName: displayName, clientId, username });
  }
}
