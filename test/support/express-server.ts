/** A server of one's own with `@valetkey/express`, on a free port before an emulator, with clock, audit and log at hand. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createEmulator,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
} from '@valetkey/entra-emulator';
import { type Valetkey, valetkey, type ValetkeyOptions } from '@valetkey/express';
import { pino } from 'pino';
import { describeEntra } from 'valetkey/trial-config';
import { readAuditFile } from './audit-file.ts';

export interface ExpressServer {
  readonly url: string;
  readonly mcpUrl: string;
  readonly vk: Valetkey;
  readonly emulator: Emulator;
  readonly directory: string;
  /** The server's clock: move it forward to let things expire. */
  readonly time: { aheadMs: number };
  readonly logLines: string[];
  /** Requests that reached the process, however they went on. */
  readAudit(): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

export interface ExpressServerOptions {
  /** Merged over what every test needs, section by section. */
  readonly options?: Partial<ValetkeyOptions>;
  /** The app around it. */
  readonly build: (vk: Valetkey) => RequestListener;
  readonly emulator?: Emulator;
  readonly directory?: string;
  readonly port?: number;
}

const generous = { requests: 100_000, windowSeconds: 60 };

export async function startExpressServer(given: ExpressServerOptions): Promise<ExpressServer> {
  const emulator = given.emulator ?? (await createEmulator());
  const directory = given.directory ?? (await mkdtemp(join(tmpdir(), 'valetkey-express-')));
  const caFile = join(directory, 'ca.pem');
  await writeFile(caFile, emulator.caCertificatePem);

  const app: { listener?: RequestListener } = {};
  const server = createServer((req, res) => app.listener?.(req, res));
  // Else Node closes a connection after five idle seconds, just as a busy client takes it up again.
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve) => {
    server.listen(given.port ?? 0, '127.0.0.1', resolve);
  });
  const url = `http://localhost:${(server.address() as AddressInfo).port}`;
  emulator.control.addRedirectUri(GATEWAY_CLIENT_ID, `${url}/auth/callback`);

  const time = { aheadMs: 0 };
  const logLines: string[] = [];
  const audit = join(directory, 'audit.jsonl');
  const vk = await valetkey({
    publicUrl: url,
    entra: describeEntra(emulator, caFile, { secret: GATEWAY_CLIENT_SECRET }),
    store: `sqlite:${join(directory, 'valetkey.db')}`,
    keys: { file: join(directory, 'keys.json') },
    audit: { stdout: false, file: audit },
    limits: { register: generous, authorize: generous, consent: generous, token: generous },
    world: {
      clock: { nowMs: () => Date.now() + time.aheadMs },
      random: (size) => randomBytes(size),
      log: pino({ level: 'debug' }, { write: (line: string) => void logLines.push(line) }),
    },
    ...given.options,
  });
  app.listener = given.build(vk);

  return {
    url,
    mcpUrl: `${url}/mcp`,
    vk,
    emulator,
    directory,
    time,
    logLines,
    readAudit: () => readAuditFile(audit),
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      await vk.close();
      if (given.emulator === undefined) await emulator.close();
      if (given.directory === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}
