/** Grant `client_credentials`: the app by itself. One resource, `/.default`, a real tenant, and proof. */
import { isAlias } from '../directory.ts';
import { AadstsError } from '../errors.ts';
import { required, requiredV1 } from '../parameters.ts';
import { accessTokenSeconds, type Realm } from '../realm.ts';
import { defaultScopeResource } from '../scopes.ts';
import { createExchangeToken, EXCHANGE_AUDIENCE } from '../token-exchange.ts';
import { createAppAccessToken } from '../tokens.ts';
import { checkNotCrossOrigin, type GrantRequest } from './grant-request.ts';
import { lifetimeFields } from './lifetime-fields.ts';

/** The answer has no scope, no refresh token and no id token. @throws AADSTS50059, 700016, 7000216, 1002012, 500011, 501051 */
export async function issueAppToken(realm: Realm, request: GrantRequest): Promise<Record<string, unknown>> {
  if (isAlias(request.segment)) throw new AadstsError(50059);
  checkNotCrossOrigin(request);
  if (request.proof === 'none') throw new AadstsError(7000216);
  const { app, form } = request;
  // Nobody in this tenant has consented to it yet, so it has no service principal here.
  if (!app.isInstalled)
    throw new AadstsError(700016, { clientId: app.seed.clientId, tenant: request.segment });
  const scope = request.version === 1 ? `${requiredV1(form, 'resource')}/.default` : required(form, 'scope');
  if (scope === `${EXCHANGE_AUDIENCE}/.default`) return answerExchange(realm, request);
  const resource = defaultScopeResource(app.tenant, app, scope);
  const { clientId, displayName } = app.seed;
  const isAssigned = resource.app.applicationGrants.has(clientId);
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
    ...lifetimeFields(realm, request.version, lifetimeSeconds, resource.name),
    access_token: await createAppAccessToken(realm, app, resource, request.proof, lifetimeSeconds),
  };
}

async function answerExchange(realm: Realm, request: GrantRequest): Promise<Record<string, unknown>> {
  const { app, form, version } = request;
  const { token, lifetimeSeconds } = await createExchangeToken(realm, app, form.get('fmi_path'));
  const times = lifetimeFields(realm, version, lifetimeSeconds, EXCHANGE_AUDIENCE);
  return { token_type: 'Bearer', ...times, access_token: token };
}
