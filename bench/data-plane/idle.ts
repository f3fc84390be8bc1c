/** Streams on which nothing happens, for hours: what each costs in memory, and whether it comes back. */
import type { Table, Target } from '../../tools/performance.ts';
import { openStream, type Stream } from './event-stream.ts';
import type { MeasuredGateway } from './gateway.ts';
import { openFilesLimit, processTree, residentBytes } from './machine.ts';
import { type Found, megabytes, median, quantile, round } from './result.ts';
import { pause } from './running.ts';
import { labels, type Subject } from './subject.ts';
import { type Address, requestBytes } from './workload.ts';

export interface IdleOptions {
  readonly streams: number;
  readonly idleSeconds: number;
  readonly ticking: number;
  readonly tickSeconds: number;
}

const opensAtOnce = 100;

/** A proxy holds two files for each stream, and has some of its own. */
export function mostStreams(wanted: number): number {
  return Math.min(wanted, Math.floor((openFilesLimit() - 200) / 2));
}

export async function measureIdle(subjects: readonly Subject[], options: IdleOptions): Promise<Found> {
  const most = mostStreams(options.streams);
  const rows: (string | number)[][] = [];
  const targets: Target[] = [];
  for (const subject of subjects.filter(({ name }) => name !== 'direct')) {
    await subject.restart();
    // What one stream costs the others, half as many tell as well, and sooner.
    const isOurs = subject.name === 'gateway';
    const count = isOurs ? most : Math.min(most, 5000);
    const seconds = isOurs ? options.idleSeconds : Math.min(options.idleSeconds, 10);
    const { beforeBytes, samples } = await hold(subject, count, seconds);
    // HAProxy goes on holding what it has open at the backend, which then could open nothing for the next.
    if (!isOurs) await subject.restart();
    const eachKb = (bytes: number) => round((bytes - beforeBytes) / count / 1024, 1);
    const [first = 0] = samples;
    rows.push([
      labels[subject.name],
      count,
      eachKb(first),
      eachKb(Math.max(...samples)),
      `${eachKb(samples.at(-1) ?? 0)} after ${seconds} s`,
      megabytes(samples.at(-1) ?? 0),
    ]);
    if (!isOurs) continue;
    targets.push({
      what: 'resident memory of an idle stream, at most 60 KB',
      measured: `${eachKb(Math.max(...samples))} KB each of ${count.toLocaleString('en')}`,
      isMet: eachKb(Math.max(...samples)) <= 60,
    });
  }
  const table = {
    title: 'Idle event streams',
    note:
      'Resident memory that each open stream adds to a fresh process: just after opening, the most seen, and in the end. ' +
      'A process may have as many streams here as the machine lets it open files, two each.',
    columns: ['', 'streams', 'KB each', 'most KB each', 'KB each in the end', 'resident MB'],
    rows,
  };
  return { tables: [table], targets };
}

async function hold(subject: Subject, count: number, seconds: number) {
  // What is loaded and compiled with the first streams is not theirs.
  close(await openMany(subject, '/idle/mcp', 100));
  await pause(1000);
  const memory = () => residentBytes(processTree(subject.running().pid));
  const beforeBytes = memory();
  const streams = await openMany(subject, '/idle/mcp', count);
  const samples = [memory()];
  const endMs = performance.now() + seconds * 1000;
  while (performance.now() < endMs) {
    await pause(1000);
    samples.push(memory());
  }
  const lost = streams.filter(({ socket }) => socket.destroyed).length;
  if (lost > 0) throw new Error(`${subject.name} lost ${lost} idle streams`);
  close(streams);
  return { beforeBytes, samples };
}

/** Many streams with an event a second: nothing may be lost, and what they took must be free again afterwards. */
export async function measureTicking(gateway: MeasuredGateway, options: IdleOptions): Promise<Found> {
  await gateway.restart();
  close(await openMany(gateway, '/seconds/mcp', 100));
  await pause(1000);
  const before = await gateway.memory();
  const next: number[] = Array.from({ length: options.ticking }, () => 0);
  const delaysMs: number[] = [];
  let missed = 0;
  const streams = await openMany(gateway, '/seconds/mcp', options.ticking, (index) => (sequence, delayMs) => {
    missed += sequence - (next[index] ?? 0);
    next[index] = sequence + 1;
    delaysMs.push(delayMs);
  });
  await pause(options.tickSeconds * 1000);
  const during = residentBytes(processTree(gateway.running().pid));
  const broken = streams.filter(({ socket }) => socket.destroyed).length;
  const least = Math.min(...next);
  close(streams);
  await pause(2000);
  const after = await gateway.memory();
  const came = delaysMs.length;
  // The last ones opened have seen the fewest; each must have had one a second.
  const isWhole = missed === 0 && broken === 0 && least >= options.tickSeconds - 2;
  const table: Table = {
    title: 'Streams with an event a second',
    note: `${options.ticking.toLocaleString('en')} streams through the gateway, held for ${options.tickSeconds} s.`,
    columns: [
      'events',
      'lost',
      'broken streams',
      'median ms',
      '99 % ms',
      'resident MB',
      'heap before MB',
      'heap after closing MB',
    ],
    rows: [
      [
        came,
        missed,
        broken,
        round(median(delaysMs), 2),
        round(quantile(delaysMs, 0.99), 2),
        megabytes(during),
        megabytes(before.heapUsed),
        megabytes(after.heapUsed),
      ],
    ],
  };
  const grownMb = megabytes(after.heapUsed - before.heapUsed);
  return {
    tables: [table],
    targets: [
      {
        what: `${options.ticking.toLocaleString('en')} streams with an event a second lose nothing`,
        measured: `${missed} of ${came.toLocaleString('en')} lost, ${broken} streams broken`,
        isMet: isWhole,
      },
      {
        what: 'the heap returns after they close, within 5 MB',
        measured: `${grownMb} MB more than before`,
        isMet: grownMb <= 5,
      },
    ],
  };
}

async function openMany(
  subject: Subject,
  address: Address,
  count: number,
  listener: (index: number) => (sequence: number, delayMs: number) => void = () => () => {},
): Promise<Stream[]> {
  const [token = ''] = await subject.tokens(address);
  const request = requestBytes(subject.port, address, token);
  const streams: Stream[] = [];
  while (streams.length < count) {
    const some = Array.from({ length: Math.min(opensAtOnce, count - streams.length) }, (_each, index) =>
      openStream(subject.port, request, listener(streams.length + index)),
    );
    await Promise.all(some.map(({ opened }) => opened));
    streams.push(...some);
  }
  return streams;
}

function close(streams: readonly Stream[]): void {
  for (const { socket } of streams) socket.destroy();
}
