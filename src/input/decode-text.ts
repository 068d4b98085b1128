/**
 * Decodes a text that a program of some system has written: UTF-8, or UTF-16 if it begins with the mark of that, as
 * PowerShell's `>` writes it. Bytes that are no UTF-8 become replacement characters, because the name of a process may
 * have any bytes.
 */
export function decodeText(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  return new TextDecoder().decode(bytes);
}
