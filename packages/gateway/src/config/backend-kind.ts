/**
 * What a backend is: a server of Streamable HTTP, one of the older HTTP+SSE, or a command on this machine. Exactly
 * one; and the older addresses that it may have toward clients.
 */
import { isPersonVariable } from '@valetkey/core/policy/told-identity';
import * as z from 'zod';
import { text } from './checked-text.ts';
import type { AnyBackendConfig, LegacySseConfig } from './config.ts';
import { bounds, defaults } from './defaults.ts';
import { type Complaint, complain, type ConfigFault, describePath } from './fault.ts';
import { isUnsure, isWritten, type Sound } from './sound-parts.ts';
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

export type KindFile = z.output<z.ZodObject<typeof kindShape>> & { readonly path: string };

type SoundKind = Sound<KindFile>;

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

interface OtherSettings {
  readonly hasCredential: boolean;
  readonly hasHealth: boolean;
  readonly hasCircuit: boolean;
  readonly timeouts: { readonly connectMs?: number | undefined; readonly idleMs?: number | undefined };
}

/** @param other what else the section holds, and not every kind can have. */
export function checkBackendKind(name: string, file: SoundKind, other: OtherSettings): ConfigFault[] {
  const found = listKindComplaints(file, other);
  const faults = found.map(([place, complaint]) => ({
    path: describePath(['backends', name, ...place]),
    ...complaint,
  }));
  return [...faults, ...checkLegacySse(name, file)];
}

function listKindComplaints(file: SoundKind, other: OtherSettings): PlacedComplaint[] {
  if (file.command !== undefined) return listCommandComplaints(file, other);
  return isUnsure(file, 'command') ? listWrittenSecrets(file) : listServerComplaints(file, other);
}

type PlacedComplaint = readonly [place: readonly string[], complaint: Complaint];

function listServerComplaints(file: SoundKind, { timeouts }: OtherSettings): PlacedComplaint[] {
  const missing = complain('is missing', 'Write the URL of the MCP server, or `command` to run one here');
  const isMissing = file.upstream === undefined && !isUnsure(file, 'upstream');
  const strange = commandOnly.filter((key) => isWritten(file, key));
  const isOlder = file.transport === 'sse';
  const inOnePiece = complain(
    'is for a backend of Streamable HTTP',
    'Remove it: `transport: sse` answers in one event',
  );
  return [
    ...(isOlder && isWritten(timeouts, 'idleMs') ? [[['timeouts', 'idleMs'], inOnePiece] as const] : []),
    ...(isMissing ? [[['upstream'], missing] as const] : []),
    ...strange.map((key) => [[key], complain('is for a backend with `command`', 'Remove it')] as const),
  ];
}

function listCommandComplaints(file: SoundKind, other: OtherSettings): PlacedComplaint[] {
  const forServers = (remedy: string) => complain('is for a backend with `upstream`', remedy);
  const found: PlacedComplaint[] = [];
  if (file.upstream !== undefined) {
    const remedy = 'Keep one of them: a backend is a server or a command';
    found.push([['command'], complain('stands beside `upstream`', remedy)]);
  }
  if (file.transport !== undefined) {
    found.push([['transport'], forServers('Remove it: a command speaks on its pipes')]);
  }
  if (file.mode === 'shared' && file.identity === 'environment') {
    const problem = 'is told to a process once, and a shared one serves many people';
    found.push([['identity'], complain(problem, 'Write identity: meta, or mode: perSession')]);
  }
  if (other.hasCredential) {
    found.push([['credential'], forServers('Remove it, and hand the command what it needs in `env`')]);
  }
  if (other.hasCircuit && file.mode !== 'shared' && !isUnsure(file, 'mode')) {
    const problem = 'is for a backend that everybody shares';
    found.push([['circuit'], complain(problem, 'Remove it, or write mode: shared: each has a process here')]);
  }
  if (other.hasHealth) {
    found.push([['health'], forServers('Remove it: a command runs only while it is used')]);
  }
  if (isWritten(other.timeouts, 'connectMs')) {
    found.push([['timeouts', 'connectMs'], forServers('Remove it: nothing connects to a command')]);
  }
  if (isWritten(other.timeouts, 'idleMs')) {
    found.push([['timeouts', 'idleMs'], forServers('Remove it: a command answers in one line')]);
  }
  return [...found, ...listWrittenSecrets(file)];
}

function listWrittenSecrets({ env = {} }: SoundKind): PlacedComplaint[] {
  const written = Object.keys(env).filter((key) => isSecretName(key) && !isReference(env[key] ?? ''));
  const complaint = complain(
    'seems to be a secret, and is written into the file',
    'Write env:NAME or file:./path',
  );
  return written.map((key) => [['env', key], complaint]);
}

/**
 * A client takes the resource of the metadata only for its own address or one above it (RFC 9728 §3.3, and the SDK's
 * own check), so a stream somewhere else could never be signed in to.
 */
function checkLegacySse(name: string, { legacySse, path }: SoundKind): ConfigFault[] {
  if (legacySse === undefined || path === undefined) return [];
  const at = (key: string) => describePath(['backends', name, 'legacySse', key]);
  const { sse, message } = legacySse;
  return [
    ...(sse === undefined || sse === path || sse.startsWith(`${path}/`)
      ? []
      : [
          {
            path: at('sse'),
            problem: 'does not lie below the path of the backend, so no client could sign in there',
            remedy: `Write ${path}/sse, or make ${sse} the path of the backend: both may be the same`,
          },
        ]),
    ...(message !== undefined && (message === path || message === sse)
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
