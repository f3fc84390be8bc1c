/**
 * An authority for tests of what the emulator rightly never does: sign wrongly, answer for another person, break.
 * It stands where the network would be; everything above it is real.
 */
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import type { Outbound, OutboundRequest, OutboundResponse } from './outbound.ts';

export const HOST = 'https://login.fake.example';
export const TENANT = '8f5c0000-0000-4000-8000-000000000001';
export const OTHER_TENANT = '8f5c0000-0000-4000-8000-000000000002';
export const PERSON = '10000000-0000-4000-8000-000000000001';
export const CLIENT = '31b20000-0000-4000-8000-000000000001';

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object | string;
}

export interface FakeAuthority {
  readonly outbound: Outbound;
  /** All requests so far. */
  readonly requests: OutboundRequest[];
  /** Id token of the fake person; `claims` overrides, undefined removes. */
  sign(claims?: Readonly<Record<string, unknown>>, header?: { alg?: string; kid?: string }): Promise<string>;
  /** Decides the answer of the next token requests. */
  onToken(answer: (form: URLSearchParams) => Promise<Answer>): void;
  /** Decides the answer to any URL that contains `part`; undefined ends it. */
  override(part: string, answer: (() => Answer) | undefined): void;
  /** New signing key, as Entra rotates them: without notice. */
  rotate(kid: string): Promise<void>;
}

export async function startFakeAuthority(clock: Clock): Promise<FakeAuthority> {
  let key = { kid: 'k1', pair: await generateKeyPair('RS256', { extractable: true }) };
  const requests: OutboundRequest[] = [];
  const overrides = new Map<string, () => Answer>();

  const sign: FakeAuthority['sign'] = (claims = {}, header = {}) => {
    const now = nowSeconds(clock);
    const tid = typeof claims['tid'] === 'string' ? claims['tid'] : TENANT;
    const payload = {
      iss: `${HOST}/${tid}/v2.0`,
      aud: CLIENT,
      sub: 'pairwise',
      tid,
      oid: PERSON,
      name: 'Rita Reader',
      preferred_username: 'rita@fake.example',
      roles: ['Snippets.Reader'],
      iat: now,
      nbf: now,
      exp: now + 3600,
      ver: '2.0',
      ...claims,
    };
    const kept = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined));
    const alg = header.alg ?? 'RS256';
    const secret = alg === 'RS256' ? key.pair.privateKey : new TextEncoder().encode('x'.repeat(64));
    return new SignJWT(kept).setProtectedHeader({ alg, kid: header.kid ?? key.kid, typ: 'JWT' }).sign(secret);
  };

  let tokenAnswer = async (form: URLSearchParams): Promise<Answer> =>
    tokens(await sign({ nonce: form.get('code') ?? undefined }));

  async function answer(request: OutboundRequest): Promise<Answer> {
    const { pathname } = new URL(request.url);
    for (const [part, overridden] of overrides) if (request.url.includes(part)) return overridden();
    if (pathname.endsWith('/openid-configuration'))
      return { body: discoveryOf(pathname.split('/')[1] ?? '') };
    if (pathname.endsWith('/keys')) {
      const jwk = await exportJWK(key.pair.publicKey);
      return { body: { keys: [{ ...jwk, kid: key.kid, use: 'sig', alg: 'RS256' }] } };
    }
    if (pathname.endsWith('/token')) return tokenAnswer(new URLSearchParams(request.body));
    return { status: 404, body: 'no such page' };
  }

  return {
    requests,
    sign,
    onToken(next) {
      tokenAnswer = next;
    },
    override(part, next) {
      if (next === undefined) overrides.delete(part);
      else overrides.set(part, next);
    },
    async rotate(kid) {
      key = { kid, pair: await generateKeyPair('RS256', { extractable: true }) };
    },
    outbound: {
      async send(request): Promise<OutboundResponse> {
        requests.push(request);
        const { status = 200, headers = {}, body } = await answer(request);
        return { status, headers, text: typeof body === 'string' ? body : JSON.stringify(body) };
      },
      close: async () => {},
    },
  };
}

/** A whole answer of the token endpoint. In these tests the code is the nonce, so that an answer can follow it. */
export function tokens(idToken: string, more: object = {}): Answer {
  const clientInfo = Buffer.from(JSON.stringify({ uid: PERSON, utid: TENANT })).toString('base64url');
  return {
    body: {
      token_type: 'Bearer',
      scope: 'openid profile offline_access',
      expires_in: 3600,
      ext_expires_in: 3600,
      access_token: 'upstream-access-token',
      refresh_token: 'upstream-refresh-token',
      id_token: idToken,
      client_info: clientInfo,
      ...more,
    },
  };
}

export function discoveryOf(tenant: string) {
  const base = `${HOST}/${tenant}`;
  return {
    issuer: tenant === 'organizations' ? `${HOST}/{tenantid}/v2.0` : `${base}/v2.0`,
    authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
    token_endpoint: `${base}/oauth2/v2.0/token`,
    jwks_uri: `${base}/discovery/v2.0/keys`,
  };
}
