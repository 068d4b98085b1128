import { makeTextVisible } from '../../../src/input/visible.js';

/**
 * A text of somebody's own, such as a description. It is isolated, so that one in Hebrew or Arabic does not turn around
 * what stands beside it, and shows the characters in it that would not be seen.
 */
export function FreeText({ children }: { children: string }) {
  return <bdi>{makeTextVisible(children)}</bdi>;
}
