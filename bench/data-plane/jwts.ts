/** Keys and tokens of the subjects that verify a JWT: what an authorization server would issue to the same person. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { callers } from './workload.ts';

export const issuer = 'https://login.contoso.example';
export const audience = 'https://mcp.contoso.example';
const hour = 3600;

export type Algorithm = 'RS256' | 'HS256';

export interface Jwts {
  readonly publicPem: string;
  readonly secret: string;
  tokens(algorithm: Algorithm): Promise<string[]>;
}

export function createJwts(): Jwts {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const secret = randomBytes(32).toString('base64url');
  return {
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    secret,
    tokens: (algorithm) =>
      Promise.all(
        Array.from({ length: callers }, (_each, index) =>
          new SignJWT({
            client_id: 'client',
            scope: 'call.use',
            tid: randomBytes(16).toString('hex'),
            oid: randomBytes(16).toString('hex'),
            sid: randomBytes(16).toString('base64url'),
            roles: ['Snippets.Reader', 'Snippets.Writer'],
            preferred_username: `person${index}@contoso.example`,
          })
            .setProtectedHeader({ alg: algorithm, typ: 'at+jwt', kid: 'k1' })
            .setIssuer(issuer)
            .setAudience(audience)
            .setSubject(`person-${index}`)
            .setJti(randomBytes(16).toString('base64url'))
            .setIssuedAt()
            .setExpirationTime(Math.floor(Date.now() / 1000) + 6 * hour)
            .sign(algorithm === 'RS256' ? privateKey : Buffer.from(secret)),
        ),
      ),
  };
}
