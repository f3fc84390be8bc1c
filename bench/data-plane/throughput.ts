/**
 * Calls one after the other on 64 connections, as fast as each subject can: rounds in turn, so that what else the machine
 * does hits all of them alike, and the median of the rounds.
 */
import { join } from 'node:path';
import type { Table, Target } from '../../tools/performance.ts';
import { cores, cpuSeconds, processTree, residentBytes } from './machine.ts';
import { type Found, median, megabytes, round } from './result.ts';
import { run } from './running.ts';
import { labels, type Subject, type SubjectName } from './subject.ts';
import { type Address, bodies, connections, requestBytes, writeRequests } from './workload.ts';

export interface ThroughputOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly directory: string;
}

export interface Saturated {
  readonly perSecond: number;
  /** Requests for each second that the subject's processes were on a core: what others do on it does not count. */
  readonly perCpuSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly residentBytes: number;
  readonly failed: number;
}

export type ByName = ReadonlyMap<SubjectName, readonly Saturated[]>;

/** @returns the rounds of each subject. @throws where a subject refuses what it should answer. */
export async function saturate(
  subjects: readonly Subject[],
  address: Address,
  body: string,
  options: ThroughputOptions & { readonly connections?: number },
): Promise<ByName> {
  const { rounds, seconds, directory } = options;
  const files = new Map<SubjectName, string[]>();
  for (const subject of subjects) {
    const tokens = await subject.tokens(address);
    const requests = tokens.map((token) => requestBytes(subject.port, address, token, body));
    files.set(
      subject.name,
      writeRequests(directory, `${subject.name}${address.replaceAll('/', '-')}`, requests),
    );
    await load(subject, files.get(subject.name) ?? [], Math.min(seconds, 3), options.connections);
  }
  const found = new Map<SubjectName, Saturated[]>(subjects.map(({ name }) => [name, []]));
  for (let index = 0; index < rounds; index += 1) {
    for (const subject of subjects) {
      const one = await load(subject, files.get(subject.name) ?? [], seconds, options.connections);
      if (one.failed > 0) throw await explain(subject, address, body, one.failed);
      found.get(subject.name)?.push(one);
    }
  }
  return found;
}

/** What a failed call is told: a bench that measures refusals would be quick. */
async function explain(subject: Subject, address: Address, body: string, failed: number): Promise<Error> {
  const [token = ''] = await subject.tokens(address);
  const answer = await fetch(`http://localhost:${subject.port}${address}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body,
  });
  const text = (await answer.text()).slice(0, 300);
  return new Error(`${subject.name} refused ${failed} requests to ${address}: ${answer.status} ${text}`);
}

async function load(
  subject: Subject,
  files: readonly string[],
  seconds: number,
  parallel = connections,
): Promise<Saturated> {
  const pids = processTree(subject.running().pid);
  const before = cpuSeconds(pids);
  const script = join(import.meta.dirname, 'load.lua');
  const said = await run(
    'wrk',
    [
      '-t1',
      `-c${parallel}`,
      `-d${seconds}s`,
      // A slow answer is a figure; only one that does not come is a failure.
      '--timeout',
      '10s',
      '-s',
      script,
      `http://127.0.0.1:${subject.port}`,
      '--',
      ...files,
    ],
    { core: cores.load },
  );
  const line = JSON.parse(/^\{.*\}$/m.exec(said)?.[0] ?? '{}') as Record<string, number>;
  if ((line['failed'] ?? 0) > 0) console.error(`${subject.name}: ${said.trim()}`);
  const { requests = 0, seconds: took = 1, failed = 0, p50 = 0, p99 = 0 } = line;
  return {
    perSecond: requests / took,
    perCpuSecond: requests / (cpuSeconds(pids) - before),
    p50Us: p50,
    p99Us: p99,
    residentBytes: residentBytes(pids),
    failed,
  };
}

export function middle(found: ByName, name: SubjectName, of: keyof Saturated): number {
  return median((found.get(name) ?? []).map((one) => one[of]));
}

export async function measureCalls(subjects: readonly Subject[], options: ThroughputOptions): Promise<Found> {
  const found = await saturate(subjects, '/call/mcp', bodies['/call/mcp'] ?? '', options);
  const note =
    'A `tools/call` of 300 bytes in and 600 out on 64 connections, eight callers in turn. "Per CPU second" counts only ' +
    'the time that the processes of the subject had the core.';
  return { tables: [tableOf('Calls', note, found, subjects)], targets: targetsOf(found) };
}

export async function measureLargeCalls(
  subjects: readonly Subject[],
  options: ThroughputOptions,
): Promise<Found> {
  const tables: Table[] = [];
  const rounds = Math.min(options.rounds, 3);
  for (const [address, size] of [
    ['/4k/mcp', '4 KB'],
    ['/256k/mcp', '256 KB'],
  ] as const) {
    const found = await saturate(subjects, address, bodies[address] ?? '', { ...options, rounds });
    tables.push(tableOf(`Calls of ${size}`, `${size} in and ${size} out; else as above.`, found, subjects));
  }
  return { tables, targets: [] };
}

function tableOf(title: string, note: string, found: ByName, subjects: readonly Subject[]): Table {
  const ofNginx = middle(found, 'nginx', 'perSecond');
  return {
    title,
    note,
    columns: ['', 'requests/s', '× nginx', 'per CPU second', 'median ms', '99 % ms', 'resident MB'],
    rows: subjects.map(({ name }) => [
      labels[name],
      round(middle(found, name, 'perSecond')),
      round(middle(found, name, 'perSecond') / ofNginx, 2),
      name === 'direct' ? '' : round(middle(found, name, 'perCpuSecond')),
      round(middle(found, name, 'p50Us') / 1000, 2),
      round(middle(found, name, 'p99Us') / 1000, 2),
      name === 'direct' ? '' : megabytes(middle(found, name, 'residentBytes')),
    ]),
  };
}

function targetsOf(found: ByName): Target[] {
  const ratio = (name: SubjectName, of: keyof Saturated) =>
    middle(found, 'gateway', of) / middle(found, name, of);
  const atLeast = (name: SubjectName, least: number): Target => ({
    what: `calls a second, at least ${least} × ${labels[name]}`,
    measured: `${round(ratio(name, 'perSecond'), 2)} ×`,
    isMet: ratio(name, 'perSecond') >= least,
  });
  const slow = ratio('nginx', 'p99Us');
  return [
    atLeast('nginx', 0.45),
    atLeast('haproxy-rs256', 1.1),
    atLeast('sdk-peer', 2.8),
    {
      what: `99th percentile under saturation, at most 4 × ${labels.nginx}`,
      measured: `${round(slow, 2)} ×`,
      isMet: slow <= 4,
    },
  ].filter(({ measured }) => !measured.startsWith('NaN'));
}
