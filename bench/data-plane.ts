/**
 * The data plane beside others, in one run: straight to a tiny backend, nginx, HAProxy (plain, and verifying a JWT), the
 * MCP SDK's guard with http-proxy-middleware, and the gateway with everything on. Each has a core of its own while it is
 * measured; what sends the load and answers it runs on the others. Builds all it needs, prints tables, writes JSON.
 *
 *   node --conditions=valetkey-source bench/data-plane.ts            about 15 minutes; docs/reference/performance.md is made of it
 *
 *   --parts a,b        some of: calls, large, latency, streams, lists, tokens, start, idle, ticking
 *   --subjects a,b     some of: direct, nginx, haproxy, haproxy-rs256, haproxy-hs256, sdk-peer, gateway
 *   --rounds N --seconds N      default 5 rounds of 4 seconds
 *   --streams N        idle streams; default 10,000, or what the machine lets a process open
 *   --minutes N        how long streams are held; default: half a minute
 *   --source           run the gateway's sources, without a build
 *   --profile DIR      a CPU profile of each gateway process
 *   --out FILE         default bench/data-plane/result.json; `-` writes nothing
 *
 * Needs nginx, haproxy, wrk, a C compiler and taskset, and says so.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { repositoryRoot } from '../test/support/command.ts';
import { describeRun, type Run } from '../tools/performance.ts';
import { measureAddedLatency } from './data-plane/added-latency.ts';
import { buildAll } from './data-plane/build.ts';
import { measureColdStart, measureLists, measureTokens } from './data-plane/gateway-only.ts';
import { measureIdle, measureTicking } from './data-plane/idle.ts';
import { describeMachine, moveAside } from './data-plane/machine.ts';
import { describeMissing } from './data-plane/needed.ts';
import type { Found } from './data-plane/result.ts';
import { measureStreams } from './data-plane/streams.ts';
import { subjectNames } from './data-plane/subject.ts';
import { openSubjects } from './data-plane/subjects.ts';
import { measureCalls, measureLargeCalls } from './data-plane/throughput.ts';

const allParts = ['calls', 'large', 'latency', 'streams', 'lists', 'tokens', 'start', 'idle', 'ticking'];

const { values } = parseArgs({
  options: {
    parts: { type: 'string', default: allParts.join() },
    subjects: { type: 'string', default: subjectNames.join() },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    streams: { type: 'string', default: '10000' },
    minutes: { type: 'string', default: '0.5' },
    source: { type: 'boolean', default: false },
    profile: { type: 'string' },
    out: { type: 'string', default: join(repositoryRoot, 'bench/data-plane/result.json') },
  },
});

const missing = describeMissing();
if (missing !== undefined) {
  console.error(missing);
  process.exit(2);
}
const directory = mkdtempSync('/tmp/valetkey-data-plane-');
try {
  await measure();
} finally {
  rmSync(directory, { recursive: true, force: true });
}
// Sockets of the emulator's pool would keep the process.
process.exit();

async function measure(): Promise<void> {
  const parts = values.parts.split(',');
  const unknown = parts.find((part) => !allParts.includes(part));
  if (unknown !== undefined) throw new Error(`--parts: ${unknown} is none of ${allParts.join(', ')}`);
  const machine = describeMachine();
  const commands = buildAll(directory, values.source);
  moveAside();
  const rounds = Number(values.rounds);
  const seconds = Number(values.seconds);
  const heldSeconds = Math.round(Number(values.minutes) * 60);
  const gatewayOptions = {
    fromSource: values.source,
    ...(values.profile === undefined ? {} : { profileTo: values.profile }),
  };
  const opened = await openSubjects(directory, values.subjects.split(','), commands.backend, gatewayOptions);
  const { subjects, gateway } = opened;
  const saturating = { rounds, seconds, directory: join(directory, 'requests') };
  const idle = {
    streams: Number(values.streams),
    idleSeconds: heldSeconds,
    ticking: Math.min(1000, Number(values.streams)),
    tickSeconds: heldSeconds,
  };
  const nothing = async (): Promise<Found> => ({ tables: [], targets: [] });
  const nginx = subjects.find(({ name }) => name === 'nginx');
  const work: Readonly<Record<string, () => Promise<Found>>> = {
    calls: () => measureCalls(subjects, saturating),
    large: () => measureLargeCalls(subjects, saturating),
    latency: () => measureAddedLatency(subjects, { ...saturating, rateCommand: commands.rate }),
    streams: () => measureStreams(subjects, { rounds: Math.min(rounds, 3) }),
    lists: () =>
      gateway === undefined || nginx === undefined ? nothing() : measureLists(nginx, gateway, saturating),
    tokens: () => (gateway === undefined ? nothing() : measureTokens(gateway, seconds * 2)),
    start: () =>
      gateway === undefined
        ? nothing()
        : measureColdStart(gateway, join(directory, 'gateway'), gatewayOptions),
    idle: () => measureIdle(subjects, idle),
    ticking: () => (gateway === undefined ? nothing() : measureTicking(gateway, idle)),
  };
  const found: Found[] = [];
  try {
    for (const part of allParts.filter((each) => parts.includes(each))) {
      console.error(`measuring: ${part}`);
      found.push(await (work[part] ?? nothing)());
    }
  } finally {
    await opened.close();
  }
  const run: Run = {
    date: new Date().toISOString().slice(0, 10),
    machine,
    settings: {
      rounds: `${rounds} of ${seconds} s, subjects in turn, medians`,
      'streams held': `${heldSeconds} s`,
      gateway: values.source ? 'from its sources' : 'as built',
    },
    targets: found.flatMap(({ targets }) => targets),
    tables: found.flatMap(({ tables }) => tables),
  };
  console.log(describeRun(run));
  if (values.out === '-') return;
  writeFileSync(values.out, `${JSON.stringify(run, undefined, 2)}\n`);
  spawnSync('node_modules/.bin/biome', ['format', '--write', values.out], { cwd: repositoryRoot });
}
