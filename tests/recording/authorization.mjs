// An MCP server that asks for authorization, and the authorization server that gives it: `oidc-provider`, with its own
// pages for the login. Both for this machine alone.
//
// Usage: node authorization.mjs FOLDER, where FOLDER holds `node_modules`.

import http from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const require = createRequire(path.join(path.resolve(process.argv[2]), 'x.js'));
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const ISSUER = 'http://127.0.0.1:7001';
const SERVER = 'http://127.0.0.1:7002';
const RESOURCE = `${SERVER}/mcp`;

const provider = new Provider(ISSUER, {
  clients: [],
  scopes: ['openid', 'offline_access', 'mcp'],
  pkce: { required: () => true },
  issueRefreshToken: async () => true,
  cookies: { keys: ['only for a recording'] },
  features: {
    registration: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => {
        if (resource !== RESOURCE) throw new Error(`no resource ${resource}`);
        return { scope: 'mcp', audience: resource, accessTokenTTL: 20, accessTokenFormat: 'opaque' };
      },
    },
  },
});
http.createServer(provider.callback()).listen(7001, '127.0.0.1');

const TOOL = { name: 'who-am-i', description: 'Says who is logged in.', inputSchema: { type: 'object', properties: {} } };

http
  .createServer(async (request, response) => {
    const send = (status, body, headers = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(body && JSON.stringify(body));
    };
    const described = '/.well-known/oauth-protected-resource/mcp';
    if (request.url === described) {
      return send(200, { resource: RESOURCE, authorization_servers: [ISSUER], scopes_supported: ['mcp'] });
    }
    const token = (request.headers.authorization ?? '').replace(/^Bearer /, '');
    const found = token && (await provider.AccessToken.find(token));
    if (!found || found.isExpired || found.aud !== RESOURCE) {
      const challenge = `Bearer resource_metadata="${SERVER}${described}", scope="mcp"`;
      return send(401, {}, { 'www-authenticate': challenge });
    }
    if (request.method !== 'POST') return send(405, {});
    let text = '';
    for await (const piece of request) text += piece;
    const message = JSON.parse(text);
    if (message.id === undefined) return send(202);
    const results = {
      initialize: () => ({
        protocolVersion: '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'guarded', version: '1' },
      }),
      'tools/list': () => ({ tools: [TOOL] }),
      'tools/call': () => ({ content: [{ type: 'text', text: `you are ${found.accountId}` }] }),
    };
    const result = results[message.method]?.();
    const answer = { jsonrpc: '2.0', id: message.id };
    send(200, result ? { ...answer, result } : { ...answer, error: { code: -32601, message: 'no such method' } });
  })
  .listen(7002, '127.0.0.1', () => console.log('ready'));
