/** Whether what a command names is there: found at the start of the gateway, and not by the first person who calls. */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, resolve } from 'node:path';
import type { Config, ProcessConfig } from './config.ts';
import { type Complaint, complain, type ConfigFault, describePath } from './fault.ts';

/** No faults: a file can be checked where its programs are not installed. */
export function warnOfPrograms({ backends }: Config): ConfigFault[] {
  return backends.flatMap(({ name, process }) => (process === undefined ? [] : listMissing(name, process)));
}

function listMissing(name: string, process: ProcessConfig): ConfigFault[] {
  const at = (key: string) => describePath(['backends', name, key]);
  // Whatever is started in a folder that is not there fails as if the program were missing.
  if (!isFolder(process.cwd)) return [{ path: at('cwd'), ...noFolder }];
  const missing = checkProgram(process);
  return missing === undefined ? [] : [{ path: at('command'), ...missing }];
}

const noFolder = complain(
  'is no folder here, so the command cannot be started',
  'Check the path, seen from the folder of the configuration file',
);

function checkProgram(process: ProcessConfig): Complaint | undefined {
  const { command, cwd } = process;
  if (isAbsolute(command)) return isRunnable(command) ? undefined : noProgram;
  const folders = findPath(process).split(delimiter);
  return folders.some((folder) => isRunnable(resolve(cwd, folder, command))) ? undefined : notInPath;
}

const noProgram = complain(
  'is no file here that can be run',
  'Check the path, seen from the folder of the configuration file, and that the gateway may run the file',
);
const notInPath = complain(
  'is not found in the PATH of the command',
  'Install the program, write its path, or set PATH in `env`',
);

/** What the system looks through where there is none. */
const standardPath = ['/usr/bin', '/bin'].join(delimiter);

function findPath({ inherited, env }: ProcessConfig): string {
  return env['PATH']?.reveal() ?? inherited['PATH'] ?? standardPath;
}

/** Windows starts what ends so by its name alone. */
const endings = process.platform === 'win32' ? ['', '.exe', '.com'] : [''];

function isRunnable(program: string): boolean {
  return endings.some((ending) => {
    try {
      accessSync(program + ending, constants.X_OK);
      return statSync(program + ending).isFile();
    } catch {
      return false;
    }
  });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
