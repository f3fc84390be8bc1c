/** What a plain proxy does not do: filter lists of tools, renew tokens, start with a store and keys. */
import { performance } from 'node:perf_hooks';
import { refresh, type Tokens } from '../../test/support/oauth-client.ts';
import { type MeasuredGateway, startGateway, type GatewayOptions } from './gateway.ts';
import { cpuSeconds, processTree, residentBytes } from './machine.ts';
import { type Found, median, megabytes, quantile, round } from './result.ts';
import { middle, saturate, type ThroughputOptions } from './throughput.ts';
import type { Subject } from './subject.ts';
import { bodies } from './workload.ts';

export async function measureLists(
  nginx: Subject,
  gateway: Subject,
  options: ThroughputOptions,
): Promise<Found> {
  const rows: (string | number)[][] = [];
  for (const tools of [10, 100, 1000] as const) {
    const rounds = Math.min(options.rounds, 3);
    const found = await saturate([nginx, gateway], `/list-${tools}/mcp`, bodies['list'] ?? '', {
      ...options,
      rounds,
      connections: 16,
    });
    const perSecond = middle(found, 'gateway', 'perSecond');
    rows.push([
      `${tools} tools`,
      round(perSecond),
      round(perSecond / middle(found, 'nginx', 'perSecond'), 2),
      round(1000 / middle(found, 'gateway', 'perCpuSecond'), 2),
      round(middle(found, 'gateway', 'p50Us') / 1000, 2),
      round(middle(found, 'gateway', 'p99Us') / 1000, 2),
    ]);
  }
  const table = {
    title: 'Lists of tools, filtered',
    note: 'The answer to `tools/list`, of which the caller may see every second tool, on 16 connections. nginx passes it on whole.',
    columns: ['', 'requests/s', '× nginx', 'CPU ms each', 'median ms', '99 % ms'],
    rows,
  };
  return { tables: [table], targets: [] };
}

/** Chains of refreshes: each spends its refresh token and gets the next. */
export async function measureTokens(gateway: MeasuredGateway, seconds: number): Promise<Found> {
  const clients: Tokens[] = [];
  while (clients.length < 8) clients.push(await gateway.signIn('/call/mcp'));
  const target = { url: gateway.url, mcpUrl: `${gateway.url}/call/mcp`, emulator: { httpOrigin: '' } };
  const tookMs: number[] = [];
  const pids = processTree(gateway.running().pid);
  const cpuBefore = cpuSeconds(pids);
  const startedMs = performance.now();
  const endMs = startedMs + seconds * 1000;
  await Promise.all(
    clients.map(async ({ clientId, refreshToken }) => {
      let token = refreshToken;
      while (performance.now() < endMs) {
        const sentMs = performance.now();
        const { status, body } = await refresh(target, clientId, token);
        if (status !== 200) throw new Error(`refresh: ${status} ${JSON.stringify(body)}`);
        token = String(body['refresh_token']);
        tookMs.push(performance.now() - sentMs);
      }
    }),
  );
  const perSecond = tookMs.length / ((performance.now() - startedMs) / 1000);
  const table = {
    title: 'Token endpoint',
    note: 'Refreshes at `/token` with rotation, eight clients at once, on the SQLite store.',
    columns: ['requests/s', 'per CPU second', 'median ms', '99 % ms'],
    rows: [
      [
        round(perSecond),
        round(tookMs.length / (cpuSeconds(pids) - cpuBefore)),
        round(median(tookMs), 2),
        round(quantile(tookMs, 0.99), 2),
      ],
    ],
  };
  return { tables: [table], targets: [] };
}

/** From the start of the process to its word that it is ready, with the keys and the store of before. */
export async function measureColdStart(
  gateway: MeasuredGateway,
  directory: string,
  options: GatewayOptions,
): Promise<Found> {
  await gateway.running().stop();
  const tookMs: number[] = [];
  const bytes: number[] = [];
  for (let index = 0; index < 5; index += 1) {
    const startedMs = performance.now();
    const running = await startGateway(directory, { fromSource: options.fromSource });
    tookMs.push(performance.now() - startedMs);
    bytes.push(residentBytes(processTree(running.pid)));
    await running.stop();
  }
  await gateway.restart();
  const table = {
    title: 'Cold start',
    note: 'From the start of the process until the gateway serves, with existing keys and store; median of five.',
    columns: ['ms', 'resident MB'],
    rows: [[round(median(tookMs)), megabytes(median(bytes))]],
  };
  return { tables: [table], targets: [] };
}
