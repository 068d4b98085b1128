import { join } from 'node:path';
import t from 'tap';
import { type ConfigError, loadConfig } from '../../src/config.js';

const all = {
  CLOUDFLARE_API_TOKEN: 'secret-token-'.repeat(3),
  CLOUDFLARE_ACCOUNT_ID: '0'.repeat(32),
  CLOUDFLARE_TUNNEL_ID: 'f70ff985-a4ef-4643-bbbc-4a0ed4fc8415',
  CLOUDFLARE_ZONES: 'example.com',
};

function problemsOf(variables: Record<string, string>): string[] {
  try {
    loadConfig(variables);
    return [];
  } catch (error) {
    return (error as ConfigError).problems;
  }
}

t.test('all variables of the tunnel are set, or none of them', async (t) => {
  for (const name of Object.keys(all)) {
    t.match(problemsOf({ ...all, [name]: '' }), [new RegExp(`^${name}: is missing; set all of `)]);
  }
  t.strictSame(problemsOf(all), []);
});

t.test('each is checked, and no problem has the token', async (t) => {
  const problems = problemsOf({
    CLOUDFLARE_API_TOKEN: 'too short',
    CLOUDFLARE_ACCOUNT_ID: 'example',
    CLOUDFLARE_TUNNEL_ID: 'home',
    CLOUDFLARE_ZONES: 'com, example.com',
  });
  t.match(problems, [
    /^CLOUDFLARE_API_TOKEN: what was given/,
    /^CLOUDFLARE_ACCOUNT_ID: "example" is not/,
    /^CLOUDFLARE_TUNNEL_ID: "home" is no UUID/,
    /^CLOUDFLARE_ZONES: "com" is not the name of a zone/,
  ]);
  t.notMatch(problems.join(), 'too short');
});

t.test('the token can be read from a file', async (t) => {
  const folder = t.testdir({ token: `${all.CLOUDFLARE_API_TOKEN}\n` });
  const { CLOUDFLARE_API_TOKEN, ...others } = all;
  const config = loadConfig({ ...others, CLOUDFLARE_API_TOKEN_FILE: join(folder, 'token') });
  t.equal(config.cloudflare?.apiToken, CLOUDFLARE_API_TOKEN);
});
