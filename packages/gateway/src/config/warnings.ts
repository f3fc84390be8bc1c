import { isLoopbackHost } from '@valetkey/core/base/url';
import { findProcessBound } from './backend-kind.ts';
import type { Config } from './config.ts';
import { type ConfigFault, describePath } from './fault.ts';
import { warnOfPrograms } from './programs.ts';
import { warnOfTelemetry } from './telemetry.ts';
import { isLoopbackUrl } from './url-rules.ts';

/** What should be said at start though the configuration has no fault. */
export function listConfigWarnings(config: Config): ConfigFault[] {
  return [...warnOfPrograms(config), ...(isLoopbackUrl(config.publicUrl) ? [] : warnOfProduction(config))];
}

/** What works and would harm a gateway for others: nothing of it where people try things out. */
function warnOfProduction(config: Config): ConfigFault[] {
  return [
    ...warnOfSecret(config),
    ...warnOfMemory(config),
    ...warnOfPlainStore(config),
    ...warnOfAudit(config),
    ...warnOfProxies(config),
    ...warnOfPlainUpstreams(config),
    ...warnOfBoundSessions(config),
    ...warnOfTelemetry(config),
  ];
}

/** With one replica there is nothing to say. */
function warnOfBoundSessions({ store, backends }: Config): ConfigFault[] {
  if (store.driver === 'sqlite') return [];
  return backends.flatMap((backend) => {
    const setting = findProcessBound(backend);
    if (setting === undefined) return [];
    return [
      {
        path: describePath(['backends', backend.name, setting]),
        problem: 'each session lives in the replica that began it, and this store is for several replicas',
        remedy: 'Let the load balancer bring a client to the same replica each time',
      },
    ];
  });
}

/** A29. */
function warnOfSecret({ entra }: Config): ConfigFault[] {
  if (entra.credential.kind !== 'secret') return [];
  return [
    {
      path: 'entra.credential.secret',
      problem: 'a client secret in production: it can leak and it expires',
      remedy: 'Use managedIdentity or workloadIdentity with a federated credential, or a certificate',
    },
  ];
}

function warnOfMemory({ store }: Config): ConfigFault[] {
  if (store.driver !== 'sqlite' || store.path !== ':memory:') return [];
  return [
    {
      path: 'store',
      problem: 'the store is in memory: a restart forgets every client and signs everybody out',
      remedy: 'Write sqlite:./valetkey.db',
    },
  ];
}

/** What is stored is sealed; the password of the store and the pattern of use would be readable. */
function warnOfPlainStore({ store }: Config): ConfigFault[] {
  if (store.driver === 'sqlite' || store.tls) return [];
  const hosts = store.driver === 'redis' ? store.hosts.map(({ host }) => host) : [store.host];
  if (hosts.every(isLoopbackHost)) return [];
  const remedy =
    store.driver === 'redis'
      ? 'Write rediss:// (rediss+sentinel://, rediss+cluster://)'
      : 'Remove sslmode=disable from the address';
  return [{ path: 'store', problem: 'the connection to the store is not encrypted', remedy }];
}

function warnOfAudit({ audit }: Config): ConfigFault[] {
  if (audit.stdout || audit.file !== undefined) return [];
  return [{ path: 'audit', problem: 'no audit record is kept', remedy: 'Set audit.stdout or audit.file' }];
}

function warnOfProxies({ trustedProxies }: Config): ConfigFault[] {
  return trustedProxies.flatMap((range, index) =>
    range.endsWith('/0')
      ? [
          {
            path: `trustedProxies[${index}]`,
            problem: 'everybody may claim any address, so rate limits and audit can be misled',
            remedy: 'Write the range of the proxy in front of the gateway',
          },
        ]
      : [],
  );
}

function warnOfPlainUpstreams({ backends }: Config): ConfigFault[] {
  const servers = backends.filter((backend) => 'upstream' in backend);
  return servers.flatMap(({ name, upstream, credential }) =>
    credential !== undefined && upstream.startsWith('http:') && !isLoopbackUrl(upstream)
      ? [
          {
            path: `backends.${name}.upstream`,
            problem: 'the credential of the backend travels over plain http',
            remedy: 'Use https, or make sure that the network between them is private',
          },
        ]
      : [],
  );
}
