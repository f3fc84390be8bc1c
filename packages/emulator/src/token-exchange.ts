/**
 * Room `token-exchange`: tokens that are credentials. `api://AzureADTokenExchange` is the audience of every token that stands
 * in for a secret; a blueprint asks for one in the name of an agent identity (`fmi_path`), and the agent identity for one
 * that signs its own user in.
 */
import { createHash, randomUUID } from 'node:crypto';
import { type App, findAppIn } from './directory.ts';
import { AadstsError } from './errors.ts';
import { issuerV2, nowSeconds, type Realm } from './realm.ts';

export const EXCHANGE_AUDIENCE = 'api://AzureADTokenExchange';
const LIFETIME_SECONDS = 3600;

/** `sub` of the token a blueprint gets for an agent identity: what the agent's own credential expects. */
export function agentSubject(tenantId: string, blueprintClientId: string, agentClientId: string): string {
  return `/eid1/c/pub/t/${tenantId}/a/${blueprintClientId}/${agentClientId}`;
}

/** @param agentClientId `fmi_path`; absent for a token in the app's own name. @throws AADSTS90023 for somebody else's agent */
export async function createExchangeToken(
  realm: Realm,
  app: App,
  agentClientId: string | null,
): Promise<{ readonly token: string; readonly lifetimeSeconds: number }> {
  const { tenantId } = app.tenant.seed;
  const now = nowSeconds(realm);
  const token = await realm.keys.sign({
    aud: EXCHANGE_AUDIENCE,
    iss: issuerV2(realm, tenantId),
    iat: now - 300,
    nbf: now - 300,
    exp: now + LIFETIME_SECONDS,
    azp: app.seed.clientId,
    oid: app.servicePrincipalId,
    sub: agentClientId === null ? app.servicePrincipalId : readAgent(realm, app, agentClientId),
    tid: tenantId,
    idtyp: 'app',
    uti: createHash('sha256').update(randomUUID()).digest('base64url').slice(0, 22),
    ver: '2.0',
  });
  return { token, lifetimeSeconds: LIFETIME_SECONDS };
}

function readAgent(realm: Realm, blueprint: App, agentClientId: string): string {
  const agent = findAppIn(realm.directory, blueprint.tenant, agentClientId);
  const { clientId } = blueprint.seed;
  if (agent?.seed.agentIdentity?.blueprintClientId !== clientId)
    throw new AadstsError(90023, {
      reason: `The fmi_path '${agentClientId}' names no agent identity of '${clientId}'.`,
    });
  return agentSubject(blueprint.tenant.seed.tenantId, clientId, agent.seed.clientId);
}
