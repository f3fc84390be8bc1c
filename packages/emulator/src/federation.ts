/**
 * Federated client credentials: a token of a managed identity or of another issuer stands in for the app's secret.
 * Issuer, subject and audience are compared exactly; each mismatch has its own code, which is what operators search for.
 */
import {
  createLocalJWKSet,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import type { App } from './directory.ts';
import { AadstsError } from './errors.ts';
import { judgeJwt } from './judge-jwt.ts';
import { clusterIssuer, findClusterKeys } from './managed-identity/workload-identity.ts';
import { issuerV2, type Realm } from './realm.ts';
import type { FederatedCredential } from './seed.ts';
import { agentSubject, EXCHANGE_AUDIENCE } from './token-exchange.ts';

const CLOCK_SKEW_SECONDS = 300;

/** @throws AADSTS700211 (issuer), 700213 (subject), 700212 (audience), 700229 (a person's token), 700024, 700027 */
export async function verifyFederatedAssertion(
  realm: Realm,
  app: App,
  assertion: string,
  claims: JWTPayload,
): Promise<void> {
  const own = issuerV2(realm, app.tenant.seed.tenantId);
  const credential = findCredential(realm, app, claims, own);
  if (claims.iss === own && claims['scp'] !== undefined) throw new AadstsError(700229);
  await judgeJwt(realm, () =>
    jwtVerify(assertion, findKeys(realm, credential, own), {
      issuer: claims.iss ?? '',
      requiredClaims: ['exp'],
      clockTolerance: CLOCK_SKEW_SECONDS,
      currentDate: new Date(realm.nowMs()),
    }),
  );
}

function findCredential(realm: Realm, app: App, claims: JWTPayload, own: string): FederatedCredential {
  const ofIssuer = [...app.federatedCredentials, ...agentCredential(app)].filter(
    (each) => issuerOf(realm, each, own) === claims.iss,
  );
  if (ofIssuer.length === 0) throw new AadstsError(700211, { issuer: claims.iss ?? '' });
  const ofSubject = ofIssuer.filter((each) => each.subject === claims.sub);
  if (ofSubject.length === 0) throw new AadstsError(700213, { subject: claims.sub ?? '' });
  const audiences = [claims.aud ?? []].flat();
  const found = ofSubject.find((each) => audiences.includes(each.audience));
  if (found === undefined) throw new AadstsError(700212, { audience: audiences.join(' ') });
  return found;
}

/** An agent identity accepts its blueprint's word for it; nobody has to write that down. */
function agentCredential(app: App): readonly FederatedCredential[] {
  const { agentIdentity, clientId } = app.seed;
  if (agentIdentity === undefined) return [];
  const subject = agentSubject(app.tenant.seed.tenantId, agentIdentity.blueprintClientId, clientId);
  return [{ issuer: '{issuer}', subject, audience: EXCHANGE_AUDIENCE }];
}

function issuerOf(realm: Realm, credential: FederatedCredential, own: string): string {
  return credential.issuer.replace('{issuer}', own).replace('{cluster}', clusterIssuer(realm));
}

/** Foreign keys come with the credential; nothing is fetched. */
function findKeys(realm: Realm, credential: FederatedCredential, own: string): JWTVerifyGetKey {
  const issuer = issuerOf(realm, credential, own);
  if (issuer === own) return realm.keys.find;
  if (issuer === clusterIssuer(realm)) return findClusterKeys(realm);
  return createLocalJWKSet((credential.jwks ?? { keys: [] }) as unknown as JSONWebKeySet);
}
