/** The tokens of a managed identity: app-only, `sub` = `oid` = its principal id, good for a day. */
import { randomBytes } from 'node:crypto';
import type { App, Tenant } from '../directory.ts';
import { issuerV1, issuerV2, nowSeconds, type Realm } from '../realm.ts';
import { GRAPH_CLIENT_ID, type ManagedIdentitySeed } from '../seed.ts';
import { signForGraph } from '../tokens.ts';

const LIFETIME_SECONDS = 86_400;
const BACKDATED_SECONDS = 300;
/** What a federated credential of an app accepts; one name per cloud. */
const TOKEN_EXCHANGE = /^api:\/\/AzureADTokenExchange(?:USGov|China)?$/;

export interface IssuedIdentityToken {
  readonly token: string;
  readonly issuedAtSeconds: number;
  readonly expiresAtSeconds: number;
}

/** @returns undefined when the tenant has no such resource */
export async function createManagedIdentityToken(
  realm: Realm,
  tenant: Tenant,
  identity: ManagedIdentitySeed,
  resource: string,
): Promise<IssuedIdentityToken | undefined> {
  const app = findResource(tenant, resource);
  const isExchange = TOKEN_EXCHANGE.test(resource);
  if (app === undefined && !isExchange) return undefined;
  const now = nowSeconds(realm);
  const expiresAtSeconds = now + (realm.settings.accessTokenLifetimeSeconds ?? LIFETIME_SECONDS);
  const common = {
    iat: now - BACKDATED_SECONDS,
    nbf: now - BACKDATED_SECONDS,
    exp: expiresAtSeconds,
    aio: randomBytes(32).toString('base64url'),
    oid: identity.principalId,
    rh: `1.${randomBytes(16).toString('hex')}.`,
    sub: identity.principalId,
    tid: tenant.seed.tenantId,
    uti: randomBytes(16).toString('base64url'),
    ...rolesOf(app, identity),
  };
  const isV2 = isExchange || app?.seed.accessTokenVersion === 2;
  const claims = isV2
    ? { ...v2Claims(realm, tenant, identity, app?.seed.clientId ?? resource), ...common, ...idtyp(app) }
    : { ...v1Claims(realm, tenant, identity, resource), ...common };
  const isGraph = app?.seed.clientId === GRAPH_CLIENT_ID;
  const token = isGraph ? await signForGraph(realm, claims) : await realm.keys.sign(claims);
  return { token, issuedAtSeconds: now, expiresAtSeconds };
}

/** By App ID URI, with or without the slash at its end, or by client id: these doors are less strict than the token endpoint. */
function findResource(tenant: Tenant, resource: string): App | undefined {
  const bare = (text: string) => text.toLowerCase().replace(/\/$/, '');
  const wanted = bare(resource);
  return tenant.apps.find(
    ({ seed }) => seed.clientId === wanted || (seed.identifierUris ?? []).some((uri) => bare(uri) === wanted),
  );
}

function rolesOf(app: App | undefined, identity: ManagedIdentitySeed): Record<string, unknown> {
  const roles = app?.applicationGrants.get(identity.clientId) ?? [];
  return roles.length === 0 ? {} : { roles };
}

function idtyp(app: App | undefined): Record<string, unknown> {
  return app?.seed.idtypClaim ? { idtyp: 'app' } : {};
}

function v2Claims(realm: Realm, tenant: Tenant, identity: ManagedIdentitySeed, audience: string) {
  const issuer = issuerV2(realm, tenant.seed.tenantId);
  return { aud: audience, iss: issuer, azp: identity.clientId, azpacr: '2', ver: '2.0' };
}

function v1Claims(realm: Realm, tenant: Tenant, identity: ManagedIdentitySeed, audience: string) {
  const issuer = issuerV1(realm, tenant.seed.tenantId);
  return {
    aud: audience,
    iss: issuer,
    appid: identity.clientId,
    appidacr: '2',
    idp: issuer,
    idtyp: 'app',
    ver: '1.0',
    xms_mirid: identity.resourceId,
  };
}
