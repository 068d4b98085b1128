type Place = 'localStorage' | 'sessionStorage';

// Where a browser blocks the data of sites, even to ask for a storage throws. What the page keeps then lives as long as
// it.

/** What was kept under a name; null if nothing was. */
export function readStored(place: Place, name: string): string | null {
  try {
    return window[place].getItem(name);
  } catch {
    return null;
  }
}

/** Keeps a text under a name, or with null, nothing. */
export function store(place: Place, name: string, text: string | null): void {
  try {
    if (text === null) window[place].removeItem(name);
    else window[place].setItem(name, text);
  } catch {
    // said above
  }
}
