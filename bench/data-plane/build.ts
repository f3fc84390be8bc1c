import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from '../../test/support/command.ts';

export interface BuiltCommands {
  readonly backend: string;
  readonly rate: string;
}

/** Compiles what is written in C, and builds the packages where the built gateway is measured. @throws when it fails. */
export function buildAll(directory: string, fromSource: boolean): BuiltCommands {
  const built = (name: string) => {
    const output = join(directory, name);
    check('cc', ['-O2', '-o', output, join(import.meta.dirname, `${name}.c`)]);
    return output;
  };
  if (!fromSource) check(process.execPath, ['--conditions=valetkey-source', 'tools/build.ts']);
  return { backend: built('backend'), rate: built('rate') };
}

function check(command: string, args: readonly string[]): void {
  const { status } = spawnSync(command, args, { cwd: repositoryRoot, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`);
}
