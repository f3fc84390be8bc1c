/** Grant `client_credentials`: the app by itself. One resource, `/.default`, a real tenant, and proof. */
import { isAlias } from '../directory.ts';
import { AadstsError } from '../errors.ts';
import { required } from '../parameters.ts';
import { accessTokenSeconds, type Realm } from '../realm.ts';
import { defaultScopeResource } from '../scopes.ts';
import { createAppAccessToken } from '../tokens.ts';
import type { GrantRequest } from './grant-request.ts';

/** The answer has no scope, no refresh token and no id token. @throws AADSTS50059, 7000216, 1002012, 500011, 501051 */
export async function issueAppToken(realm: Realm, request: GrantRequest): Promise<Record<string, unknown>> {
  if (isAlias(request.segment)) throw new AadstsError(50059);
  if (request.proof === 'none') throw new AadstsError(7000216);
  const { app, form } = request;
  const scope = request.version === 1 ? `${required(form, 'resource')}/.default` : required(form, 'scope');
  const resource = defaultScopeResource(app.tenant, app, scope);
  const { clientId, displayName } = app.seed;
  const isAssigned = resource.app.seed.applicationGrants?.some((grant) => grant.clientId === clientId);
  if (resource.app.seed.assignmentRequired && !isAssigned) {
    const names = {
      clientId,
      appName: displayName,
      resource: resource.app.seed.clientId,
      resourceName: resource.app.seed.displayName,
    };
    throw new AadstsError(501051, names);
  }
  const lifetimeSeconds = accessTokenSeconds(realm);
  return {
    token_type: 'Bearer',
    expires_in: lifetimeSeconds,
    ext_expires_in: lifetimeSeconds,
    access_token: await createAppAccessToken(realm, app, resource, request.proof, lifetimeSeconds),
  };
}
