/** `@modelcontextprotocol/server-everything` as a process: the MCP project's own sample of every feature. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { findFreePort } from '../../support/free-port.ts';
import type { FullBackend } from './full-backend.ts';

export async function startEverything(): Promise<FullBackend> {
  const manifest = createRequire(import.meta.url).resolve(
    '@modelcontextprotocol/server-everything/package.json',
  );
  const program = join(manifest, '..', 'dist', 'index.js');
  const port = await findFreePort();
  const child = spawn(process.execPath, [program, 'streamableHttp'], {
    env: { ...process.env, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('listening on port')) resolve();
    });
    void exited.then(() => reject(new Error(said)));
  });
  return {
    url: `http://localhost:${port}/mcp`,
    async close() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
