/** What `entra-emulator` accepts on its command line, and its usage text. Reads no file and starts nothing. */
import { parseArgs } from 'node:util';

/** The caller's mistake: shown with the usage, without a stack. */
export class UsageFault extends Error {}

export interface CommandLine {
  readonly task: 'serve' | 'help' | 'version' | 'printSeed';
  readonly host: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly seedFile: string | undefined;
  readonly caDirectory: string;
  readonly controlToken: string | undefined;
  readonly json: boolean;
}

export const USAGE = `entra-emulator: a local Microsoft Entra ID for development and tests

  entra-emulator [--http-port N] [--https-port N] [--seed FILE] [--ca-directory DIR] [--control-token T] [--json]
      --http-port N      for browsers, 8480 by default; 0 takes a free one
      --https-port N     for Microsoft's libraries, 8481 by default; 0 takes a free one
      --host HOST        127.0.0.1 (default), localhost or ::1; others are refused
      --seed FILE        tenants, people and apps as JSON; by default the Contoso tenant
      --ca-directory DIR where the local certificate authority is kept, .entra-emulator by default
      --control-token T  for the control plane and the console, 16 characters at least; random by default.
                         The environment variable ENTRA_EMULATOR_CONTROL_TOKEN keeps it out of the process list
      --json             print one line of JSON once everything is ready, and nothing else
  entra-emulator --print-seed   the Contoso tenant as JSON, to start a seed of your own from
  entra-emulator --version | --help
`;

const options = {
  'http-port': { type: 'string', default: '8480' },
  'https-port': { type: 'string', default: '8481' },
  host: { type: 'string', default: '127.0.0.1' },
  seed: { type: 'string' },
  'ca-directory': { type: 'string', default: '.entra-emulator' },
  'control-token': { type: 'string' },
  json: { type: 'boolean', default: false },
  'print-seed': { type: 'boolean', default: false },
  version: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** @throws UsageFault naming the option that is unknown, lacks its value, or has a wrong one */
export function parseCommandLine(args: readonly string[], env: NodeJS.ProcessEnv): CommandLine {
  const values = parse(args);
  return {
    task: values.help ? 'help' : values.version ? 'version' : values['print-seed'] ? 'printSeed' : 'serve',
    host: values.host,
    httpPort: parsePort('--http-port', values['http-port']),
    httpsPort: parsePort('--https-port', values['https-port']),
    seedFile: values.seed,
    caDirectory: values['ca-directory'],
    controlToken: values['control-token'] ?? env['ENTRA_EMULATOR_CONTROL_TOKEN'],
    json: values.json,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (problem) {
    throw new UsageFault(problem instanceof Error ? problem.message : 'the options cannot be read');
  }
}

function parsePort(option: string, text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new UsageFault(`${option} takes a number from 0 to 65535, not ${text}`);
  return port;
}
