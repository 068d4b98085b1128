// Fields that are not known or stand twice, and how the rules of fields are told. bad-input.test.ts has the values.
import t from 'tap';
import { assertInvalid } from '../helpers/problems.js';
import { openRefusing } from '../helpers/refusing.js';

t.test('a field that is not as it has to be is refused, and nothing changes', async (t) => {
  const { request, path, id, refusing, raw } = await openRefusing(t);

  refusing('unknown fields of bodies', async (t) => {
    for (const [method, url, body, pointer] of [
      ['PUT', path, { descripton: 'typo' }, '/descripton'],
      ['PUT', path, { environment: 'staging' }, '/environment'],
      ['POST', '/v1/projects/consilio/allocations', { service: 'a', project: 'b' }, '/project'],
      ['PATCH', `/v1/allocations/${id}`, { Description: 'x' }, '/Description'],
      ['POST', '/v1/ranges', { project: 'x', size: 200 }, '/size'],
      ['PATCH', '/v1/ranges/3100', { kind: 'shared' }, '/kind'],
    ] as const) {
      assertInvalid(t, await request(method, url, body), pointer, 'is not a known field');
    }
  });

  refusing('an unknown field is answered with those that are known', async (t) => {
    for (const [method, url, body, pointer, detail] of [
      ['PUT', path, { descripton: 'typo' }, '/descripton', /\. Did you mean description\? Known are: serviceType, /],
      ['PUT', path, { environment: 'x' }, '/environment', /Known are: [^.]+\. It belongs in the query\.$/],
      ['POST', '/v1/audits', { enviroment: 'x' }, '/enviroment', /^is not a known field\. Known are: [a-zA-Z, ]+\.$/],
      [
        'PUT',
        '/v1/projects/consilio/environments/x',
        { services: [{ service: 'a', port: 1 }] },
        '/services/0/port',
        'is not a known field. Known are: service, serviceType, description, cloudflareHostname, metadata.',
      ],
      [
        'PUT',
        `${path}?Protocoll=udp`,
        {},
        '/query/Protocoll',
        'is not a known field. Did you mean protocol? Known are: environment, host, protocol, createProject.',
      ],
      ['PUT', `${path}?description=x`, {}, '/query/description', /It belongs in the body\.$/],
      ['GET', `/v1/allocations/${id}?x=1`, undefined, '/query/x', 'is not a known field. None is taken here.'],
      ['PUT', path, { 'a/b': 1 }, '/a~1b', /^is not a known field/],
    ] as const) {
      assertInvalid(t, await request(method, url, body), pointer, detail);
    }
  });

  refusing('a required field whose name is misspelt is named as it was sent', async (t) => {
    const allocations = '/v1/projects/consilio/allocations';
    for (const [url, body, pointer, detail] of [
      [allocations, {}, '/service', 'is required'],
      [allocations, { port: 3100 }, '/service', 'is required'],
      [allocations, { servce: 'x' }, '/servce', /^is not a known field\. Did you mean service\? Known are: service, /],
      [allocations, { project: 'x' }, '/project', /Known are: [^.]+\. It belongs in the path\.$/],
      ['/v1/imports', { items: [{ prt: 3100 }] }, '/items/0/prt', /^is not a known field\. Did you mean port\?/],
      ['/v1/ranges', { Project: 'x' }, '/Project', /^is not a known field\. Did you mean project\?/],
    ] as const) {
      assertInvalid(t, await request('POST', url, body), pointer, detail);
    }
  });

  refusing('what a rule demands is said in plain words', async (t) => {
    const allocations = '/v1/projects/consilio/allocations';
    for (const [method, url, body, pointer, detail] of [
      ['POST', allocations, { service: 1 }, '/service', 'must be a string'],
      ['POST', allocations, { service: 'a', port: '1' }, '/port', 'must be an integer'],
      ['POST', allocations, { service: 'a', port: 0 }, '/port', 'must be 1 or more'],
      ['POST', allocations, { service: 'a', port: 65536 }, '/port', 'must be 65535 or less'],
      ['POST', allocations, { service: 'a', protocol: 'TCP' }, '/protocol', 'must be one of: tcp, udp'],
      ['POST', allocations, { service: 'a', metadata: [] }, '/metadata', 'must be an object'],
      ['PUT', path, { description: 5 }, '/description', 'must be a string or null'],
      ['PUT', path, { description: '' }, '/description', 'must not be empty'],
      ['PUT', path, { description: 'x'.repeat(1001) }, '/description', 'must have 1000 characters or fewer'],
      ['PUT', '/v1/projects/consilio/environments/x', { services: [] }, '/services', 'must not be empty'],
      ['POST', '/v1/imports?dryRun=yes', { items: [{ port: 3100 }] }, '/query/dryRun', /^must be true or false/],
      ['GET', '/v1/allocations/abc', undefined, '/path/id', /^is not of the form .* An example: 0b4e1d1e-/],
    ] as const) {
      assertInvalid(t, await request(method, url, body), pointer, detail);
    }
  });

  refusing('names that stand twice in one object', async (t) => {
    for (const [body, pointer] of [
      ['{"description":"a","description":"b"}', '/description'],
      ['{"description":"a","descr\\u0069ption":"b"}', '/description'],
      ['{"metadata":{"a":[{"b":1,"b":2}]}}', '/metadata/a/0/b'],
    ] as const) {
      assertInvalid(t, await raw(body), pointer, 'stands twice in the same object');
    }
  });

  refusing('unknown fields of queries', async (t) => {
    for (const [method, url] of [
      ['PUT', `${path}?enviroment=x`],
      ['GET', `${path}?enviroment=x`],
      ['DELETE', `${path}?enviroment=x`],
      ['GET', '/v1/ranges?enviroment=x'],
      ['GET', '/v1/ranges/3100?enviroment=x'],
      ['GET', '/v1/projects?enviroment=x'],
      ['GET', '/v1/projects/consilio/summary?enviroment=x'],
      ['GET', '/v1/allocations?enviroment=x'],
      ['GET', '/v1/ports/3100?enviroment=x'],
      ['POST', '/v1/projects/consilio/allocations?enviroment=x'],
      ['GET', `/v1/allocations/${id}?enviroment=x`],
      ['PATCH', `/v1/allocations/${id}?enviroment=x`],
      ['DELETE', `/v1/allocations/${id}?enviroment=x`],
      ['POST', '/v1/ranges?enviroment=x'],
      ['PATCH', '/v1/ranges/3100?enviroment=x'],
      ['DELETE', '/v1/ranges/3500?enviroment=x'],
    ] as const) {
      const body = method === 'POST' ? { service: 'a', project: 'b' } : undefined;
      const valid = url.includes('allocations?') ? { service: 'a' } : url.includes('ranges?') ? { project: 'b' } : body;
      assertInvalid(
        t,
        await request(method, url, method === 'POST' ? valid : undefined),
        '/query/enviroment',
        'is not a known field',
      );
    }
  });
});
