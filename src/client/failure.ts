/** Why a command cannot be done, by the exit code of its process. */
const EXIT_CODES = {
  /** The service refused it, or the machine did. */
  refused: 1,
  /** The arguments, a variable or a file of the user is wrong. */
  usage: 2,
  /** No service could be reached. */
  unreachable: 3,
} as const;

/** A command that was not done. Its message is for the user: what is wrong, and in `nextStep` what to do about it. */
export class ClientFailure extends Error {
  override readonly name = 'ClientFailure';

  constructor(
    readonly kind: keyof typeof EXIT_CODES,
    /** One sentence that says what is wrong. */
    message: string,
    /** One sentence that says what to do. Empty if the message says it already. */
    readonly nextStep: string,
    /** The problem document of a refusal by the service. */
    readonly problem: Problem | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** What is wrong, and what to do about it. */
  get text(): string {
    return [this.message, this.nextStep].filter(Boolean).join(' ');
  }

  get exitCode(): number {
    return EXIT_CODES[this.kind];
  }
}

/** What a client reads of a problem document (RFC 9457). */
export interface Problem {
  status: number;
  code: string;
  /** What stands in the way, and at its end `nextStep`. */
  detail: string;
  /** How to go on over REST. Missing where `detail` says it all. */
  nextStep?: string;
  requestId?: string;
  suggestion?: string;
  suggestions?: string[];
  [field: string]: unknown;
}
