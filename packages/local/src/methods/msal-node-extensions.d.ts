/** The one thing we use of an optional package that most machines do not have; without this nothing would compile there. */
declare module '@azure/msal-node-extensions' {
  import type { BrokerPlugin } from './broker.ts';
  export const NativeBrokerPlugin: new () => BrokerPlugin;
}
