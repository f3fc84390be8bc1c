/** Every command that a reader is told to run, and the test or check that runs it. See docs.ts. */
export const commands: Readonly<Record<string, string>> = {
  'npm start': 'tools/bootstrap.integration.test.ts',
  'npm start -- --upstream http://127.0.0.1:3000/mcp': 'test/e2e/documented-commands.test.ts',
  'npm run valetkey -- check --config examples/config/valetkey.yaml': 'test/e2e/documented-commands.test.ts',
  'npm run valetkey -- check --config examples/config/transports.yaml':
    'test/e2e/documented-commands.test.ts',
  'npm run valetkey -- check --config examples/config/valetkey.yaml --print':
    'test/e2e/documented-commands.test.ts',
  'npm run valetkey -- serve --config examples/config/valetkey.yaml': 'test/e2e/documented-commands.test.ts',
  'npm run valetkey -- serve --config examples/config/valetkey.yaml --workers auto':
    'test/e2e/documented-commands.test.ts',
  'npm run valetkey -- sessions list --config examples/config/valetkey.yaml':
    'test/e2e/sessions-commands.test.ts',
  'npm run valetkey -- sessions revoke --person rita@contoso.com --config examples/config/valetkey.yaml':
    'test/e2e/sessions-commands.test.ts',
  'npm run valetkey -- consents list --config examples/config/valetkey.yaml':
    'test/e2e/sessions-commands.test.ts',
  'npm run valetkey -- consents revoke --person rita@contoso.com --config examples/config/valetkey.yaml':
    'test/e2e/sessions-commands.test.ts',
  'npm run valetkey -- keys list --config examples/config/valetkey.yaml':
    'test/e2e/sessions-commands.test.ts',
  'npm run valetkey -- keys rotate --config examples/config/valetkey.yaml':
    'test/e2e/sessions-commands.test.ts',
  'npm run valetkey -- keys prune --config examples/config/valetkey.yaml':
    'test/e2e/sessions-commands.test.ts',
  'npm run valetkey -- sessions revoke --all --config examples/config/valetkey.yaml':
    'test/e2e/sessions-commands.test.ts',
  'npm run valetkey -- policy explain --config examples/config/valetkey.yaml --backend snippets --roles Snippets.Reader':
    'test/e2e/policy-explain.test.ts',
  'npm run valetkey -- policy explain --config examples/config/valetkey.yaml --backend snippets --roles Snippets.Reader --tool save_snippet':
    'test/e2e/policy-explain.test.ts',
  'npm run valetkey -- policy explain --config .valetkey/valetkey.yaml --backend snippets --as rita':
    'test/e2e/policy-explain.test.ts',
  'npm run valetkey -- funnel --audit .valetkey/audit.jsonl --since 7d': 'test/e2e/funnel.test.ts',
  'npm run emulator': 'test/e2e/tutorial.test.ts',
  'npm run example -- terminal-client -- npm run --silent example -- local-profile':
    'test/e2e/tutorial.test.ts',
  'npm run example -- terminal-client --call GetUserDetailsFromGraph -- npm run --silent example -- local-profile':
    'test/e2e/tutorial.test.ts',
  'npm run example -- remote-express': 'test/e2e/tutorial.test.ts',
  'LEGACY_SSE=1 npm run example -- remote-express': 'test/e2e/tutorial.test.ts',
  'VALETKEY_PUBLIC_URL=http://mcp.contoso.com npm run example -- remote-express': 'test/e2e/tutorial.test.ts',
  'npm run example -- terminal-client --trace http://localhost:3001/mcp': 'test/e2e/tutorial.test.ts',
  'npm run example -- terminal-client --call getUserDetails http://localhost:3001/mcp':
    'test/e2e/tutorial.test.ts',
  'npm run example -- terminal-client http://localhost:8808/snippets/mcp': 'test/e2e/tutorial.test.ts',
  'npm run valetkey -- funnel --audit .valetkey/remote-express/audit.jsonl': 'test/e2e/tutorial.test.ts',
  'grep -r eyJ .valetkey/remote-express': 'test/e2e/tutorial.test.ts',
  'npm test': '.ci/run',
  'npm run check': 'tools/bootstrap.integration.test.ts',
  'npm run build': 'tools/bootstrap.integration.test.ts',
  'npm run format': 'tools/bootstrap.integration.test.ts',
  'npm run generate': 'tools/bootstrap.integration.test.ts',
  'npx @valetkey/entra-emulator': 'test/e2e/emulator-command.test.ts',
  'npx @valetkey/entra-emulator --print-seed > seed.json': 'test/e2e/emulator-command.test.ts',
  'npx @valetkey/entra-emulator --seed seed.json': 'test/e2e/emulator-command.test.ts',
};
