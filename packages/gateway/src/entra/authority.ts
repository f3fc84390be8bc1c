/** Entra's discovery documents: one per tenant, checked, kept for a day. */
import type { Clock } from '@valetkey/core/base/clock';
import { issuerOf } from '@valetkey/core/entra/authority';
import { z } from 'zod';
import type { CloudConfig } from '../config/config.ts';
import type { Outbound } from './outbound.ts';
import { OutboundFailed } from './outbound.ts';

/** The alias that signs in people of any organization. */
export const ORGANIZATIONS = 'organizations';

export interface AuthorityMetadata {
  /** For the browser, so with `browserAuthorityHost` where one is configured. */
  readonly authorizationEndpoint: string;
  readonly jwksUri: string;
  /** `https://<host>/<tenant>`, as MSAL wants it. */
  readonly authority: string;
  /** The document for MSAL's `authorityMetadata`: with it a new client application asks nobody anything. */
  readonly document: string;
}

/** A discovery document that must not be trusted: wrong issuer, foreign endpoints. */
export class DiscoveryRefused extends Error {
  override readonly name = 'DiscoveryRefused';
}

export interface Authorities {
  /**
   * @param tenant a tenant id or `ORGANIZATIONS`.
   * @throws OutboundFailed when Entra does not answer and no earlier document is known.
   * @throws DiscoveryRefused when the answer cannot be right.
   */
  find(tenant: string): Promise<AuthorityMetadata>;
}

export interface AuthoritiesOptions {
  readonly cloud: CloudConfig;
  readonly outbound: Outbound;
  readonly clock: Clock;
}

const freshForMs = 24 * 3600 * 1000;
/** After a failed refetch: how long the old document is used before the next attempt. */
const retryAfterMs = 60 * 1000;

interface Kept {
  readonly metadata: AuthorityMetadata;
  readonly freshUntilMs: number;
}

export function createAuthorities(options: AuthoritiesOptions): Authorities {
  const kept = new Map<string, Kept>();
  const pending = new Map<string, Promise<AuthorityMetadata>>();

  async function refresh(tenant: string, old: Kept | undefined): Promise<AuthorityMetadata> {
    try {
      const metadata = await fetchMetadata(tenant, options);
      kept.set(tenant, { metadata, freshUntilMs: options.clock.nowMs() + freshForMs });
      return metadata;
    } catch (error) {
      if (old === undefined || !(error instanceof OutboundFailed)) throw error;
      // Entra's endpoints have not moved in years; an outage of one document must not stop sign-ins.
      kept.set(tenant, { ...old, freshUntilMs: options.clock.nowMs() + retryAfterMs });
      return old.metadata;
    }
  }

  return {
    async find(tenant) {
      const old = kept.get(tenant);
      if (old !== undefined && options.clock.nowMs() < old.freshUntilMs) return old.metadata;
      const running = pending.get(tenant) ?? refresh(tenant, old).finally(() => pending.delete(tenant));
      pending.set(tenant, running);
      return running;
    },
  };
}

const documentShape = z.looseObject({
  issuer: z.string(),
  authorization_endpoint: z.url(),
  token_endpoint: z.url(),
  jwks_uri: z.url(),
});

async function fetchMetadata(
  tenant: string,
  { cloud, outbound }: AuthoritiesOptions,
): Promise<AuthorityMetadata> {
  const authority = `${cloud.authorityHost}/${tenant}`;
  const url = `${authority}/v2.0/.well-known/openid-configuration`;
  const answer = await outbound.send({ method: 'GET', url });
  if (answer.status !== 200) throw refuseStatus(answer.status, tenant, cloud);
  const parsed = documentShape.safeParse(parseJson(answer.text));
  if (!parsed.success) throw new DiscoveryRefused(`${url} is not a discovery document`);
  const document = parsed.data;
  // RFC 8414 §3.3; `organizations` answers with the literal placeholder (Entra: OIDC metadata).
  const issuer =
    tenant === ORGANIZATIONS
      ? `${cloud.authorityHost}/{tenantid}/v2.0`
      : issuerOf(cloud.authorityHost, tenant);
  if (document.issuer !== issuer) throw new DiscoveryRefused(`${url} names another issuer than ${issuer}`);
  for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const) {
    // Codes and credentials go to these URLs, and whoever serves the keys can sign in as anybody.
    if (new URL(document[name]).origin !== cloud.authorityHost) {
      throw new DiscoveryRefused(`${url}: \`${name}\` is not at ${cloud.authorityHost}`);
    }
  }
  return {
    authority,
    authorizationEndpoint: forBrowser(document.authorization_endpoint, cloud),
    jwksUri: document.jwks_uri,
    document: JSON.stringify(document),
  };
}

/** 400 is Entra's answer to an unknown tenant (AADSTS90002). */
function refuseStatus(status: number, tenant: string, cloud: CloudConfig): Error {
  if (status >= 500 || status === 429)
    return new OutboundFailed(new URL(cloud.authorityHost).host, `HTTP ${status}`);
  return new DiscoveryRefused(
    `${cloud.authorityHost} does not know tenant ${tenant} (HTTP ${status}): check the tenant id and the cloud`,
  );
}

function forBrowser(endpoint: string, cloud: CloudConfig): string {
  if (cloud.browserAuthorityHost === undefined) return endpoint;
  const { pathname, search } = new URL(endpoint);
  return `${cloud.browserAuthorityHost}${pathname}${search}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
