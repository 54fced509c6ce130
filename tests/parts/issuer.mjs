// A real issuer of OpenID Connect for tests. Arguments: the directory of its packages, and a file with its settings.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

const [packages, file] = process.argv.slice(2);
const settings = JSON.parse(readFileSync(file, 'utf8'));
const { Provider } = await import(`${packages}/node_modules/oidc-provider/lib/index.js`);

// Its clock is off by this much.
const realNow = Date.now;
Date.now = () => realNow() + settings.off_by_s * 1000;

const known = (id) => settings.users[id] ?? {};
const provider = new Provider(settings.issuer, {
  jwks: settings.keys,
  clients: settings.clients,
  cookies: { keys: ['for tests'] },
  scopes: ['openid', 'offline_access'],
  claims: { openid: ['sub', 'roles', 'namespaces'] },
  conformIdTokenClaims: false,
  enabledJWA: {
    idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA', 'PS256'],
  },
  ttl: { IdToken: settings.ttl_s, AccessToken: settings.ttl_s, DeviceCode: settings.code_s },
  issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  findAccount: async (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, ...known(id) }) }),
  extraTokenClaims: async (_ctx, token) => known(token.accountId ?? token.clientId),
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: async () => true,
      getResourceServerInfo: async () => ({
        scope: '',
        audience: settings.audience,
        accessTokenTTL: settings.ttl_s,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: settings.algorithm } },
      }),
    },
  },
});
provider.on('server_error', (_ctx, error) => console.error(error));
const { key, certificate } = settings;
const server = certificate
  ? https.createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, provider.callback())
  : http.createServer(provider.callback());
server.listen(settings.port, '127.0.0.1');
