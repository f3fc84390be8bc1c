/**
 * Grant `urn:ietf:params:oauth:grant-type:jwt-bearer`: an API that was called by a person calls the next one as that person.
 * The assertion is the access token it was called with, so it must be for this API, from this tenant, and a person's.
 */
import { decodeJwt, errors, jwtVerify, type JWTPayload } from 'jose';
import { type App, isAlias, type User } from '../directory.ts';
import { AadstsError, entraTimestamp } from '../errors.ts';
import { raisePersonalFault } from '../faults.ts';
import type { SignInProof } from '../grants.ts';
import { required } from '../parameters.ts';
import { issuerV1, issuerV2, type Realm } from '../realm.ts';
import { checkNotCrossOrigin, type GrantRequest } from './grant-request.ts';
import { issueToPerson } from './person-answer.ts';

/** @throws AADSTS7000218, 900144, 50027, 50013, 500131, 500133, 7000114, 50057, 50173, 65001, Conditional Access */
export async function actOnBehalf(realm: Realm, request: GrantRequest): Promise<Record<string, unknown>> {
  const { app, form, proof, version, segment } = request;
  checkNotCrossOrigin(request);
  if (proof === 'none') throw new AadstsError(7000218);
  if (isAlias(segment)) throw new AadstsError(50059);
  if (required(form, 'requested_token_use') !== 'on_behalf_of')
    throw new AadstsError(90023, { reason: 'The requested_token_use is not supported.' });
  const assertion = required(form, 'assertion');
  const scope = version === 2 ? required(form, 'scope') : `openid ${required(form, 'resource')}/.default`;
  const claims = await verifyAssertion(realm, app, assertion);
  if (app.seed.onBehalfOfAllowed === false || claims['scp'] === undefined)
    throw new AadstsError(7000114, { clientId: app.seed.clientId });
  const user = findPerson(realm, app, claims);
  return issueToPerson(realm, request, {
    ...findProof(realm, user, claims),
    user,
    client: app,
    claims: request.claims,
    platform: 'web',
    grantedScope: scope,
    clientInfo: form.get('client_info') === '1',
    isCode: false,
    isOnBehalfOf: true,
    expiresAtMs: realm.nowMs(),
  });
}

async function verifyAssertion(realm: Realm, app: App, assertion: string): Promise<JWTPayload> {
  const read = readUnverified(assertion);
  const { tenantId } = app.tenant.seed;
  const { clientId, displayName, identifierUris = [] } = app.seed;
  const audience = [clientId, ...identifierUris, ...identifierUris.map((uri) => `${uri}/`)];
  try {
    const issuer = [issuerV1(realm, tenantId), issuerV2(realm, tenantId)];
    const options = { issuer, audience, currentDate: new Date(realm.nowMs()), requiredClaims: ['exp'] };
    return (await jwtVerify(assertion, realm.keys.find, options)).payload;
  } catch (problem) {
    if (problem instanceof errors.JWTExpired) {
      const expiry = entraTimestamp((read.exp ?? 0) * 1000);
      throw new AadstsError(500133, { now: entraTimestamp(realm.nowMs()), expiry });
    }
    const claim = problem instanceof errors.JWTClaimValidationFailed ? problem.claim : undefined;
    if (claim === 'aud' || isForGraph(read)) {
      const given = [read.aud ?? ''].flat().join(' ');
      const names = { clientId, appName: displayName, expected: audience[1] ?? clientId };
      throw new AadstsError(500131, { audience: given, ...names });
    }
    const reason = claim === 'iss' ? 'The issuer is another tenant.' : 'The key was not found.';
    throw new AadstsError(50013, { reason });
  }
}

/** Graph's signature is nobody else's to check, so its audience is what Entra complains of. */
function isForGraph({ aud }: JWTPayload): boolean {
  return typeof aud === 'string' && aud.startsWith('https://graph.microsoft.com');
}

function readUnverified(assertion: string): JWTPayload {
  try {
    const claims = decodeJwt(assertion);
    if (claims.exp !== undefined && !Number.isSafeInteger(claims.exp * 1000)) throw new TypeError('no time');
    return claims;
  } catch {
    throw new AadstsError(50027, {}, { error: 'invalid_request', status: 400 });
  }
}

function findPerson(realm: Realm, app: App, claims: JWTPayload): User {
  const user = app.tenant.users.find((each) => each.seed.objectId === claims['oid']);
  if (user === undefined) throw new AadstsError(50034, { username: '', tenant: app.tenant.seed.displayName });
  const { clientId } = app.seed;
  raisePersonalFault(realm.faults, { endpoint: 'token', clientId, username: user.seed.username });
  if (!user.enabled) throw new AadstsError(50057);
  return user;
}

/** How the person signed in for the assertion: what it was issued on. A revocation since then ends it here too. */
function findProof(realm: Realm, user: User, claims: JWTPayload): SignInProof {
  const issued = realm.grants.issued.find(String(claims['uti']));
  if (issued === undefined) throw new AadstsError(50173);
  if (issued.sessionEpoch !== user.sessionEpoch) throw new AadstsError(50173);
  const { sessionId, sessionEpoch, authTimeMs, hasMfa } = issued;
  return { sessionId, sessionEpoch, authTimeMs, hasMfa };
}
