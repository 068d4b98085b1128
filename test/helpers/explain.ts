import { isDeepStrictEqual } from 'node:util';
import type { Command } from './commands.js';
import type { Model } from './model.js';
import type { Observation } from './model-values.js';

/**
 * Searches all orders in which the commands, one after another, would have got the answers that they got.
 * @returns the model after each such order; empty if there is none
 */
export function explain(model: Model, commands: readonly Command[], answers: readonly Observation[]): Model[] {
  const search = (before: Model, waiting: readonly number[]): Model[] =>
    waiting.length === 0
      ? [before]
      : waiting.flatMap((next) => {
          const after = before.copy();
          const observed = answers[next] as Observation;
          const expected = after.apply(commands[next] as Command, observed);
          return isDeepStrictEqual(expected, observed)
            ? search(
                after,
                waiting.filter((other) => other !== next),
              )
            : [];
        });
  return search(model, [...commands.keys()]);
}
