import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { UsageFault } from './usage-fault.ts';

/** Parses options. @throws UsageFault naming the option that is unknown or lacks its value. */
export function parseOptions<Options extends ParseArgsOptionsConfig>(args: string[], options: Options) {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (fault) {
    throw new UsageFault(fault instanceof Error ? fault.message : 'the options cannot be read');
  }
}

/** @throws UsageFault when it is not a port. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new UsageFault(`--port takes a number from 0 to 65535, not ${text}`);
  return port;
}
