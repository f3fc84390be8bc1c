/** `@valetkey/local`: what a stdio MCP server uses. */
export type { Account } from './accounts.ts';
export { GraphFailed } from '@valetkey/core/graph/ask-graph';
export { callGraph, createLocalGraph } from './call-graph.ts';
export type { Keychain } from './cache/keychain.ts';
export type { DeviceCodePrompt } from './methods/device-code.ts';
export { type OpenBrowser, openBrowser } from './open-browser.ts';
export {
  ConfigurationFault,
  readSignInOptions,
  type SignInOptions,
  type TokenStore,
  type Way,
} from './options.ts';
export type { SignedInPerson } from './person.ts';
export { SignInPending } from './shared-prompt.ts';
export { type AccessToken, type SignIn, signIn } from './sign-in.ts';
export type { TokenOptions } from './token-source.ts';
export { SignInFailed, type SignInReason } from './sign-in-failed.ts';
export type { Surroundings } from './surroundings.ts';
export { type InputRequired, type ToolContext, withSignIn } from './with-sign-in.ts';
