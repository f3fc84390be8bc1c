import cluster from 'node:cluster';
import type { RequestListener } from 'node:http';
import { createGateway, type Gateway, StartFault } from '@valetkey/gateway';
import type { Config } from '@valetkey/gateway/config/config';
import { openFastPath } from '@valetkey/gateway/fast-path/fast-path';
import { closeGracefully, createHttpServer, listen } from '@valetkey/gateway/http/server';
import { StoreUnavailable } from '@valetkey/gateway/store/driver';
import { openScrapes } from '@valetkey/gateway/telemetry/open-scrapes';
import type { World } from '@valetkey/gateway/world';
import { parseOptions } from '../command-line.ts';
import { tuneEngine } from '../engine.ts';
import { readConfig } from '../read-config.ts';
import { untilStopped } from '../until-stopped.ts';
import { watchConfigFile } from '../watch-config-file.ts';
import { UsageFault } from '../usage-fault.ts';
import { checkShareable, parseWorkers, runWorkers } from '../workers.ts';
import { answerForMetrics, collectFromWorkers } from '../worker-metrics.ts';
import { createWorld } from '../world.ts';

/** `valetkey serve`: runs until it is asked to stop; SIGHUP and a change of the file reload the configuration. */
export async function serve(args: string[]): Promise<number> {
  const { config: file, workers = '1' } = parseOptions(args, {
    config: { type: 'string' },
    workers: { type: 'string' },
  });
  if (file === undefined) throw new UsageFault('serve needs --config FILE');
  const count = parseWorkers(workers);
  const config = readConfig(file);
  if (config === undefined) return 1;
  const stopped = untilStopped(['SIGTERM', 'SIGINT']);
  const world = createWorld('info');
  if (count === 1 || cluster.isWorker) return serveHere(file, config, world, stopped);
  const fault = checkShareable(config);
  if (fault !== undefined) {
    process.stderr.write(`valetkey: ${fault}\n`);
    return 1;
  }
  return serveByWorkers(count, config, world, stopped);
}

/** The primary serves nobody but the scraper, to whom it tells what all workers have counted. */
async function serveByWorkers(
  count: number,
  config: Config,
  { log }: World,
  stopped: Promise<void>,
): Promise<number> {
  const scrapes = await openScrapes({ config: config.telemetry, collect: collectFromWorkers, log }).catch(
    fail,
  );
  if (scrapes === startFailed) return 1;
  try {
    return await runWorkers({ count, args: process.argv.slice(2), stopped, log });
  } finally {
    await scrapes?.close();
  }
}

const startFailed = Symbol('start failed');

/** @throws the fault, where an operator cannot mend it. */
function fail(fault: unknown): typeof startFailed {
  const reason = describeStartFault(fault);
  if (reason === undefined) throw fault;
  process.stderr.write(`valetkey: ${reason}\n`);
  return startFailed;
}

/** In this process: as the whole gateway, or as one of its workers. */
async function serveHere(
  file: string,
  config: Config,
  world: World,
  stopped: Promise<void>,
): Promise<number> {
  tuneEngine();
  const running = await runGateway(config, world).catch(fail);
  if (running === startFailed) return 1;
  const ready = cluster.isWorker ? 'worker ready' : 'gateway ready';
  world.log.info({ publicUrl: config.publicUrl, port: running.port }, ready);
  const watch = watchConfigFile(file, (next) => running.reload(next), world.log);
  await stopped;
  world.log.info('stopping');
  watch.stop();
  await running.close();
  // The line to the primary would keep the process.
  cluster.worker?.disconnect();
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
  openFastPath(server, { isServed: gateway.isMcpPath });
  let scrapes: Awaited<ReturnType<typeof openScrapes>>;
  const close = async () => {
    await closeGracefully(server);
    await scrapes?.close();
    await gateway.close();
  };
  try {
    if (cluster.isWorker) answerForMetrics(gateway.collect);
    else
      scrapes = await openScrapes({
        config: config.telemetry,
        collect: collectHere(gateway),
        log: world.log,
      });
    const { port } = await listen(server, config.listen.host, config.listen.port);
    return { port, reload: (next) => gateway.reload(next), close };
  } catch (fault) {
    await close();
    throw fault;
  }
}

function collectHere(gateway: Gateway) {
  return async () => [{ families: await gateway.collect() }];
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
