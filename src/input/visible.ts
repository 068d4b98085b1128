// Characters that are not seen: control characters and line breaks, those that only format, such as the ones that turn
// the direction of a text (U+202E), and those of no width (U+200B, tags, variation selectors). A text with them looks
// like another one, moves what stands beside it, or says something to a machine that no person sees.

const UNSEEN = String.raw`\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}`;
/**
 * Where such characters belong to the writing: within the emoji of Unicode's list, as joiners and non-joiners between
 * letters of Arabic, Persian and the scripts of India (U+0600 to U+0DFF), and as the variant of a Chinese character.
 */
const WRITTEN = [
  String.raw`\p{RGI_Emoji}`,
  String.raw`(?<=[\u0600-\u0dff])[\u200c\u200d](?=[\u0600-\u0dff])`,
  String.raw`(?<=\p{Unified_Ideograph})[\u{e0100}-\u{e01ef}]`,
].join('|');

const ALL = new RegExp(`[${UNSEEN}]`, 'gv');
const ALL_BUT_LINE_FEED = new RegExp(String.raw`[[${UNSEEN}]--\n]`, 'gv');
/** Made when it is first needed: to compile the emoji takes 20 ms, which is half of what `pa port` may take. */
let writtenOrUnseen: RegExp | undefined;

/**
 * Writes every such character out as its code point, `\u{202e}`. A replacement character would hide which one it was,
 * and would make one text of two. For names and messages of one line.
 */
export const makeVisible = (text: string): string => text.replace(ALL, writeOut);

/** The same for texts that people write, in which some of these characters are needed, line breaks among them. */
export function makeTextVisible(text: string): string {
  writtenOrUnseen ??= new RegExp(String.raw`${WRITTEN}|([[${UNSEEN}]--[\t\n\r]])`, 'gv');
  return text.replace(writtenOrUnseen, (found, unseen?: string) => (unseen === undefined ? found : writeOut(unseen)));
}

/** Writes them out in a JSON text by JSON's own escapes, `\u202e`, so that whoever parses it gets the same value. */
export const escapeInJson = (json: string): string =>
  json.replace(ALL_BUT_LINE_FEED, (found) =>
    Array.from({ length: found.length }, (_, i) => `\\u${hex(found.charCodeAt(i)).padStart(4, '0')}`).join(''),
  );

const writeOut = (character: string): string => `\\u{${hex(character.codePointAt(0) as number)}}`;
const hex = (code: number): string => code.toString(16);
