import { join } from 'node:path';
import { openGateway, type GatewayOptions, type MeasuredGateway } from './gateway.ts';
import { openHaproxy } from './haproxy.ts';
import { createJwts } from './jwts.ts';
import { cores } from './machine.ts';
import { openNginx } from './nginx.ts';
import { pause, type Running, start } from './running.ts';
import { openSdkPeer } from './sdk-peer.ts';
import { type Subject, type SubjectName, subjectNames } from './subject.ts';
import { addresses } from './workload.ts';

export interface Subjects {
  /** In the order of `subjectNames`. */
  readonly subjects: readonly Subject[];
  readonly gateway: MeasuredGateway | undefined;
  close(): Promise<void>;
}

/** Starts the backend and the subjects that are wanted. Those that verify nothing are sent the gateway's tokens: the same bytes. */
export async function openSubjects(
  directory: string,
  wanted: readonly string[],
  backendCommand: string,
  options: GatewayOptions,
): Promise<Subjects> {
  const unknown = wanted.find((name) => !(subjectNames as readonly string[]).includes(name));
  if (unknown !== undefined) throw new Error(`--subjects: ${unknown} is none of ${subjectNames.join(', ')}`);
  const backend = start(backendCommand, ['0', ...Object.entries(addresses).flat()], { core: cores.backend });
  while (!backend.said().includes('\n')) await pause(10);
  const backendPort = Number(backend.said());
  const jwts = createJwts();
  const at = (name: string) => ({ backendPort, directory: join(directory, name) });
  const gateway = wanted.includes('gateway') ? await openGateway(at('gateway'), options) : undefined;
  const plainTokens: Subject['tokens'] = async (address) =>
    gateway === undefined ? jwts.tokens('RS256') : gateway.tokens(address);
  const open: Readonly<Record<SubjectName, () => Promise<Subject | undefined>>> = {
    direct: async () => openDirect(backend, backendPort, plainTokens),
    nginx: () => openNginx(at('nginx'), plainTokens),
    haproxy: () => openHaproxy(at('haproxy'), plainTokens),
    'haproxy-rs256': () => openHaproxy(at('haproxy-rs256'), plainTokens, { algorithm: 'RS256', jwts }),
    'haproxy-hs256': () => openHaproxy(at('haproxy-hs256'), plainTokens, { algorithm: 'HS256', jwts }),
    'sdk-peer': () => openSdkPeer(at('sdk-peer'), jwts),
    gateway: async () => gateway,
  };
  const subjects: Subject[] = [];
  for (const name of subjectNames.filter((each) => wanted.includes(each))) {
    const subject = await open[name]();
    if (subject !== undefined) subjects.push(subject);
  }
  return {
    subjects,
    gateway,
    async close() {
      for (const subject of subjects) await subject.close();
      await backend.stop();
    },
  };
}

/** The backend knows the addresses of the subjects too. */
function openDirect(running: Running, port: number, tokens: Subject['tokens']): Subject {
  return {
    name: 'direct',
    port,
    tokens,
    running: () => running,
    restart: async () => {},
    close: async () => {},
  };
}
