import type { StackOfService } from './stack/stack.js';

/**
 * Replaces `{port}`, `{url}`, `{web.port}`, `{web.url}`, `{project}` and `{environment}` in an argument. Everything else
 * stays as it is, such as the braces of JSON or awk, and `${port}`, which is a variable of a shell.
 */
export function fillArgument(argument: string, stack: StackOfService): string {
  return argument.replace(/(?<!\$)\{([a-z0-9._-]+)\}/g, (whole, name: string) => readValue(name, stack) ?? whole);
}

function readValue(name: string, stack: StackOfService): string | null {
  if (name === 'project' || name === 'environment') return stack[name];
  if (name === 'port' || name === 'url') return readValue(`${stack.service}.${name}`, stack);
  const dot = Math.max(name.lastIndexOf('.'), 0); // the names of services may have dots as well
  const service = stack.services.get(name.slice(0, dot));
  const field = name.slice(dot + 1);
  return service !== undefined && (field === 'port' || field === 'url') ? String(service[field]) : null;
}
