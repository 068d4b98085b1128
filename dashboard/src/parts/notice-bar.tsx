import { useState } from 'preact/hooks';
import { type Notice, notice, tell } from '../notices.js';
import { describeFailure } from '../registry/api.js';

/**
 * What was done last, with a button that takes it back. It is on the page, and in the details of a port where these
 * cover the page. The other one is empty.
 */
export function NoticeBar({ isHere }: { isHere: boolean }) {
  const shown = isHere ? notice.value : null;
  return (
    <div class="notice" role="status">
      {shown !== null && <Shown key={shown.id} {...shown} />}
    </div>
  );
}

function dismiss(): void {
  notice.value = null;
}

function Shown({ text, undo }: Notice) {
  const [isBusy, setBusy] = useState(false);
  const takeBack = async () => {
    if (isBusy || undo === undefined) return;
    setBusy(true);
    await undo().catch((error: unknown) => tell(`It was not taken back. ${describeFailure(error)}`, undo));
    setBusy(false);
  };
  return (
    <p>
      {text}
      {undo !== undefined && (
        <button type="button" class="link" aria-disabled={isBusy} onClick={() => void takeBack()}>
          Undo
        </button>
      )}
      <button type="button" class="link" onClick={dismiss}>
        Dismiss
      </button>
    </p>
  );
}
