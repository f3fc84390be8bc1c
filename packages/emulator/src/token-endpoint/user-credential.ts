/**
 * Grant `user_fic`: an agent identity signs in the user account that is its own, with a token of itself instead of a password.
 * The third leg of three: blueprint → agent identity → its user.
 */
import { randomUUID } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import { findAmong, type User } from '../directory.ts';
import { AadstsError } from '../errors.ts';
import { required } from '../parameters.ts';
import { issuerV2, type Realm } from '../realm.ts';
import { EXCHANGE_AUDIENCE } from '../token-exchange.ts';
import { type GrantRequest, checkNotCrossOrigin } from './grant-request.ts';
import { issueToPerson } from './person-answer.ts';

/** @throws AADSTS7000218, 900144, 50013, 500131, 7000114 for an app that is no agent, 50034 for a user that is no agent's */
export async function signInAgentUser(realm: Realm, request: GrantRequest): Promise<Record<string, unknown>> {
  const { app, form, proof } = request;
  checkNotCrossOrigin(request);
  if (proof === 'none') throw new AadstsError(7000218);
  if (app.seed.agentIdentity === undefined) throw new AadstsError(7000114, { clientId: app.seed.clientId });
  await verifyCredential(realm, request, required(form, 'user_federated_identity_credential'));
  const user = findAgentUser(request);
  if (!user.enabled) throw new AadstsError(50057);
  return issueToPerson(realm, request, {
    user,
    client: app,
    sessionId: randomUUID(),
    sessionEpoch: user.sessionEpoch,
    authTimeMs: realm.nowMs(),
    hasMfa: false,
    claims: request.claims,
    platform: 'web',
    grantedScope: required(form, 'scope'),
    clientInfo: form.get('client_info') === '1',
    isCode: false,
    expiresAtMs: realm.nowMs(),
  });
}

async function verifyCredential(realm: Realm, { app }: GrantRequest, token: string): Promise<void> {
  try {
    await jwtVerify(token, realm.keys.find, {
      issuer: issuerV2(realm, app.tenant.seed.tenantId),
      audience: EXCHANGE_AUDIENCE,
      subject: app.servicePrincipalId,
      currentDate: new Date(realm.nowMs()),
      requiredClaims: ['exp'],
    });
  } catch (problem) {
    const claim = problem instanceof errors.JWTClaimValidationFailed ? problem.claim : undefined;
    const { clientId, displayName } = app.seed;
    if (claim === 'aud')
      throw new AadstsError(500131, { expected: EXCHANGE_AUDIENCE, clientId, appName: displayName });
    throw new AadstsError(50013, { reason: 'The token is not the agent identity’s own.' });
  }
}

function findAgentUser({ app, form }: GrantRequest): User {
  const objectId = form.get('user_id');
  const username = objectId ?? required(form, 'username');
  const agents = app.tenant.users.filter((each) => each.seed.isAgent);
  const user =
    objectId === null ? findAmong(agents, username) : agents.find((each) => each.seed.objectId === objectId);
  if (user === undefined) throw new AadstsError(50034, { username, tenant: app.tenant.seed.displayName });
  return user;
}
