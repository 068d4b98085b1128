/** Why the project and environment of a folder cannot be worked out. */
export class FolderProblem extends Error {
  override readonly name = 'FolderProblem';

  constructor(
    /** Whole sentences that say what is wrong. */
    message: string,
    /** What to do about it, without the full stop. */
    readonly remedy: string,
    /** Whether it is a way out to name the project and the environment. */
    readonly isAvoidable = false,
  ) {
    super(message);
  }
}

export const noFolder = (folder: string): FolderProblem =>
  new FolderProblem(`There is no folder ${folder} that can be read.`, 'Name one that is there');
