/** The container example is not built here; what can be known of it without Docker is checked. */
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readText } from './sources.ts';

const folder = 'examples/emulator-docker';
const { version } = JSON.parse(readText('packages/emulator/package.json')) as { version: string };

test('every line of the Dockerfile is an instruction that Docker knows, and the version is ours', () => {
  const lines = readText(`${folder}/Dockerfile`)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  for (const line of lines)
    expect(line).toMatch(/^(FROM|RUN|USER|WORKDIR|VOLUME|EXPOSE|HEALTHCHECK|ENTRYPOINT) \S/);
  for (const line of lines.filter((each) => / \[/.test(each)))
    expect(() => JSON.parse(line.slice(line.indexOf('[')))).not.toThrow();
  expect(lines.join('\n')).toContain(`@valetkey/entra-emulator@${version.split('.').slice(0, 2).join('.')}`);
});

test('in the compose file the tests share the emulator’s loopback and trust its authority', () => {
  const { services, volumes } = parse(readText(`${folder}/compose.yaml`)) as {
    services: Record<string, Record<string, unknown>>;
    volumes: Record<string, unknown>;
  };
  expect(services['tests']?.['network_mode']).toBe('service:emulator');
  expect(services['tests']?.['environment']).toEqual({ NODE_EXTRA_CA_CERTS: '/ca/ca.pem' });
  expect(Object.keys(volumes)).toEqual(['ca']);
});
