/** Who is calling, from the sign-in of this machine, and how the wrapped server is told. */
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { Principal } from '@valetkey/core/policy/principal';
import { describeInEnvironment, describeInMeta, isPersonVariable } from '@valetkey/core/policy/told-identity';
import type { StdioConfig } from '@valetkey/gateway/config/stdio-config';
import { GraphFailed, type SignedInPerson, type SignIn, SignInFailed } from '@valetkey/local';
import type { Caller } from './gatekeeper.ts';
import type { FindGroups } from './groups.ts';

type Environment = Record<string, string | undefined>;

/** The caller of one message. @returns why there is none, for people. */
export async function findCaller(
  auth: SignIn,
  config: StdioConfig,
  findGroups: FindGroups,
  signal: AbortSignal,
): Promise<Result<Caller, string>> {
  const { identity } = config.server;
  try {
    const person = await auth.getPerson({ signal });
    const tokens = identity === 'meta' ? await findTokens(auth, config, signal) : {};
    const handed = Object.keys(tokens).length === 0 ? {} : { 'valetkey/tokens': tokens };
    const meta = identity === 'meta' ? { ...describeInMeta(person), ...handed } : {};
    const groups = await findGroups(person, signal);
    return ok({ principal: { ...principalOf(person, config), groups }, meta });
  } catch (error) {
    if (error instanceof SignInFailed) return err(error.message);
    if (error instanceof GraphFailed) return err(`Your groups cannot be read: ${error.message}`);
    throw error;
  }
}

/**
 * The environment of a server that is told once, at its start. A token in there ends within the hour; for a server that
 * lives longer `meta` is the way.
 *
 * @throws SignInFailed
 */
export async function createEnvironment(
  auth: SignIn,
  config: StdioConfig,
  own: Environment,
  signal: AbortSignal,
): Promise<Environment> {
  const inherited = Object.entries(own).filter(([name]) => !isPersonVariable(name));
  const base = Object.fromEntries(inherited);
  if (config.server.identity !== 'environment') return base;
  const told = describeInEnvironment(await auth.getPerson({ signal }));
  return { ...base, ...told, ...(await findTokens(auth, config, signal)) };
}

async function findTokens(auth: SignIn, config: StdioConfig, signal: AbortSignal) {
  const found: Record<string, string> = {};
  for (const [name, scopes] of Object.entries(config.server.tokens))
    found[name] = (await auth.getToken(scopes, { signal })).token.reveal();
  return found;
}

function principalOf(person: SignedInPerson, config: StdioConfig): Principal {
  const { expiresAtSeconds: _life, hasGroupOverage: _overage, ...known } = person;
  const { clientId } = config.entra;
  // No OAuth client stands between a person and their own machine, so no scope was left out for one.
  return { ...known, scopes: config.server.scopes, clientId, sessionId: 'local' };
}
