import type { RequestListener } from 'node:http';
import { createGateway, type Gateway, StartFault } from '@valetkey/gateway';
import type { Config } from '@valetkey/gateway/config/config';
import { closeGracefully, createHttpServer, listen } from '@valetkey/gateway/http/server';
import { StoreUnavailable } from '@valetkey/gateway/store/driver';
import type { World } from '@valetkey/gateway/world';
import { parseOptions } from '../command-line.ts';
import { readConfig } from '../read-config.ts';
import { untilStopped } from '../until-stopped.ts';
import { watchConfigFile } from '../watch-config-file.ts';
import { UsageFault } from '../usage-fault.ts';
import { createWorld } from '../world.ts';

/** `valetkey serve`: runs until it is asked to stop; SIGHUP and a change of the file reload the configuration. */
export async function serve(args: string[]): Promise<number> {
  const { config: file } = parseOptions(args, { config: { type: 'string' } });
  if (file === undefined) throw new UsageFault('serve needs --config FILE');
  const config = readConfig(file);
  if (config === undefined) return 1;
  const world = createWorld('info');
  const stopped = untilStopped(['SIGTERM', 'SIGINT']);
  let running: RunningGateway;
  try {
    running = await runGateway(config, world);
  } catch (fault) {
    const reason = describeStartFault(fault);
    if (reason === undefined) throw fault;
    process.stderr.write(`valetkey: ${reason}\n`);
    return 1;
  }
  world.log.info({ publicUrl: config.publicUrl, port: running.port }, 'gateway ready');
  const watch = watchConfigFile(file, (next) => running.reload(next), world.log);
  await stopped;
  watch.stop();
  await running.close();
  return 0;
}

export interface RunningGateway extends Pick<Gateway, 'reload'> {
  readonly port: number;
  close(): Promise<void>;
}

/** Opens the gateway and listens where the configuration says. */
export async function runGateway(config: Config, world: World): Promise<RunningGateway> {
  const gateway = await createGateway(config, world);
  const server = createHttpServer(gateway.listener satisfies RequestListener, config.limits);
  try {
    const { port } = await listen(server, config.listen.host, config.listen.port);
    return {
      port,
      reload: (next) => gateway.reload(next),
      async close() {
        await closeGracefully(server);
        await gateway.close();
      },
    };
  } catch (fault) {
    await gateway.close();
    throw fault;
  }
}

/** What an operator can mend, in a sentence; undefined for a fault of ours. */
export function describeStartFault(fault: unknown): string | undefined {
  if (fault instanceof StartFault) return `${fault.message}\n      ${fault.remedy}`;
  if (fault instanceof StoreUnavailable) return `the store cannot be opened: ${fault.message}`;
  if (fault instanceof Error && 'code' in fault) {
    if (fault.code === 'EADDRINUSE') {
      const port = 'port' in fault ? ` ${String(fault.port)}` : '';
      return `the port is taken:${port}; stop what uses it, or choose another port`;
    }
    if (fault.code === 'EACCES') return 'the port may not be used by this account; choose one above 1023';
  }
  return undefined;
}
