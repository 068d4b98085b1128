import SerializerSelector from '@fastify/fast-json-stringify-compiler';
import type { FastifyInstance } from 'fastify';
import { components } from '../schemas/components.js';

const compile = SerializerSelector()(Object.fromEntries(components.map((component) => [component.$id, component])));
const compiled = new Map<string, ReturnType<typeof compile>>();

/**
 * Compiles each response schema once. Fastify would compile it for every route and status that answers it, and
 * a problem document is answered by all of them: that was nine tenths of the time until an app was ready.
 */
export function registerSerializers(app: FastifyInstance): void {
  app.setSerializerCompiler((route) => {
    const key = JSON.stringify(route.schema);
    const serialize = compiled.get(key) ?? compile({ httpStatus: '', ...route });
    compiled.set(key, serialize);
    return serialize;
  });
}
