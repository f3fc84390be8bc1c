import { join } from 'node:path';
import { findFreePort } from '../../test/support/free-port.ts';
import { audience, issuer, type Jwts } from './jwts.ts';
import { cores } from './machine.ts';
import { start, untilListening } from './running.ts';
import { openSubject, type Subject, type Surroundings } from './subject.ts';
import { addresses } from './workload.ts';

/** See sdk-peer.mjs. */
export async function openSdkPeer({ backendPort }: Surroundings, jwts: Jwts): Promise<Subject> {
  const port = await findFreePort();
  const settings = { port, backendPort, addresses, publicPem: jwts.publicPem, issuer, audience };
  const tokens = await jwts.tokens('RS256');
  return openSubject(
    'sdk-peer',
    port,
    async () => tokens,
    async () => {
      const running = start(process.execPath, [join(import.meta.dirname, 'sdk-peer.mjs')], {
        core: cores.subject,
        env: { NODE_ENV: 'production', PEER_SETTINGS: JSON.stringify(settings) },
      });
      await untilListening(running, port);
      return running;
    },
  );
}
