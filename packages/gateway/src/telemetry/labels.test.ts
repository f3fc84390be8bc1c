import { expect, test } from 'vitest';
import {
  clientKind,
  createClientLabel,
  createReasonLabel,
  createToolLabel,
  httpMethodLabel,
  methodLabel,
} from './labels.ts';

test('methods of MCP are labels; what a client makes up is not', () => {
  expect(['tools/call', 'http GET', '', 'made/up', 'constructor'].map(methodLabel)).toEqual([
    'tools/call',
    'http GET',
    'response',
    'other',
    'other',
  ]);
  expect(['GET', 'BREW', 'get'].map(httpMethodLabel)).toEqual(['GET', '_OTHER', '_OTHER']);
});

test('a tool is a label where a rule names it exactly; a pattern names nothing', () => {
  const label = createToolLabel({ tools: { save_snippet: {}, 'admin_*': {} } });
  expect(['save_snippet', 'admin_all', 'admin_*', 'toString'].map(label)).toEqual([
    'save_snippet',
    'other',
    'other',
    'other',
  ]);
});

test('clients by how they came to be known', () => {
  expect(clientKind('https://claude.ai/client.json')).toBe('document');
  expect(clientKind('c-AbCdEf')).toBe('dynamic');
  expect(clientKind('inspector')).toBe('configured');
  const label = createClientLabel(new Set(['inspector', 'c-of-the-operator']));
  expect(
    ['inspector', 'c-of-the-operator', 'c-AbCdEf', 'https://claude.ai/x', 'stranger', 'https://'].map(label),
  ).toEqual(['inspector', 'c-of-the-operator', 'dynamic', 'claude.ai', 'other', 'other']);
});

test('CWE-770: hosts and reasons are bounded, and those that were there stay', () => {
  const client = createClientLabel(new Set());
  expect(client('https://first.example/x')).toBe('first.example');
  const hosts = Array.from({ length: 200 }, (_, index) => client(`https://host-${index}.example/x`));
  expect(new Set(hosts).size).toBeLessThanOrEqual(51);
  expect(hosts.at(-1)).toBe('other');
  expect(client('https://first.example/y')).toBe('first.example');

  const reason = createReasonLabel();
  const letters = 'abcdefghijklmnopqrstuvwxyz'.split('');
  const made = letters.flatMap((one) => letters.map((other) => reason(`made_${one}${other}`)));
  expect(new Set(made).size).toBeLessThanOrEqual(201);
});

test.each([
  ['missing_role', 'missing_role'],
  ['AADSTS50105', 'AADSTS50105'],
  ['AADSTS9999999999', 'AADSTS_other'],
  ['a sentence of somebody', 'other'],
  ['rita@contoso.com', 'other'],
  ['', 'other'],
])('the reason %j is the label %j', (given, label) => {
  expect(createReasonLabel()(given)).toBe(label);
});
