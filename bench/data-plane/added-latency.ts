/** What a proxy adds to a call where it is not in a hurry: requests at a fixed rate, beside the same straight to the backend. */
import { cores } from './machine.ts';
import { type Found, median, round } from './result.ts';
import { run } from './running.ts';
import { labels, type Subject, type SubjectName } from './subject.ts';
import { bodies, requestBytes, writeRequests } from './workload.ts';

const perSecond = 1000;
const kept = 32;

interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly failed: number;
}

export async function measureAddedLatency(
  subjects: readonly Subject[],
  options: { rounds: number; seconds: number; directory: string; rateCommand: string },
): Promise<Found> {
  const found = new Map<SubjectName, Latency[]>(subjects.map(({ name }) => [name, []]));
  for (let index = 0; index < options.rounds; index += 1) {
    for (const subject of subjects) {
      const [token = ''] = await subject.tokens('/call/mcp');
      const bytes = requestBytes(subject.port, '/call/mcp', token, bodies['/call/mcp']);
      const [file = ''] = writeRequests(options.directory, `${subject.name}-rate`, [bytes]);
      const words = [subject.port, file, kept, perSecond, options.seconds].map(String);
      const said = await run(options.rateCommand, words, { core: cores.load });
      const latency = JSON.parse(said) as Latency;
      if (latency.failed > 0) throw new Error(`${subject.name} refused ${latency.failed} calls`);
      found.get(subject.name)?.push(latency);
    }
  }
  const middle = (name: SubjectName, of: 'p50' | 'p99') =>
    median((found.get(name) ?? []).map((one) => one[of]));
  const added = (name: SubjectName) => (middle(name, 'p50') - middle('direct', 'p50')) / 1000;
  const table = {
    title: `Latency at ${perSecond.toLocaleString('en')} calls a second`,
    note: `The same calls at a fixed rate on ${kept} connections, each counted from the moment it was due.`,
    columns: ['', 'median ms', 'added ms', '99 % ms'],
    rows: subjects.map(({ name }) => [
      labels[name],
      round(middle(name, 'p50') / 1000, 3),
      name === 'direct' ? '' : round(added(name), 3),
      round(middle(name, 'p99') / 1000, 3),
    ]),
  };
  const ofGateway = added('gateway');
  const target = {
    what: `median latency added at ${perSecond.toLocaleString('en')} calls a second, under 0.3 ms`,
    measured: `${round(ofGateway, 3)} ms`,
    isMet: ofGateway < 0.3,
  };
  return { tables: [table], targets: Number.isNaN(ofGateway) ? [] : [target] };
}
