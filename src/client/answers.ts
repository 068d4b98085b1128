import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { ClientFailure, type Problem } from './failure.js';
import { nextStepFor } from './next-steps.js';
import { notPortAllocator } from './unreachable.js';

/** Of a refusal. What is longer is no problem document. */
const MAX_REFUSAL_BYTES = 1024 * 1024;

/**
 * Reads an answer that is a refusal.
 * @param place where it came from, for a message
 * @returns null if the answer is none, so that its body has still to be read
 */
export async function readRefusal(place: string, answer: IncomingMessage): Promise<ClientFailure | null> {
  const status = answer.statusCode as number;
  const type = answer.headers['content-type'] ?? '';
  const isHtml = type.startsWith('text/html');
  if (status < 300 && !isHtml) return null;
  const problem = status >= 400 && type.includes('json') ? await readProblem(answer) : null;
  answer.destroy();
  if (problem === null) return notPortAllocator(place, answer);
  return toFailure(problem);
}

export const toFailure = (problem: Problem): ClientFailure =>
  new ClientFailure('refused', messageOf(problem), nextStepFor(problem), problem);

async function readProblem(answer: IncomingMessage): Promise<Problem | null> {
  if (Number(answer.headers['content-length'] ?? 0) > MAX_REFUSAL_BYTES) return null;
  try {
    const problem = JSON.parse(await text(answer));
    return typeof problem?.code === 'string' && typeof problem.detail === 'string' ? problem : null;
  } catch {
    return null;
  }
}

/** `detail` without its end, which says how to go on over REST. */
function messageOf({ detail, nextStep }: Problem): string {
  return nextStep !== undefined && detail.endsWith(nextStep) ? detail.slice(0, -nextStep.length).trim() : detail;
}

/** Reads a whole answer. @returns the value of one in JSON, or the text of another one */
export async function readWhole(answer: IncomingMessage): Promise<unknown> {
  const content = await text(answer);
  return /[/+]json\b/.test(answer.headers['content-type'] ?? '') ? JSON.parse(content) : content;
}
