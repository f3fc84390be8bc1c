import type { Choice } from '@valetkey/gateway/administration';
import { administer, printTable, timeOf } from '../administer.ts';
import { parseOptions } from '../command-line.ts';
import { UsageFault } from '../usage-fault.ts';

const options = {
  config: { type: 'string' },
  person: { type: 'string' },
  client: { type: 'string' },
  session: { type: 'string' },
  all: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

/** `valetkey sessions list|revoke`. */
export async function sessions(args: string[]): Promise<number> {
  const [step, ...rest] = args;
  if (step !== 'list' && step !== 'revoke') throw new UsageFault('sessions takes list or revoke');
  const { config, all, json, ...chosen } = parseOptions(rest, options);
  const choice: Choice = chosen;
  if (step === 'revoke' && Object.keys(chosen).length === 0 && !all) {
    throw new UsageFault('sessions revoke needs --person, --client or --session; or --all for everybody');
  }
  return administer('sessions', config, async (administration) => {
    const found = await administration.sessions[step](choice);
    if (json) {
      process.stdout.write(`${JSON.stringify(found)}\n`);
      return 0;
    }
    printTable([
      ['session', 'person', 'client', 'signed in', 'confirmed by Entra'],
      ...found.map((session) => [
        session.id,
        session.username ?? session.objectId,
        session.clientId,
        timeOf(session.createdAtSeconds),
        timeOf(session.verifiedAtSeconds),
      ]),
    ]);
    if (step === 'revoke') process.stdout.write(`${found.length} revoked\n`);
    return 0;
  });
}
