/**
 * What a backend is: a server of Streamable HTTP, one of the older HTTP+SSE, or a command on this machine. Exactly
 * one; and the older addresses that it may have toward clients.
 */
import { isAbsolute } from 'node:path';
import { Secret } from '@valetkey/core/base/secret';
import { isPersonVariable } from '@valetkey/core/policy/told-identity';
import * as z from 'zod';
import { text } from './checked-text.ts';
import type { AnyBackendConfig, LegacySseConfig, ProcessConfig } from './config.ts';
import { bounds, defaults } from './defaults.ts';
import { type Complaint, complain, type ConfigFault, describePath } from './fault.ts';
import { type Resolved, resolvePath, type Surroundings } from './references.ts';
import { checkBackendPath, checkUpstream } from './url-rules.ts';
import { checkReference, isReference } from './word-rules.ts';

function whole(name: keyof typeof bounds & keyof typeof defaults) {
  const { min, max } = bounds[name];
  return z.int().min(min).max(max).optional();
}

const word = text(checkWord);

export const kindShape = {
  upstream: text(checkUpstream).optional().describe("URL of the backend's own MCP endpoint."),
  transport: z
    .enum(['streamableHttp', 'sse'])
    .optional()
    .describe(
      'What `upstream` speaks. Default: streamableHttp. `sse`: the HTTP+SSE of revision 2024-11-05, and `upstream` is where its stream opens.',
    ),
  command: z
    .union([text(checkProgram), z.array(word).min(1)])
    .optional()
    .describe('A stdio server to run on this machine, in place of `upstream`. No shell reads it.'),
  args: z.array(word).optional().describe('Further words of `command`.'),
  env: z
    .record(text(checkVariableName), text(checkVariable))
    .optional()
    .describe(
      'Environment of the command, beside PATH, HOME and the like: text, or env:NAME or file:./path. Nothing else of the gateway is inherited.',
    ),
  cwd: z
    .string()
    .min(1)
    .optional()
    .describe('Folder that the command runs in. Default: that of the configuration file.'),
  mode: z
    .enum(['perSession', 'shared'])
    .optional()
    .describe(
      'One process for each MCP session, or one for everybody, which must keep people apart by what it is told. Default: perSession.',
    ),
  identity: z
    .enum(['meta', 'environment', 'none'])
    .optional()
    .describe(
      'How the command is told who is calling: in `_meta` of each message, or once in its environment. Default: meta.',
    ),
  idleSeconds: whole('idleSeconds').describe(
    `A process that nobody waits for is ended after this. Default: ${defaults.idleSeconds}.`,
  ),
  maxProcesses: whole('maxProcesses').describe(
    `Processes at once in one gateway; more are 503. Default: ${defaults.maxProcesses}.`,
  ),
  maxMessageBytes: whole('maxMessageBytes').describe(
    `Longest line of the command; a longer one ends it. Default: ${defaults.maxMessageBytes}.`,
  ),
  legacySse: z
    .strictObject({
      sse: text(checkBackendPath).describe(
        'Path where the stream opens: that of the backend, or one below it, such as /snippets/mcp/sse.',
      ),
      message: text(checkBackendPath).describe(
        'Path that messages are sent to, such as /snippets/mcp/message.',
      ),
    })
    .optional()
    .describe('Addresses for clients that speak only the HTTP+SSE of revision 2024-11-05. Default: none.'),
};

type KindFile = z.output<z.ZodObject<typeof kindShape>> & { readonly path: string };

const commandOnly = [
  'args',
  'env',
  'cwd',
  'mode',
  'identity',
  'idleSeconds',
  'maxProcesses',
  'maxMessageBytes',
] as const satisfies readonly (keyof KindFile)[];

/** @param other what else the section holds, and a command cannot have. */
export function checkBackendKind(
  name: string,
  file: KindFile,
  other: { readonly hasCredential: boolean; readonly hasHealth: boolean },
): ConfigFault[] {
  const fault = (key: string, problem: string, remedy: string): ConfigFault => ({
    path: describePath(['backends', name, key]),
    problem,
    remedy,
  });
  const faults: ConfigFault[] = [];
  if (file.upstream === undefined && file.command === undefined) {
    faults.push(
      fault('upstream', 'is missing', 'Write the URL of the MCP server, or `command` to run one here'),
    );
  }
  if (file.command === undefined) {
    for (const key of commandOnly.filter((each) => file[each] !== undefined)) {
      faults.push(fault(key, 'is for a backend with `command`', 'Remove it'));
    }
    return [...faults, ...checkLegacySse(name, file)];
  }
  if (file.upstream !== undefined) {
    faults.push(
      fault('command', 'stands beside `upstream`', 'Keep one of them: a backend is a server or a command'),
    );
  }
  if (file.transport !== undefined) {
    faults.push(
      fault('transport', 'is for a backend with `upstream`', 'Remove it: a command speaks on its pipes'),
    );
  }
  if (file.mode === 'shared' && file.identity === 'environment') {
    const remedy = 'Write identity: meta, or mode: perSession';
    faults.push(fault('identity', 'is told to a process once, and a shared one serves many people', remedy));
  }
  if (other.hasCredential) {
    const remedy = 'Remove it, and hand the command what it needs in `env`';
    faults.push(fault('credential', 'is for a backend with `upstream`', remedy));
  }
  if (other.hasHealth) {
    faults.push(
      fault('health', 'is for a backend with `upstream`', 'Remove it: a command runs only while it is used'),
    );
  }
  const written = Object.entries(file.env ?? {}).filter(
    ([key, value]) => isSecretName(key) && !isReference(value),
  );
  for (const [key] of written) {
    faults.push({
      path: describePath(['backends', name, 'env', key]),
      ...complain('seems to be a secret, and is written into the file', 'Write env:NAME or file:./path'),
    });
  }
  return [...faults, ...checkLegacySse(name, file)];
}

/**
 * A client takes the resource of the metadata only for its own address or one above it (RFC 9728 §3.3, and the SDK's
 * own check), so a stream somewhere else could never be signed in to.
 */
function checkLegacySse(name: string, { legacySse, path }: KindFile): ConfigFault[] {
  if (legacySse === undefined) return [];
  const at = (key: string) => describePath(['backends', name, 'legacySse', key]);
  const isBelow = legacySse.sse === path || legacySse.sse.startsWith(`${path}/`);
  return [
    ...(isBelow
      ? []
      : [
          {
            path: at('sse'),
            problem: 'does not lie below the path of the backend, so no client could sign in there',
            remedy: `Write ${path}/sse, or make ${legacySse.sse} the path of the backend: both may be the same`,
          },
        ]),
    ...(legacySse.message === path || legacySse.message === legacySse.sse
      ? [
          {
            path: at('message'),
            problem: 'is an address that has another use',
            remedy: `Write ${path}/message`,
          },
        ]
      : []),
  ];
}

export function buildProcess(
  name: string,
  file: KindFile,
  { values }: Resolved,
  surroundings: Surroundings,
): ProcessConfig | undefined {
  if (file.command === undefined) return undefined;
  const [command = '', ...words] = [file.command].flat();
  const env = Object.entries(file.env ?? {}).map(([key, value]) => {
    const resolved = values.get(describePath(['backends', name, 'env', key]));
    return [key, new Secret(resolved ?? value)] as const;
  });
  return {
    command: asProgram(command, surroundings),
    args: [...words, ...(file.args ?? [])],
    cwd: resolvePath(file.cwd ?? '.', surroundings),
    inherited: Object.fromEntries(inheritedNames.flatMap((key) => inherit(key, surroundings))),
    env: Object.fromEntries(env),
    mode: file.mode ?? 'perSession',
    identity: file.identity ?? 'meta',
    idleSeconds: file.idleSeconds ?? defaults.idleSeconds,
    maxProcesses: file.maxProcesses ?? defaults.maxProcesses,
    maxMessageBytes: file.maxMessageBytes ?? defaults.maxMessageBytes,
  };
}

export function buildLegacySse({ legacySse }: KindFile): { readonly legacySse?: LegacySseConfig } {
  return legacySse === undefined ? {} : { legacySse };
}

/**
 * Whether a session with this backend lives in the one process that began it: it holds a pipe or a stream, which no
 * store can hand to another. Undefined: any process can go on with it.
 */
export function findProcessBound(backend: AnyBackendConfig): string | undefined {
  if (backend.legacySse !== undefined) return 'legacySse';
  if (backend.process === undefined) return backend.transport === 'sse' ? 'transport' : undefined;
  return backend.process.mode === 'perSession' ? 'mode' : undefined;
}

/** A path is one from the configuration file on, as all others there; a bare name is looked for in PATH. */
function asProgram(command: string, surroundings: Surroundings): string {
  const isPath = /[/\\]/.test(command) && !isAbsolute(command);
  return isPath ? resolvePath(command, surroundings) : command;
}

/** What programs need to run at all, and none of which is a secret. */
const inheritedNames: readonly string[] = (
  'PATH HOME USER LOGNAME SHELL TERM TMPDIR LANG LC_ALL LC_CTYPE TZ ' +
  'SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT TEMP TMP USERNAME USERPROFILE APPDATA LOCALAPPDATA PROGRAMDATA ' +
  'PROGRAMFILES HOMEDRIVE HOMEPATH'
).split(' ');

function inherit(name: string, { env }: Surroundings): (readonly [string, string])[] {
  const value = env[name];
  // A function that bash exported: it would run in whatever shell the command starts (CVE-2014-6271).
  return value === undefined || value.startsWith('()') ? [] : [[name, value]];
}

function isSecretName(name: string): boolean {
  return /(^|_)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PWD|CREDENTIALS?|SAS|DSN|CONNECTION_?STRING)$/i.test(name);
}

function checkWord(value: string): Complaint | undefined {
  if (value.includes('\0')) return complain('holds a character that ends a text', 'Remove it');
  return value === '' ? complain('is empty', 'Remove it, or write the word') : undefined;
}

/** One word alone: who writes a line means the shell that splits it. */
function checkProgram(value: string): Complaint | undefined {
  if (!/\s/.test(value)) return checkWord(value);
  return complain(
    'has a space, and no shell splits it',
    'Write the words as a list, such as [node, server.js]',
  );
}

/** A value that begins like a reference must be one. */
function checkVariable(value: string): Complaint | undefined {
  if (isReference(value)) return checkReference(value);
  return value.includes('\0') ? complain('holds a character that ends a text', 'Remove it') : undefined;
}

function checkVariableName(value: string): Complaint | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(value)) {
    return complain('is no name of an environment variable', 'Use letters, digits and _');
  }
  return isPersonVariable(value)
    ? complain('is a name by which the gateway tells who is calling', 'Choose another name')
    : undefined;
}
