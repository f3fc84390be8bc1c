#!/usr/bin/env node
/** The `valetkey` command: thin. Each command stands in `commands/`. */
import { readFileSync } from 'node:fs';
import { check } from './commands/check.ts';
import { consents } from './commands/consents.ts';
import { dev } from './commands/dev.ts';
import { exportStore } from './commands/export.ts';
import { funnel } from './commands/funnel.ts';
import { importStore } from './commands/import.ts';
import { migrate } from './commands/migrate.ts';
import { policy } from './commands/policy.ts';
import { keys } from './commands/keys.ts';
import { serve } from './commands/serve.ts';
import { sessions } from './commands/sessions.ts';
import { stdio } from './commands/stdio.ts';
import { UsageFault } from './usage-fault.ts';

const usage = `valetkey: Entra ID sign-in for any MCP server

  valetkey dev [--upstream URL] [--port N] [--state DIR] [--store URL] [--json]
      The whole product on this machine: an Entra emulator, a sample MCP server and the gateway, ready to sign in.
      --upstream URL  an MCP server of your own to put behind the gateway too, at /own/mcp
      --port N     the gateway's port, 8808 by default; 0 takes free ports for everything
      --state DIR  where keys and data live, .valetkey by default
      --store URL  where the gateway keeps its state, sqlite:DIR/valetkey.db by default
      --json       print one line of JSON once everything is ready, and nothing else
  valetkey serve --config FILE [--workers N]
      The gateway. A change of the file and SIGHUP reload it.
      --workers N  processes that share the port, 1 by default; auto: one per core
  valetkey stdio --config FILE -- COMMAND …
      A stdio MCP server on this machine, with sign-in, policy and audit before it; a client starts this instead of it.
  valetkey check --config FILE [--print]
      Reads a configuration and reports every fault at once; --print writes it complete, with all defaults and no secret.
  valetkey sessions list|revoke --config FILE [--person WHO] [--client ID] [--session ID] [--all] [--json]
      Who is signed in; revoke ends sessions on every replica within a second.
      --person WHO  an object id, or a user name
      --session ID  its id, or the signInId of an audit record
  valetkey consents list|revoke --config FILE [--person WHO] [--client ID] [--all] [--json]
      What people allowed clients; revoke has them asked again.
  valetkey policy explain --config FILE --backend NAME [--as WHO] [--roles A,B] [--groups ID] [--scopes A]
      [--tenant ID] [--client ID] [--tool NAME | --prompt NAME | --resource URI] [--json]
      What the rules say to a person, and why: a dry run of what the gateway does.
      --as WHO     somebody who is signed in, by object id or user name; else anybody with what follows
      Ends with 0 where it is allowed (without --tool and the like: to enter), with 2 where it is not.
  valetkey keys list|rotate|prune --config FILE [--step stage|use] [--wait SECONDS]
      The keys that seal the store and sign: rotate adds new ones and puts them to use, with nobody signed out and
      no restart; prune removes those that seal nothing any more.
  valetkey keys new
      Prints a new key ring, for keys: { environment: env:NAME }.
  valetkey funnel --audit FILE [--since 24h] [--json]
      How far sign-ins came, client by client, and where the others stopped, from the audit records.
      --audit FILE  may be given more than once; - reads standard input
      --since TIME  30m, 24h, 7d; 24h by default
  valetkey migrate --config FILE
      Brings the tables of a PostgreSQL store up to date. The gateway does so too at start, where its role may.
  valetkey export --config FILE [--output FILE]
      Every record of the store, sealed as it is, to a new file or to stdout.
  valetkey import --config FILE [--input FILE] [--merge]
      What export wrote, from a file or from stdin, into an empty store, with the same keys.
      --merge      into a store that holds records already
  valetkey --version | --help
`;

const commands: Readonly<Record<string, (args: string[]) => Promise<number>>> = {
  dev,
  serve,
  stdio,
  check,
  sessions,
  consents,
  policy,
  keys,
  funnel,
  migrate,
  export: exportStore,
  import: importStore,
};

/** What follows `--` is another program's. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  const own = end === -1 ? args : args.slice(0, end);
  return own.includes('--help') || own.includes('-h');
}

/** The part of the usage that is about one command; all of it where there is no such command. */
function describeCommand(name: string): string {
  const parts = usage.split(/\n(?= {2}valetkey )/).filter((part) => part.startsWith(`  valetkey ${name} `));
  return parts.length === 0 || name.startsWith('-') ? usage : `${parts.join('\n')}\n`;
}

async function main(args: readonly string[]): Promise<number> {
  const [name = '--help', ...rest] = args;
  if (name === 'help' || args.length === 0 || asksForHelp(args)) {
    process.stdout.write(describeCommand(name));
    return 0;
  }
  if (name === '--version') {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    process.stdout.write(`${version}\n`);
    return 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw new UsageFault(`there is no command ${name}`);
  return command(rest);
}

try {
  process.exitCode = await main(process.argv.slice(2));
  // All is done and closed. What a library still waits for, such as a collector that does not answer, is given up.
  setTimeout(() => process.exit(), 1_000).unref();
} catch (fault) {
  process.exitCode = 1;
  if (fault instanceof UsageFault)
    process.stderr.write(
      `valetkey: ${fault.message}\n      valetkey --help tells the commands and their options\n`,
    );
  else throw fault;
}
