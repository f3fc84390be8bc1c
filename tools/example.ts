/**
 * Runs one of the examples. Where the environment names no tenant, it gets the values of the emulator, which are
 * public: `emulator.env` in its folder. What the environment names itself goes before them.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { pathToFileURL } from 'node:url';
import { root } from './sources.ts';

const mainOf = (name: string) => join(root, 'examples', name, 'src/main.ts');

/** @throws Error when the emulator was never started here. */
function useEmulator(file: string): void {
  process.loadEnvFile(file);
  const ca = process.env['VALETKEY_CA_FILE'] ?? '';
  if (!existsSync(ca)) throw new Error(`There is no ${ca}: start the emulator first, with npm run emulator`);
  // As NODE_EXTRA_CA_CERTS would, which is only read before a process has begun.
  setDefaultCACertificates([...getCACertificates('default'), readFileSync(ca, 'utf8')]);
}

const [name = '', ...args] = process.argv.slice(2);
const names = readdirSync(join(root, 'examples')).filter((folder) => existsSync(mainOf(folder)));
try {
  if (!names.includes(name)) throw new Error(`Usage: npm run example -- ${names.join('|')} [arguments]`);
  const file = join(root, 'examples', name, 'emulator.env');
  if (process.env['VALETKEY_TENANT_ID'] === undefined && existsSync(file)) useEmulator(file);
  process.argv.splice(1, process.argv.length, mainOf(name), ...args);
  await import(pathToFileURL(mainOf(name)).href);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
