import type { ComponentChildren } from 'preact';

/** One thing that is known, in a `<dl>`; nothing where it is not. */
export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  if (children === null || children === undefined) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
