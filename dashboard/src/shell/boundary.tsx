import type { ComponentChildren } from 'preact';
import { useErrorBoundary } from 'preact/hooks';
import { Message } from '../dialogs/message.js';

/**
 * Keeps an error of ours to the part of the page where it happens: of the rest, everything still works. A key of what
 * is shown lets it try again with something else.
 */
export function Boundary({ failed, children }: { failed: ComponentChildren; children: ComponentChildren }) {
  // Whoever looks for the reason finds it in the console.
  const [error] = useErrorBoundary((error) => reportError(error));
  return <>{error === undefined ? children : failed}</>;
}

const LoadAgain = () => (
  <button type="button" class="button" onClick={() => location.reload()}>
    Load the page again
  </button>
);

/** In place of a view, or of the details of a port. */
export function FailedView() {
  return (
    <div class="failure" role="alert">
      <h2>This view has failed</h2>
      <p>What the registry holds is not touched by that. Loading the page again may be enough.</p>
      <LoadAgain />
    </div>
  );
}

export function FailedDialog() {
  return (
    <Message title="This dialog has failed">
      <p>Look whether it has done what you wanted before you try again. Loading the page again may be enough.</p>
      <LoadAgain />
    </Message>
  );
}
