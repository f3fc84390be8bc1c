import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { createKeyRing, type KeyRingFile, stageKeys, useStagedKeys } from '@valetkey/core/crypto/key-ring';
import type { Config } from '@valetkey/gateway/config/config';
import type { Administration } from '@valetkey/gateway/administration';
import { administer, fail, printTable, timeOf } from '../administer.ts';
import { parseOptions } from '../command-line.ts';
import { UsageFault } from '../usage-fault.ts';

const options = {
  config: { type: 'string' },
  step: { type: 'string' },
  wait: { type: 'string', default: '5' },
} as const;

const steps = ['list', 'rotate', 'prune', 'new'];

/** `valetkey keys list|rotate|prune|new`. */
export async function keys(args: string[]): Promise<number> {
  const [verb = '', ...rest] = args;
  if (!steps.includes(verb)) throw new UsageFault(`keys takes ${steps.join(', ')}`);
  if (verb === 'new') {
    parseOptions(rest, {});
    const ring = createKeyRing((size) => randomBytes(size), Math.floor(Date.now() / 1000));
    process.stdout.write(`${JSON.stringify(ring)}\n`);
    return 0;
  }
  const { config, step, wait: seconds } = parseOptions(rest, options);
  if (step !== undefined && step !== 'stage' && step !== 'use')
    throw new UsageFault('--step takes stage or use');
  const waitSeconds = Number(seconds);
  if (!/^\d+$/.test(seconds) || waitSeconds > 3600) throw new UsageFault('--wait takes seconds, 0 to 3600');
  return administer(`keys ${verb}`, config, async (administration, { keys: kept }) => {
    if (verb === 'rotate' && kept.kind === 'environment') return printRotated(kept, step);
    if (verb === 'list') return list(administration);
    return verb === 'prune' ? prune(administration) : rotate(administration, step, waitSeconds);
  });
}

async function list({ keys: ring }: Administration): Promise<number> {
  const report = await ring.list();
  if (!report.ok) return fail(report.error);
  printTable([
    ['key', 'made', 'records', ''],
    ...report.value.map(({ kid, createdAtSeconds, records, isCurrent }) => [
      kid,
      timeOf(createdAtSeconds),
      String(records),
      isCurrent ? 'in use' : '',
    ]),
  ]);
  return 0;
}

/** The variable is the operator's to set: what it should hold is printed, one step at a time. */
function printRotated(
  { json, variable }: Extract<Config['keys'], { kind: 'environment' }>,
  step: 'stage' | 'use' | undefined,
): number {
  if (step === undefined)
    return fail({
      problem: `the key ring is in the variable ${variable}, which is set where the gateway is started`,
      remedy:
        'Print it with --step stage and restart the replicas with it one by one; then do the same with --step use.',
    });
  const now = Math.floor(Date.now() / 1000);
  // The configuration was checked: it is a ring.
  const ring = JSON.parse(json.reveal()) as KeyRingFile;
  const next = step === 'use' ? useStagedKeys(ring, now) : stageKeys(ring, (size) => randomBytes(size), now);
  process.stdout.write(`${JSON.stringify(next)}\n`);
  return 0;
}

/** Two steps with a wait between them: a replica that does not know a key cannot open what another one sealed with it. */
async function rotate(
  { keys: ring }: Administration,
  step: 'stage' | 'use' | undefined,
  waitSeconds: number,
): Promise<number> {
  if (step !== 'use') {
    const staged = await ring.stage();
    if (!staged.ok) return fail(staged.error);
    process.stdout.write(`staged ${staged.value}\n`);
    if (step === 'stage') return 0;
    await wait(waitSeconds * 1000);
  }
  const used = await ring.use();
  if (!used.ok) return fail(used.error);
  process.stdout.write(`in use ${used.value}\n`);
  return 0;
}

async function prune({ keys: ring }: Administration): Promise<number> {
  const pruned = await ring.prune();
  if (!pruned.ok) return fail(pruned.error);
  process.stdout.write(
    pruned.value.length === 0 ? 'nothing to remove\n' : `removed ${pruned.value.join(' ')}\n`,
  );
  return 0;
}
