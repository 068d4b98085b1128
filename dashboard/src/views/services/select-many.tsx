import { useLayoutEffect, useRef } from 'preact/hooks';

interface Props {
  label: string;
  part: 'none' | 'some' | 'all';
  onSelect(isOn: boolean): void;
}

/** A checkbox for many rows, which is half checked where some of them are selected. */
export function SelectMany({ label, part, onSelect }: Props) {
  const box = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    if (box.current) box.current.indeterminate = part === 'some';
  });
  return (
    <input
      ref={box}
      type="checkbox"
      aria-label={label}
      checked={part === 'all'}
      onChange={() => onSelect(part !== 'all')}
    />
  );
}
