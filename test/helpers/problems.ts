import type { Test } from 'tap';
import { type ProblemCode, problems } from '../../src/errors.js';
import type { Answer } from './app.js';

/** Asserts that an answer is a complete problem document (RFC 9457) with this code, and returns it. */
export function assertProblem(t: Test, answer: Answer, code: ProblemCode): Answer['body'] {
  const { body, headers } = answer;
  const { status, title } = problems[code];
  t.equal(answer.status, status, `status of ${code}: ${answer.text}`);
  t.equal(headers['content-type'], 'application/problem+json; charset=utf-8');
  t.match(body, {
    type: `urn:port-allocator:problem:${code}`,
    title,
    status,
    detail: /^\S.{10,}/,
    instance: /^\//,
    code,
    requestId: /^[\w.:-]{1,128}$/,
  });
  t.equal(headers['x-request-id'], body?.requestId);
  return body;
}

/** Asserts that a request was refused because of one field. */
export function assertInvalid(t: Test, answer: Answer, pointer: string, detail?: RegExp | string): void {
  const body = assertProblem(t, answer, 'validation-failed');
  t.match(body?.errors, [{ pointer, detail: detail ?? /./ }], `names ${pointer}`);
  t.equal(body?.errors?.[0]?.pointer, pointer);
}
