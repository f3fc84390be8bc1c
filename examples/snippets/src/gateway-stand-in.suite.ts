/** For tests: publishes a key set over HTTP and signs identity headers as the gateway does. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

export const issuer = 'https://mcp.contoso.test';
export const audience = 'https://mcp.contoso.test/snippets/mcp';

export interface GatewayStandIn {
  readonly jwksUrl: string;
  sign(claims: JWTPayload, header?: { typ?: string; kid?: string }): Promise<string>;
  identityOf(person: string): Promise<string>;
  /** A new key signs from now on; the old one stays published. */
  rotate(kid: string): Promise<void>;
  /** How often the key set was fetched. */
  readonly fetches: () => number;
  close(): Promise<void>;
}

export async function startGatewayStandIn(): Promise<GatewayStandIn> {
  const published: JWK[] = [];
  const state = { kid: '', privateKey: new Uint8Array() as CryptoKey | Uint8Array, fetches: 0 };
  const rotate = async (kid: string) => {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    published.push({ ...(await exportJWK(publicKey)), kid, alg: 'ES256' });
    Object.assign(state, { kid, privateKey });
  };
  await rotate('k1');
  const server = createServer((_req, res) => {
    state.fetches += 1;
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: published }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sign: GatewayStandIn['sign'] = (claims, header) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', kid: state.kid, typ: 'valetkey-identity+jwt', ...header })
      .sign(state.privateKey);
  return {
    jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    sign,
    identityOf: (person) => sign(claimsOf(person)),
    rotate,
    fetches: () => state.fetches,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function claimsOf(person: string): JWTPayload {
  const now = Math.floor(Date.now() / 1000);
  return { iss: issuer, aud: audience, sub: person, iat: now, exp: now + 300 };
}
