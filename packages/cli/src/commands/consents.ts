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
    if (step === 'revoke' && found.length === 0 && choice.person?.includes('@')) warnOfName();
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

/** Consents are kept by object id; who is called what is known of sessions only. */
function warnOfName(): void {
  const problem = 'no consent was found by that user name';
  const remedy =
    'A name is known only while its person has a session: name the object id, as consents list shows it';
  process.stderr.write(`warning: ${problem}\n      ${remedy}\n`);
}
