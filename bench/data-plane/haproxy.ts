/** HAProxy on one thread: plain, or with the JWT verification that its documentation shows. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findFreePort } from '../../test/support/free-port.ts';
import { type Algorithm, audience, issuer, type Jwts } from './jwts.ts';
import { cores } from './machine.ts';
import { start, untilListening } from './running.ts';
import { openSubject, type Subject, type Surroundings } from './subject.ts';
import { addresses } from './workload.ts';

export async function openHaproxy(
  surroundings: Surroundings,
  plainTokens: Subject['tokens'],
  verifying?: { readonly algorithm: Algorithm; readonly jwts: Jwts },
): Promise<Subject> {
  const port = await findFreePort();
  const { directory } = surroundings;
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'haproxy.cfg');
  const keyFile = join(directory, 'public.pem');
  if (verifying !== undefined) writeFileSync(keyFile, verifying.jwts.publicPem);
  const key = verifying?.algorithm === 'HS256' ? verifying.jwts.secret : keyFile;
  const rules = verifying === undefined ? '' : verification(verifying.algorithm, key);
  writeFileSync(file, configuration(port, surroundings, rules));
  const tokens = await verifying?.jwts.tokens(verifying.algorithm);
  const name =
    verifying === undefined ? 'haproxy' : verifying.algorithm === 'RS256' ? 'haproxy-rs256' : 'haproxy-hs256';
  return openSubject(name, port, tokens === undefined ? plainTokens : async () => tokens, async () => {
    const running = start('haproxy', ['-db', '-f', file], { core: cores.subject });
    await untilListening(running, port);
    return running;
  });
}

function verification(algorithm: Algorithm, key: string): string {
  const refuse = 'http-request deny deny_status 401 if';
  return `
  http-request set-var(txn.token) http_auth_bearer
  http-request set-var(txn.alg) var(txn.token),jwt_header_query('$.alg')
  http-request set-var(txn.iss) var(txn.token),jwt_payload_query('$.iss')
  http-request set-var(txn.aud) var(txn.token),jwt_payload_query('$.aud')
  http-request set-var(txn.exp) var(txn.token),jwt_payload_query('$.exp','int')
  http-request set-var(txn.now) date()
  ${refuse} ! { var(txn.token) -m found }
  ${refuse} ! { var(txn.alg) -m str ${algorithm} }
  ${refuse} ! { var(txn.iss) -m str ${issuer} }
  ${refuse} ! { var(txn.aud) -m str ${audience} }
  ${refuse} { var(txn.exp),sub(txn.now) -m int lt 0 }
  ${refuse} ! { var(txn.token),jwt_verify(txn.alg,"${key}") -m int 1 }
`;
}

function configuration(port: number, { backendPort }: Surroundings, rules: string): string {
  const paths = Object.entries(addresses).map(
    ([address, target]) => `  http-request set-path ${target} if { path ${address} }`,
  );
  return `
global
  nbthread 1
  maxconn 9900
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h
  http-reuse always
  option http-no-delay
frontend front
  bind 127.0.0.1:${port} backlog 4096
${rules}${paths.join('\n')}
  default_backend back
backend back
  server one 127.0.0.1:${backendPort} pool-max-conn -1 pool-purge-delay 1h
`;
}
