/** The part of fs-native-extensions that is used here; the package ships no types. */
declare module 'fs-native-extensions' {
  /**
   * Takes a lock of the kernel on an open file, exclusive unless `shared`. @returns false if it is locked through
   * another file descriptor
   */
  export function tryLock(fd: number, options?: { shared?: boolean }): boolean;
}
