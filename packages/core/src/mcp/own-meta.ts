import { isResponse, type JsonObject, type JsonRpcMessage } from './json-rpc.ts';

/** No client may write these keys of `_meta`: a server on a pipe believes them. */
const ownPrefix = 'valetkey/';

/** The message with our word in `params._meta`, and without what a client wrote there in our name. */
export function withOwnMeta(message: JsonRpcMessage, meta: JsonObject): JsonRpcMessage {
  if (isResponse(message)) return message;
  const given = message.params?.['_meta'];
  const theirs =
    typeof given === 'object' && given !== null
      ? Object.entries(given).filter(([key]) => !key.toLowerCase().startsWith(ownPrefix))
      : [];
  const merged = { ...Object.fromEntries(theirs), ...meta };
  const isUntouched = given === undefined && Object.keys(merged).length === 0;
  return isUntouched ? message : { ...message, params: { ...message.params, _meta: merged } };
}
