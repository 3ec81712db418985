// What the registry transport uses of undici, without the rest of it. The bundle takes this file for `undici`.
const Agent = require('../node_modules/undici/lib/dispatcher/agent.js');
const EnvHttpProxyAgent = require('../node_modules/undici/lib/dispatcher/env-http-proxy-agent.js');
const apiRequest = require('../node_modules/undici/lib/api/api-request.js');

/** undici's `request` for an absolute URL and a given dispatcher. */
function request(url, { dispatcher, ...options }) {
  const { origin, pathname, search } = new URL(url);
  return apiRequest.call(dispatcher, { ...options, origin, path: pathname + search });
}

module.exports = { Agent, EnvHttpProxyAgent, request };
