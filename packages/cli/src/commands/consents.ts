import { administer, printTable, timeOf } from '../administer.ts';
import { parseOptions } from '../command-line.ts';
import { UsageFault } from '../usage-fault.ts';

const options = {
  config: { type: 'string' },
  person: { type: 'string' },
  client: { type: 'string' },
  all: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

/** `valetkey consents list|revoke`. Taking a consent back asks the person again; it ends no session. */
export async function consents(args: string[]): Promise<number> {
  const [step, ...rest] = args;
  if (step !== 'list' && step !== 'revoke') throw new UsageFault('consents takes list or revoke');
  const { config, all, json, ...choice } = parseOptions(rest, options);
  if (step === 'revoke' && Object.keys(choice).length === 0 && !all) {
    throw new UsageFault('consents revoke needs --person or --client; or --all for everybody');
  }
  return administer('consents', config, async (administration) => {
    const found = await administration.consents[step](choice);
    if (json) {
      process.stdout.write(`${JSON.stringify(found)}\n`);
      return 0;
    }
    printTable([
      ['person', 'client', 'redirect', 'scopes', 'until'],
      ...found.map((consent) => [
        consent.person,
        consent.clientId,
        consent.redirectUri,
        consent.outcome === 'allowed' ? consent.scopes.join(' ') : '(denied)',
        timeOf(consent.expiresAtSeconds),
      ]),
    ]);
    if (step === 'revoke') process.stdout.write(`${found.length} revoked\n`);
    return 0;
  });
}
