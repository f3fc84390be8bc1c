/** The process of a backend that is a command: what is run, where, and with which environment. */
import { isAbsolute } from 'node:path';
import { Secret } from '@valetkey/core/base/secret';
import type { KindFile } from './backend-kind.ts';
import type { ProcessConfig } from './config.ts';
import { defaults } from './defaults.ts';
import { describePath } from './fault.ts';
import { type Resolved, resolvePath, type Surroundings } from './references.ts';
import { secretOfBackend } from './unread.ts';
import { isReference } from './word-rules.ts';

/** @returns undefined for a backend that is a server. */
export function buildProcess(
  name: string,
  file: KindFile,
  resolved: Resolved,
  surroundings: Surroundings,
): ProcessConfig | undefined {
  if (file.command === undefined) return undefined;
  const [command = '', ...words] = [file.command].flat();
  const env = Object.entries(file.env ?? {}).map(([key, value]) => {
    const path = describePath(['backends', name, 'env', key]);
    return [key, isReference(value) ? secretOfBackend(resolved, path) : new Secret(value)] as const;
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
