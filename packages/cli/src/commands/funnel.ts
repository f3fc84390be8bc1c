import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { explainAadsts } from '@valetkey/core/entra/aadsts';
import { cleanText } from '@valetkey/gateway/audit/audit-text';
import {
  createFunnel,
  type FunnelReport,
  funnelSteps,
  type FunnelStep,
  type Stop,
} from '@valetkey/gateway/audit/funnel';
import type { AuditRecord } from '@valetkey/gateway/audit/sink';
import { fail, printTable } from '../administer.ts';
import { parseOptions } from '../command-line.ts';
import { UsageFault } from '../usage-fault.ts';

/** `valetkey funnel`: how far sign-ins come, client by client, and where the others stopped. */
export async function funnel(args: string[]): Promise<number> {
  const {
    audit: files = [],
    since = '24h',
    json,
  } = parseOptions(args, {
    audit: { type: 'string', multiple: true },
    since: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (files.length === 0) throw new UsageFault('funnel needs --audit FILE, or --audit - for standard input');
  const sinceMs = Date.now() - parseDuration(since);
  const counted = createFunnel(sinceMs);
  for (const file of files) {
    const fault = await readRecords(file, (record) => counted.add(record));
    if (fault !== undefined) return fail(fault);
  }
  const report = counted.report();
  const from = new Date(sinceMs).toISOString();
  if (json) process.stdout.write(`${JSON.stringify({ since: from, ...report })}\n`);
  else print(report, from);
  return 0;
}

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @returns milliseconds. @throws UsageFault for what is not such as 30m, 24h or 7d. */
export function parseDuration(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const milliseconds = Number(count) * (units[unit] ?? 0);
  if (milliseconds === 0) throw new UsageFault(`--since takes a time such as 30m, 24h or 7d, not ${text}`);
  return milliseconds;
}

/** Other lines of a log that standard output went to are passed over. */
async function readRecords(
  file: string,
  take: (record: Partial<AuditRecord>) => void,
): Promise<{ readonly problem: string; readonly remedy: string } | undefined> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      const record = parseRecord(line);
      if (record !== undefined) take(record);
    }
    return undefined;
  } catch (fault) {
    const code = fault instanceof Error && 'code' in fault ? String(fault.code) : 'unknown';
    return {
      problem: `the audit cannot be read: ${file} (${code})`,
      remedy: 'Name the file of audit.file, as this account can read it.',
    };
  }
}

function parseRecord(line: string): Partial<AuditRecord> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Partial<AuditRecord>;
  } catch {
    return undefined;
  }
}

const titles: Readonly<Record<FunnelStep, string>> = {
  began: 'began',
  consented: 'consented',
  returned: 'back from Entra',
  signedIn: 'signed in',
  gotTokens: 'got tokens',
  calledTool: 'called a tool',
};

function print({ total, clients, stops }: FunnelReport, from: string): void {
  process.stdout.write(`sign-ins that began since ${from.slice(0, 16)}Z\n\n`);
  printTable([
    ['client', ...funnelSteps.map((step) => titles[step])],
    ...clients.map(({ client, counts }) => [cleanText(client), ...cellsOf(counts)]),
    ['all', ...cellsOf(total)],
  ]);
  if (stops.length === 0) return;
  process.stdout.write('\nwhere the others stopped\n');
  for (const stop of stops) process.stdout.write(`${String(stop.count).padStart(6)}  ${describe(stop)}\n`);
}

const cellsOf = (counts: FunnelReport['total']) => funnelSteps.map((step) => String(counts[step]));

const silences: Readonly<Record<Stop['after'], string>> = {
  began: 'left the consent page, or has not answered yet',
  consented: 'did not come back from Entra',
  returned: 'came back from Entra, and no more',
  signedIn: 'the client did not fetch its tokens',
};

function describe({ after, reason }: Stop): string {
  if (reason === undefined) return silences[after];
  if (reason === 'denied_by_person') return 'denied on the consent page';
  const code = /^AADSTS(\d{4,10})$/.exec(reason)?.[1];
  if (code === undefined) return `${cleanText(reason)} (after: ${titles[after]})`;
  const { title, forOperator } = explainAadsts(Number(code));
  return `${reason}: ${title}\n        ${forOperator}`;
}
