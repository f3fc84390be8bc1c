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
import { issuerV2, type Realm } from './realm.ts';
import type { FederatedCredential } from './seed.ts';

const CLOCK_SKEW_SECONDS = 300;

/** @throws AADSTS700211 (issuer), 700213 (subject), 700212 (audience), 700229 (a person's token), 700024, 700027 */
export async function verifyFederatedAssertion(
  realm: Realm,
  app: App,
  assertion: string,
  claims: JWTPayload,
): Promise<void> {
  const own = issuerV2(realm, app.tenant.seed.tenantId);
  const credential = findCredential(app, claims, own);
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

function findCredential(app: App, claims: JWTPayload, own: string): FederatedCredential {
  const ofIssuer = app.federatedCredentials.filter(
    (each) => each.issuer.replace('{issuer}', own) === claims.iss,
  );
  if (ofIssuer.length === 0) throw new AadstsError(700211, { issuer: claims.iss ?? '' });
  const ofSubject = ofIssuer.filter((each) => each.subject === claims.sub);
  if (ofSubject.length === 0) throw new AadstsError(700213, { subject: claims.sub ?? '' });
  const audiences = [claims.aud ?? []].flat();
  const found = ofSubject.find((each) => audiences.includes(each.audience));
  if (found === undefined) throw new AadstsError(700212, { audience: audiences.join(' ') });
  return found;
}

/** Foreign keys come with the credential; nothing is fetched. */
function findKeys(realm: Realm, credential: FederatedCredential, own: string): JWTVerifyGetKey {
  if (credential.issuer.replace('{issuer}', own) === own) return realm.keys.find;
  return createLocalJWKSet((credential.jwks ?? { keys: [] }) as unknown as JSONWebKeySet);
}
