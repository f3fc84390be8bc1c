import type { Operation } from '@valetkey/core/mcp/operation';
import { createPolicy, type KnownTools } from '@valetkey/core/policy/decide';
import { listRequirements } from '@valetkey/core/policy/rules';
import type { AnyBackendConfig, Config } from '@valetkey/gateway/config/config';
import { administer, fail, printTable } from '../administer.ts';
import { parseOptions } from '../command-line.ts';
import { type AskedPerson, type Explained, findPerson, inventPerson } from '../policy/asked-person.ts';
import {
  describeVerdict,
  explainOperation,
  explainRules,
  plainVerdict,
  type Verdict,
} from '../policy/verdicts.ts';
import { readConfig } from '../read-config.ts';
import { UsageFault } from '../usage-fault.ts';

const options = {
  config: { type: 'string' },
  backend: { type: 'string' },
  as: { type: 'string' },
  roles: { type: 'string' },
  groups: { type: 'string' },
  scopes: { type: 'string' },
  tenant: { type: 'string' },
  client: { type: 'string' },
  tool: { type: 'string' },
  prompt: { type: 'string' },
  resource: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

type Options = ReturnType<typeof parseOptions<typeof options>>;

/** Exit codes: what was asked about is allowed; it is not; and 1 where it could not be said. */
const allowed = 0;
const denied = 2;

/** `valetkey policy explain`: a dry run of the rules that the gateway goes by. */
export async function policy(args: string[]): Promise<number> {
  const [step, ...rest] = args;
  if (step !== 'explain') throw new UsageFault('policy takes explain');
  const given = parseOptions(rest, options);
  const operation = findOperation(given);
  if (given.config === undefined) throw new UsageFault('policy explain needs --config FILE');
  if (given.as !== undefined) {
    const { as } = given;
    return administer('policy explain', given.config, async (administration, config) => {
      const backend = findBackend(given, config);
      const sessions = await administration.sessions.list({});
      const found = findPerson(as, readPerson(given), backend, sessions);
      if (!found.ok) return fail(found.error);
      return explain(found.value, backend, operation, given, await administration.findKnownTools(backend));
    });
  }
  const config = readConfig(given.config, []);
  if (config === undefined) return 1;
  const backend = findBackend(given, config);
  return explain(inventPerson(readPerson(given), backend, config), backend, operation, given);
}

/** @throws UsageFault when more than one is named. */
function findOperation({ tool, prompt, resource }: Options): Operation | undefined {
  const asked: Operation[] = [
    ...(tool === undefined ? [] : [ask('tools/call', tool)]),
    ...(prompt === undefined ? [] : [ask('prompts/get', prompt)]),
    ...(resource === undefined ? [] : [ask('resources/read', resource)]),
  ];
  if (asked.length > 1) throw new UsageFault('policy explain takes one of --tool, --prompt and --resource');
  return asked[0];
}

function ask(method: string, name: string): Operation {
  return { method, name, id: 1, kind: 'request' };
}

/** @throws UsageFault with the names there are. */
function findBackend({ backend: name }: Options, { backends }: Config): AnyBackendConfig {
  const [only] = backends;
  const found =
    name === undefined && backends.length === 1 ? only : backends.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = backends.map((each) => each.name).join(', ');
  throw new UsageFault(`policy explain needs --backend with one of: ${names}`);
}

function readPerson({ tenant, client, roles, groups, scopes }: Options): AskedPerson {
  return {
    tenant,
    client,
    roles: readList(roles),
    groups: readList(groups)?.map((group) => group.toLowerCase()),
    scopes: readList(scopes),
  };
}

/** Separated by commas or blanks; an empty text is an empty list. */
function readList(text: string | undefined): string[] | undefined {
  return text?.split(/[\s,]+/).filter((part) => part !== '');
}

function explain(
  { principal, notes }: Explained,
  backend: AnyBackendConfig,
  operation: Operation | undefined,
  { json }: Options,
  known?: KnownTools,
): number {
  const rules = createPolicy(backend.rules);
  const verdicts =
    operation === undefined
      ? explainRules(rules, principal)
      : [explainOperation(rules, principal, operation, known)];
  const told = [...notes, ...listUnknownRoles(principal.roles, backend)];
  if (json) {
    const answer = { backend: backend.name, principal, notes: told, verdicts: verdicts.map(plainVerdict) };
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  } else {
    printPerson(principal, told);
    printTable([['rule', 'decision', 'why'], ...verdicts.map(describeVerdict)]);
  }
  return isAllowed(verdicts) ? allowed : denied;
}

/** The first is what was asked about: the operation, or else whether one gets in at all. */
function isAllowed([first]: readonly Verdict[]): boolean {
  return first?.decision.allow === true;
}

/** Most likely misspelled. */
function listUnknownRoles(roles: readonly string[], { rules, name }: AnyBackendConfig): string[] {
  const known = listRequirements(rules).flatMap(({ anyRole = [], allRoles = [] }) => [
    ...anyRole,
    ...allRoles,
  ]);
  return roles
    .filter((role) => !known.includes(role))
    .map((role) => `no rule of ${name} names the role ${role}`);
}

function printPerson(principal: Explained['principal'], notes: readonly string[]): void {
  const { username, objectId, tenantId, clientId, roles, groups, scopes } = principal;
  const list = (words: readonly string[]) => words.join(', ') || '(none)';
  printTable([
    ['person', username ?? (objectId || '(anybody)')],
    ['tenant', tenantId],
    ['client', clientId || '(none)'],
    ['roles', list(roles)],
    ['groups', list(groups)],
    ['scopes', list(scopes)],
    ...notes.map((note) => ['note', note]),
  ]);
  process.stdout.write('\n');
}
