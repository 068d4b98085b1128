import { Type } from '@sinclair/typebox';
import { type ProblemCode, problems } from '../errors.js';
import { Nullable, ProjectName, StringEnum, Timestamp } from './common.js';

const Suggestion = Type.String({
  description: 'A name that can be used instead of the one that was refused for its form.',
  examples: ['feature-cart-km89'],
});

/** A problem document (RFC 9457), with a stable `code` that programs can match on. */
export const Problem = Type.Object(
  {
    type: Type.String({ examples: ['urn:port-allocator:problem:range-exhausted'] }),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.String({ description: 'What stands in the way, and what to do.' }),
    nextStep: Type.Optional(
      Type.String({
        description:
          'The end of `detail`, which says how to go on over REST. A client with commands of its own shows the rest.',
      }),
    ),
    instance: Type.String({ description: 'The path that was asked for.' }),
    code: StringEnum(Object.keys(problems) as ProblemCode[]),
    requestId: Type.String({ description: 'The `x-request-id` of the answer, as the logs have it.' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({ pointer: Type.String(), detail: Type.String(), suggestion: Type.Optional(Suggestion) }),
        {
          description: 'The fields that are wrong.',
        },
      ),
    ),
    suggestion: Type.Optional(
      Type.String({ ...Suggestion, description: `${Suggestion.description} Here if one name alone was refused.` }),
    ),
    suggestions: Type.Optional(
      Type.Array(Type.String(), {
        description: 'Names of projects that are similar to the one that is not there, the most similar first.',
      }),
    ),
    holder: Type.Optional(
      Type.Object(
        {
          kind: StringEnum(['allocation', 'reservation', 'cooling']),
          id: Nullable(Type.String()),
          project: ProjectName,
          service: Nullable(Type.String()),
          environment: Nullable(Type.String()),
        },
        { description: 'Who stands in the way of the port.' },
      ),
    ),
    path: Type.Optional(Type.String({ description: 'The folder that is on record for the environment.' })),
    nextPortAvailableAt: Type.Optional(
      Nullable(Timestamp, { description: 'When a port of the project comes free by itself, if one does.' }),
    ),
  },
  {
    $id: 'Problem',
    description: 'A refusal (RFC 9457).',
    examples: [
      {
        type: 'urn:port-allocator:problem:port-taken',
        title: problems['port-taken'].title,
        status: 409,
        detail:
          'Port 3100 on localhost/tcp is held by consilio/api (environment default), by allocation ' +
          '0b4e1d1e-6d3c-4a8f-9d55-0f7f6a3f2c11. Ask for another port, leave the port out to get the lowest free one, ' +
          'or have its holder give it up.',
        nextStep: 'Ask for another port, leave the port out to get the lowest free one, or have its holder give it up.',
        instance: '/v1/projects/consilio/allocations',
        code: 'port-taken',
        requestId: '5c1f3b0e-2f43-4b0a-8f2b-6f1c0e5b9a77',
        holder: {
          kind: 'allocation',
          id: '0b4e1d1e-6d3c-4a8f-9d55-0f7f6a3f2c11',
          project: 'consilio',
          service: 'api',
          environment: 'default',
        },
      },
    ],
  },
);
