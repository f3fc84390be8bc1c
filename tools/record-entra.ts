/**
 * Catches: an emulator that drifts from the real Entra ID. Whoever has a tenant records how it answers (harmless requests, see
 * entra-probes.ts), redacted so that nothing of the tenant is left; anybody then compares that with the emulator.
 *
 *   node tools/record-entra.ts --tenant T --client-id ID [--redirect-uri URI] [--authority URL] [--graph URL] --out DIR
 *   node tools/record-entra.ts --compare DIR
 *
 * ENTRA_CLIENT_SECRET and ENTRA_USER_TOKEN (a Graph token) add the requests that need them. Read what was written before you
 * share it.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  CONTOSO_TENANT_ID,
  createEmulator,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
} from '@valetkey/entra-emulator';
import { probes, type Target } from './entra-probes.ts';
import { canAsk, compareRecordings, record, type Recording } from './recordings.ts';
import { finish } from './verdict.ts';

/** The emulator as the target of the probes. Over http: the requests are the same, and no certificate is needed. */
export function targetOf(emulator: Emulator, userToken?: string): Target {
  return {
    authority: emulator.httpOrigin,
    graph: emulator.httpOrigin,
    aliases: [emulator.httpsOrigin],
    tenant: CONTOSO_TENANT_ID,
    clientId: GATEWAY_CLIENT_ID,
    clientSecret: GATEWAY_CLIENT_SECRET,
    redirectUri: 'http://localhost/auth/callback',
    userToken,
  };
}

/** Asks every probe that the target has the means for, one after the other: a tenant is not a load test. */
export async function recordAll(target: Target): Promise<Recording[]> {
  const recordings: Recording[] = [];
  for (const probe of probes.filter((each) => canAsk(each, target)))
    recordings.push(await record(probe, target));
  return recordings;
}

const fileOf = (probe: string) => `${probe.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase()}.json`;

export function writeRecordings(folder: string, recordings: readonly Recording[]): void {
  mkdirSync(folder, { recursive: true });
  for (const recording of recordings)
    writeFileSync(join(folder, fileOf(recording.probe)), `${JSON.stringify(recording, null, 2)}\n`);
}

/** Every recording in the folder against the emulator's answer to the same probe. */
export function compareFolder(folder: string, emulated: readonly Recording[]): string[] {
  const real = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .toSorted()
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Recording);
  if (real.length === 0) return [`${folder} holds no recording`];
  return real.flatMap((recording) => {
    const twin = emulated.find((each) => each.probe === recording.probe);
    return twin === undefined
      ? [`${recording.probe}: the emulator was not asked this`]
      : compareRecordings(recording, twin);
  });
}

async function compare(folder: string): Promise<void> {
  const emulator = await createEmulator();
  try {
    finish('record-entra', compareFolder(folder, await recordAll(targetOf(emulator))));
  } finally {
    await emulator.close();
  }
}

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      tenant: { type: 'string' },
      'client-id': { type: 'string' },
      'redirect-uri': { type: 'string', default: 'http://localhost' },
      authority: { type: 'string', default: 'https://login.microsoftonline.com' },
      graph: { type: 'string', default: 'https://graph.microsoft.com' },
      out: { type: 'string' },
      compare: { type: 'string' },
    },
  });
  if (values.compare !== undefined) return compare(values.compare);
  const { tenant, 'client-id': clientId, out } = values;
  if (tenant === undefined || clientId === undefined || out === undefined)
    return finish('record-entra', ['give --tenant, --client-id and --out, or --compare DIR']);
  const recordings = await recordAll({
    authority: new URL(values.authority).origin,
    graph: new URL(values.graph).origin,
    aliases: ['https://sts.windows.net', 'https://login.windows.net'],
    tenant,
    clientId,
    redirectUri: values['redirect-uri'],
    clientSecret: process.env['ENTRA_CLIENT_SECRET'],
    userToken: process.env['ENTRA_USER_TOKEN'],
  });
  writeRecordings(out, recordings);
  console.log(`${recordings.length} recordings in ${out}. Read them before you share them.`);
}

if (import.meta.main) await main(process.argv.slice(2));
