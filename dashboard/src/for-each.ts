/** How many requests of one action are under way at a time: a browser opens six connections, and one is the feed's. */
const AT_A_TIME = 4;

/** What became of an action on many things. */
export interface Outcome<T> {
  done: T[];
  /** In the order in which they were given; each with why it failed. */
  failed: { what: string; error: unknown }[];
}

/** Does something with each, some at a time. One that fails does not keep the others from being done. */
export async function doForEach<T, R>(
  items: readonly T[],
  nameOf: (item: T) => string,
  action: (item: T) => Promise<R>,
): Promise<Outcome<R>> {
  const outcomes: Outcome<R>[] = [];
  const left = [...items.entries()];
  const work = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [index, item] = next;
      outcomes[index] = await action(item).then(
        (done) => ({ done: [done], failed: [] }),
        (error) => ({ done: [], failed: [{ what: nameOf(item), error }] }),
      );
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return { done: outcomes.flatMap(({ done }) => done), failed: outcomes.flatMap(({ failed }) => failed) };
}
