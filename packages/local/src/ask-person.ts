/** The ways of asking the person, one after the other until one exists here. */
import type { AuthenticationResult } from '@azure/msal-node';
import { failureFrom } from './entra-failure.ts';
import { findWays, type PromptWay } from './find-way.ts';
import { type BrokerPlugin, brokerRedirectUri, createBrokerPrompt } from './methods/broker.ts';
import { createBrowserPrompt } from './methods/browser.ts';
import { createDeviceCodePrompt, type DeviceCodePrompt } from './methods/device-code.ts';
import { NoSuchWay, type Prompt, type PromptRequest } from './methods/prompt.ts';
import type { MsalClient } from './msal-client.ts';
import type { Settings } from './options.ts';
import { SignInFailed } from './sign-in-failed.ts';
import type { Surroundings } from './surroundings.ts';

export interface AskOptions {
  readonly settings: Settings;
  readonly surroundings: Surroundings;
  readonly log: (line: string) => void;
  readonly broker: BrokerPlugin | undefined;
  /** @param broker only where that is the way */
  readonly createClient: (broker?: BrokerPlugin) => MsalClient;
  readonly announce: (prompt: DeviceCodePrompt) => void;
}

/** @throws SignInFailed, or the signal's reason. */
export async function askPerson(options: AskOptions, request: PromptRequest): Promise<AuthenticationResult> {
  const { settings, surroundings, broker, log } = options;
  const ways = findWays(settings.way, surroundings.machine).filter(
    (way) => way !== 'broker' || broker !== undefined,
  );
  for (const way of ways) {
    const client = options.createClient(way === 'broker' ? broker : undefined);
    try {
      return await promptOf(way, options)(client.app, request);
    } catch (error) {
      request.signal.throwIfAborted();
      if (!(error instanceof NoSuchWay)) throw failureFrom(error, client.last());
      log(`Sign-in: ${error.message}.`);
    }
  }
  throw noWay(settings.way);
}

function promptOf(way: PromptWay, options: AskOptions): Prompt {
  const { settings, surroundings, log, announce } = options;
  if (way === 'broker')
    return createBrokerPrompt(brokerRedirectUri(surroundings.machine.platform, settings.clientId), log);
  if (way === 'browser')
    return createBrowserPrompt({
      openBrowser: surroundings.openBrowser,
      authorityHost: settings.authorityHost,
      log,
    });
  return createDeviceCodePrompt((prompt) => {
    log(`${prompt.message}.`);
    announce(prompt);
  });
}

function noWay(wanted: Settings['way']): SignInFailed {
  const remedies: Readonly<Record<Settings['way'], string>> = {
    auto: 'no broker and no browser is here, and a device code is not to be had',
    broker:
      'no broker is here: install @azure/msal-node-extensions where the system has one, or allow another way',
    browser: 'no browser can be opened: use `device-code`',
    'device-code': 'a device code is not to be had',
  };
  return new SignInFailed('no-way', `There is no way to sign in: ${remedies[wanted]}`);
}
