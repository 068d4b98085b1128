/** What MCP calls `clientInfo`, as one text: `claude-code/2.1`. Null if it has no name. */
export function nameClient(info: unknown): string | null {
  const { name, version } = (info ?? {}) as { name?: unknown; version?: unknown };
  if (typeof name !== 'string' || name === '') return null;
  return typeof version === 'string' ? `${name}/${version}` : name;
}
