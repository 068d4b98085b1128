/**
 * The text with A to Z in lower case. Every other character stays as it is, and all keep their places. `toLowerCase`
 * would also make a k of the Kelvin sign, and two characters of some others.
 */
export function toAsciiLowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
}
