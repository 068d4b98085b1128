/** The part of fs-native-extensions that is used here; the package ships no types. */
declare module 'fs-native-extensions' {
  /** Takes a kernel lock on an open file, exclusive unless `shared`: false when another open file's stands in the way. */
  export function tryLock(fd: number, options?: { shared?: boolean }): boolean;
}
