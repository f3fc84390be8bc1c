/** The configuration as it is in effect, defaults and all, in the words of the file: what is printed can be read again. */
import { Document, isMap, isScalar, type Pair } from 'yaml';
import type { AnyBackendConfig, Config, ProcessConfig } from './config.ts';
import type { LoadedConfig } from './load.ts';
import { type BackendFile, type ConfigFile, configSchema } from './schema.ts';
import { standardName } from './scopes.ts';
import { isReference } from './word-rules.ts';

/**
 * Secrets stay where they are: a reference is printed as it was written. Paths stay relative to the folder of the file.
 * What cannot be written, since it follows from other settings or from the environment, stands there as a comment.
 */
export function printConfig({ file, config }: LoadedConfig): string {
  // Through the schema once more: in its order.
  const document = new Document(configSchema.parse(completeFile(file, config)));
  document.commentBefore = ' Relative paths start at the folder of the file that this was read from.';
  const { cloud } = config.entra;
  comment(document, ['entra'], `authority: ${cloud.authorityHost}, Graph: ${cloud.graphHost}`);
  comment(
    document,
    ['telemetry'],
    `with the OTEL_* variables: ${JSON.stringify(config.telemetry ?? 'none')}`,
  );
  for (const { name, resource } of config.backends)
    comment(document, ['backends', name], `resource: ${resource}`);
  return document.toString({ lineWidth: 0 });
}

function completeFile(file: ConfigFile, { listen, backends }: Config): ConfigFile {
  const completed = backends.flatMap((backend) => {
    const written = file.backends[backend.name];
    return written === undefined ? [] : [[backend.name, completeBackend(written, backend)] as const];
  });
  return { ...file, listen, backends: Object.fromEntries(completed) };
}

function completeBackend(written: BackendFile, backend: AnyBackendConfig): BackendFile {
  const { name, title, circuit, capacity, timeouts, process } = backend;
  const { connectMs, ...ofAnswers } = timeouts;
  const complete = {
    ...written,
    title,
    scopes: written.scopes ?? [standardName(name)],
    ...(process?.mode === 'perSession' ? {} : { circuit }),
    ...(capacity.maxQueued === 0 ? {} : { queueMs: capacity.queueMs }),
  };
  if (process !== undefined)
    return { ...complete, timeouts: ofAnswers, ...completeProcess(written, process) };
  return {
    ...complete,
    timeouts: { connectMs, ...ofAnswers },
    transport: backend.transport ?? 'streamableHttp',
  };
}

/** A plain text among the variables may be an address with a password, which nobody wants in a ticket. */
function completeProcess({ env = {}, cwd = '.' }: BackendFile, process: ProcessConfig) {
  const { mode, identity, idleSeconds, maxProcesses, maxMessageBytes } = process;
  const shown = Object.entries(env).map(([key, value]) => [key, isReference(value) ? value : '[secret]']);
  const bounds = { idleSeconds, maxProcesses, maxMessageBytes };
  return { env: Object.fromEntries(shown) as Record<string, string>, cwd, mode, identity, ...bounds };
}

function comment(document: Document, path: readonly string[], text: string): void {
  const name = path.at(-1);
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const pairs: readonly Pair[] = isMap(parent) ? parent.items : [];
  const key = pairs.find((pair) => isScalar(pair.key) && pair.key.value === name)?.key;
  if (isScalar(key)) key.commentBefore = ` ${text}`;
}
