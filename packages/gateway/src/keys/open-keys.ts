import type { ServerConfig } from '../config/config.ts';
import { createAppTokens } from '../entra/app-tokens.ts';
import { openOutbound } from '../entra/outbound.ts';
import type { World } from '../world.ts';
import { createKeySource, type KeySource } from './key-source.ts';
import { createKeyVaultWrapping } from './key-vault.ts';

/** The source that the configuration names. `close` ends its connections. */
export function openKeySource(
  config: Pick<ServerConfig, 'keys' | 'entra'>,
  world: Pick<World, 'random' | 'clock'>,
): KeySource & { close(): Promise<void> } {
  const { keys, entra } = config;
  const { random, clock } = world;
  if (keys.kind !== 'keyVault') {
    return { ...createKeySource({ config: keys, random, clock }), close: async () => {} };
  }
  const outbound = openOutbound(entra.caFile === undefined ? {} : { caFile: entra.caFile });
  const { managedIdentity } = keys;
  const tokens = createAppTokens({
    config: entra,
    world,
    outbound,
    ...(managedIdentity === undefined ? {} : { managedIdentity }),
  });
  const wrapping = createKeyVaultWrapping({
    keyUrl: keys.keyUrl,
    tenantId: entra.tenants[0] ?? '',
    cloud: entra.cloud,
    tokens,
    outbound,
  });
  return { ...createKeySource({ config: keys, random, clock, wrapping }), close: () => outbound.close() };
}
